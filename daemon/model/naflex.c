#include "naflex.h"

#include "caseinput.h"
#include "guards.h"

#define MERGE NAFLEX_MERGE
#define PROJECTOR_EPS 1e-5 /* of the projector's norm: not in the config */

/* ---- config ---- */

#define FIELD(field) offsetof(struct siglip_config, field)

static const struct config_int vision_rows[] = {
	{"hidden_size", 1, 65536, 768, FIELD(hidden_size)},
	{"num_hidden_layers", 1, 1000, 12, FIELD(num_hidden_layers)},
	{"num_attention_heads", 1, 1024, 12, FIELD(num_attention_heads)},
	{"intermediate_size", 1, 1 << 20, 3072, FIELD(intermediate_size)},
	{"num_channels", 1, 16, 3, FIELD(num_channels)},
	{"patch_size", 1, 256, 16, FIELD(patch_size)},
	{"num_patches", 1, 1 << 20, 256, FIELD(patches)},
};

int
naflex_vision_read(const struct config_scope *s, struct naflex_config *c, struct err *e)
{
	struct siglip_config *v = &c->vision;
	int r;

	if ((r = config_only(s, "model_type", "siglip2_vision_model", "siglip2_vision_model", e)) < 0 ||
	    (r = config_only(s, "hidden_act", "gelu_pytorch_tanh", "gelu_pytorch_tanh", e)) < 0 ||
	    (r = config_ints(s, vision_rows, ARRAY_LEN(vision_rows), v, e)) < 0 ||
	    (r = config_double(s, "layer_norm_eps", 1e-6, 1, &v->layer_norm_eps, e)) < 0)
		return r;
	if (v->hidden_size % v->num_attention_heads)
		return config_fail(s, "hidden_size", E_BAD_CHECKPOINT, e,
				   "must be a multiple of num_attention_heads");
	v->head_dim = v->hidden_size / v->num_attention_heads;
	c->table_side = 0;
	while (c->table_side * c->table_side < v->patches)
		c->table_side++;
	if (c->table_side * c->table_side != v->patches)
		return config_fail(s, "num_patches", E_BAD_CHECKPOINT, e, "must be the square of a number");
	return 0;
}

/* ---- inputs ---- */

/* Numbers of one patch: rows x columns x colours. */
static int64_t
features(const struct naflex_config *c)
{
	return c->vision.patch_size * c->vision.patch_size * c->vision.num_channels;
}

static struct shape
pixels_shape(const void *config)
{
	return shape_of(3, sym(SYM_IMAGES), sym(SYM_PATCHES), n(features(config)));
}

static struct shape
shapes_shape(const void *config)
{
	(void)config;
	return shape_of(2, sym(SYM_IMAGES), n(2));
}

enum { PIXELS, SHAPES };

const struct model_input naflex_inputs[] = {
	[PIXELS] = {"pixel_values", ELEM_F32, pixels_shape},
	[SHAPES] = {"spatial_shapes", ELEM_I64, shapes_shape}, /* height and width of each image in patches */
	{0},
};

int64_t
naflex_image_tokens(const void *config, int h, int w)
{
	(void)config;
	return (int64_t)h * w / (MERGE * MERGE);
}

struct sizes
naflex_trace_sizes(const void *config)
{
	struct sizes s;

	(void)config;
	s.of[SYM_BATCH] = 2;
	s.of[SYM_SEQUENCE] = 7;
	s.of[SYM_IMAGES] = 3;
	s.of[SYM_PATCHES] = 20;
	return s;
}

static int
images_make(const struct naflex_config *c, const struct plan *plan, struct rng *rng, struct feeds *ret,
	    struct err *e)
{
	const struct sizes s = plan_images_sizes(plan);
	const struct feed *shapes_feed = model_input_feed(ret, &naflex_inputs[SHAPES], c, &s);
	const struct feed *pixels_feed = model_input_feed(ret, &naflex_inputs[PIXELS], c, &s);
	int64_t *shape;
	float *pixels;
	int i, k;

	if (!shapes_feed || !pixels_feed)
		return err_no_memory(e);
	shape = shapes_feed->data;
	pixels = pixels_feed->data;
	for (i = 0; i < plan->n_rows; i++)
		for (k = 0; k < plan->row[i].n_images; k++) {
			*shape++ = plan->row[i].image[k].h;
			*shape++ = plan->row[i].image[k].w;
			case_fill_normal(rng, pixels, shape[-2] * shape[-1] * features(c));
			pixels += s.of[SYM_PATCHES] * features(c);
		}
	return 0;
}

int
naflex_case_make(const struct model *m, const void *config, const struct plan *plan, uint64_t seed,
		 struct feeds *ret, struct err *e)
{
	struct rng rng = {seed};
	int r;

	r = case_text_make(m, config, plan, &rng, ret, e);
	return r == 0 && plan_has_images(plan) ? images_make(config, plan, &rng, ret, e) : r;
}

static struct ir_value *
shapes_column(struct trace *t, struct ir_value *shapes, int column, const char *name)
{
	struct ir_value *x;

	x = tr_slice(t, shapes, 1, column, column + 1);
	x = tr_reshape(t, x, shape_of(1, sym(SYM_IMAGES))); /* [images] */
	return tr_name(t, x, "%s", name);
}

struct naflex_build
naflex_begin(struct trace *t, const struct naflex_config *c, enum variant v)
{
	struct naflex_build b = {.c = c, .variant = v, .in = blk_text_inputs(t)};
	struct ir_value *shapes, *seen;

	if (v == VARIANT_TEXT)
		return b;
	b.pixels = model_input_trace(t, &naflex_inputs[PIXELS], c);
	shapes = model_input_trace(t, &naflex_inputs[SHAPES], c);
	tr_scope(t, "shapes");
	b.h = shapes_column(t, shapes, 0, "h");
	b.w = shapes_column(t, shapes, 1, "w");
	tr_scope(t, "%s", "");
	b.flag = tr_equal(t, b.in.ids, tr_i64(t, c->image_token_id));
	if (v == VARIANT_UNIFIED) {
		seen = tr_and(t, b.flag, b.in.unmasked);
		b.any = tr_name(t, tr_any(t, seen), "any_image");
	}
	return b;
}

/* ---- the images ---- */

/* The images of a batch, and the part of an image that each token stands for. */
struct images {
	struct ir_value *rows, *cols; /* int64 [images]: sides in tokens; at least 1 */
	struct ir_value *tokens;      /* int64 [images]: rows * cols */
	struct ir_value *is_image;    /* bool [batch, sequence] */
	struct ir_value *image;       /* int64 [batch*sequence]: the token's image */
	struct ir_value *place;       /* int64 [batch*sequence]: the token's number within its image */
};

/* The sizes of the images. Each must have sides of whole tokens, and at most as many patches as there are. */
static void
sizes_read(struct trace *t, const struct naflex_build *b, struct images *im)
{
	struct ir_value *patches, *all, *ok, *fits;

	patches = tr_size(t, sym(SYM_PATCHES));
	im->rows = guard_side(t, b->h, patches, &ok);
	im->cols = guard_side(t, b->w, patches, &fits);
	ok = tr_and(t, ok, fits);
	im->tokens = tr_mul(t, im->rows, im->cols); /* [images] */
	all = tr_mul(t, im->tokens, tr_i64(t, MERGE * MERGE));
	fits = tr_less(t, patches, all);
	fits = tr_not(t, fits);
	ok = tr_and(t, ok, fits);
	ok = tr_not(t, ok);
	im->tokens = tr_check(t, im->tokens, ok);
	im->tokens = tr_name(t, im->tokens, "spatial_shapes_must_fit_pixel_values");
}

static void
images_read(struct trace *t, const struct naflex_build *b, struct images *im)
{
	struct ir_value *all;

	tr_scope(t, "images");
	sizes_read(t, b, im);
	all = tr_sum(t, im->tokens, 0);
	im->is_image = guard_image_tokens(t, b->flag, b->in.unmasked, all, &im->tokens);
	blk_tokens_place(t, im->is_image, im->tokens, &im->image, &im->place);
}

/* ---- the tower ---- */

/*
 * How much of each row, or column, of the table a patch takes: float [images, patches, side]. The table is stretched to
 * `count` places, int64 [images, 1]; where it shrinks, a place takes more than two of its entries, so that none is lost.
 *
 *	s = side / count, centre = (place + 1/2) s - 1/2; entry j has max(0, 1 - |j - centre| / max(s, 1)), then all are
 *	divided by their sum
 */
static struct ir_value *
shares(struct trace *t, struct ir_value *place, struct ir_value *count, int64_t side)
{
	struct ir_value *half = tr_f32(t, 0.5), *one = tr_f32(t, 1);
	struct ir_value *scale, *wide, *centre, *entry, *below, *far, *sum;

	count = tr_cast(t, count, ELEM_F32);
	scale = tr_div(t, tr_f32(t, (double)side), count); /* [images, 1] */
	wide = tr_max(t, scale, one);
	wide = blk_unsqueeze(t, wide, 2); /* [images, 1, 1] */
	centre = tr_cast(t, place, ELEM_F32);
	centre = tr_add(t, centre, half);
	centre = tr_mul(t, centre, scale);
	centre = tr_sub(t, centre, half);
	centre = blk_unsqueeze(t, centre, 2); /* [images, patches, 1] */
	entry = tr_iota(t, n(side));
	entry = tr_cast(t, entry, ELEM_F32);
	far = tr_sub(t, entry, centre); /* [images, patches, side] */
	below = tr_sub(t, centre, entry);
	far = tr_max(t, far, below);
	far = tr_div(t, far, wide);
	far = tr_sub(t, one, far);
	far = tr_max(t, far, tr_f32(t, 0));
	sum = tr_sum(t, far, 2);
	sum = blk_unsqueeze(t, sum,
			    2); /* [images, patches, 1]: above 0, an entry is never further than 1/2 */
	return tr_div(t, far, sum);
}

/* The table of positions stretched over each image: float [images, patches, width]. */
static struct ir_value *
positions(struct trace *t, const struct naflex_build *b, const struct images *im, struct ir_value *all)
{
	const struct naflex_config *c = b->c;
	const int64_t side = c->table_side;
	static const int turned[] = {1, 0};
	struct ir_value *two = tr_i64(t, MERGE);
	struct ir_value *rows, *cols, *p, *row, *col, *table;

	tr_scope(t, "vis.pos");
	rows = tr_mul(t, im->rows, two);
	rows = blk_unsqueeze(t, rows, 1); /* [images, 1] */
	cols = tr_mul(t, im->cols, two);
	cols = blk_unsqueeze(t, cols, 1);
	p = tr_iota(t, sym(SYM_PATCHES));
	p = tr_mod(t, p, all); /* [images, patches]: padding is numbered from 0 again */
	row = tr_div(t, p, cols);
	col = tr_mod(t, p, cols);
	row = shares(t, row, rows, side);
	col = shares(t, col, cols, side);
	row = blk_unsqueeze(t, row, 3); /* [images, patches, side, 1] */
	col = blk_unsqueeze(t, col, 2); /* [images, patches, 1, side] */
	row = tr_mul(t, row, col);
	row = tr_reshape(t, row, shape_of(3, sym(SYM_IMAGES), sym(SYM_PATCHES), n(side * side)));
	table = tr_weight(t, shape_of(2, n(c->vision.patches), n(c->vision.hidden_size)),
			  "vis.embeddings.position_embedding.weight");
	table = tr_transpose(t, table, turned); /* [width, side*side] */
	return tr_name(t, tr_linear(t, row, table, NULL), "pos_embed");
}

/* The last states of all patches: float [images*patches, width]. Padding is zeroed first, because it may hold anything. */
static struct ir_value *
tower(struct trace *t, const struct naflex_build *b, const struct images *im)
{
	const int64_t width = b->c->vision.hidden_size;
	struct ir_value *all, *p, *seen, *x, *keep, *pos;

	tr_scope(t, "vis");
	all = tr_mul(t, im->tokens, tr_i64(t, MERGE * MERGE));
	all = blk_unsqueeze(t, all, 1); /* [images, 1] */
	p = tr_iota(t, sym(SYM_PATCHES));
	seen = tr_name(t, tr_less(t, p, all), "seen"); /* [images, patches] */
	pos = positions(t, b, im, all);
	tr_scope(t, "vis");
	keep = blk_unsqueeze(t, seen, 2);
	x = tr_where(t, keep, b->pixels, tr_f32(t, 0));
	x = blk_linear(t, x, width, BLK_BIAS, "patch_embed", "vis.embeddings.patch_embedding");
	x = tr_name(t, tr_add(t, x, pos), "embed");
	x = siglip_layers(t, &b->c->vision, x, seen);
	return tr_reshape(t, x, shape_of(2, dim_mul(sym(SYM_IMAGES), sym(SYM_PATCHES)), n(width)));
}

/*
 * The rows of the tower's states that a token stands for, row by row: int64 [batch*sequence, 4]. Patches are numbered row
 * by row over the whole image.
 */
static struct ir_value *
patches_of(struct trace *t, const struct images *im)
{
	struct ir_value *two = tr_i64(t, MERGE);
	struct ir_value *place, *cols, *wide, *row, *col, *first, *within, *own;

	tr_scope(t, "merge");
	place = guard_rows(t, im->place, im->is_image, im->place);
	cols = tr_gather(t, im->cols, im->image); /* [tokens] */
	wide = tr_mul(t, cols, two);
	row = tr_div(t, place, cols);
	row = tr_mul(t, row, two);
	row = tr_mul(t, row, wide);
	col = tr_mod(t, place, cols);
	col = tr_mul(t, col, two);
	first = tr_size(t, sym(SYM_PATCHES));
	first = tr_mul(t, first, im->image);
	first = tr_add(t, first, row);
	first = tr_add(t, first, col);
	first = blk_unsqueeze(t, first, 1); /* [tokens, 1] */
	own = tr_iota(t, n(MERGE * MERGE));
	within = tr_div(t, own, two);
	wide = blk_unsqueeze(t, wide, 1);
	within = tr_mul(t, within, wide); /* [tokens, 4] */
	own = tr_mod(t, own, two);
	within = tr_add(t, within, own);
	return tr_add(t, first, within);
}

/* A feature for each token, which is one of the image where the token is: float [batch*sequence, hidden]. */
static struct ir_value *
project(struct trace *t, const struct naflex_config *c, struct ir_value *states, struct ir_value *index)
{
	const int64_t wide = MERGE * MERGE * c->vision.hidden_size;
	const enum blk_bias bias = c->bias ? BLK_BIAS : BLK_NO_BIAS;
	struct ir_value *x;

	tr_scope(t, "mmproj");
	x = tr_gather(t, states, index); /* [tokens, 4, width] */
	x = tr_reshape(t, x, shape_of(2, axis(index, 0), n(wide)));
	if (c->norm)
		x = blk_layer_norm(t, x, PROJECTOR_EPS, "mmproj.layer_norm");
	x = blk_linear(t, x, c->inner, bias, "linear_1", "mmproj.linear_1");
	x = tr_gelu(t, x);
	return blk_linear(t, x, c->hidden, bias, "linear_2", "mmproj.linear_2");
}

static struct ir_value *
with_images(struct trace *t, const void *arg)
{
	const struct naflex_build *b = arg;
	struct ir_value *states, *x, *keep;
	struct images im;

	images_read(t, b, &im);
	states = tower(t, b, &im);
	x = patches_of(t, &im);
	x = project(t, b->c, states, x);
	tr_scope(t, "merge");
	x = tr_reshape(t, x, b->x->shape); /* [batch, sequence, hidden] */
	keep = blk_unsqueeze(t, im.is_image, 2);
	return tr_name(t, tr_where(t, keep, x, b->x), "out");
}

static struct ir_value *
without_images(struct trace *t, const void *arg)
{
	const struct naflex_build *b = arg;

	(void)t;
	return b->x;
}

struct ir_value *
naflex_merge(struct trace *t, struct naflex_build *b, struct ir_value *x)
{
	b->x = x;
	if (b->variant == VARIANT_TEXT)
		return x;
	return b->variant == VARIANT_IMAGE ? with_images(t, b)
					   : tr_if(t, b->any, with_images, without_images, b);
}
