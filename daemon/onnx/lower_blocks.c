#include "lower_blocks.h"

static const char *
scalar(struct emit *em, const char *suffix, const char *x)
{
	return emit_op(em, suffix, "Squeeze", x, emit_i64_list(em, 0));
}

const char *
blocks_divide_up(struct emit *em, const char *suffix, const char *a, const char *b)
{
	const char *more = emit_op(em, emit_format(em, "%s.more", suffix), "Sub", b, emit_i64_list(em, 1));

	more = emit_op(em, emit_format(em, "%s.sum", suffix), "Add", a, more);
	return emit_op(em, suffix, "Div", more, b);
}

static const char *
index_make(struct emit *em, const void *arg)
{
	const struct blocks *b = arg;
	const char *one = emit_i64_list(em, 1), *tokens = emit_dim(em, b->tokens);
	const char *count = b->needed(em, b->arg), *rows, *begin, *place, *last;

	count = emit_op(em, "blocks", "Max", count, one);
	rows = blocks_divide_up(em, "rows", tokens, count);
	begin = emit_op(em, "number", "Range", emit_i64(em, 0), scalar(em, "block_count", count),
			emit_i64(em, 1));
	begin = emit_op(em, "number_column", "Unsqueeze", begin, one);
	begin = emit_op(em, "begin", "Mul", begin, rows);
	place = emit_op(em, "place", "Range", emit_i64(em, 0), scalar(em, "row_count", rows),
			emit_i64(em, 1));
	place = emit_op(em, "token", "Add", begin, place);
	last = emit_op(em, "last", "Sub", tokens, one);
	return emit_op(em, "index", "Min", place, last);
}

const char *
blocks_index(struct emit *em, const struct blocks *b)
{
	return emit_once(em, NULL, b->name, index_make, b);
}

static const char *
count_make(struct emit *em, const void *arg)
{
	const char *sides = emit_op(em, "sides", "Shape", blocks_index(em, arg));

	return emit_op(em, "count", "Gather", sides, emit_i64(em, 0));
}

const char *
blocks_count(struct emit *em, const struct blocks *b)
{
	return emit_once(em, NULL, emit_format(em, "%s.count", b->name), count_make, b);
}

struct joined {
	const struct blocks *blocks;
	int64_t heads, width;
};

/* The shape [batch, blocks*rows, heads, width]; 0 stands for the batch. */
static const char *
joined_make(struct emit *em, const void *arg)
{
	const struct joined *j = arg;
	const char *all = emit_op(em, "rows", "Size", blocks_index(em, j->blocks));
	const char *part[4];

	part[0] = emit_i64_list(em, 0);
	part[1] = emit_op(em, "rows_list", "Unsqueeze", all, part[0]);
	part[2] = emit_i64_list(em, j->heads);
	part[3] = emit_i64_list(em, j->width);
	all = emit_node(em, "shape", "shape", "Concat", part, ARRAY_LEN(part));
	emit_attr_int(em, "axis", 0);
	return all;
}

const char *
blocks_join(struct emit *em, const struct blocks *b, const char *suffix, const char *x, int64_t heads,
	    int64_t width)
{
	const struct joined j = {b, heads, width};
	const char *name =
		emit_format(em, "%s.joined.%lld.%lld", b->name, (long long)heads, (long long)width);

	x = emit_op(em, "joined", "Reshape", x, emit_once(em, NULL, name, joined_make, &j));
	return emit_op(em, suffix, "Slice", x, emit_i64_list(em, 0), emit_dim(em, b->tokens),
		       emit_i64_list(em, 1));
}
