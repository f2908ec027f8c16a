/* The pictures that the graphs preprocess and page are checked with, made from a seed. */
#ifndef WORKER_PICTURES_H
#define WORKER_PICTURES_H

#include "picture/prepare.h"

size_t pictures_count(void);
const char *pictures_name(size_t i);

/* Whether the case also has embeddings: a large picture costs minutes, and says nothing that a small one does not. */
bool pictures_embedded(size_t i, const struct prepare *p);

int pictures_make(size_t i, const struct prepare *p, uint64_t seed, struct picture *ret, struct err *e);

#endif
