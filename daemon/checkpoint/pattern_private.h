/* The parse tree that the pattern parser hands to the compiler. */
#ifndef CHECKPOINT_PATTERN_PRIVATE_H
#define CHECKPOINT_PATTERN_PRIVATE_H

#include "pattern.h"

#define PATTERN_INFINITE (-1)

/* The bytes that an item matches, as a bit set. */
struct pattern_set {
	uint32_t bits[8];
};

static inline bool
pattern_set_has(const struct pattern_set *s, unsigned char c)
{
	return s->bits[c / 32] >> c % 32 & 1;
}

enum pattern_assert {
	ASSERT_BEGIN,    /* ^ \A */
	ASSERT_END,      /* $: also before a last newline */
	ASSERT_VERY_END, /* \Z */
	ASSERT_WORD,     /* \b */
	ASSERT_NO_WORD,  /* \B */
};

enum pattern_node_kind {
	NODE_EMPTY,
	NODE_SET,    /* a: index of its set */
	NODE_CAT,    /* a, followed by b */
	NODE_ALT,    /* a or b */
	NODE_REPEAT, /* a, min to max times */
	NODE_ASSERT, /* a: enum pattern_assert */
	NODE_LOOK,   /* a: what must follow, or must not when b is 1 */
};

/* a and b are node indices unless a kind says otherwise. */
struct pattern_node {
	enum pattern_node_kind kind;
	int a, b;
	int min, max; /* max may be PATTERN_INFINITE */
};

struct pattern_tree {
	struct pattern_node *node;
	struct pattern_set *set;
	int nodes, sets;
	int root;
};

/* Errors as pattern_new(). */
int pattern_parse(const char *text, struct pattern_tree *ret, struct err *e);
void pattern_tree_release(struct pattern_tree *t);

#endif
