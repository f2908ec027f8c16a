/*
 * Attention in standard ops, whose memory does not grow with the square of the tokens: the queries are cut into blocks, and a
 * Loop runs over the blocks. A row of scores needs no other row, so the numbers are those of all queries at once.
 *
 *	index [blocks, rows]    which queries; the last block repeats the last query until it is full
 *	Loop  softmax(q k^T) v of the queries of a block: [b, h, rows, d]
 *	      all of them: [blocks, b, h, rows, d]  ->  [b, blocks*rows, h, d]  ->  [b, s, h, d]
 *
 * The number of blocks follows from the sizes of a call; short texts are one block. A Scan would be shorter, but OpenVINO
 * reads none whose body uses values from outside.
 */
#include <float.h>

#include "lower.h"
#include "lower_blocks.h"

/* Scores of a block, which exist up to three times at once: 16 MiB of them. */
#define DIM_STR_LEN 128
#define SCORES_MAX (4 << 20)

/* The sizes that decide how queries are cut. */
struct cut {
	struct dim batch, queries, keys;
	int64_t heads, width;
	struct blocks blocks; /* of queries */
};

/* How many blocks keep the scores of a block below SCORES_MAX: int64 [1]. */
static const char *
blocks_needed_make(struct emit *em, const void *arg)
{
	const struct cut *c = arg;
	const char *one = emit_i64_list(em, 1), *rows;
	const char *row = emit_dim(em, dim_mul(dim_mul(c->batch, c->keys), dim_const(c->heads)));

	row = emit_op(em, "row_scores", "Max", row, one);
	rows = emit_op(em, "rows_fit", "Div", emit_i64_list(em, SCORES_MAX), row);
	rows = emit_op(em, "rows_max", "Max", rows, one);
	return blocks_divide_up(em, "blocks_needed", emit_dim(em, c->queries), rows);
}

static void
cut_init(struct cut *c, struct emit *em, const struct ir_node *n)
{
	const struct shape *q = &n->in[0]->shape;
	char batch[DIM_STR_LEN], queries[DIM_STR_LEN], keys[DIM_STR_LEN];

	*c = (struct cut){.batch = q->dim[0],
			  .queries = q->dim[1],
			  .keys = n->in[1]->shape.dim[1],
			  .heads = q->dim[2].num,
			  .width = q->dim[3].num};
	c->blocks = (struct blocks){.tokens = c->queries, .needed = blocks_needed_make, .arg = c};
	c->blocks.name = emit_format(em, "blocks.%s.%s.%s.%lld", dim_str(c->batch, batch, sizeof(batch)),
				     dim_str(c->queries, queries, sizeof(queries)),
				     dim_str(c->keys, keys, sizeof(keys)), (long long)c->heads);
}

static const char *
range_make(struct emit *em, const void *arg)
{
	const struct cut *c = arg;

	return emit_range(em, "range", c->keys);
}

/* Keys [b, t] as numbers that are added to scores: float [b, 1, 1, t]. */
static const char *
bias_make(struct emit *em, const void *mask)
{
	const char *keys = emit_op(em, "keys", "Unsqueeze", emit_in(em, mask), emit_i64_list(em, 1, 2));

	return emit_op(em, "bias", "Where", keys, emit_f32(em, 0), emit_f32(em, -FLT_MAX));
}

/* What the body adds to the scores [b, h, rows, t] of the queries `rows`, int64 [rows]; NULL: nothing. */
static const char *
block_bias(struct emit *em, const struct ir_node *n, const struct cut *c, const char *rows)
{
	const char *allowed, *keys;

	if (n->n_in == 3)
		return NULL;
	if (n->in[3]->shape.rank == 3) {
		allowed = emit_op(em, "mask", "Gather", emit_in(em, n->in[3]), rows);
		emit_attr_int(em, "axis", 1);
		allowed = emit_op(em, "allowed", "Unsqueeze", allowed, emit_i64_list(em, 1));
		return emit_op(em, "bias", "Where", allowed, emit_f32(em, 0), emit_f32(em, -FLT_MAX));
	}
	keys = emit_once(em, n->in[3], "bias", bias_make, n->in[3]);
	if (n->attr.i == IR_MASK_FULL)
		return keys;
	allowed = emit_once(em, NULL, emit_format(em, "%s.keys", c->blocks.name), range_make, c);
	rows = emit_op(em, "column", "Unsqueeze", rows, emit_i64_list(em, 1));
	allowed = emit_op(em, "past", "GreaterOrEqual", rows, allowed);
	return emit_op(em, "bias", "Where", allowed, keys, emit_f32(em, -FLT_MAX));
}

/* The same numbers with another split between heads and rows. */
static const char *
regroup(struct emit *em, const char *suffix, const char *x, int64_t heads)
{
	return emit_op(em, suffix, "Reshape", x, emit_i64_list(em, 0, heads, -1, 0));
}

/*
 * The queries of a block, scaled: [b, kv, h/kv * rows, d]. With fewer heads in k than in q, the heads that share a k are laid
 * one after the other, as more rows of that k's head: k and v are never repeated.
 */
static const char *
block_queries(struct emit *em, const struct ir_node *n, const struct cut *c, const char *q, const char *rows)
{
	const int64_t kv = n->in[1]->shape.dim[2].num;
	const char *x = emit_op(em, "queries", "Gather", q, rows);

	emit_attr_int(em, "axis", 1);
	x = emit_op(em, "scaled", "Mul", x, emit_f32(em, n->attr.f));
	if (c->heads == kv) {
		x = emit_op(em, "heads", "Transpose", x);
		emit_attr_ints(em, "perm", 4, (const int64_t[]){0, 2, 1, 3});
		return x;
	}
	x = emit_op(em, "split", "Reshape", x, emit_i64_list(em, 0, 0, kv, c->heads / kv, c->width));
	x = emit_op(em, "heads", "Transpose", x);
	emit_attr_ints(em, "perm", 5, (const int64_t[]){0, 2, 3, 1, 4});
	return emit_op(em, "grouped", "Reshape", x, emit_i64_list(em, 0, 0, -1, c->width));
}

/* softmax(q k^T) v for the queries of a block. */
static const char *
block_attend(struct emit *em, const struct ir_node *n, const struct cut *c, const char *q, const char *keys,
	     const char *values, const char *rows)
{
	const int64_t kv = n->in[1]->shape.dim[2].num;
	const char *x = emit_island(em, emit_op(em, "scores", "MatMul", q, keys)), *bias;
	bool apart;

	bias = block_bias(em, n, c, rows);
	apart = bias && c->heads != kv;
	if (apart)
		x = regroup(em, "scores_apart", x, c->heads);
	if (bias)
		x = emit_op(em, "biased", "Add", x, bias);
	x = emit_op(em, "weights", "Softmax", x);
	emit_attr_int(em, "axis", -1);
	x = emit_island_end(em, x);
	if (apart)
		x = regroup(em, "weights_grouped", x, kv);
	return emit_op(em, "mixed", "MatMul", x, values);
}

/* The body of the Loop: takes the number of the block, and a condition that stays true. */
static struct emit_branch *
body_make(struct emit *em, const struct ir_node *n, const struct cut *c)
{
	const char *index = blocks_index(em, &c->blocks), *q = emit_in(em, n->in[0]), *keys, *values, *rows,
		   *going, *x;
	const struct shape scalar = {.rank = 0};
	struct emit_branch *b;

	keys = emit_op(em, "keys", "Transpose", emit_in(em, n->in[1]));
	emit_attr_ints(em, "perm", 4, (const int64_t[]){0, 2, 3, 1});
	values = emit_op(em, "values", "Transpose", emit_in(em, n->in[2]));
	emit_attr_ints(em, "perm", 4, (const int64_t[]){0, 2, 1, 3});
	b = emit_body_begin(em);
	x = emit_body_input(em, b, "number", ELEM_I64, scalar);
	going = emit_body_input(em, b, "going", ELEM_BOOL, scalar);
	rows = emit_op(em, "rows", "Gather", index, x);
	x = block_queries(em, n, c, q, rows);
	x = block_attend(em, n, c, x, keys, values, rows);
	going = emit_op(em, "going_on", "Identity", going);
	emit_body_output(em, b, going, ELEM_BOOL);
	emit_body_output(em, b, x, ELEM_F32);
	emit_body_end(em, b, "block");
	return b;
}

/* The way back: [blocks, b, kv, h/kv * rows, d] to [b, s, h, d]. */
static const char *
queries_join(struct emit *em, const struct ir_node *n, const struct cut *c, const char *x, const char *suffix)
{
	const int64_t kv = n->in[1]->shape.dim[2].num;
	const bool grouped = c->heads != kv;

	if (grouped)
		x = emit_op(em, "groups_apart", "Reshape", x,
			    emit_i64_list(em, 0, 0, 0, c->heads / kv, -1, c->width));
	x = emit_op(em, "tokens_first", "Transpose", x);
	if (grouped)
		emit_attr_ints(em, "perm", 6, (const int64_t[]){1, 0, 4, 2, 3, 5});
	else
		emit_attr_ints(em, "perm", 5, (const int64_t[]){1, 0, 3, 2, 4});
	return blocks_join(em, &c->blocks, suffix, x, c->heads, c->width);
}

const char *
lower_attention_blocks(struct emit *em, const struct ir_node *n, const char *suffix)
{
	struct emit_branch *body;
	const char *x;
	struct cut c;

	cut_init(&c, em, n);
	body = body_make(em, n, &c);
	x = emit_op(em, "blocks", "Loop", blocks_count(em, &c.blocks), emit_bool(em, true));
	emit_attr_branch(em, "body", body);
	return queries_join(em, n, &c, x, suffix);
}

void
lower_attention(struct emit *em, const struct ir_node *n)
{
	(void)lower_attention_blocks(em, n, "");
}
