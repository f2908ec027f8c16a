/*
 * The gated delta rule in standard ops: a Loop over chunks of at most CHUNK tokens that carries the state from one to the
 * next. Inside a chunk all tokens are computed at once, as [b, kh, h/kh, c, width]; "of a pair" is [.., c, c], rows are
 * tokens i and columns tokens j.
 *
 *	decays   exp(decay_j+1 + ... + decay_i) of a pair, 0 where j > i. The sums are made as they are: a difference of two sums from the
 *	         first token on loses the digits of a weak decay that follows a strong one
 *	past     exp(decay_0 + ... + decay_i) of a token
 *	system   I + the part of beta_i (k_i . k_j) decays below the diagonal
 *	added    system^-1 (beta (v - past (k state)))
 *	result   past (q state) + ((q_i . k_j) decays) added
 *	state    past of the last token * state + k^T (decays of the last token * added)
 *
 * The inverse is made of blocks: the inverse of blocks of b tokens on the diagonal gives that of blocks of 2 b,
 *
 *	[ P 0 ]-1   [  P-1          0  ]
 *	[ A Q ]   = [ -Q-1 A P-1   Q-1 ]
 *
 * and as X holds P-1 and Q-1, X - X A X is the next one. The product (I - A)(I + A^2)(I + A^4).. is as short and equal on paper, but the
 * powers overflow for keys that are alike.
 *
 * A short text is one chunk of as many tokens as it has. A Scan would be shorter, but OpenVINO reads none whose body uses values from outside.
 */
#include "base/util.h"
#include "lower.h"
#include "lower_blocks.h"

#define CHUNK 32
#define DIM_STR_LEN 128

/* Tables [CHUNK, CHUNK] of 0 and 1, of pairs; MASK_JOIN + n: the A of blocks of 2^n tokens. */
enum mask { MASK_SELF, MASK_SEEN, MASK_BEFORE, MASK_JOIN };
#define JOINS 5 /* 2^JOINS = CHUNK */

_Static_assert(1 << JOINS == CHUNK, "a join for each doubling of blocks");

struct rule {
	const struct ir_node *n;
	int64_t groups, shared, key, width; /* kh, h/kh, dk, dv */
	struct blocks chunks;
};

static const char *
needed_make(struct emit *em, const void *arg)
{
	const struct rule *d = arg;

	return blocks_divide_up(em, "blocks_needed", emit_dim(em, d->chunks.tokens),
				emit_i64_list(em, CHUNK));
}

static void
rule_init(struct rule *d, struct emit *em, const struct ir_node *n)
{
	const struct shape *k = &n->in[1]->shape, *v = &n->in[2]->shape;
	char tokens[DIM_STR_LEN];

	*d = (struct rule){.n = n,
			   .groups = k->dim[2].num,
			   .shared = v->dim[2].num / k->dim[2].num,
			   .key = k->dim[3].num,
			   .width = v->dim[3].num};
	d->chunks = (struct blocks){.tokens = k->dim[1], .needed = needed_make, .arg = d};
	d->chunks.name = emit_format(em, "chunks.%s", dim_str(k->dim[1], tokens, sizeof(tokens)));
}

/* ---- tables of pairs, as large as a chunk is ---- */

static bool
mask_at(int mask, int i, int j)
{
	const int b = mask < MASK_JOIN ? 0 : 1 << (mask - MASK_JOIN);

	if (mask == MASK_SELF)
		return i == j;
	if (mask < MASK_JOIN)
		return mask == MASK_SEEN ? i >= j : i > j;
	return i / (2 * b) == j / (2 * b) && i / b % 2 == 1 && j / b % 2 == 0;
}

/* int64 [2]: how large. */
static const char *
square_make(struct emit *em, const void *arg)
{
	const struct rule *d = arg;
	const char *rows = emit_op(em, "chunk_rows", "Shape", blocks_index(em, &d->chunks));

	emit_attr_int(em, "start", 1);
	emit_attr_int(em, "end", 2);
	rows = emit_op(em, "square", "Concat", rows, rows);
	emit_attr_int(em, "axis", 0);
	return rows;
}

struct mask_arg {
	const struct rule *d;
	int mask;
};

static const char *
mask_make(struct emit *em, const void *arg)
{
	static const int64_t dims[] = {CHUNK, CHUNK};
	const struct mask_arg *m = arg;
	float table[CHUNK][CHUNK];
	const char *x, *square;
	int i, j;

	for (i = 0; i < CHUNK; i++)
		for (j = 0; j < CHUNK; j++)
			table[i][j] = mask_at(m->mask, i, j) ? 1 : 0;
	square = emit_once(em, NULL, emit_format(em, "%s.square", m->d->chunks.name), square_make, m->d);
	x = emit_table(em, NULL, ELEM_F32, ARRAY_LEN(dims), dims, table);
	return emit_op(em, "pairs", "Slice", x, emit_i64_list(em, 0, 0), square, emit_i64_list(em, 0, 1));
}

static const char *
mask_get(struct emit *em, const struct rule *d, int mask)
{
	const struct mask_arg arg = {d, mask};

	return emit_once(em, NULL, emit_format(em, "%s.mask.%d", d->chunks.name, mask), mask_make, &arg);
}

/* ---- a chunk ---- */

/* x [b, s, heads, width] or [b, s, heads] by groups of heads: [b, kh, heads/kh, s, width]. */
static const char *
grouped(struct emit *em, const char *suffix, const char *x, const struct rule *d, int64_t shared,
	int64_t width)
{
	x = emit_op(em, emit_format(em, "%s.split", suffix), "Reshape", x,
		    emit_i64_list(em, 0, 0, d->groups, shared, width));
	x = emit_op(em, emit_format(em, "%s.heads", suffix), "Transpose", x);
	emit_attr_ints(em, "perm", 5, (const int64_t[]){0, 2, 3, 1, 4});
	return x;
}

enum part { Q, K, V, DECAY, BETA, PARTS };
static const char *const part_names[] = {"q", "k", "v", "decay", "beta"};

/* The inputs of the Loop's body: all tokens, and later those of a chunk. */
struct parts {
	const char *x[PARTS];
};

static struct parts
parts_group(struct emit *em, const struct rule *d)
{
	struct parts p;
	int i;

	for (i = 0; i < PARTS; i++)
		p.x[i] = grouped(em, part_names[i], emit_in(em, d->n->in[i]), d, i <= K ? 1 : d->shared,
				 i <= K   ? d->key
				 : i == V ? d->width
					  : 1);
	p.x[Q] = emit_op(em, "q.scaled", "Mul", p.x[Q], emit_f32(em, d->n->attr.f));
	return p;
}

static struct parts
parts_take(struct emit *em, const struct parts *all, const char *tokens)
{
	struct parts p;
	int i;

	for (i = 0; i < PARTS; i++) {
		p.x[i] = emit_op(em, emit_format(em, "%s.chunk", part_names[i]), "Gather", all->x[i], tokens);
		emit_attr_int(em, "axis", 3);
	}
	return p;
}

static const char *
swapped(struct emit *em, const char *suffix, const char *x)
{
	x = emit_op(em, suffix, "Transpose", x);
	emit_attr_ints(em, "perm", 5, (const int64_t[]){0, 1, 2, 4, 3});
	return x;
}

/* Row i of x [.., c, n] for the last token: [.., 1, n]. */
static const char *
last(struct emit *em, const char *suffix, const char *x)
{
	return emit_op(em, suffix, "Slice", x, emit_i64_list(em, -1), emit_i64_list(em, INT64_MAX),
		       emit_i64_list(em, 3));
}

static const char *
decays_make(struct emit *em, const struct rule *d, const char *decay)
{
	const char *x = emit_op(em, "decay.before", "Mul", decay, mask_get(em, d, MASK_BEFORE));

	x = emit_op(em, "decay.between", "MatMul", mask_get(em, d, MASK_SEEN), x);
	x = emit_op(em, "decays.all", "Exp", x);
	return emit_op(em, "decays", "Mul", x, mask_get(em, d, MASK_SEEN));
}

static const char *
inverse_make(struct emit *em, const struct rule *d, const char *system)
{
	const char *part, *x;
	int n;

	part = emit_op(em, "join.0", "Mul", system, mask_get(em, d, MASK_JOIN));
	x = emit_op(em, "inverse.2", "Sub", mask_get(em, d, MASK_SELF), part);
	for (n = 1; n < JOINS; n++) {
		part = emit_op(em, emit_format(em, "join.%d", n), "Mul", system,
			       mask_get(em, d, MASK_JOIN + n));
		part = emit_op(em, emit_format(em, "join.%d.right", n), "MatMul", part, x);
		part = emit_op(em, emit_format(em, "join.%d.both", n), "MatMul", x, part);
		x = emit_op(em, emit_format(em, "inverse.%d", 2 << n), "Sub", x, part);
	}
	return x;
}

struct chunk {
	const char *decays, *past, *keys, *added;
};

/* What the tokens of a chunk add to the state, each as its successor sees it. */
static struct chunk
chunk_make(struct emit *em, const struct rule *d, const struct parts *p, const char *state)
{
	struct chunk c;
	const char *x, *system;

	c.decays = decays_make(em, d, p->x[DECAY]);
	x = emit_op(em, "decay.past", "MatMul", mask_get(em, d, MASK_SEEN), p->x[DECAY]);
	c.past = emit_op(em, "past", "Exp", x);
	c.keys = swapped(em, "keys", p->x[K]);
	x = emit_op(em, "alike", "MatMul", p->x[K], c.keys);
	x = emit_op(em, "alike.decayed", "Mul", x, c.decays);
	system = emit_op(em, "system", "Mul", x, p->x[BETA]);
	x = emit_op(em, "known", "MatMul", p->x[K], state);
	x = emit_op(em, "known.decayed", "Mul", x, c.past);
	x = emit_op(em, "wanted", "Sub", p->x[V], x);
	x = emit_op(em, "wanted.beta", "Mul", x, p->x[BETA]);
	c.added = emit_op(em, "added", "MatMul", inverse_make(em, d, system), x);
	return c;
}

static const char *
chunk_result(struct emit *em, const struct parts *p, const struct chunk *c, const char *state)
{
	const char *x, *y;

	x = emit_op(em, "read", "MatMul", p->x[Q], state);
	x = emit_op(em, "read.decayed", "Mul", x, c->past);
	y = emit_op(em, "seen", "MatMul", p->x[Q], c->keys);
	y = emit_op(em, "seen.decayed", "Mul", y, c->decays);
	y = emit_op(em, "read.added", "MatMul", y, c->added);
	return emit_op(em, "result", "Add", x, y);
}

static const char *
chunk_state(struct emit *em, const struct chunk *c, const char *state)
{
	const char *x, *y;

	x = emit_op(em, "state.decayed", "Mul", state, last(em, "past.last", c->past));
	y = swapped(em, "decays.last_column", last(em, "decays.last", c->decays));
	y = emit_op(em, "added.decayed", "Mul", c->added, y);
	y = emit_op(em, "state.added", "MatMul", c->keys, y);
	return emit_op(em, "state.next", "Add", x, y);
}

/* ---- the Loop ---- */

static struct shape
state_shape(const struct rule *d)
{
	return shape_of(5, d->n->in[2]->shape.dim[0], dim_const(d->groups), dim_const(d->shared),
			dim_const(d->key), dim_const(d->width));
}

static struct emit_branch *
body_make(struct emit *em, const struct rule *d)
{
	const char *index = blocks_index(em, &d->chunks), *tokens, *going, *state, *x;
	const struct parts all = parts_group(em, d);
	const struct shape scalar = {.rank = 0};
	struct emit_branch *b = emit_body_begin(em);
	struct parts p;
	struct chunk c;

	x = emit_body_input(em, b, "number", ELEM_I64, scalar);
	going = emit_body_input(em, b, "going", ELEM_BOOL, scalar);
	state = emit_body_input(em, b, "state", ELEM_F32, state_shape(d));
	tokens = emit_op(em, "tokens", "Gather", index, x);
	p = parts_take(em, &all, tokens);
	c = chunk_make(em, d, &p, state);
	x = chunk_result(em, &p, &c, state);
	state = chunk_state(em, &c, state);
	going = emit_op(em, "going_on", "Identity", going);
	emit_body_output(em, b, going, ELEM_BOOL);
	emit_body_output(em, b, state, ELEM_F32);
	emit_body_output(em, b, x, ELEM_F32);
	emit_body_end(em, b, "chunk");
	return b;
}

static const char *
zeros_make(struct emit *em, const void *arg)
{
	const struct shape *s = arg;

	return emit_op(em, "state", "ConstantOfShape", emit_shape(em, s));
}

void
lower_delta_rule(struct emit *em, const struct ir_node *n)
{
	struct emit_branch *body;
	struct shape state;
	struct rule d;
	char text[256];
	const char *x;

	rule_init(&d, em, n);
	state = state_shape(&d);
	x = emit_once(em, NULL, emit_format(em, "zeros.%s", shape_str(&state, text, sizeof(text))),
		      zeros_make, &state);
	body = body_make(em, &d);
	(void)emit_op(em, "state.last", "Loop", blocks_count(em, &d.chunks), emit_bool(em, true), x);
	x = emit_output(em, "chunks");
	emit_attr_branch(em, "body", body);
	x = emit_op(em, "tokens_first", "Transpose", x);
	emit_attr_ints(em, "perm", 6, (const int64_t[]){1, 0, 4, 2, 3, 5});
	(void)blocks_join(em, &d.chunks, "", x, d.groups * d.shared, d.width);
}
