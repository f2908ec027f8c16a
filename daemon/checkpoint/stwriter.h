/*
 * Writes a safetensors file: declare every tensor, then give the bytes in the same order.
 *
 *	stw_new(path) ; stw_add(name, dtype, shape) ... ; stw_begin ; stw_data ... ; stw_finish
 *
 * The header is padded with spaces to a multiple of 8. The file appears under its name
 * (fsync, rename) in stw_finish only; stw_free without it leaves nothing behind.
 */
#ifndef CHECKPOINT_STWRITER_H
#define CHECKPOINT_STWRITER_H

#include "safetensors.h"

struct stw;

int stw_new(const char *path, struct stw **ret, struct err *e);
void stw_free(struct stw **w);
int stw_add(struct stw *w, const char *name, enum elem dtype, int rank, const int64_t *shape, struct err *e);
int stw_meta(struct stw *w, const char *key, const char *value, struct err *e); /* into "__metadata__" */
int stw_begin(struct stw *w, struct err *e);
int stw_data(struct stw *w, const void *data, size_t len, struct err *e); /* in pieces of any size */
int stw_finish(struct stw *w, struct err *e);

#endif
