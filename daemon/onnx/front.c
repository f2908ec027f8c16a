#include "front_private.h"

#include "base/str.h"

void
front_scope(struct emit *em, const char *name)
{
	em->prefix = emit_format(em, FRONT_INPUT ".%s", name);
}

const char *
front_f64(struct emit *em, double x)
{
	return emit_table(em, NULL, ELEM_F64, 0, NULL, &x);
}

const char *
front_cast(struct emit *em, const char *suffix, const char *x, enum elem elem)
{
	x = emit_op(em, suffix, "Cast", x);
	emit_attr_elem(em, "to", elem);
	return x;
}

struct ir_value
front_input(void)
{
	return (struct ir_value){
		.kind = IR_INPUT,
		.elem = ELEM_U8,
		.shape = shape_of(3, dim_symbol(SYM_HEIGHT), dim_symbol(SYM_WIDTH), dim_const(3)),
		.name = FRONT_INPUT,
	};
}

/* The parts from which the graph's inputs are made. */
struct front {
	const struct document *f;
	struct front_size size; /* of the resized picture */
	const char *planes;     /* uint8 [3, height, width] */
	const char *whole;      /* PREPARE_TILES: the same for the last tile */
	const char *rows,
		*cols; /* PREPARE_TILES: tiles, PREPARE_PATCHES and PREPARE_WHOLE: tokens; int64 [1] */
	struct front_naflex naflex; /* PREPARE_NAFLEX: all of them */
	struct front_padded padded; /* PREPARE_PADDED: likewise */
	const char *several;        /* PREPARE_TILES: 1 if there is more than one tile, else 0; int64 [1] */
};

static struct front_size
picture_size(struct emit *em)
{
	struct front_size s;
	const char *shape;

	front_scope(em, "shape");
	shape = emit_op(em, "all", "Shape", FRONT_INPUT);
	s.height = emit_op(em, "height", "Gather", shape, emit_i64(em, 0));
	s.width = emit_op(em, "width", "Gather", shape, emit_i64(em, 1));
	return s;
}

/*
 * Makes [3, height, width] of uint8 [height, width, 3]. With separate colours, the copies that follow move
 * whole lines.
 */
static const char *
planes(struct emit *em, const char *name, const char *levels)
{
	const char *x;

	front_scope(em, name);
	x = emit_op(em, "out", "Transpose", levels);
	emit_attr_ints(em, "perm", 3, (const int64_t[]){2, 0, 1});
	return x;
}

/* Normalises uint8 [..., 3, height, width]; float32. */
static const char *
normalised(struct emit *em, const struct prepare *p, const char *levels)
{
	const int64_t dims[] = {3, 1, 1};
	const char *x;

	x = front_cast(em, "levels", levels, ELEM_F32);
	x = emit_op(em, "centred", "Sub", x, emit_table(em, NULL, ELEM_F32, 3, dims, p->mean));
	return emit_op(em, "normalised", "Div", x, emit_table(em, NULL, ELEM_F32, 3, dims, p->std));
}

/*
 * PREPARE_WHOLE: looks the grey levels up in a table of what prepare_level() gives, because casts to bfloat16 round differently in
 * versions of ONNX Runtime. uint8 [3, height, width] to float32.
 */
static const char *
looked_up(struct emit *em, const struct prepare *p, const char *levels)
{
	static const int32_t first[] = {0, 256, 512}; /* of each colour */
	const int64_t len = 3 * 256, dims[] = {3, 1, 1};
	float table[3 * 256];
	const char *x;
	int i;

	for (i = 0; i < (int)len; i++)
		table[i] = prepare_level(p, i / 256, i % 256);
	x = front_cast(em, "levels", levels, ELEM_I32);
	x = emit_op(em, "places", "Add", x, emit_table(em, NULL, ELEM_I32, 3, dims, first));
	return emit_op(em, "normalised", "Gather", emit_table(em, NULL, ELEM_F32, 1, &len, table), x);
}

/* Counts the tokens along a side of that many pixels: int64 [1]. */
static const char *
tokens(struct emit *em, const char *name, const char *pixels, int64_t side)
{
	const char *x;

	front_scope(em, name);
	x = emit_op(em, "count", "Div", pixels, emit_i64(em, side));
	return emit_op(em, "out", "Unsqueeze", x, emit_i64_list(em, 0));
}

/*
 * Enlarges the picture, resizes it to whole tiles, and from these makes the last tile, which shows the whole
 * picture.
 */
static void
tiles_make(struct emit *em, struct front *fr, struct front_size in)
{
	const struct prepare *p = &fr->f->prepare;
	const char *tile = emit_i64(em, p->tile), *x;
	struct front_size large;

	large = front_size_enlarged(em, p, in);
	fr->size = front_size_tiles(em, p, large);
	x = front_resize(em, "enlarge", FRONT_INPUT, p->filter, in, large);
	x = front_resize(em, "resize", x, p->filter, large, fr->size);
	fr->planes = planes(em, "planes", x);
	x = front_resize(em, "whole", x, p->filter, fr->size, (struct front_size){tile, tile});
	fr->whole = planes(em, "whole.planes", x);
	fr->rows = tokens(em, "rows", fr->size.height, p->tile);
	fr->cols = tokens(em, "cols", fr->size.width, p->tile);
	front_scope(em, "several");
	x = emit_op(em, "tiles", "Mul", fr->rows, fr->cols);
	x = emit_op(em, "others", "Sub", x, emit_i64_list(em, 1));
	fr->several = emit_op(em, "out", "Min", x, emit_i64_list(em, 1));
}

static void
front_make(struct emit *em, struct front *fr)
{
	const struct prepare *p = &fr->f->prepare;
	const struct front_size in = picture_size(em);
	const char *levels;

	if (p->rule == PREPARE_TILES) {
		tiles_make(em, fr, in);
		return;
	}
	if (p->rule == PREPARE_NAFLEX) {
		front_naflex_make(em, p, in, &fr->naflex);
		return;
	}
	if (p->rule == PREPARE_PADDED) {
		front_padded_make(em, p, in, &fr->padded);
		return;
	}
	fr->size = front_size_emit(em, p, in);
	levels = front_resize(em, "resize", FRONT_INPUT, p->filter, in, fr->size);
	fr->planes = planes(em, "planes", levels);
	if (p->rule != PREPARE_PATCHES && p->rule != PREPARE_WHOLE)
		return;
	fr->rows = tokens(em, "rows", fr->size.height, p->patch * p->merge);
	fr->cols = tokens(em, "cols", fr->size.width, p->patch * p->merge);
}

/* [3, rows, merge, patch, cols, merge, patch] to [rows, cols, merge, merge, 3, patch, patch], and each patch repeated. */
static void
patches_cut(struct emit *em, const struct front *fr)
{
	const struct prepare *p = &fr->f->prepare;
	const int64_t m = p->merge, s = p->patch;
	const char *x = fr->planes, *shape;

	shape = emit_op(em, "blocks.shape", "Concat", emit_i64_list(em, 3), fr->rows, emit_i64_list(em, m, s),
			fr->cols, emit_i64_list(em, m, s));
	emit_attr_int(em, "axis", 0);
	x = emit_op(em, "blocks", "Reshape", x, shape);
	x = emit_op(em, "patches", "Transpose", x);
	emit_attr_ints(em, "perm", 7, (const int64_t[]){1, 4, 2, 5, 0, 3, 6});
	x = emit_op(em, "frame", "Reshape", x, emit_i64_list(em, -1, 3, 1, s * s));
	x = normalised(em, p, x);
	x = emit_op(em, "frames", "Expand", x, emit_i64_list(em, 1, 1, p->frames, 1));
	(void)emit_result(em, "Reshape", x, emit_i64_list(em, 1, -1, 3 * p->frames * s * s));
}

/*
 * [3, rows, tile, cols, tile] to [rows*cols, 3, tile, tile]. A picture with a single tile has only the tile
 * that shows it whole.
 */
static void
tiles_cut(struct emit *em, const struct front *fr)
{
	const int64_t s = fr->f->prepare.tile;
	const char *x = fr->planes, *count, *whole;

	count = emit_op(em, "shape", "Concat", emit_i64_list(em, 3), fr->rows, emit_i64_list(em, s), fr->cols,
			emit_i64_list(em, s));
	emit_attr_int(em, "axis", 0);
	x = emit_op(em, "grid", "Reshape", x, count);
	x = emit_op(em, "turned", "Transpose", x);
	emit_attr_ints(em, "perm", 5, (const int64_t[]){1, 3, 0, 2, 4});
	x = emit_op(em, "list", "Reshape", x, emit_i64_list(em, -1, 3, s, s));
	count = emit_op(em, "count", "Mul", fr->rows, fr->cols);
	count = emit_op(em, "count_or_none", "Mul", count, fr->several);
	x = emit_op(em, "tiles", "Slice", x, emit_i64_list(em, 0), count, emit_i64_list(em, 0));
	whole = emit_op(em, "whole", "Unsqueeze", fr->whole, emit_i64_list(em, 0));
	x = emit_op(em, "all", "Concat", x, whole);
	emit_attr_int(em, "axis", 0);
	x = normalised(em, &fr->f->prepare, x);
	(void)emit_result(em, "Unsqueeze", x, emit_i64_list(em, 0));
}

static void
pixel_values(struct emit *em, const struct front *fr)
{
	if (fr->f->prepare.rule == PREPARE_PATCHES)
		patches_cut(em, fr);
	else if (fr->f->prepare.rule == PREPARE_TILES)
		tiles_cut(em, fr);
	else if (fr->f->prepare.rule == PREPARE_NAFLEX)
		front_naflex_pixels(em, &fr->f->prepare, &fr->naflex);
	else if (fr->f->prepare.rule == PREPARE_PADDED)
		front_padded_pixels(em, &fr->f->prepare, &fr->padded);
	else if (fr->f->prepare.rule == PREPARE_WHOLE)
		(void)emit_result(em, "Unsqueeze", looked_up(em, &fr->f->prepare, fr->planes),
				  emit_i64_list(em, 0));
	else
		(void)emit_result(em, "Unsqueeze", normalised(em, &fr->f->prepare, fr->planes),
				  emit_i64_list(em, 0));
}

/* int64 [images, tiles, height, width]. Tiles of pictures have no padding, so all elements are 1. */
static void
pixel_attention_mask(struct emit *em, const struct front *fr)
{
	const char *shape = emit_op(em, "pixels", "Shape", "pixel_values");

	(void)fr;
	shape = emit_op(em, "shape", "Gather", shape, emit_i64_list(em, 0, 1, 3, 4));
	(void)emit_result(em, "Expand", emit_i64_list(em, 1), shape);
}

static void
image_sizes(struct emit *em, const struct front *fr)
{
	const char *h = emit_op(em, "h", "Unsqueeze", fr->size.height, emit_i64_list(em, 0));
	const char *w = emit_op(em, "w", "Unsqueeze", fr->size.width, emit_i64_list(em, 0)), *x;

	x = emit_op(em, "row", "Concat", h, w);
	emit_attr_int(em, "axis", 0);
	(void)emit_result(em, "Unsqueeze", x, emit_i64_list(em, 0));
}

static void
image_grid_thw(struct emit *em, const struct front *fr)
{
	const char *merge = emit_i64(em, fr->f->prepare.merge), *rows, *cols, *x;

	rows = emit_op(em, "h", "Mul", fr->rows, merge);
	cols = emit_op(em, "w", "Mul", fr->cols, merge);
	x = emit_op(em, "row", "Concat", emit_i64_list(em, 1), rows, cols);
	emit_attr_int(em, "axis", 0);
	(void)emit_result(em, "Unsqueeze", x, emit_i64_list(em, 0));
}

static void
spatial_shapes(struct emit *em, const struct front *fr)
{
	front_naflex_shapes(em, &fr->f->prepare, &fr->naflex);
}

/* n image tokens: int64 [n] */
static const char *
image_tokens(struct emit *em, const struct document *f, const char *n)
{
	return emit_op(em, "image", "Expand", emit_i64_list(em, f->image_token), n);
}

/* Ids of the tiles: begin, place, image tokens; [rows, cols * (2 + image tokens)] */
static const char *
tile_ids(struct emit *em, const struct front *fr, const char *image)
{
	const struct document *f = fr->f;
	const int64_t dims[] = {f->tiles.side, f->tiles.side}, len = 2 + f->image_tokens;
	const char *place, *begin, *size, *x;

	size = emit_op(em, "tiles.size", "Concat", fr->rows, fr->cols);
	emit_attr_int(em, "axis", 0);
	place = emit_table(em, NULL, ELEM_I64, 2, dims, f->tiles.place);
	place = emit_op(em, "places", "Slice", place, emit_i64_list(em, 0, 0), size);
	place = emit_op(em, "place", "Unsqueeze", place, emit_i64_list(em, 2)); /* [rows, cols, 1] */
	begin = emit_op(em, "ones", "Shape", place);
	x = emit_op(em, "tile.shape", "Concat", size, emit_i64_list(em, f->image_tokens));
	emit_attr_int(em, "axis", 0);
	x = emit_op(em, "tile.image", "Expand", image, x);
	begin = emit_op(em, "tile.begin", "Expand", emit_i64_list(em, f->tiles.begin), begin);
	x = emit_op(em, "tile", "Concat", begin, place, x);
	emit_attr_int(em, "axis", 2);
	size = emit_op(em, "row.len", "Mul", fr->cols, emit_i64_list(em, len));
	size = emit_op(em, "row.shape", "Concat", fr->rows, size);
	emit_attr_int(em, "axis", 0);
	return emit_op(em, "rows", "Reshape", x, size);
}

/* Rows of ids [rows, n] as one list, with the ids that end a row after each, and others after the last one. */
static const char *
rows_ended(struct emit *em, const struct front *fr, const char *x)
{
	const struct document_tiles *t = &fr->f->tiles;
	const char *end, *size;

	size = emit_op(em, "ends.shape", "Concat", fr->rows, emit_i64_list(em, (int64_t)t->row.n));
	emit_attr_int(em, "axis", 0);
	end = emit_op(em, "ends", "Expand", emit_i64s(em, t->row.n, t->row.id), size);
	x = emit_op(em, "ended", "Concat", x, end);
	emit_attr_int(em, "axis", 1);
	x = emit_op(em, "flat", "Reshape", x, emit_i64_list(em, -1));
	x = emit_op(em, "but_last_end", "Slice", x, emit_i64_list(em, 0),
		    emit_i64_list(em, -(int64_t)t->row.n));
	x = emit_op(em, "grid", "Concat", x, emit_i64s(em, t->last.n, t->last.id));
	emit_attr_int(em, "axis", 0);
	return x;
}

/*
 * Ids of all tiles except the last, each row followed by its end id. Empty for a picture with a single tile.
 */
static const char *
grid_ids(struct emit *em, const struct front *fr, const char *image)
{
	const char *x = tile_ids(em, fr, image), *size;

	x = rows_ended(em, fr, x);
	size = emit_op(em, "grid.len", "Shape", x);
	size = emit_op(em, "grid.len_or_0", "Mul", size, fr->several);
	return emit_op(em, "grid_or_none", "Slice", x, emit_i64_list(em, 0), size);
}

/* PREPARE_WHOLE: rows of image tokens, each with its end. */
static const char *
token_rows(struct emit *em, const struct front *fr)
{
	const char *size = emit_op(em, "rows.shape", "Concat", fr->rows, fr->cols);

	emit_attr_int(em, "axis", 0);
	return rows_ended(em, fr, emit_op(em, "rows", "Expand", emit_i64_list(em, fr->f->image_token), size));
}

/* Ids of the picture, in up to four parts. */
static size_t
picture_ids(struct emit *em, const struct front *fr, const char **part)
{
	const struct document *f = fr->f;
	const int64_t whole[] = {f->tiles.begin, f->tiles.whole};
	const bool tiles = f->prepare.rule == PREPARE_TILES;
	const char *count, *image;
	size_t n = 0;

	if (f->prepare.rule == PREPARE_NAFLEX || f->prepare.rule == PREPARE_PADDED) {
		part[n++] = f->prepare.rule == PREPARE_NAFLEX ? front_naflex_ids(em, f, &fr->naflex)
							      : front_padded_ids(em, f, &fr->padded);
		return n;
	}
	if (f->prepare.rule == PREPARE_WHOLE) {
		part[n++] = token_rows(em, fr);
		return n;
	}
	count = fr->rows && !tiles ? emit_op(em, "count", "Mul", fr->rows, fr->cols)
				   : emit_i64_list(em, f->image_tokens);
	image = image_tokens(em, f, count);
	if (tiles) {
		part[n++] = grid_ids(em, fr, image);
		part[n++] = emit_i64s(em, 2, whole);
	}
	part[n++] = image;
	if (tiles)
		part[n++] = emit_i64_list(em, f->tiles.begin);
	return n;
}

static void
input_ids(struct emit *em, const struct front *fr)
{
	const struct document *f = fr->f;
	const char *part[6], *x;
	size_t n = 0;

	if (f->before.n)
		part[n++] = emit_i64s(em, f->before.n, f->before.id);
	n += picture_ids(em, fr, part + n);
	if (f->after.n)
		part[n++] = emit_i64s(em, f->after.n, f->after.id);
	x = emit_node(em, "row", "row", "Concat", part, n);
	emit_attr_int(em, "axis", 0);
	(void)emit_result(em, "Unsqueeze", x, emit_i64_list(em, 0));
}

static void
attention_mask(struct emit *em, const struct front *fr)
{
	(void)fr;
	(void)emit_result(em, "Expand", emit_i64_list(em, 1), emit_op(em, "shape", "Shape", "input_ids"));
}

static const struct {
	const char *name;
	void (*emit)(struct emit *em, const struct front *fr);
	enum prepare_rule rule; /* the rule of pictures that have this input; PREPARE_NONE: any */
} makers[] = {
	{"input_ids", input_ids, PREPARE_NONE},
	{"attention_mask", attention_mask, PREPARE_NONE},
	{"pixel_values", pixel_values, PREPARE_NONE},
	{"image_grid_thw", image_grid_thw, PREPARE_PATCHES},
	{"image_sizes", image_sizes, PREPARE_WHOLE},
	{"pixel_attention_mask", pixel_attention_mask, PREPARE_TILES},
	{"spatial_shapes", spatial_shapes, PREPARE_NAFLEX},
};

static void
input_make(struct emit *em, const struct front *fr, const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(makers); i++)
		if (str_eq(makers[i].name, name) &&
		    (makers[i].rule == PREPARE_NONE || makers[i].rule == fr->f->prepare.rule)) {
			em->prefix = makers[i].name;
			makers[i].emit(em, fr);
			return;
		}
	if (em->code == 0)
		em->code = err_set(em->e, E_EXPORT, "no picture gives the input '%s' of the graph '%s'", name,
				   em->graph->name);
}

void
front_emit(struct emit *em, const struct document *f)
{
	struct front fr = {.f = f};
	size_t i;

	front_make(em, &fr);
	for (i = 0; i < em->graph->n_value; i++)
		if (em->graph->value[i]->kind == IR_INPUT && !em->graph->value[i]->from_caller)
			input_make(em, &fr, em->graph->value[i]->name);
}
