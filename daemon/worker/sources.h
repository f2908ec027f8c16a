/*
 * All that a conversion reads, held to one state from its start to its end: what the manifest says of
 * a source is true of the bytes that were converted.
 *
 * Small files are taken at the start (processor.h). Weights are hashed through the descriptors that
 * they are mapped by, by a thread of low priority: it reads behind or ahead of the export, from the
 * same pages of the cache. References are opened once, and colconv-parity gets the descriptors.
 */
#ifndef WORKER_SOURCES_H
#define WORKER_SOURCES_H

#include "processor.h"

struct sources;

/* `c` must outlive it; the strings of `reference` too. */
int sources_open(const struct checkpoint *c, struct folder_roots roots, char *const *reference,
		 size_t n_reference, const char *out_dir, struct sources **ret, struct err *e);
void sources_free(struct sources **s); /* stops what has not ended */

/* E_SOURCE_CHANGED when a file is not as it was opened. */
int sources_check(const struct sources *s, struct err *e);

const struct processor *sources_processor(const struct sources *s);

size_t sources_reference_count(const struct sources *s);
const char *sources_reference(const struct sources *s, size_t i); /* its path, as it was given */
const int *sources_reference_fds(const struct sources *s);        /* one for each */

int sources_hash_begin(struct sources *s, struct err *e);
int sources_hash_wait(struct sources *s, struct err *e); /* until all weights are hashed */

/* Of checkpoint_file(c, i), once sources_hash_wait() has succeeded. */
const char *sources_sha256(const struct sources *s, size_t i);

#endif
