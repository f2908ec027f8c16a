/*
 * Copies the files of a processor and a tokenizer into the artifact.
 *
 * They are copied once, at the start, and each must look like what its name says: even if a caller puts a
 * password file under the name vocab.json, it does not get into an artifact.
 */
#ifndef WORKER_PROCESSOR_H
#define WORKER_PROCESSOR_H

#include "base/sha256.h"
#include "checkpoint/checkpoint.h"

struct processor_file {
	const char *name;
	uint64_t size; /* bytes */
	char sha256[SHA256_HEX_LEN + 1];
};

#define PROCESSOR_FILES_MAX 24

struct processor {
	struct processor_file file[PROCESSOR_FILES_MAX];
	size_t n;
};

/*
 * Copies the files to the folder `out_dir`. An adapter's own files replace its base's, except config.json.
 * E_BAD_CHECKPOINT for a file that cannot be read or is not what its name says.
 */
int processor_take(struct processor *p, const struct checkpoint *c, const char *out_dir, struct err *e);

/*
 * Checks that the bytes look like a file with that name. `path` is for the message, which quotes no content.
 */
int processor_check(const char *name, const char *bytes, size_t len, const char *path, struct err *e);

#endif
