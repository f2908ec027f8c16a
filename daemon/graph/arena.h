/* An arena: memory for things that are freed together. Pieces are allocated one by one and freed all at once. */
#ifndef GRAPH_ARENA_H
#define GRAPH_ARENA_H

#include "base/util.h"

struct ir_arena;

struct ir_arena *arena_new(void);
void arena_free(struct ir_arena **a);
void *arena_alloc(struct ir_arena *a,
		  size_t len); /* zeroed, aligned for anything; NULL when memory ran out */

#endif
