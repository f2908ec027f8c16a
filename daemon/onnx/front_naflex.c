/* PREPARE_NAFLEX of picture/prepare.c, and the ids that go with it, as ONNX nodes. */
#include "front_private.h"

/* int64 [1] of a scalar. */
static const char *
list(struct emit *em, const char *suffix, const char *x)
{
	return emit_op(em, suffix, "Unsqueeze", x, emit_i64_list(em, 0));
}

static const char *
join(struct emit *em, const char *suffix, int axis, const char *a, const char *b)
{
	const char *x = emit_op(em, suffix, "Concat", a, b);

	emit_attr_int(em, "axis", axis);
	return x;
}

void
front_naflex_make(struct emit *em, const struct prepare *p, struct front_size in, struct front_naflex *ret)
{
	const char *tile = emit_i64(em, p->tile), *patch = emit_i64(em, p->patch), *large, *x;
	struct front_size grid, to, whole;

	whole = front_size_emit(em, p, in);
	grid = front_naflex_tiles(em, p, in, &large);
	to.height = emit_op(em, "height", "Mul", grid.height, tile);
	to.width = emit_op(em, "width", "Mul", grid.width, tile);
	ret->tiles = front_resize(em, "resize", FRONT_INPUT, p->filter, in, to);
	ret->whole = front_resize(em, "whole", FRONT_INPUT, p->filter, in, whole);
	front_scope(em, "counts");
	ret->large = list(em, "large", large);
	ret->rows = list(em, "rows", grid.height);
	ret->cols = list(em, "cols", grid.width);
	x = emit_op(em, "tiles.1", "Mul", ret->rows, ret->cols);
	ret->count = emit_op(em, "tiles", "Mul", x, ret->large);
	x = emit_op(em, "whole_rows.1", "Div", whole.height, patch);
	ret->whole_rows = list(em, "whole_rows", x);
	x = emit_op(em, "whole_cols.1", "Div", whole.width, patch);
	ret->whole_cols = list(em, "whole_cols", x);
	/* One with the whole picture: always, or if it is not large. */
	x = emit_op(em, "not_large", "Sub", emit_i64_list(em, 1), ret->large);
	ret->wholes = p->whole ? emit_i64_list(em, 1) : x;
}

const char *
front_patches(struct emit *em, const char *name, const struct prepare *p, const char *image,
	      const char *sizes[4])
{
	const int64_t s = p->patch;
	const char *x, *shape;

	em->prefix = emit_format(em, "pixel_values/%s", name);
	shape = emit_op(em, "blocks.shape", "Concat", sizes[0], sizes[1], emit_i64_list(em, s), sizes[2],
			sizes[3], emit_i64_list(em, s, 3));
	emit_attr_int(em, "axis", 0);
	x = emit_op(em, "blocks", "Reshape", image, shape);
	x = emit_op(em, "turned", "Transpose", x); /* rows, cols, down, across, patch, patch, 3 */
	emit_attr_ints(em, "perm", 7, (const int64_t[]){0, 3, 1, 4, 2, 5, 6});
	shape = emit_op(em, "shape", "Mul", sizes[1], sizes[3]);
	shape = emit_op(em, "patches.shape", "Concat", emit_i64_list(em, -1), shape,
			emit_i64_list(em, s * s, 3));
	emit_attr_int(em, "axis", 0);
	return emit_op(em, "patches", "Reshape", x, shape);
}

const char *
front_colours_last(struct emit *em, const struct prepare *p, const char *x)
{
	const int64_t colours[] = {3};

	x = front_cast(em, "levels", x, ELEM_F32);
	x = emit_op(em, "centred", "Sub", x, emit_table(em, NULL, ELEM_F32, 1, colours, p->mean));
	return emit_op(em, "normalised", "Div", x, emit_table(em, NULL, ELEM_F32, 1, colours, p->std));
}

/* Normalises uint8 [tiles, n, patch*patch, 3], and puts zeros behind the n patches of a tile. */
static const char *
finished(struct emit *em, const struct prepare *p, const char *x, const char *n)
{
	const char *pad;

	x = front_colours_last(em, p, x);
	x = emit_op(em, "flat", "Reshape", x, emit_i64_list(em, 0, 0, -1));
	pad = emit_op(em, "behind.1", "Sub", emit_i64_list(em, p->patches), n);
	pad = emit_op(em, "behind", "Concat", emit_i64_list(em, 0, 0, 0, 0), pad, emit_i64_list(em, 0));
	emit_attr_int(em, "axis", 0);
	return emit_op(em, "padded", "Pad", x, pad);
}

/* The first `count` of x, int64 [1]. */
static const char *
first(struct emit *em, const char *suffix, const char *x, const char *count)
{
	return emit_op(em, suffix, "Slice", x, emit_i64_list(em, 0), count, emit_i64_list(em, 0));
}

void
front_naflex_pixels(struct emit *em, const struct prepare *p, const struct front_naflex *f)
{
	const int64_t side = p->tile / p->patch;
	const char *one = emit_i64_list(em, 1), *down = emit_i64_list(em, side), *name = em->prefix, *tiles,
		   *whole, *n;

	tiles = front_patches(em, "tiles", p, f->tiles, (const char *[]){f->rows, down, f->cols, down});
	tiles = finished(em, p, tiles, emit_i64_list(em, side * side));
	tiles = first(em, "kept", tiles, f->count);
	whole = front_patches(em, "whole", p, f->whole,
			      (const char *[]){one, f->whole_rows, one, f->whole_cols});
	n = emit_op(em, "count", "Mul", f->whole_rows, f->whole_cols);
	whole = finished(em, p, whole, n);
	whole = first(em, "kept", whole, f->wholes);
	em->prefix = name;
	(void)emit_result(em, "Concat", tiles, whole);
	emit_attr_int(em, "axis", 0);
}

void
front_naflex_shapes(struct emit *em, const struct prepare *p, const struct front_naflex *f)
{
	const int64_t side = p->tile / p->patch;
	const char *tiles, *whole;

	tiles = join(em, "tiles.shape", 0, f->count, emit_i64_list(em, 2));
	tiles = emit_op(em, "tiles", "Expand", emit_i64_list(em, side, side), tiles);
	whole = join(em, "whole.1", 0, f->whole_rows, f->whole_cols);
	whole = emit_op(em, "whole.2", "Unsqueeze", whole, emit_i64_list(em, 0));
	whole = first(em, "whole", whole, f->wholes);
	(void)emit_result(em, "Concat", tiles, whole);
	emit_attr_int(em, "axis", 0);
}

/* Ids of the tiles, each its place and its image tokens; none for a picture that is not large. */
static const char *
tile_ids(struct emit *em, const struct document *d, const struct front_naflex *f)
{
	const int64_t side = d->prepare.tile / d->prepare.patch / d->prepare.merge, t = d->tiles.side;
	const int64_t dims[] = {t, t};
	const char *size, *place, *image;

	size = join(em, "tiles.size", 0, f->rows, f->cols);
	place = emit_table(em, NULL, ELEM_I64, 2, dims, d->tiles.place);
	place = emit_op(em, "places", "Slice", place, emit_i64_list(em, 0, 0), size);
	place = emit_op(em, "place", "Reshape", place, emit_i64_list(em, -1, 1));
	size = emit_op(em, "tiles.count", "Mul", f->rows, f->cols);
	size = join(em, "image.shape", 0, size, emit_i64_list(em, side * side));
	image = emit_op(em, "image", "Expand", emit_i64_list(em, d->image_token), size);
	place = join(em, "tile", 1, place, image);
	place = first(em, "tile.kept", place, f->count);
	return emit_op(em, "tile.flat", "Reshape", place, emit_i64_list(em, -1));
}

const char *
front_naflex_ids(struct emit *em, const struct document *d, const struct front_naflex *f)
{
	const int64_t merge = d->prepare.merge;
	const char *tiles = tile_ids(em, d, f), *named, *n, *x;

	named = emit_op(em, "whole.named", "Mul", f->large, f->wholes);
	named = first(em, "whole.name", emit_i64_list(em, d->tiles.whole), named);
	n = emit_op(em, "whole.patches", "Mul", f->whole_rows, f->whole_cols);
	n = emit_op(em, "whole.tokens.1", "Div", n, emit_i64_list(em, merge * merge));
	n = emit_op(em, "whole.tokens", "Mul", n, f->wholes);
	n = emit_op(em, "whole.image", "Expand", emit_i64_list(em, d->image_token), n);
	x = emit_op(em, "picture", "Concat", tiles, named, n);
	emit_attr_int(em, "axis", 0);
	return x;
}
