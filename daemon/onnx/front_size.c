/* prepare_size() of picture/prepare.c as ONNX nodes. */
#include "front_private.h"
#include "lower.h"

/* Rounds a side near `x` to whole tokens, by Round, Floor or Ceil. */
static const char *
whole(struct emit *em, const char *suffix, const char *type, const char *x, const char *f)
{
	const char *name = em->prefix;

	em->prefix = emit_format(em, "%s/%s", name, suffix);
	x = emit_op(em, "tokens", "Div", x, f);
	x = emit_op(em, "whole", type, x);
	x = emit_op(em, "side", "Mul", x, f);
	em->prefix = name;
	return x;
}

/* Values that both sides need. */
struct patches {
	const char *f;            /* pixels a side of a token */
	const char *over, *under; /* bool: the picture is too large, too small */
	const char *by_over, *by_under;
};

static const char *
side(struct emit *em, const char *name, const struct patches *p, const char *x, const char *near)
{
	const char *large, *small;

	front_scope(em, emit_format(em, "size.%s", name));
	large = emit_op(em, "reduced", "Div", x, p->by_over);
	large = whole(em, "large", "Floor", large, p->f);
	large = emit_op(em, "at_least_one", "Max", large, p->f);
	small = emit_op(em, "enlarged", "Mul", x, p->by_under);
	small = whole(em, "small", "Ceil", small, p->f);
	x = emit_op(em, "small_or_near", "Where", p->under, small, near);
	x = emit_op(em, "pixels", "Where", p->over, large, x);
	return front_cast(em, "out", x, ELEM_I64);
}

/*
 * Computes not (longer side / shorter side <= limit). Written this way, it is also true for a picture without
 * pixels.
 */
static const char *
wrong_shape(struct emit *em, const char *h, const char *w)
{
	const char *longer, *shorter, *ratio;

	longer = emit_op(em, "longer", "Max", h, w);
	shorter = emit_op(em, "shorter", "Min", h, w);
	ratio = emit_op(em, "ratio", "Div", longer, shorter);
	ratio = emit_op(em, "fits", "LessOrEqual", ratio, front_f64(em, PREPARE_RATIO_MAX));
	return emit_op(em, "refused", "Not", ratio);
}

static const char *
no_pixels(struct emit *em, struct front_size in)
{
	const char *area = emit_op(em, "pixels", "Mul", in.height, in.width);

	return emit_op(em, "none", "Less", area, emit_i64(em, 1));
}

static struct front_size
patches_size(struct emit *em, const struct prepare *p, struct front_size in)
{
	struct patches both = {.f = front_f64(em, (double)(p->patch * p->merge))};
	const bool naflex = p->rule == PREPARE_NAFLEX;
	const char *h, *w, *area, *near_h, *near_w, *max = front_f64(em, (double)p->pixels_max),
						    *min = front_f64(em, (double)p->pixels_min);
	struct front_size out;

	h = front_cast(em, "h", in.height, ELEM_F64);
	w = front_cast(em, "w", in.width, ELEM_F64);
	area = lower_fail(em, naflex ? no_pixels(em, in) : wrong_shape(em, h, w));
	area = front_cast(em, "nothing.f64", area, ELEM_F64);
	h = emit_op(em, "h.checked", "Add", h, area);
	area = emit_op(em, "area", "Mul", h, w);
	near_h = whole(em, "near_h", "Round", h, both.f);
	near_w = whole(em, "near_w", "Round", w, both.f);
	if (naflex) {
		near_h = emit_op(em, "near_h.least", "Max", near_h, both.f);
		near_w = emit_op(em, "near_w.least", "Max", near_w, both.f);
	}
	both.over = emit_op(em, "near_area", "Mul", near_h, near_w);
	both.under = emit_op(em, "under", "Less", both.over, min);
	both.over = emit_op(em, "over", "Greater", both.over, max);
	both.by_over = emit_op(em, "by_over.2", "Div", area, max);
	both.by_over = emit_op(em, "by_over", "Sqrt", both.by_over);
	both.by_under = emit_op(em, "by_under.2", "Div", min, area);
	both.by_under = emit_op(em, "by_under", "Sqrt", both.by_under);
	out.height = side(em, "height", &both, h, near_h);
	out.width = side(em, "width", &both, w, near_w);
	return out;
}

/* The constant size; fails for a picture without pixels. */
static struct front_size
fixed_size(struct emit *em, const struct prepare *p, struct front_size in)
{
	const char *wrong;

	wrong = emit_op(em, "area", "Mul", in.height, in.width);
	wrong = emit_op(em, "refused", "Less", wrong, emit_i64(em, 1));
	wrong = lower_fail(em, wrong);
	return (struct front_size){
		.height = emit_op(em, "height", "Add", emit_i64(em, p->height), wrong),
		.width = emit_op(em, "width", "Add", emit_i64(em, p->width), wrong),
	};
}

/*
 * The length of the shorter side when the longer one is `longest`, float64; and whether the picture is wide.
 */
static const char *
shorter(struct emit *em, const struct prepare *p, struct front_size in, const char **wide)
{
	const char *longest = front_f64(em, (double)p->longest), *h, *w, *aspect, *low, *high;

	h = front_cast(em, "h", in.height, ELEM_F64);
	w = front_cast(em, "w", in.width, ELEM_F64);
	aspect = emit_op(em, "aspect", "Div", w, h);
	low = emit_op(em, "height_if_wide", "Div", longest, aspect);
	high = emit_op(em, "width_if_tall", "Mul", longest, aspect);
	*wide = emit_op(em, "wide", "LessOrEqual", h, w);
	return emit_op(em, "shorter", "Where", *wide, low, high);
}

static struct front_size
sides(struct emit *em, const struct prepare *p, const char *side, const char *wide)
{
	const char *longest = emit_i64(em, p->longest);

	return (struct front_size){
		.height = emit_op(em, "height", "Where", wide, side, longest),
		.width = emit_op(em, "width", "Where", wide, longest, side),
	};
}

struct front_size
front_size_enlarged(struct emit *em, const struct prepare *p, struct front_size in)
{
	const char *wide, *side, *odd, *wrong;

	front_scope(em, "picture_must_have_pixels");
	wrong = emit_op(em, "area", "Mul", in.height, in.width);
	wrong = emit_op(em, "refused", "Less", wrong, emit_i64(em, 1));
	wrong = lower_fail(em, wrong);
	in.height = emit_op(em, "height.checked", "Add", in.height, wrong);
	front_scope(em, "size.enlarged");
	side = shorter(em, p, in, &wide);
	side = front_cast(em, "whole", side, ELEM_I64);
	odd = emit_op(em, "odd", "Mod", side, emit_i64(em, 2));
	side = emit_op(em, "even", "Add", side, odd);
	side = emit_op(em, "side", "Max", side, emit_i64(em, 1));
	return sides(em, p, side, wide);
}

struct front_size
front_size_tiles(struct emit *em, const struct prepare *p, struct front_size enlarged)
{
	const char *wide, *side, *tile = front_f64(em, (double)p->tile);

	front_scope(em, "size.tiles");
	side = shorter(em, p, enlarged, &wide);
	side = emit_op(em, "floor", "Floor", side);
	side = whole(em, "whole", "Ceil", side, tile);
	side = front_cast(em, "side", side, ELEM_I64);
	return sides(em, p, side, wide);
}

/* Fails for a picture whose shape gives more patches than a tile may have. */
static struct front_size
naflex_size(struct emit *em, const struct prepare *p, struct front_size in)
{
	struct front_size out = patches_size(em, p, in);
	const char *area, *most = emit_i64(em, p->patches * p->patch * p->patch);

	front_scope(em, "picture_must_not_be_so_thin");
	area = emit_op(em, "area", "Mul", out.height, out.width);
	area = lower_fail(em, emit_op(em, "refused", "Less", most, area));
	out.height = emit_op(em, "height", "Add", out.height, area);
	return out;
}

/* A side in whole tokens, at least a patch. */
static const char *
naflex_near(struct emit *em, const char *name, const struct prepare *p, const char *side)
{
	const char *x = front_cast(em, emit_format(em, "%s.f64", name), side, ELEM_F64);

	x = whole(em, name, "Round", x, front_f64(em, (double)(p->patch * p->merge)));
	return emit_op(em, emit_format(em, "%s.least", name), "Max", x, front_f64(em, (double)p->patch));
}

#define GRIDS_MAX 1000 /* tiles_max is at most 100, and 100 has 9 divisors */

/* The grids that a large picture may have, in the processor's order. */
struct grids {
	int64_t count, rows[GRIDS_MAX], cols[GRIDS_MAX];
	double aspect[GRIDS_MAX];
	double half[GRIDS_MAX];                   /* of the grid's pixels */
	float equal[GRIDS_MAX], first[GRIDS_MAX]; /* scores, see naflex_pick() */
};

static void
grids_make(const struct prepare *p, struct grids *g)
{
	int64_t n, cols, i;

	g->count = 0;
	for (n = p->tiles_min; n <= p->tiles_max; n++)
		for (cols = 1; cols <= n; cols++) {
			if (n % cols)
				continue;
			i = g->count++;
			assert(i < GRIDS_MAX);
			g->cols[i] = cols;
			g->rows[i] = n / cols;
			g->aspect[i] = (double)cols / (double)(n / cols);
			g->half[i] = 0.5 * (double)(p->tile * p->tile) * (double)n;
		}
	for (i = 0; i < g->count; i++) {
		g->equal[i] = (float)(g->count + 1 + i);
		g->first[i] = (float)(g->count - i);
	}
}

/*
 * The number of the grid nearest to the picture's aspect: the last of those equally near of whose pixels the picture has more
 * than half, or else the first of those equally near.
 */
static const char *
naflex_pick(struct emit *em, const struct grids *g, const char *h, const char *w)
{
	const int64_t n[] = {g->count};
	const char *far, *area, *near, *fills, *score;

	far = emit_op(em, "aspect", "Div", w, h);
	area = emit_op(em, "area", "Mul", w, h);
	far = emit_op(em, "off", "Sub", far, emit_table(em, NULL, ELEM_F64, 1, n, g->aspect));
	far = emit_op(em, "far", "Abs", far);
	near = emit_op(em, "nearest", "ReduceMin", far);
	near = emit_op(em, "near", "LessOrEqual", far, near);
	fills = emit_op(em, "fills", "Less", emit_table(em, NULL, ELEM_F64, 1, n, g->half), area);
	fills = emit_op(em, "near_and_fills", "And", near, fills);
	score = emit_op(em, "score.near", "Where", near, emit_table(em, NULL, ELEM_F32, 1, n, g->first),
			emit_f32(em, 0));
	score = emit_op(em, "score", "Where", fills, emit_table(em, NULL, ELEM_F32, 1, n, g->equal), score);
	score = emit_op(em, "pick", "ArgMax", score);
	emit_attr_int(em, "axis", 0);
	emit_attr_int(em, "keepdims", 0);
	return score;
}

struct front_size
front_naflex_tiles(struct emit *em, const struct prepare *p, struct front_size in, const char **ret_large)
{
	const char *h, *w, *x, *one = emit_i64(em, 1);
	struct front_size tiles;
	struct grids g;

	front_scope(em, "tiles");
	if (p->tiles_max == 1) {
		*ret_large = emit_i64(em, 0);
		return (struct front_size){one, one};
	}
	grids_make(p, &g);
	h = naflex_near(em, "near_h", p, in.height);
	w = naflex_near(em, "near_w", p, in.width);
	x = emit_op(em, "near_area", "Mul", h, w);
	x = emit_op(em, "large", "Less", front_f64(em, (double)p->pixels_max * p->tolerance), x);
	*ret_large = front_cast(em, "large.i64", x, ELEM_I64);
	h = front_cast(em, "h", in.height, ELEM_F64);
	w = front_cast(em, "w", in.width, ELEM_F64);
	h = naflex_pick(em, &g, h, w);
	tiles.height = emit_op(em, "rows", "Gather", emit_i64s(em, (size_t)g.count, g.rows), h);
	tiles.height = emit_op(em, "rows_or_1", "Where", x, tiles.height, one);
	tiles.width = emit_op(em, "cols", "Gather", emit_i64s(em, (size_t)g.count, g.cols), h);
	tiles.width = emit_op(em, "cols_or_1", "Where", x, tiles.width, one);
	return tiles;
}

/* ---- PREPARE_PADDED ---- */

/* A side: the scaled one as a whole number by that op, at least 1. */
static const char *
padded_side(struct emit *em, const char *name, const char *type, const char *scaled)
{
	const char *x = emit_op(em, emit_format(em, "%s.whole", name), type, scaled);

	return emit_op(em, name, "Max", x, front_f64(em, 1));
}

/* bool: the sides are beyond the limits. */
static const char *
padded_beyond(struct emit *em, const char *name, const struct prepare *p, const char *h, const char *w)
{
	const char *back = em->prefix, *longer, *area;

	em->prefix = emit_format(em, "%s/%s", back, name);
	longer = emit_op(em, "longer", "Max", h, w);
	longer = emit_op(em, "too_long", "Less", front_f64(em, (double)p->longest), longer);
	area = emit_op(em, "area", "Mul", h, w);
	area = emit_op(em, "too_large", "Less", front_f64(em, (double)p->pixels_max), area);
	longer = emit_op(em, "out", "Or", longer, area);
	em->prefix = back;
	return longer;
}

static const char *
padded_scale(struct emit *em, const struct prepare *p, const char *h, const char *w, const char *area)
{
	const char *by, *other;

	by = emit_op(em, "by_least.2", "Div", front_f64(em, (double)p->pixels_min), area);
	by = emit_op(em, "by_least.1", "Sqrt", by);
	by = emit_op(em, "by_least", "Max", by, front_f64(em, 1)); /* above 1 if the picture is too small */
	other = emit_op(em, "longer", "Max", h, w);
	other = emit_op(em, "by_longest", "Div", front_f64(em, (double)p->longest), other);
	by = emit_op(em, "by.1", "Min", by, other);
	other = emit_op(em, "by_most.2", "Div", front_f64(em, (double)p->pixels_max), area);
	other = emit_op(em, "by_most", "Sqrt", other);
	return emit_op(em, "by", "Min", by, other);
}

/* The sides of a picture beyond the limits: rounded down, and the longer one less if that is not enough. */
static void
padded_reduced(struct emit *em, const struct prepare *p, const char **h, const char **w)
{
	const char *most = front_f64(em, (double)p->pixels_max), *rows, *cols, *still, *tall, *less;

	front_scope(em, "size.reduced");
	rows = padded_side(em, "rows", "Floor", *h);
	cols = padded_side(em, "cols", "Floor", *w);
	still = emit_op(em, "area", "Mul", rows, cols);
	still = emit_op(em, "still_too_large", "Less", most, still);
	tall = emit_op(em, "tall", "LessOrEqual", cols, rows);
	tall = emit_op(em, "rows_must_shrink", "And", still, tall);
	less = emit_op(em, "wide", "Less", rows, cols);
	still = emit_op(em, "cols_must_shrink", "And", still, less);
	less = emit_op(em, "rows.room", "Div", most, cols);
	less = padded_side(em, "rows.less", "Floor", less);
	*h = emit_op(em, "height", "Where", tall, less, rows);
	less = emit_op(em, "cols.room", "Div", most, rows);
	less = padded_side(em, "cols.less", "Floor", less);
	*w = emit_op(em, "width", "Where", still, less, cols);
}

/* The sides of all other pictures: rounded to the nearest, or up if that would leave a small one too small. */
static void
padded_kept(struct emit *em, const struct prepare *p, const char *small, const char *near_h,
	    const char *near_w, const char **h, const char **w)
{
	const char *rows, *cols, *up;

	front_scope(em, "size.kept");
	up = emit_op(em, "area", "Mul", near_h, near_w);
	up = emit_op(em, "still_too_small", "Less", up, front_f64(em, (double)p->pixels_min));
	up = emit_op(em, "small", "And", small, up);
	rows = padded_side(em, "rows", "Ceil", *h);
	cols = padded_side(em, "cols", "Ceil", *w);
	small = padded_beyond(em, "beyond", p, rows, cols);
	small = emit_op(em, "fits", "Not", small);
	up = emit_op(em, "up", "And", up, small);
	*h = emit_op(em, "height", "Where", up, rows, near_h);
	*w = emit_op(em, "width", "Where", up, cols, near_w);
}

static struct front_size
padded_size(struct emit *em, const struct prepare *p, struct front_size in)
{
	const char *h, *w, *area, *by, *small, *near_h, *near_w, *beyond, *low_h, *low_w;
	struct front_size out;

	h = front_cast(em, "h", in.height, ELEM_F64);
	w = front_cast(em, "w", in.width, ELEM_F64);
	area = lower_fail(em, no_pixels(em, in));
	area = front_cast(em, "nothing.f64", area, ELEM_F64);
	h = emit_op(em, "h.checked", "Add", h, area);
	area = emit_op(em, "area", "Mul", h, w);
	front_scope(em, "size.scale");
	by = padded_scale(em, p, h, w, area);
	small = emit_op(em, "small", "Less", area, front_f64(em, (double)p->pixels_min));
	h = low_h = emit_op(em, "height", "Mul", h, by);
	w = low_w = emit_op(em, "width", "Mul", w, by);
	near_h = padded_side(em, "near_h", "Round", h);
	near_w = padded_side(em, "near_w", "Round", w);
	beyond = padded_beyond(em, "beyond", p, near_h, near_w);
	padded_reduced(em, p, &low_h, &low_w);
	padded_kept(em, p, small, near_h, near_w, &h, &w);
	front_scope(em, "size");
	h = emit_op(em, "height.f64", "Where", beyond, low_h, h);
	w = emit_op(em, "width.f64", "Where", beyond, low_w, w);
	out.height = front_cast(em, "height", h, ELEM_I64);
	out.width = front_cast(em, "width", w, ELEM_I64);
	return out;
}

/* ---- PREPARE_WHOLE ---- */

/* A side of PREPARE_WHOLE, float64: smaller by `by` where that is over 1. */
static const char *
limited(struct emit *em, const char *name, const char *x, const char *by, const char *over)
{
	const char *less;

	front_scope(em, emit_format(em, "size.%s", name));
	less = emit_op(em, "reduced", "Div", x, by);
	less = emit_op(em, "floor", "Floor", less);
	return emit_op(em, "pixels", "Where", over, less, x);
}

static struct front_size
whole_picture_size(struct emit *em, const struct prepare *p, struct front_size in)
{
	const char *longest = front_f64(em, (double)p->longest),
		   *step = front_f64(em, (double)(p->patch * p->merge));
	const char *h, *w, *by, *over, *wrong, *x, *name = em->prefix;

	h = front_cast(em, "h", in.height, ELEM_F64);
	w = front_cast(em, "w", in.width, ELEM_F64);
	by = emit_op(em, "by_height", "Div", h, longest);
	x = emit_op(em, "by_width", "Div", w, longest);
	by = emit_op(em, "by", "Max", by, x);
	over = emit_op(em, "over", "Greater", by, front_f64(em, 1));
	h = limited(em, "height", h, by, over);
	w = limited(em, "width", w, by, over);
	em->prefix = name;
	wrong = emit_op(em, "shorter", "Min", h, w);
	wrong = emit_op(em, "refused", "Less", wrong, front_f64(em, 1));
	wrong = front_cast(em, "nothing.f64", lower_fail(em, wrong), ELEM_F64);
	h = emit_op(em, "h.checked", "Add", h, wrong);
	h = whole(em, "height", "Ceil", h, step);
	w = whole(em, "width", "Ceil", w, step);
	return (struct front_size){.height = front_cast(em, "height.out", h, ELEM_I64),
				   .width = front_cast(em, "width.out", w, ELEM_I64)};
}

struct front_size
front_size_emit(struct emit *em, const struct prepare *p, struct front_size in)
{
	if (p->rule == PREPARE_NAFLEX || p->rule == PREPARE_PADDED) {
		front_scope(em, "picture_must_have_pixels");
		return p->rule == PREPARE_NAFLEX ? naflex_size(em, p, in) : padded_size(em, p, in);
	}
	front_scope(em, "picture_must_have_pixels_and_a_usual_shape");
	if (p->rule == PREPARE_WHOLE)
		return whole_picture_size(em, p, in);
	return p->rule == PREPARE_PATCHES ? patches_size(em, p, in) : fixed_size(em, p, in);
}
