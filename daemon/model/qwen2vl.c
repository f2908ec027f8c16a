#include "qwen2vl.h"

#include <math.h>

#include "caseinput.h"
#include "guards.h"

#define VISION_EPS 1e-6      /* of its LayerNorms: not in the config */
#define VISION_THETA 10000.0 /* of its rotary positions: likewise */
#define MERGE 2              /* patches a side that become one token */

/* Numbers of one patch: channels x frames x side x side. */
static int64_t
features(const struct qwen2vl_config *c)
{
	return c->vision.in_channels * c->vision.temporal_patch_size * c->vision.patch_size *
	       c->vision.patch_size;
}

static struct shape
pixels_shape(const void *config)
{
	return shape_of(3, sym(SYM_IMAGES), sym(SYM_PATCHES), n(features(config)));
}

static struct shape
grid_shape(const void *config)
{
	(void)config;
	return shape_of(2, sym(SYM_IMAGES), n(3));
}

enum { PIXELS, GRID };

const struct model_input qwen2vl_inputs[] = {
	[PIXELS] = {"pixel_values", ELEM_F32, pixels_shape},
	[GRID] = {"image_grid_thw", ELEM_I64,
		  grid_shape}, /* frames, height and width of each image in patches */
	{0},
};

struct model_tokens
qwen2vl_tokens(const void *config)
{
	const struct qwen2vl_config *c = config;

	return (struct model_tokens){
		.vocab = c->text.vocab_size,
		.image = c->image_token_id,
		.image_begin = c->vision_start_token_id,
		.image_end = c->vision_end_token_id,
		.video = c->video_token_id,
		.pad = -1, /* the tokenizer says it, config.json does not */
	};
}

int64_t
qwen2vl_image_tokens(const void *config, int h, int w)
{
	(void)config;
	return (int64_t)h * w / (MERGE * MERGE);
}

static struct sizes
images_sizes(const struct plan *plan)
{
	struct sizes s = {{0}};
	int64_t patches;
	int i, k;

	s.of[SYM_IMAGES] = plan_image_count(plan);
	for (i = 0; i < plan->n_rows; i++)
		for (k = 0; k < plan->row[i].n_images; k++) {
			patches = (int64_t)plan->row[i].image[k].h * plan->row[i].image[k].w;
			s.of[SYM_PATCHES] = MAX(s.of[SYM_PATCHES], patches);
		}
	return s;
}

int
qwen2vl_images_make(const struct qwen2vl_config *c, const struct plan *plan, struct rng *rng,
		    struct feeds *ret, struct err *e)
{
	const struct sizes s = images_sizes(plan);
	const struct feed *grid_feed = model_input_feed(ret, &qwen2vl_inputs[GRID], c, &s);
	const struct feed *pixels_feed = model_input_feed(ret, &qwen2vl_inputs[PIXELS], c, &s);
	int64_t *grid;
	float *pixels;
	int i, k;

	if (!grid_feed || !pixels_feed)
		return err_no_memory(e);
	grid = grid_feed->data;
	pixels = pixels_feed->data;
	for (i = 0; i < plan->n_rows; i++)
		for (k = 0; k < plan->row[i].n_images; k++) {
			*grid++ = 1;
			*grid++ = plan->row[i].image[k].h;
			*grid++ = plan->row[i].image[k].w;
			case_fill_normal(rng, pixels, grid[-2] * grid[-1] * features(c));
			pixels += s.of[SYM_PATCHES] * features(c);
		}
	return 0;
}

/* One column of the grid [images, 3]: int64 [images]. */
static struct ir_value *
grid_column(struct trace *t, struct ir_value *grid, int column, const char *name)
{
	struct ir_value *x;

	x = tr_slice(t, grid, 1, column, column + 1);
	x = tr_reshape(t, x, shape_of(1, sym(SYM_IMAGES))); /* [images] */
	return tr_name(t, x, "%s", name);
}

struct qwen2vl_fed
qwen2vl_image_inputs(struct trace *t, const struct qwen2vl_config *c)
{
	struct qwen2vl_fed in;
	struct ir_value *grid;

	in.pixels = model_input_trace(t, &qwen2vl_inputs[PIXELS], c);
	grid = model_input_trace(t, &qwen2vl_inputs[GRID], c);
	tr_scope(t, "grid");
	in.t = grid_column(t, grid, 0, "t");
	in.h = grid_column(t, grid, 1, "h");
	in.w = grid_column(t, grid, 2, "w");
	return in;
}

/*
 * A side in tokens, between 1 and what `patches` allow; *fits when it is `side` patches exactly.
 */
static struct ir_value *
side_tokens(struct trace *t, struct ir_value *side, struct ir_value *patches, struct ir_value **fits)
{
	struct ir_value *two = tr_i64(t, MERGE);
	struct ir_value *x, *again;

	x = tr_min(t, side, patches);
	x = tr_max(t, x, two);
	x = tr_div(t, x, two); /* [images] */
	again = tr_mul(t, x, two);
	*fits = tr_equal(t, again, side);
	return x;
}

/*
 * Sizes of the images, from the grid: one frame each, sides of whole tokens, no more patches than there
 * are, and these too in whole tokens.
 */
static void
sizes_read(struct trace *t, const struct qwen2vl_fed *in, struct qwen2vl_images *im)
{
	struct ir_value *four = tr_i64(t, MERGE * MERGE);
	struct ir_value *patches, *room, *ok, *fits;

	patches = tr_size(t, sym(SYM_PATCHES));
	im->rows = side_tokens(t, in->h, patches, &ok);
	im->cols = side_tokens(t, in->w, patches, &fits);
	ok = tr_and(t, ok, fits);
	fits = tr_equal(t, in->t, tr_i64(t, 1));
	ok = tr_and(t, ok, fits);
	im->tokens = tr_mul(t, im->rows, im->cols); /* [images] */
	room = tr_div(t, patches, four);
	fits = tr_less(t, room, im->tokens);
	fits = tr_not(t, fits);
	ok = tr_and(t, ok, fits);
	room = tr_mul(t, room, four);
	fits = tr_equal(t, room, patches);
	ok = tr_and(t, ok, fits);
	ok = tr_not(t, ok);
	im->tokens = tr_check(t, im->tokens, ok);
	im->tokens = tr_name(t, im->tokens, "image_grid_thw_must_fit_pixel_values");
}

struct qwen2vl_images
qwen2vl_images(struct trace *t, const struct qwen2vl_fed *in, const struct blk_text *text,
	       struct ir_value *flag)
{
	struct qwen2vl_images im = {.pixels = in->pixels};
	struct ir_value *all;

	tr_scope(t, "images");
	sizes_read(t, in, &im);
	all = tr_sum(t, im.tokens, 0);
	im.is_image = guard_image_tokens(t, flag, text->unmasked, all, &im.tokens);
	blk_tokens_place(t, im.is_image, im.tokens, &im.image, &im.place);
	return im;
}

/*
 * Patches come in blocks of 2 x 2, blocks row by row, inside a block row by row:
 *
 *	0 1 | 4 5 |        block g = p / 4 lies at (g / cols, g % cols),
 *	2 3 | 6 7 | ...    place r = p % 4 inside it at (r / 2, r % 2)
 *
 * Angles of both coordinates, float [images, patches, head_dim/2]. size int64 [images, 1]: patches of the image.
 */
static struct ir_value *
patch_angles(struct trace *t, const struct qwen2vl_images *im, struct ir_value *size, int64_t head_dim)
{
	struct ir_value *two = tr_i64(t, MERGE), *four = tr_i64(t, MERGE * MERGE);
	struct ir_value *inv = blk_inv_freq(t, "vis.inv_freq", VISION_THETA, head_dim / 2, 0, head_dim / 4);
	struct ir_value *cols, *p, *g, *r, *row, *col, *inner;

	cols = blk_unsqueeze(t, im->cols, 1); /* [images, 1] */
	p = tr_iota(t, sym(SYM_PATCHES));
	p = tr_mod(t, p, size); /* [images, patches] */
	g = tr_div(t, p, four);
	r = tr_mod(t, p, four);
	row = tr_div(t, g, cols);
	row = tr_mul(t, row, two);
	inner = tr_div(t, r, two);
	row = tr_name(t, tr_add(t, row, inner), "row");
	col = tr_mod(t, g, cols);
	col = tr_mul(t, col, two);
	inner = tr_mod(t, r, two);
	col = tr_name(t, tr_add(t, col, inner), "col");
	row = blk_angles(t, row, inv);
	col = blk_angles(t, col, inv);
	return tr_concat(t, 2, 2, row, col); /* [images, patches, head_dim/2] */
}

/* What the blocks of the tower have in common. */
struct tower {
	const struct qwen2vl_config *c;
	int64_t width;
	struct ir_value *seen;      /* bool [images, patches]: not padding */
	struct ir_value *cos, *sin; /* [images, 1, patches, head_dim] */
	struct ir_value *bias;      /* keeps padding from being looked at */
};

static void
tower_tables(struct trace *t, const struct qwen2vl_images *im, struct tower *v)
{
	struct ir_value *size, *p, *angles;

	tr_scope(t, "vis.pos");
	size = tr_mul(t, im->tokens, tr_i64(t, MERGE * MERGE));
	size = blk_unsqueeze(t, size, 1); /* [images, 1] */
	angles = patch_angles(t, im, size, v->c->vision.head_dim);
	angles = tr_concat(t, 2, 2, angles, angles);
	angles = blk_unsqueeze(t, angles, 1); /* [images, 1, patches, head_dim] */
	v->cos = tr_name(t, tr_cos(t, angles), "cos");
	v->sin = tr_name(t, tr_sin(t, angles), "sin");
	p = tr_iota(t, sym(SYM_PATCHES));
	v->seen = tr_name(t, tr_less(t, p, size), "seen");
	v->bias = tr_name(t, tr_attention_bias(t, v->seen, IR_MASK_FULL), "bias");
}

/*
 * The patch embedding is a convolution whose window is its step: a linear over the flattened patch. Padding
 * may hold anything, infinities and NaN too, and a product with these would reach the tokens.
 */
static struct ir_value *
patch_embed(struct trace *t, const struct tower *v, struct ir_value *pixels)
{
	const struct qwen2vl_config *c = v->c;
	const struct shape flat = shape_of(2, n(v->width), n(features(c)));
	const struct shape stored =
		shape_of(5, n(v->width), n(c->vision.in_channels), n(c->vision.temporal_patch_size),
			 n(c->vision.patch_size), n(c->vision.patch_size));
	struct ir_value *seen, *weight, *x;

	tr_scope(t, "vis");
	seen = blk_unsqueeze(t, v->seen, 2); /* [images, patches, 1] */
	x = tr_where(t, seen, pixels, tr_f32(t, 0));
	weight = tr_weight_as(t, flat, stored, "vis.patch_embed.proj.weight");
	x = tr_linear(t, x, weight, NULL); /* [images, patches, width] */
	return tr_name(t, x, "patch_embed");
}

/* Heads of q, k or v: [images, heads, patches, head_dim]. */
static struct ir_value *
qkv_part(struct trace *t, const struct tower *v, struct ir_value *qkv, int which)
{
	struct ir_value *part;

	part = tr_slice(t, qkv, 2, which * v->width, (which + 1) * v->width);
	part = tr_name(t, part, "%c", "qkv"[which]);
	return blk_heads_split(t, part, v->c->vision.num_heads);
}

static struct ir_value *
tower_attention(struct trace *t, const struct tower *v, struct ir_value *x, int il)
{
	const double head_dim = (double)v->c->vision.head_dim;
	struct ir_value *qkv, *q, *k, *val, *a;

	tr_scope(t, "vis.%02d.attn", il);
	a = blk_layer_norm(t, x, VISION_EPS, "vis.blocks.%d.norm1", il);
	qkv = blk_linear(t, a, 3 * v->width, BLK_BIAS, "qkv", "vis.blocks.%d.attn.qkv", il);
	q = qkv_part(t, v, qkv, 0);
	k = qkv_part(t, v, qkv, 1);
	val = qkv_part(t, v, qkv, 2);
	q = tr_name(t, tr_rope(t, q, v->cos, v->sin), "q.rope");
	k = tr_name(t, tr_rope(t, k, v->cos, v->sin), "k.rope");
	a = tr_attention(t, q, k, val, v->bias, 1 / sqrt(head_dim));
	a = blk_heads_merge(t, a); /* [images, patches, width] */
	a = blk_linear(t, a, v->width, BLK_BIAS, "proj", "vis.blocks.%d.attn.proj", il);
	return tr_name(t, tr_add(t, x, a), "out");
}

static struct ir_value *
tower_mlp(struct trace *t, const struct tower *v, struct ir_value *x, int il)
{
	struct ir_value *y;

	tr_scope(t, "vis.%02d.mlp", il);
	y = blk_layer_norm(t, x, VISION_EPS, "vis.blocks.%d.norm2", il);
	y = blk_linear(t, y, v->c->vision.mlp_dim, BLK_BIAS, "fc1", "vis.blocks.%d.mlp.fc1", il);
	y = tr_quick_gelu(t, y); /* [images, patches, mlp_dim] */
	y = blk_linear(t, y, v->width, BLK_BIAS, "fc2", "vis.blocks.%d.mlp.fc2", il);
	return tr_name(t, tr_add(t, x, y), "out");
}

/* Four patches of a block side by side, through two layers, to one token. */
static struct ir_value *
merger(struct trace *t, const struct tower *v, struct ir_value *x)
{
	const struct dim tokens = dim_div(dim_mul(axis(x, 0), axis(x, 1)), MERGE * MERGE);
	const int64_t wide = v->width * MERGE * MERGE;
	struct ir_value *y;

	tr_scope(t, "vis.merger");
	y = blk_layer_norm(t, x, VISION_EPS, "vis.merger.ln_q");
	y = tr_reshape(t, y, shape_of(2, tokens, n(wide))); /* [images*patches/4, 4*width] */
	y = blk_linear(t, y, wide, BLK_BIAS, "fc1", "vis.merger.mlp.0");
	y = tr_gelu(t, y);
	return blk_linear(t, y, v->c->text.hidden_size, BLK_BIAS, "fc2", "vis.merger.mlp.2");
}

struct ir_value *
qwen2vl_vision(struct trace *t, const struct qwen2vl_config *c, const struct qwen2vl_images *im)
{
	struct tower v = {.c = c, .width = c->vision.embed_dim};
	struct ir_value *x;
	int il;

	tower_tables(t, im, &v);
	x = patch_embed(t, &v, im->pixels); /* [images, patches, width] */
	for (il = 0; il < c->vision.depth; il++) {
		x = tower_attention(t, &v, x, il);
		x = tower_mlp(t, &v, x, il);
	}
	return merger(t, &v, x);
}

struct ir_value *
qwen2vl_scatter(struct trace *t, const struct qwen2vl_images *im, struct ir_value *x, struct ir_value *merged)
{
	struct ir_value *room, *index;

	tr_scope(t, "merge");
	room = tr_size(t, dim_div(sym(SYM_PATCHES), MERGE * MERGE)); /* rows of each image, padding too */
	index = tr_mul(t, im->image, room);
	index = tr_add(t, index, im->place); /* [tokens] */
	index = guard_rows(t, index, im->is_image, im->place);
	return tr_name(t, blk_scatter(t, x, im->is_image, merged, index), "out");
}

/*
 * int64 [batch, sequence]: the number of the token within its image. An image token continues the image of
 * the token before it if that is an image token, masked alike; otherwise it begins an image.
 */
static struct ir_value *
place_in_run(struct trace *t, const struct qwen2vl_images *im, struct ir_value *unmasked)
{
	struct ir_value *zero = tr_i64(t, 0), *one = tr_i64(t, 1);
	struct ir_value *place, *kind, *before, *continues, *begins, *wrong;

	place = tr_reshape(t, im->place, im->is_image->shape); /* [batch, sequence] */
	kind = tr_cast(t, unmasked, ELEM_I64);
	kind = tr_add(t, kind, one);
	kind = tr_where(t, im->is_image, kind, zero); /* 0 text, 1 masked image token, 2 image token */
	before = tr_shift(t, kind, 1);
	continues = tr_equal(t, kind, before);
	begins = tr_equal(t, place, zero);
	wrong = tr_equal(t, continues, begins);
	wrong = tr_and(t, im->is_image, wrong);
	place = tr_check(t, place, wrong);
	return tr_name(t, place, "each_run_of_image_tokens_must_be_one_image");
}

/*
 * Where each token stands before the two coordinates within its image are added: text takes one position a
 * token, an image as many as its longer side has tokens, all of them from the same one on. Masked
 * tokens take none. int64 [batch, sequence].
 */
static struct ir_value *
positions(struct trace *t, const struct qwen2vl_images *im, struct ir_value *image, struct ir_value *place,
	  struct ir_value *unmasked, struct ir_value *seen)
{
	struct ir_value *zero = tr_i64(t, 0), *one = tr_i64(t, 1);
	struct ir_value *span, *begins, *step, *own, *base;

	span = tr_max(t, im->rows, im->cols);
	span = tr_gather(t, span, image); /* [batch, sequence] */
	begins = tr_equal(t, place, zero);
	begins = tr_cast(t, begins, ELEM_I64);
	begins = tr_mul(t, begins, span);
	step = tr_cast(t, unmasked, ELEM_I64);
	step = tr_where(t, seen, begins, step);
	base = tr_cumsum(t, step, 1);
	own = tr_where(t, seen, span, one);
	return tr_sub(t, base, own);
}

/* Angles of one axis, which has a share of the frequencies: float [batch, sequence, end - begin]. */
static struct ir_value *
axis_angles(struct trace *t, const struct qwen2vl_config *c, struct ir_value *pos, int which, int64_t begin,
	    int64_t end)
{
	struct ir_value *inv;
	char name[32];

	(void)snprintf(name, sizeof(name), "mrope.inv_freq.%d", which);
	inv = blk_inv_freq(t, name, c->text.rope_theta, c->text.head_dim, begin, end);
	pos = tr_name(t, pos, "pos.%c", "thw"[which]);
	return blk_angles(t, pos, inv);
}

struct ir_value *
qwen2vl_mrope(struct trace *t, const struct qwen2vl_config *c, const struct qwen2vl_images *im,
	      const struct blk_text *in)
{
	const int64_t end_t = c->text.mrope_section[0], end_h = end_t + c->text.mrope_section[1],
		      end_w = end_h + c->text.mrope_section[2];
	struct ir_value *image, *place, *seen, *base, *cols, *row, *col, *zero = tr_i64(t, 0);

	tr_scope(t, "mrope");
	image = tr_reshape(t, im->image, im->is_image->shape); /* [batch, sequence] */
	place = place_in_run(t, im, in->unmasked);
	seen = tr_and(t, im->is_image, in->unmasked);
	base = positions(t, im, image, place, in->unmasked, seen);
	/* The coordinates within the image; text has none. */
	cols = tr_gather(t, im->cols, image);
	row = tr_div(t, place, cols);
	row = tr_where(t, seen, row, zero);
	row = tr_add(t, base, row);
	col = tr_mod(t, place, cols);
	col = tr_where(t, seen, col, zero);
	col = tr_add(t, base, col);
	base = axis_angles(t, c, base, 0, 0, end_t);
	row = axis_angles(t, c, row, 1, end_t, end_h);
	col = axis_angles(t, c, col, 2, end_h, end_w);
	return tr_concat(t, 2, 3, base, row, col);
}
