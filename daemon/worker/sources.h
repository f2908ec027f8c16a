/*
 * Opens every file that a conversion reads and detects changes until its end, so that the hashes in the manifest
 * belong to the bytes that were converted.
 *
 * Small files are copied at the start (processor.h). A thread of low priority hashes the weights through the
 * descriptors of their mappings, sharing the page cache with the export. References are opened once, and
 * colconv-parity inherits the descriptors.
 */
#ifndef WORKER_SOURCES_H
#define WORKER_SOURCES_H

#include "processor.h"

struct sources;

/* `c` must outlive it; the strings of `reference` too. */
int sources_open(const struct checkpoint *c, struct folder_roots roots, char *const *reference,
		 size_t n_reference, const char *out_dir, struct sources **ret, struct err *e);
void sources_free(struct sources **s); /* stops the hashing if it runs */

/* E_SOURCE_CHANGED when a file changed since it was opened. */
int sources_check(const struct sources *s, struct err *e);

const struct processor *sources_processor(const struct sources *s);

size_t sources_reference_count(const struct sources *s);
const char *sources_reference(const struct sources *s, size_t i); /* its path, as it was given */
const int *sources_reference_fds(const struct sources *s);        /* one for each */

int sources_hash_begin(struct sources *s, struct err *e); /* does nothing if they are hashed already */
int sources_hash_wait(struct sources *s, struct err *e);  /* until all weights are hashed */

/* The SHA-256 of checkpoint_file(c, i). Call it after sources_hash_wait() has succeeded. */
const char *sources_sha256(const struct sources *s, size_t i);

#endif
