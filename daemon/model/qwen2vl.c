#include "qwen2vl.h"

#include <math.h>

#include "caseinput.h"

#define VISION_EPS 1e-6      /* of its LayerNorms: in no config */
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

struct qwen2vl_images
qwen2vl_image_inputs(struct trace *t, const struct qwen2vl_config *c)
{
	const struct shape per_image = shape_of(1, sym(SYM_IMAGES));
	struct qwen2vl_images im;
	struct ir_value *grid;

	im.pixels = model_input_trace(t, &qwen2vl_inputs[PIXELS], c);
	grid = model_input_trace(t, &qwen2vl_inputs[GRID], c);
	tr_scope(t, "grid");
	im.t = tr_name(t, tr_reshape(t, tr_slice(t, grid, 1, 0, 1), per_image), "t");
	im.h = tr_name(t, tr_reshape(t, tr_slice(t, grid, 1, 1, 2), per_image), "h");
	im.w = tr_name(t, tr_reshape(t, tr_slice(t, grid, 1, 2, 3), per_image), "w");
	return im;
}

static struct ir_value *
patch_count(struct trace *t, const struct qwen2vl_images *im)
{
	return tr_mul(t, im->t, tr_mul(t, im->h, im->w)); /* [images] */
}

static struct ir_value *
column(struct trace *t, struct ir_value *per_image)
{
	return blk_unsqueeze(t, per_image, 1); /* [images, 1] */
}

/*
 * Patches come in blocks of 2 x 2, blocks row by row, inside a block row by row:
 *
 *	0 1 | 4 5 |        block g = p / 4 lies at (g / (w/2), g % (w/2)),
 *	2 3 | 6 7 | ...    place r = p % 4 inside it at (r / 2, r % 2)
 *
 * Angles of both coordinates, float [images, patches, head_dim/2].
 */
static struct ir_value *
patch_angles(struct trace *t, const struct qwen2vl_images *im, int64_t head_dim)
{
	struct ir_value *one = tr_i64(t, 1), *two = tr_i64(t, MERGE), *four = tr_i64(t, MERGE * MERGE);
	struct ir_value *size = tr_max(t, tr_mul(t, im->h, im->w), one);
	struct ir_value *half_w = column(t, tr_max(t, tr_div(t, im->w, two), one));
	struct ir_value *inv = blk_inv_freq(t, "vis.inv_freq", VISION_THETA, head_dim / 2, 0, head_dim / 4);
	struct ir_value *p, *g, *r, *row, *col;

	p = tr_mod(t, tr_iota(t, sym(SYM_PATCHES)), column(t, size)); /* [images, patches] */
	g = tr_div(t, p, four);
	r = tr_mod(t, p, four);
	row = tr_add(t, tr_mul(t, tr_div(t, g, half_w), two), tr_div(t, r, two));
	col = tr_add(t, tr_mul(t, tr_mod(t, g, half_w), two), tr_mod(t, r, two));
	row = blk_angles(t, tr_name(t, row, "row"), inv);
	col = blk_angles(t, tr_name(t, col, "col"), inv);
	return tr_concat(t, 2, 2, row, col);
}

/* What the blocks of the tower have in common. */
struct tower {
	const struct qwen2vl_config *c;
	int64_t width;
	struct ir_value *cos, *sin; /* [images, 1, patches, head_dim] */
	struct ir_value *bias;      /* keeps padding from being looked at */
};

static struct ir_value *
qkv_part(struct trace *t, const struct tower *v, struct ir_value *qkv, int which)
{
	struct ir_value *part = tr_slice(t, qkv, 2, which * v->width, (which + 1) * v->width);

	return blk_heads_split(t, tr_name(t, part, "%c", "qkv"[which]), v->c->vision.num_heads);
}

static struct ir_value *
tower_attention(struct trace *t, const struct tower *v, struct ir_value *x, int il)
{
	const double head_dim = (double)v->c->vision.head_dim;
	struct ir_value *qkv, *q, *k, *a;

	tr_scope(t, "vis.%02d.attn", il);
	a = blk_layer_norm(t, x, VISION_EPS, "vis.blocks.%d.norm1", il);
	qkv = blk_linear(t, a, 3 * v->width, BLK_BIAS, "qkv", "vis.blocks.%d.attn.qkv", il);
	q = tr_name(t, tr_rope(t, qkv_part(t, v, qkv, 0), v->cos, v->sin), "q.rope");
	k = tr_name(t, tr_rope(t, qkv_part(t, v, qkv, 1), v->cos, v->sin), "k.rope");
	a = blk_heads_merge(t, tr_attention(t, q, k, qkv_part(t, v, qkv, 2), v->bias, 1 / sqrt(head_dim)));
	return tr_name(
		t, tr_add(t, x, blk_linear(t, a, v->width, BLK_BIAS, "proj", "vis.blocks.%d.attn.proj", il)),
		"out");
}

static struct ir_value *
tower_mlp(struct trace *t, const struct tower *v, struct ir_value *x, int il)
{
	struct ir_value *y;

	tr_scope(t, "vis.%02d.mlp", il);
	y = blk_layer_norm(t, x, VISION_EPS, "vis.blocks.%d.norm2", il);
	y = blk_linear(t, y, v->c->vision.mlp_dim, BLK_BIAS, "fc1", "vis.blocks.%d.mlp.fc1", il);
	y = blk_linear(t, tr_quick_gelu(t, y), v->width, BLK_BIAS, "fc2", "vis.blocks.%d.mlp.fc2", il);
	return tr_name(t, tr_add(t, x, y), "out");
}

/* Four patches of a block side by side, through two layers, to one token. */
static struct ir_value *
merger(struct trace *t, const struct tower *v, struct ir_value *x)
{
	const int64_t wide = v->width * MERGE * MERGE;
	struct ir_value *y;

	tr_scope(t, "vis.merger");
	y = blk_layer_norm(t, x, VISION_EPS, "vis.merger.ln_q");
	y = tr_reshape(t, y, shape_of(2, dim_div(dim_mul(axis(x, 0), axis(x, 1)), MERGE * MERGE), n(wide)));
	y = blk_linear(t, y, wide, BLK_BIAS, "fc1", "vis.merger.mlp.0");
	return blk_linear(t, tr_gelu(t, y), v->c->text.hidden_size, BLK_BIAS, "fc2", "vis.merger.mlp.2");
}

struct ir_value *
qwen2vl_vision(struct trace *t, const struct qwen2vl_config *c, const struct qwen2vl_images *im)
{
	const int64_t width = c->vision.embed_dim;
	struct tower v = {.c = c, .width = width};
	struct ir_value *angles, *w, *x;
	int il;

	tr_scope(t, "vis.pos");
	angles = patch_angles(t, im, c->vision.head_dim);
	angles = blk_unsqueeze(t, tr_concat(t, 2, 2, angles, angles), 1);
	v.cos = tr_name(t, tr_cos(t, angles), "cos");
	v.sin = tr_name(t, tr_sin(t, angles), "sin");
	x = tr_less(t, tr_iota(t, sym(SYM_PATCHES)), column(t, patch_count(t, im)));
	v.bias = tr_name(t, tr_attention_bias(t, x, IR_MASK_FULL), "bias");

	/* The patch embedding is a convolution whose window is its step: a linear over the flattened patch. */
	tr_scope(t, "vis");
	w = tr_weight_as(t, shape_of(2, n(width), n(features(c))),
			 shape_of(5, n(width), n(c->vision.in_channels), n(c->vision.temporal_patch_size),
				  n(c->vision.patch_size), n(c->vision.patch_size)),
			 "vis.patch_embed.proj.weight");
	x = tr_name(t, tr_linear(t, im->pixels, w, NULL), "patch_embed"); /* [images, patches, width] */
	for (il = 0; il < c->vision.depth; il++) {
		x = tower_attention(t, &v, x, il);
		x = tower_mlp(t, &v, x, il);
	}
	return merger(t, &v, x);
}

/* Tokens of each image, and where each begins in the row of all of them: int64 [images]. */
static void
token_counts(struct trace *t, const struct qwen2vl_images *im, struct ir_value **ret_end,
	     struct ir_value **ret_begin)
{
	struct ir_value *count = tr_div(t, patch_count(t, im), tr_i64(t, MERGE * MERGE));

	*ret_end = tr_cumsum(t, count, 0);
	*ret_begin = tr_sub(t, *ret_end, count);
}

struct ir_value *
qwen2vl_scatter(struct trace *t, const struct qwen2vl_images *im, struct ir_value *x,
		struct ir_value *is_image, struct ir_value *features)
{
	struct ir_value *begin, *end, *k, *image, *index, *past;

	tr_scope(t, "merge");
	token_counts(t, im, &end, &begin);
	k = blk_running(t, is_image); /* number of the token among all image tokens */
	past = tr_not(
		t, tr_less(t, blk_unsqueeze(t, k, 1), end)); /* [tokens, images]: the image ends before it */
	image = tr_sum(t, tr_cast(t, past, ELEM_I64), 1);
	index = tr_sub(
		t, k,
		tr_gather(t, begin, image)); /* within its image, whose rows are padded to all patches */
	index = tr_add(t, index, tr_mul(t, image, tr_size(t, dim_div(sym(SYM_PATCHES), MERGE * MERGE))));
	return tr_name(t, blk_scatter(t, x, is_image, features, index), "out");
}

struct ir_value *
qwen2vl_mrope(struct trace *t, const struct qwen2vl_config *c, const struct qwen2vl_images *im,
	      const struct blk_text *in, struct ir_value *is_image)
{
	const struct shape tokens = shape_of(2, sym(SYM_BATCH), sym(SYM_SEQUENCE));
	struct ir_value *one = tr_i64(t, 1), *two = tr_i64(t, MERGE);
	struct ir_value *img, *txt, *start, *id, *span, *begin, *end, *base, *j, *w, *size, *pos, *angles[3];
	struct ir_value *axes[3];
	int64_t from = 0;
	char name[32];
	int k;

	tr_scope(t, "mrope");
	is_image = tr_and(t, is_image, in->unmasked);
	img = tr_name(t, tr_cast(t, is_image, ELEM_I64), "img");
	txt = tr_name(t, tr_sub(t, tr_cast(t, in->unmasked, ELEM_I64), img), "txt");
	/* A run of image tokens begins where one stands and none stands before it. */
	start = tr_and(t, is_image, tr_not(t, tr_shift(t, is_image, 1)));
	id = tr_reshape(t, blk_running(t, start), tokens); /* number of the run, so of the image */
	/* An image takes as many positions as its longer side has tokens; text takes one each. */
	span = tr_gather(t, tr_div(t, tr_max(t, im->h, im->w), two), id);
	base = tr_cumsum(t, tr_mul(t, tr_cast(t, start, ELEM_I64), span), 1);
	base = tr_add(t, tr_sub(t, tr_cumsum(t, txt, 1), txt), base);
	base = tr_name(t, tr_sub(t, base, tr_mul(t, img, span)), "base");
	/* Number of the token within its image, and from it the three coordinates. */
	token_counts(t, im, &end, &begin);
	j = tr_sub(t, tr_reshape(t, blk_running(t, is_image), tokens), tr_gather(t, begin, id));
	j = tr_name(t, tr_max(t, j, tr_i64(t, 0)), "token");
	w = tr_max(t, tr_div(t, im->w, two), one);
	size = tr_gather(t, tr_max(t, tr_mul(t, tr_div(t, im->h, two), w), one), id);
	w = tr_gather(t, w, id);
	axes[0] = tr_div(t, j, size);
	axes[1] = tr_div(t, tr_mod(t, j, size), w);
	axes[2] = tr_mod(t, j, w);
	for (k = 0; k < 3; k++) {
		(void)snprintf(name, sizeof(name), "mrope.inv_freq.%d", k);
		pos = tr_add(t, base, tr_mul(t, img, axes[k]));
		pos = tr_mul(t, pos, tr_cast(t, in->unmasked, ELEM_I64));
		angles[k] = blk_angles(t, tr_name(t, pos, "pos.%c", "thw"[k]),
				       blk_inv_freq(t, name, c->text.rope_theta, c->text.head_dim, from,
						    from + c->text.mrope_section[k]));
		from += c->text.mrope_section[k];
	}
	return tr_concat(t, 2, 3, angles[0], angles[1], angles[2]);
}
