#include "front_private.h"

#include "base/str.h"

void
front_scope(struct emit *em, const char *name)
{
	em->prefix = emit_take_str(em, FRONT_INPUT ".%s", name);
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

/* What the inputs of the graph are made of. */
struct front {
	const struct onnx_front *f;
	struct front_size size;  /* of the resized picture */
	const char *levels;      /* its grey levels: float64 [height, width, 3] */
	const char *pixels;      /* float32, normalised */
	const char *rows, *cols; /* PREPARE_PATCHES: tokens, int64 [1] */
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

static const char *
normalised(struct emit *em, const struct prepare *p, const char *levels)
{
	const int64_t dims[] = {3};
	const char *x;

	front_scope(em, "normalise");
	x = front_cast(em, "levels", levels, ELEM_F32);
	x = emit_op(em, "centred", "Sub", x, emit_table(em, NULL, ELEM_F32, 1, dims, p->mean));
	return emit_op(em, "out", "Div", x, emit_table(em, NULL, ELEM_F32, 1, dims, p->std));
}

/* Tokens along a side of that many pixels: int64 [1]. */
static const char *
tokens(struct emit *em, const char *name, const char *pixels, int64_t side)
{
	const char *x;

	front_scope(em, name);
	x = emit_op(em, "count", "Div", pixels, emit_i64(em, side));
	return emit_op(em, "out", "Unsqueeze", x, emit_i64_list(em, 0));
}

static void
front_make(struct emit *em, struct front *fr)
{
	const struct prepare *p = &fr->f->prepare;
	const struct front_size in = picture_size(em);

	fr->size = front_size_emit(em, p, in);
	fr->levels = front_resize(em, "resize", FRONT_INPUT, p->filter, in, fr->size);
	fr->pixels = normalised(em, p, fr->levels);
	if (p->rule != PREPARE_PATCHES)
		return;
	fr->rows = tokens(em, "rows", fr->size.height, p->patch * p->merge);
	fr->cols = tokens(em, "cols", fr->size.width, p->patch * p->merge);
}

/* [rows, merge, patch, cols, merge, patch, 3] to [rows, cols, merge, merge, 3, patch, patch], and each patch repeated. */
static void
pixel_values(struct emit *em, const struct front *fr)
{
	const struct prepare *p = &fr->f->prepare;
	const int64_t m = p->merge, s = p->patch;
	const char *x = fr->pixels, *shape;

	if (p->rule != PREPARE_PATCHES) {
		x = emit_op(em, "planes", "Transpose", x);
		emit_attr_ints(em, "perm", 3, (const int64_t[]){2, 0, 1});
		(void)emit_result(em, "Unsqueeze", x, emit_i64_list(em, 0));
		return;
	}
	shape = emit_op(em, "blocks.shape", "Concat", fr->rows, emit_i64_list(em, m, s), fr->cols,
			emit_i64_list(em, m, s, 3));
	emit_attr_int(em, "axis", 0);
	x = emit_op(em, "blocks", "Reshape", x, shape);
	x = emit_op(em, "patches", "Transpose", x);
	emit_attr_ints(em, "perm", 7, (const int64_t[]){0, 3, 1, 4, 6, 2, 5});
	x = emit_op(em, "frame", "Reshape", x, emit_i64_list(em, -1, 3, 1, s * s));
	x = emit_op(em, "frames", "Expand", x, emit_i64_list(em, 1, 1, p->frames, 1));
	(void)emit_result(em, "Reshape", x, emit_i64_list(em, 1, -1, 3 * p->frames * s * s));
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
input_ids(struct emit *em, const struct front *fr)
{
	const struct onnx_front *f = fr->f;
	const char *part[3], *count, *x;
	size_t n = 0;

	count = fr->rows ? emit_op(em, "count", "Mul", fr->rows, fr->cols)
			 : emit_i64_list(em, f->image_tokens);
	if (f->n_before)
		part[n++] = emit_i64s(em, f->n_before, f->before);
	part[n++] = emit_op(em, "image", "Expand", emit_i64_list(em, f->image_token), count);
	if (f->n_after)
		part[n++] = emit_i64s(em, f->n_after, f->after);
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
	bool patches; /* with PREPARE_PATCHES alone */
} makers[] = {
	{"input_ids", input_ids, false},
	{"attention_mask", attention_mask, false},
	{"pixel_values", pixel_values, false},
	{"image_grid_thw", image_grid_thw, true},
};

static void
input_make(struct emit *em, const struct front *fr, const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(makers); i++)
		if (str_eq(makers[i].name, name) && (!makers[i].patches || fr->rows)) {
			em->prefix = makers[i].name;
			makers[i].emit(em, fr);
			return;
		}
	if (em->code == 0)
		em->code = err_set(em->e, E_EXPORT, "no picture gives the input '%s' of the graph '%s'", name,
				   em->graph->name);
}

void
front_emit(struct emit *em, const struct onnx_front *f)
{
	struct front fr = {.f = f};
	size_t i;

	front_make(em, &fr);
	for (i = 0; i < em->graph->n_value; i++)
		if (em->graph->value[i]->kind == IR_INPUT)
			input_make(em, &fr, em->graph->value[i]->name);
}
