/* PREPARE_PADDED of picture/prepare.c, and the ids that go with it, as ONNX nodes. */
#include "front_private.h"

/* How many patches a side of that many pixels has: int64 [1]. */
static const char *
count(struct emit *em, const char *name, const char *pixels, int64_t patch)
{
	const char *x;

	x = emit_op(em, emit_format(em, "%s.2", name), "Add", pixels, emit_i64(em, patch - 1));
	x = emit_op(em, emit_format(em, "%s.1", name), "Div", x, emit_i64(em, patch));
	return emit_op(em, name, "Unsqueeze", x, emit_i64_list(em, 0));
}

/* The pixels that a side lacks to whole patches: int64 [1]. */
static const char *
lacking(struct emit *em, const char *name, const char *patches, const char *pixels, int64_t patch)
{
	const char *x = emit_op(em, emit_format(em, "%s.whole", name), "Mul", patches, emit_i64(em, patch));

	return emit_op(em, name, "Sub", x, pixels);
}

void
front_padded_make(struct emit *em, const struct prepare *p, struct front_size in, struct front_padded *ret)
{
	const struct front_size to = front_size_emit(em, p, in);
	const char *x, *right, *below, *all;

	x = front_resize(em, "resize", FRONT_INPUT, p->filter, in, to);
	front_scope(em, "padding");
	ret->rows = count(em, "rows", to.height, p->patch);
	ret->cols = count(em, "cols", to.width, p->patch);
	below = lacking(em, "below", ret->rows, to.height, p->patch);
	right = lacking(em, "right", ret->cols, to.width, p->patch);
	all = emit_op(em, "all", "Concat", emit_i64_list(em, 0, 0, 0), below, right, emit_i64_list(em, 0));
	emit_attr_int(em, "axis", 0);
	ret->levels = emit_op(em, "out", "Pad", x, all);
}

void
front_padded_pixels(struct emit *em, const struct prepare *p, const struct front_padded *f)
{
	const char *one = emit_i64_list(em, 1), *name = em->prefix, *x;

	x = front_patches(em, "page", p, f->levels, (const char *[]){one, f->rows, one, f->cols});
	x = front_colours_last(em, p, x); /* [1, rows*cols, patch*patch, 3] */
	em->prefix = name;
	(void)emit_result(em, "Reshape", x, emit_i64_list(em, -1, 3 * p->patch * p->patch));
}

/* A token for the picture, then one for each patch of a row and the row's end. */
const char *
front_padded_ids(struct emit *em, const struct document *d, const struct front_padded *f)
{
	const struct ids *row = &d->tiles.row;
	const char *size, *image, *end, *x;

	size = emit_op(em, "image.shape", "Concat", f->rows, f->cols);
	emit_attr_int(em, "axis", 0);
	image = emit_op(em, "image", "Expand", emit_i64_list(em, d->image_token), size);
	size = emit_op(em, "ends.shape", "Concat", f->rows, emit_i64_list(em, (int64_t)row->n));
	emit_attr_int(em, "axis", 0);
	end = emit_op(em, "ends", "Expand", emit_i64s(em, row->n, row->id), size);
	x = emit_op(em, "rows", "Concat", image, end);
	emit_attr_int(em, "axis", 1);
	x = emit_op(em, "flat", "Reshape", x, emit_i64_list(em, -1));
	x = emit_op(em, "picture", "Concat", emit_i64_list(em, d->image_token), x);
	emit_attr_int(em, "axis", 0);
	return x;
}
