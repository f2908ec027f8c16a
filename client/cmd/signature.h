/*
 * model.sig: the signature of a folder in the form of OpenSSF model signing 1.0, which the Python package
 * model-signing writes and checks too.
 *
 *	model.sig            a Sigstore bundle (JSON) with the public key's SHA-256 as hint, and a DSSE envelope
 *	its payload          an in-toto statement: the name and SHA-256 of every file
 *	its signature        ECDSA over "DSSEv1 LENGTH TYPE LENGTH PAYLOAD"
 *
 * Two signatures of the same files differ, so manifest.json does not list model.sig. The signature covers the
 * manifest, not the reverse.
 */
#ifndef CLIENT_SIGNATURE_H
#define CLIENT_SIGNATURE_H

#include "base/ec_key.h"
#include "base/json.h"

#define SIGNATURE_FILE "model.sig"

/* True for a file that a signature does not cover: model.sig itself and what belongs to git. */
bool signature_skips(const char *name);

/* Writes `dir`/model.sig. `files` are the rows of tree.h with their hashes. */
int signature_write(const char *dir, const json_t *files, const struct ec_key *key, struct err *e);

/*
 * Compares `dir`/model.sig with the hashes in `files`, and its signature with the public key. Each difference
 * is added to `problems` as a sentence.
 */
int signature_check(const char *dir, const json_t *files, const struct ec_key *key, json_t *problems,
		    struct err *e);

#endif
