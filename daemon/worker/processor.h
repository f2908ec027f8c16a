/*
 * The files of a processor and a tokenizer, which an artifact takes along as they are.
 *
 * They are taken once, at the start, and must be what their names say: whatever a caller manages to
 * put behind the name vocab.json, an artifact does not hand out a password file.
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
 * Copies them to the folder `out_dir`. An adapter's own come before its base's, except for
 * config.json. E_BAD_CHECKPOINT for one that cannot be read or is not what it should be.
 */
int processor_take(struct processor *p, const struct checkpoint *c, const char *out_dir, struct err *e);

/* The bytes are such as a file of that name holds; `path` is for the message, which quotes none of them. */
int processor_check(const char *name, const char *bytes, size_t len, const char *path, struct err *e);

#endif
