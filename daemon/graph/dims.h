/*
 * Symbolic sizes: a rational constant times a product of symbols, such as 1536, batch*sequence or patches/4.
 * Reshapes only multiply and divide sizes, so this form is enough. Sums do not occur: no op concatenates along an
 * axis whose size users vary.
 */
#ifndef GRAPH_DIMS_H
#define GRAPH_DIMS_H

#include "base/err.h"

enum symbol {
#define SYMBOL(sym, name) SYM_##sym,
#include "symbols.def"
#undef SYMBOL
	SYM_MAX
};

#define IR_RANK_MAX 6

struct dim {
	int64_t num; /* reduced fraction, both > 0; num 0 is not used */
	int64_t den;
	uint8_t pow[SYM_MAX];
};

struct shape {
	int rank; /* 0: scalar */
	struct dim dim[IR_RANK_MAX];
};

/* Sizes of the symbols in one run; 0 for those that do not occur. */
struct sizes {
	int64_t of[SYM_MAX];
};

const char *symbol_name(enum symbol s);

struct dim dim_const(int64_t n);
struct dim dim_symbol(enum symbol s);
struct dim dim_mul(struct dim a, struct dim b);
struct dim dim_div(struct dim a, int64_t n);
bool dim_eq(struct dim a, struct dim b);
bool dim_is_const(struct dim d); /* no symbol in it */
bool dim_is_one(struct dim d);

/* The value for these sizes; -1 when it is not a whole number or overflows. */
int64_t dim_eval(struct dim d, const struct sizes *s);

/* "1536", "batch*sequence", "patches/4" into buf, which is returned. */
const char *dim_str(struct dim d, char *buf, size_t len);

/* shape_of(3, batch, sequence, dim_const(64)) */
struct shape shape_of(int rank, ...);
struct dim shape_count(const struct shape *s); /* product of all dims; 1 for a scalar */
bool shape_eq(const struct shape *a, const struct shape *b);

/* "[batch, sequence, 1536]" into buf, which is returned. */
const char *shape_str(const struct shape *s, char *buf, size_t len);

#endif
