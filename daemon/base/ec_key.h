/*
 * Signs and checks bytes with an EC P-256 key (ECDSA over SHA-256, signatures in DER), by libcrypto.
 * Keys are PEM files as `openssl ecparam -name prime256v1 -genkey` writes them.
 */
#ifndef BASE_EC_KEY_H
#define BASE_EC_KEY_H

#include "buf.h"
#include "err.h"
#include "sha256.h"

struct ec_key;

/*
 * Read a key. E_BAD_CONFIG when the file cannot be read or holds another kind of key, a private key that is
 * encrypted, or a private key that everyone may read.
 */
int ec_key_read_private(const char *path, struct ec_key **ret, struct err *e);
int ec_key_read_public(const char *path, struct ec_key **ret, struct err *e);
void ec_key_free(struct ec_key **k);

/* The SHA-256 of the public key in PEM form, in hex: names the key in a signature. */
int ec_key_id(const struct ec_key *k, char ret[SHA256_HEX_LEN + 1], struct err *e);

/* Appends the signature to `ret`. Two signatures of the same bytes differ. */
int ec_key_sign(const struct ec_key *k, const void *data, size_t len, struct buf *ret, struct err *e);

bool ec_key_verify(const struct ec_key *k, const void *data, size_t len, const void *sig, size_t sig_len);

#endif
