#include "pixtral.h"

#include <math.h>

#include "base/str.h"
#include "caseinput.h"
#include "guards.h"

#define EPS 1e-5 /* of the tower's norms: not in the config */

/* ---- config ---- */

#define FIELD(field) offsetof(struct pixtral_config, field)

static const struct config_int keys[] = {
	{"hidden_size", 1, 65536, 1024, FIELD(hidden_size)},
	{"num_hidden_layers", 1, 1000, 24, FIELD(num_hidden_layers)},
	{"num_attention_heads", 1, 1024, 16, FIELD(num_attention_heads)},
	{"intermediate_size", 1, 1 << 20, 4096, FIELD(intermediate_size)},
	{"num_channels", 1, 16, 3, FIELD(num_channels)},
	{"patch_size", 1, 256, 16, FIELD(patch_size)},
};

/* Older files call the kind of the positions "default", newer ones "axial"; the numbers are the same. */
static int
theta_read(const struct config_scope *s, double *ret, struct err *e)
{
	static const char *const kinds[] = {"axial", "default", NULL};
	struct config_scope rope;
	int r;

	if ((r = config_rope_scope(s, &rope, e)) < 0 ||
	    (r = config_double(s, "rope_theta", 1e4, 1e12, ret, e)) < 0 || !rope.obj)
		return r;
	if ((r = config_one_of(&rope, "rope_type", kinds, e)) < 0 ||
	    (r = config_one_of(&rope, "type", kinds, e)) < 0)
		return r;
	return config_double(&rope, "rope_theta", *ret, 1e12, ret, e);
}

static int
act_read(const struct config_scope *s, bool *ret_gelu, struct err *e)
{
	static const char *const acts[] = {"gelu", "silu", NULL};
	const char *act = acts[0];
	int r;

	if ((r = config_one_of(s, "hidden_act", acts, e)) < 0 ||
	    (r = json_get_str(s->obj, s->path, "hidden_act", JSON_OPTIONAL, E_BAD_CHECKPOINT, &act, e)) < 0)
		return r;
	*ret_gelu = str_eq(act, "gelu");
	return 0;
}

int
pixtral_config_read(const struct config_scope *s, struct pixtral_config *c, struct err *e)
{
	int64_t head_dim = 0;
	int r;

	if ((r = config_only(s, "model_type", "pixtral", "pixtral", e)) < 0 ||
	    (r = config_ints(s, keys, ARRAY_LEN(keys), c, e)) < 0 || (r = act_read(s, &c->gelu, e)) < 0 ||
	    (r = theta_read(s, &c->theta, e)) < 0 ||
	    (r = json_get_int(s->obj, s->path, "head_dim", JSON_OPTIONAL, 1, 65536, E_BAD_CHECKPOINT,
			      &head_dim, e)) < 0)
		return r;
	c->head_dim = c->hidden_size / c->num_attention_heads;
	c->used = c->num_hidden_layers;
	if (c->hidden_size % c->num_attention_heads || c->head_dim % 4)
		return config_fail(s, "hidden_size", E_BAD_CHECKPOINT, e,
				   "must be num_attention_heads times a multiple of 4");
	if (head_dim && head_dim != c->head_dim)
		return config_fail(s, "head_dim", E_UNSUPPORTED_MODEL, e,
				   "%lld is not supported, only hidden_size / num_attention_heads",
				   (long long)head_dim);
	return 0;
}

/* ---- inputs ---- */

static struct shape
pixels_shape(const void *config)
{
	const struct pixtral_config *c = config;

	return shape_of(4, sym(SYM_IMAGES), n(c->num_channels), sym(SYM_IMAGE_HEIGHT), sym(SYM_IMAGE_WIDTH));
}

static struct shape
sizes_shape(const void *config)
{
	(void)config;
	return shape_of(2, sym(SYM_IMAGES), n(2));
}

enum { PIXELS, SIZES };

const struct model_input pixtral_inputs[] = {
	[PIXELS] = {"pixel_values", ELEM_F32, pixels_shape},
	[SIZES] = {"image_sizes", ELEM_I64, sizes_shape},
	{0},
};

/* Pixels on each side of a token. */
static int64_t
token_side(const struct pixtral_config *c)
{
	return c->patch_size * c->merge;
}

int64_t
pixtral_token_side(const void *config)
{
	return token_side(config);
}

struct sizes
pixtral_trace_sizes(const void *config)
{
	struct sizes s = {{0}};

	s.of[SYM_BATCH] = 2;
	s.of[SYM_SEQUENCE] = 7;
	s.of[SYM_IMAGES] = 3;
	s.of[SYM_IMAGE_HEIGHT] = token_side(config) * 5;
	s.of[SYM_IMAGE_WIDTH] = token_side(config) * 11;
	return s;
}

/* Tokens along a side of that many patches, the last one whole. */
static int64_t
tokens_along(const struct pixtral_config *c, int patches)
{
	return DIV_ROUND_UP(patches, c->merge);
}

int64_t
pixtral_image_tokens(const void *config, int h, int w)
{
	return tokens_along(config, h) * tokens_along(config, w);
}

/* Writes the images of a plan, each padded with zeros. */
static void
images_fill(const struct pixtral_config *c, const struct plan *plan, const struct sizes *s, struct rng *rng,
	    float *pixels, int64_t *sizes)
{
	const int64_t step = token_side(c), height = s->of[SYM_IMAGE_HEIGHT], width = s->of[SYM_IMAGE_WIDTH];
	int64_t ch, y;
	int i, k;

	for (i = 0; i < plan->n_rows; i++)
		for (k = 0; k < plan->row[i].n_images; k++) {
			sizes[0] = tokens_along(c, plan->row[i].image[k].h) * step;
			sizes[1] = tokens_along(c, plan->row[i].image[k].w) * step;
			for (ch = 0; ch < c->num_channels; ch++)
				for (y = 0; y < sizes[0]; y++)
					case_fill_normal(rng, pixels + (ch * height + y) * width, sizes[1]);
			pixels += c->num_channels * height * width;
			sizes += 2;
		}
}

int
pixtral_case_make(const struct model *m, const void *config, const struct plan *plan, uint64_t seed,
		  struct feeds *ret, struct err *e)
{
	const struct pixtral_config *c = config;
	struct sizes s = {.of = {[SYM_IMAGES] = plan_image_count(plan)}};
	struct feed *pixels, *sizes;
	struct rng rng = {seed};
	int i, k, r;

	r = case_text_make(m, config, plan, &rng, ret, e);
	if (r < 0 || !plan_has_images(plan))
		return r;
	for (i = 0; i < plan->n_rows; i++)
		for (k = 0; k < plan->row[i].n_images; k++) {
			s.of[SYM_IMAGE_HEIGHT] =
				MAX(s.of[SYM_IMAGE_HEIGHT],
				    tokens_along(c, plan->row[i].image[k].h) * token_side(c));
			s.of[SYM_IMAGE_WIDTH] = MAX(s.of[SYM_IMAGE_WIDTH],
						    tokens_along(c, plan->row[i].image[k].w) * token_side(c));
		}
	pixels = model_input_feed(ret, &pixtral_inputs[PIXELS], c, &s);
	sizes = model_input_feed(ret, &pixtral_inputs[SIZES], c, &s);
	if (!pixels || !sizes)
		return err_no_memory(e);
	images_fill(c, plan, &s, &rng, pixels->data, sizes->data);
	return 0;
}

/* One column of image_sizes: int64 [images]. */
static struct ir_value *
column(struct trace *t, struct ir_value *sizes, int at, const char *name)
{
	struct ir_value *x = tr_slice(t, sizes, 1, at, at + 1);

	return tr_name(t, tr_reshape(t, x, shape_of(1, sym(SYM_IMAGES))), "%s", name);
}

struct pixtral_fed
pixtral_fed(struct trace *t, const struct pixtral_config *c)
{
	struct pixtral_fed in = {.pixels = model_input_trace(t, &pixtral_inputs[PIXELS], c)};
	struct ir_value *sizes = model_input_trace(t, &pixtral_inputs[SIZES], c);

	tr_scope(t, "sizes");
	in.h = column(t, sizes, 0, "h");
	in.w = column(t, sizes, 1, "w");
	return in;
}

/* ---- which part of which image a token stands for ---- */

struct images {
	const struct pixtral_config *c;
	struct ir_value *pixels;
	struct ir_value *rows,
		*cols; /* int64 [images]: sides in tokens, at least 1 and at most those of pixel_values */
	struct ir_value *is_image; /* bool [batch, sequence] */
	struct ir_value *index;    /* int64 [batch*sequence] */
};

/*
 * A side in tokens, limited to the range from 1 to the side of pixel_values; *fits where it equals `pixels` exactly and
 * pixel_values have whole tokens.
 */
static struct ir_value *
side_read(struct trace *t, const struct images *im, struct ir_value *pixels, enum symbol room,
	  struct ir_value **fits)
{
	struct ir_value *step = tr_i64(t, token_side(im->c)), *all = tr_size(t, sym(room)), *x, *whole;

	x = tr_min(t, pixels, all);
	x = tr_max(t, x, step);
	x = tr_div(t, x, step); /* [images] */
	whole = tr_mul(t, x, step);
	*fits = tr_equal(t, whole, pixels);
	whole = tr_mod(t, all, step);
	whole = tr_equal(t, whole, tr_i64(t, 0));
	*fits = tr_and(t, *fits, whole);
	return x;
}

/* The row of each image token among the features, which include each image's padding. */
static void
index_build(struct trace *t, struct images *im, struct ir_value *tokens)
{
	const int64_t step = token_side(im->c);
	struct ir_value *image, *place, *cols, *row, *across, *room;

	blk_tokens_place(t, im->is_image, tokens, &image, &place);
	tr_scope(t, "merge");
	cols = tr_gather(t, im->cols, image); /* [batch*sequence] */
	across = tr_size(t, dim_div(sym(SYM_IMAGE_WIDTH), step));
	room = tr_size(t, dim_div(sym(SYM_IMAGE_HEIGHT), step));
	room = tr_mul(t, room, across);
	row = tr_div(t, place, cols);
	row = tr_mul(t, row, across);
	cols = tr_mod(t, place, cols);
	row = tr_add(t, row, cols);
	image = tr_mul(t, image, room);
	im->index = tr_add(t, image, row);
	im->index = guard_rows(t, im->index, im->is_image, place);
}

static struct images
images_read(struct trace *t, const struct pixtral_config *c, const struct pixtral_fed *in,
	    const struct blk_text *text, struct ir_value *flag)
{
	struct images im = {.c = c, .pixels = in->pixels};
	struct ir_value *tokens, *ok, *fits, *all;

	tr_scope(t, "images");
	im.rows = side_read(t, &im, in->h, SYM_IMAGE_HEIGHT, &ok);
	im.cols = side_read(t, &im, in->w, SYM_IMAGE_WIDTH, &fits);
	ok = tr_and(t, ok, fits);
	ok = tr_not(t, ok);
	im.rows = tr_name(t, tr_check(t, im.rows, ok), "image_sizes_must_fit_pixel_values");
	tokens = tr_mul(t, im.rows, im.cols); /* [images] */
	all = tr_sum(t, tokens, 0);
	im.is_image = guard_image_tokens(t, flag, text->unmasked, all, &im.rows);
	tokens = tr_mul(t, im.rows, im.cols);
	index_build(t, &im, tokens);
	return im;
}

/* ---- the tower ---- */

/* Values that the layers share. */
struct tower {
	const struct pixtral_config *c;
	struct ir_value *seen;      /* bool [images, patches]: not padding */
	struct ir_value *cos, *sin; /* [patches, 1, head_dim/2] */
};

/* Frequencies of a coordinate: the even ones of the row, the odd ones of the column. Float [head_dim/4]. */
static struct ir_value *
frequencies(struct trace *t, const struct pixtral_config *c, int64_t first, const char *name)
{
	const int64_t count = c->head_dim / 4;
	_cleanup_free_ float *table = malloc((size_t)count * sizeof(*table));
	int64_t k;

	if (!table) {
		tr_fail(t, E_NO_MEMORY, "memory ran out");
		return tr_f32(t, 0);
	}
	for (k = 0; k < count; k++)
		table[k] = blk_frequency(c->theta, c->head_dim, first + 2 * k);
	return tr_table(t, name, shape_of(1, n(count)), table);
}

/*
 * Patches are numbered row by row over the padded image, so that the place of a patch is the same in every image. A
 * patch is seen if it is of the image's own.
 */
static struct tower
tower_begin(struct trace *t, const struct images *im)
{
	const struct dim rows = dim_div(sym(SYM_IMAGE_HEIGHT), im->c->patch_size),
			 cols = dim_div(sym(SYM_IMAGE_WIDTH), im->c->patch_size);
	struct ir_value *merge = tr_i64(t, im->c->merge), *across, *row, *col, *angles, *side;
	struct tower v = {.c = im->c};

	tr_scope(t, "vis.pos");
	across = tr_size(t, cols);
	row = tr_iota(t, dim_mul(rows, cols)); /* [patches] */
	col = tr_name(t, tr_mod(t, row, across), "col");
	row = tr_name(t, tr_div(t, row, across), "row");
	side = tr_mul(t, im->rows, merge);
	side = blk_unsqueeze(t, side, 1); /* [images, 1] */
	v.seen = tr_less(t, row, side);
	side = tr_mul(t, im->cols, merge);
	side = blk_unsqueeze(t, side, 1);
	side = tr_less(t, col, side);
	v.seen = tr_name(t, tr_and(t, v.seen, side), "seen"); /* [images, patches] */
	angles = frequencies(t, v.c, 0, "vis.inv_freq.row");
	row = blk_angles(t, row, angles);
	angles = frequencies(t, v.c, 1, "vis.inv_freq.col");
	col = blk_angles(t, col, angles);
	angles = tr_concat(t, 1, 2, row, col); /* [patches, head_dim/2] */
	angles = blk_unsqueeze(t, angles, 1);
	v.cos = tr_name(t, tr_cos(t, angles), "cos");
	v.sin = tr_name(t, tr_sin(t, angles), "sin");
	return v;
}

static struct ir_value *
norm(struct trace *t, struct ir_value *x, const char *weight, double eps)
{
	struct ir_value *w = tr_weight(t, shape_of(1, last_axis(x)), "%s.weight", weight);

	return tr_rms_norm(t, x, w, eps);
}

/* The norm before the part of layer il that `what` names. */
static struct ir_value *
layer_norm(struct trace *t, struct ir_value *x, int il, const char *what)
{
	char weight[64];

	(void)snprintf(weight, sizeof(weight), "vis.transformer.layers.%d.%s_norm", il, what);
	return tr_name(t, norm(t, x, weight, EPS), "norm");
}

static struct ir_value *
attention(struct trace *t, const struct tower *v, struct ir_value *x, int il)
{
	const int64_t w = v->c->hidden_size;
	struct ir_value *y, *q, *k, *val, *a;

	tr_scope(t, "vis.%02d.attn", il);
	y = layer_norm(t, x, il, "attention");
	q = blk_linear(t, y, w, BLK_NO_BIAS, "q", "vis.transformer.layers.%d.attention.q_proj", il);
	k = blk_linear(t, y, w, BLK_NO_BIAS, "k", "vis.transformer.layers.%d.attention.k_proj", il);
	val = blk_linear(t, y, w, BLK_NO_BIAS, "v", "vis.transformer.layers.%d.attention.v_proj", il);
	q = blk_heads(t, q, v->c->num_attention_heads); /* [images, patches, heads, head_dim] */
	q = tr_name(t, tr_rope(t, q, v->cos, v->sin), "q.rope");
	k = blk_heads(t, k, v->c->num_attention_heads);
	k = tr_name(t, tr_rope(t, k, v->cos, v->sin), "k.rope");
	val = blk_heads(t, val, v->c->num_attention_heads);
	a = tr_attention(t, q, k, val, v->seen, IR_MASK_FULL, 1 / sqrt((double)v->c->head_dim));
	a = blk_heads_merge(t, a); /* [images, patches, width] */
	a = blk_linear(t, a, w, BLK_NO_BIAS, "o", "vis.transformer.layers.%d.attention.o_proj", il);
	return tr_name(t, tr_add(t, x, a), "out");
}

static struct ir_value *
mlp(struct trace *t, const struct pixtral_config *c, struct ir_value *x, int il)
{
	const int64_t inner = c->intermediate_size;
	struct ir_value *y, *g, *u;

	tr_scope(t, "vis.%02d.mlp", il);
	y = layer_norm(t, x, il, "ffn");
	g = blk_linear(t, y, inner, BLK_NO_BIAS, "gate", "vis.transformer.layers.%d.feed_forward.gate_proj",
		       il); /* [images, patches, inner] */
	u = blk_linear(t, y, inner, BLK_NO_BIAS, "up", "vis.transformer.layers.%d.feed_forward.up_proj", il);
	g = c->gelu ? tr_gelu(t, g) : tr_silu(t, g);
	g = tr_mul(t, g, u);
	y = blk_linear(t, g, c->hidden_size, BLK_NO_BIAS, "down",
		       "vis.transformer.layers.%d.feed_forward.down_proj", il);
	return tr_name(t, tr_add(t, x, y), "out");
}

/* Padding is zeroed first: it may contain anything, even infinities and NaN. [images, patches, width] */
static struct ir_value *
embed(struct trace *t, const struct tower *v, struct ir_value *pixels)
{
	const int64_t p = v->c->patch_size, ch = v->c->num_channels, w = v->c->hidden_size;
	struct ir_value *x, *seen, *weight;

	tr_scope(t, "vis");
	x = blk_patches(t, pixels, p); /* [images, patches, ch*p*p] */
	seen = blk_unsqueeze(t, v->seen, 2);
	x = tr_where(t, seen, x, tr_f32(t, 0));
	weight = tr_weight_as(t, shape_of(2, n(w), n(ch * p * p)), shape_of(4, n(w), n(ch), n(p), n(p)),
			      "vis.patch_conv.weight");
	x = tr_name(t, tr_linear(t, x, weight, NULL), "patch_embed");
	return tr_name(t, norm(t, x, "vis.ln_pre", EPS), "pre");
}

/*
 * Joins the patches of each token into one long vector of (channel, row, column), and makes a token of it:
 * [images*tokens, out].
 */
static struct ir_value *
merge(struct trace *t, const struct pixtral_config *c, struct ir_value *x)
{
	static const int tokens_first[] = {0, 1, 3, 5, 2, 4};
	const int64_t m = c->merge, w = c->hidden_size;
	const struct dim rows = dim_div(sym(SYM_IMAGE_HEIGHT), token_side(c)),
			 cols = dim_div(sym(SYM_IMAGE_WIDTH), token_side(c)),
			 all = dim_mul(axis(x, 0), dim_mul(rows, cols));
	const enum blk_bias bias = c->out_bias ? BLK_BIAS : BLK_NO_BIAS;

	tr_scope(t, "mmproj");
	x = tr_name(t, norm(t, x, "mmproj.norm", c->out_eps), "norm");
	x = tr_reshape(t, x, shape_of(6, axis(x, 0), rows, n(m), cols, n(m), n(w)));
	x = tr_transpose(t, x, tokens_first); /* [images, rows, cols, width, m, m] */
	x = tr_reshape(t, x, shape_of(2, all, n(w * m * m)));
	x = blk_linear(t, x, w, BLK_NO_BIAS, "merged", "mmproj.patch_merger.merging_layer");
	x = blk_linear(t, x, c->out, bias, "fc1", "mmproj.linear_1");
	x = tr_gelu(t, x);
	return blk_linear(t, x, c->out, bias, "fc2", "mmproj.linear_2");
}

struct pixtral_features
pixtral_build(struct trace *t, const struct pixtral_config *c, const struct pixtral_fed *in,
	      const struct blk_text *text, struct ir_value *flag)
{
	const struct images im = images_read(t, c, in, text, flag);
	const struct tower v = tower_begin(t, &im);
	struct ir_value *x;
	int il;

	x = embed(t, &v, im.pixels);
	for (il = 0; il < c->used; il++) {
		x = attention(t, &v, x, il);
		x = mlp(t, c, x, il);
	}
	return (struct pixtral_features){.rows = merge(t, c, x), .index = im.index, .is_image = im.is_image};
}
