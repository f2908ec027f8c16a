/* The test pictures for the graphs preprocess and page, generated from a seed. */
#ifndef WORKER_PICTURES_H
#define WORKER_PICTURES_H

#include "picture/prepare.h"

size_t pictures_count(void);
const char *pictures_name(size_t i);

/*
 * Whether the case also has embeddings: a large picture takes minutes and tests nothing more than a small
 * one.
 */
bool pictures_embedded(size_t i, const struct prepare *p);

int pictures_make(size_t i, const struct prepare *p, uint64_t seed, struct picture *ret, struct err *e);

#endif
