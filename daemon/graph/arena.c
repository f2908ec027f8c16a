#include "arena.h"

#define ARENA_CHUNK 65536

struct chunk {
	struct chunk *next;
	size_t used, cap;
	_Alignas(max_align_t) unsigned char data[];
};

struct ir_arena {
	struct chunk *chunk;
};

struct ir_arena *
arena_new(void)
{
	return calloc(1, sizeof(struct ir_arena));
}

void
arena_free(struct ir_arena **a)
{
	struct chunk *c, *next;

	if (!*a)
		return;
	for (c = (*a)->chunk; c; c = next) {
		next = c->next;
		free(c);
	}
	free(*a);
	*a = NULL;
}

void *
arena_alloc(struct ir_arena *a, size_t len)
{
	struct chunk *c = a->chunk;
	size_t cap;
	void *p;

	if (len > SIZE_MAX / 2)
		return NULL;
	len = ALIGN_UP(len, _Alignof(max_align_t));
	if (!c || c->cap - c->used < len) {
		cap = MAX(len, (size_t)ARENA_CHUNK);
		c = calloc(1, sizeof(*c) + cap);
		if (!c)
			return NULL;
		c->cap = cap;
		c->next = a->chunk;
		a->chunk = c;
	}
	p = c->data + c->used;
	c->used += len;
	return p;
}
