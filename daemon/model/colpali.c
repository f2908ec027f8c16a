/*
 * ColPali: PaliGemma (a SigLIP tower and a Gemma decoder that looks both ways) with a projection
 * of every token's last state to a short unit vector.
 */
#include <math.h>

#include "caseinput.h"
#include "checkpoint/config.h"
#include "decoder.h"

static int
config_read(const struct checkpoint *ck, void *config, struct err *e)
{
	struct paligemma_config *c = config;
	int r;

	r = config_paligemma(checkpoint_config(ck), c, e);
	return r < 0 ? r : blk_projection_rows(ck, &c->embedding_dim, e);
}

static struct sizes
trace_sizes(const void *config)
{
	struct sizes s = {{0}};

	(void)config;
	s.of[SYM_BATCH] = 2;
	s.of[SYM_SEQUENCE] = 7;
	s.of[SYM_IMAGES] = 3;
	return s;
}

static int64_t
side(const struct paligemma_config *c)
{
	return c->vision.image_size / c->vision.patch_size; /* patches a side */
}

static struct ir_value *
tower_attention(struct trace *t, const struct paligemma_config *c, struct ir_value *x, int il)
{
	const double head_dim = (double)c->vision.head_dim;
	const int64_t w = c->vision.hidden_size;
	struct ir_value *y, *q, *k, *v, *a;

	tr_scope(t, "vis.%02d.attn", il);
	y = blk_layer_norm(t, x, c->vision.layer_norm_eps, "vis.encoder.layers.%d.layer_norm1", il);
	q = blk_linear(t, y, w, BLK_BIAS, "q", "vis.encoder.layers.%d.self_attn.q_proj", il);
	k = blk_linear(t, y, w, BLK_BIAS, "k", "vis.encoder.layers.%d.self_attn.k_proj", il);
	v = blk_linear(t, y, w, BLK_BIAS, "v", "vis.encoder.layers.%d.self_attn.v_proj", il);
	q = blk_heads_split(t, q, c->vision.num_attention_heads);
	k = blk_heads_split(t, k, c->vision.num_attention_heads);
	v = blk_heads_split(t, v, c->vision.num_attention_heads);
	a = blk_heads_merge(t, tr_attention(t, q, k, v, NULL, 1 / sqrt(head_dim)));
	a = blk_linear(t, a, w, BLK_BIAS, "o", "vis.encoder.layers.%d.self_attn.out_proj", il);
	return tr_name(t, tr_add(t, x, a), "out");
}

static struct ir_value *
tower_mlp(struct trace *t, const struct paligemma_config *c, struct ir_value *x, int il)
{
	struct ir_value *y;

	tr_scope(t, "vis.%02d.mlp", il);
	y = blk_layer_norm(t, x, c->vision.layer_norm_eps, "vis.encoder.layers.%d.layer_norm2", il);
	y = blk_linear(t, y, c->vision.intermediate_size, BLK_BIAS, "fc1", "vis.encoder.layers.%d.mlp.fc1",
		       il);
	y = blk_linear(t, tr_gelu_tanh(t, y), c->vision.hidden_size, BLK_BIAS, "fc2",
		       "vis.encoder.layers.%d.mlp.fc2", il);
	return tr_name(t, tr_add(t, x, y), "out");
}

/*
 * The convolution's window is its step: images cut into patches, each a row of (channel, y, x).
 * Pixels at the right and bottom that fill no patch are left out.
 */
static struct ir_value *
patches(struct trace *t, const struct paligemma_config *c, struct ir_value *pixels)
{
	static const int rows_first[] = {0, 2, 4, 1, 3, 5};
	const int64_t s = side(c), p = c->vision.patch_size, ch = c->vision.num_channels;
	struct dim images = sym(SYM_IMAGES);
	struct ir_value *x = pixels;

	if (s * p < c->vision.image_size)
		x = tr_slice(t, tr_slice(t, x, 2, 0, s * p), 3, 0, s * p);
	x = tr_reshape(t, x, shape_of(6, images, n(ch), n(s), n(p), n(s), n(p)));
	x = tr_transpose(t, x, rows_first); /* [images, s, s, channels, p, p] */
	return tr_reshape(t, x, shape_of(3, images, n(s * s), n(ch * p * p)));
}

/* Features of all images: float [images*side*side, hidden]. */
static struct ir_value *
vision(struct trace *t, const struct paligemma_config *c, struct ir_value *pixels)
{
	const int64_t p = c->vision.patch_size, ch = c->vision.num_channels, w = c->vision.hidden_size;
	struct ir_value *x, *weight, *bias, *position;
	int il;

	tr_scope(t, "vis");
	weight = tr_weight_as(t, shape_of(2, n(w), n(ch * p * p)), shape_of(4, n(w), n(ch), n(p), n(p)),
			      "vis.embeddings.patch_embedding.weight");
	bias = tr_weight(t, shape_of(1, n(w)), "vis.embeddings.patch_embedding.bias");
	position = tr_weight(t, shape_of(2, n(c->vision.patches), n(w)),
			     "vis.embeddings.position_embedding.weight");
	x = tr_name(t, tr_linear(t, patches(t, c, pixels), weight, bias), "patch_embed");
	x = tr_add(t, x, position); /* [images, patches, width] */
	for (il = 0; il < c->vision.num_hidden_layers; il++) {
		x = tower_attention(t, c, x, il);
		x = tower_mlp(t, c, x, il);
	}
	tr_scope(t, "vis");
	x = blk_layer_norm(t, x, c->vision.layer_norm_eps, "vis.post_layernorm");
	x = blk_linear(t, x, c->text.hidden_size, BLK_BIAS, "proj", "mmproj.linear");
	return tr_reshape(t, x, shape_of(2, dim_mul(axis(x, 0), axis(x, 1)), n(c->text.hidden_size)));
}

/* One graph while it is built. */
struct build {
	const struct paligemma_config *c;
	struct ir_value *pixels;
	struct ir_value *is_image; /* bool [batch, sequence] */
	struct ir_value *x;        /* embeddings of the tokens */
};

static struct ir_value *
with_images(struct trace *t, const void *arg)
{
	const struct build *b = arg;
	struct ir_value *features = vision(t, b->c, b->pixels);

	/* Images have no padding: the k-th image token gets the k-th feature. */
	tr_scope(t, "merge");
	return tr_name(t, blk_scatter(t, b->x, b->is_image, features, blk_running(t, b->is_image)), "out");
}

static struct ir_value *
without_images(struct trace *t, const void *arg)
{
	const struct build *b = arg;

	(void)t;
	return b->x;
}

/* An image token beyond the vocabulary has no row of its own: its word is 0, and is replaced anyhow. */
static struct ir_value *
words(struct trace *t, const struct build *b, const struct blk_text *in, enum variant v)
{
	if (v == VARIANT_TEXT || b->c->image_token_id < b->c->text.vocab_size)
		return in->ids;
	return tr_where(t, b->is_image, tr_i64(t, 0), in->ids);
}

static struct ir_value *
build(struct trace *t, const void *config, enum variant v, const struct model_options *o)
{
	const struct paligemma_config *c = config;
	const struct decoder d = {.hidden = c->text.hidden_size,
				  .layers = c->text.num_hidden_layers,
				  .heads = c->text.num_attention_heads,
				  .kv_heads = c->text.num_key_value_heads,
				  .head_dim = c->text.head_dim,
				  .ff = c->text.intermediate_size,
				  .eps = c->text.rms_norm_eps,
				  .gemma = true};
	const struct blk_text in = blk_text_inputs(t);
	struct build b = {.c = c};
	struct ir_value *table, *angles, *cos, *sin, *bias;

	if (v != VARIANT_TEXT) {
		b.pixels = tr_input(t, "pixel_values", ELEM_F32,
				    shape_of(4, sym(SYM_IMAGES), n(c->vision.num_channels),
					     n(c->vision.image_size), n(c->vision.image_size)));
		b.is_image = tr_name(t, tr_equal(t, in.ids, tr_i64(t, c->image_token_id)), "is_image");
	}
	table = tr_weight(t, shape_of(2, n(c->text.vocab_size), n(c->text.hidden_size)),
			  "lm.embed_tokens.weight");
	tr_scope(t, "lm");
	b.x = tr_gather(t, table, words(t, &b, &in, v));
	b.x = tr_name(t, tr_mul(t, b.x, tr_f32(t, sqrt((double)c->text.hidden_size))),
		      "embed"); /* [batch, sequence, hidden] */
	if (v == VARIANT_IMAGE)
		b.x = with_images(t, &b);
	if (v == VARIANT_UNIFIED)
		b.x = tr_if(t, tr_name(t, tr_any(t, b.is_image), "any_image"), with_images, without_images,
			    &b);

	tr_scope(t, "rope"); /* positions from 1 on, padding counted */
	angles = tr_add(t, tr_iota(t, sym(SYM_SEQUENCE)), tr_i64(t, 1));
	angles = blk_angles(t, angles,
			    blk_inv_freq(t, "rope.inv_freq", c->text.rope_theta, c->text.head_dim, 0,
					 c->text.head_dim / 2));
	angles = tr_concat(t, 1, 2, angles, angles);
	cos = tr_name(t, tr_cos(t, angles), "cos");
	sin = tr_name(t, tr_sin(t, angles), "sin");
	tr_scope(t, "lm");
	bias = tr_attention_bias(t, in.unmasked, o->mask_causal ? IR_MASK_CAUSAL : IR_MASK_FULL);
	return blk_head(t, decoder_build(t, &d, b.x, cos, sin, tr_name(t, bias, "bias")), &in,
			c->embedding_dim);
}

static int64_t
image_tokens(const void *config, int h, int w)
{
	const struct paligemma_config *c = config;

	(void)h;
	(void)w;
	return c->vision.patches;
}

static int
case_make(const void *config, const struct case_plan *plan, uint64_t seed, struct feeds *ret, struct err *e)
{
	const struct paligemma_config *c = config;
	const struct case_tokens tok = {.vocab = c->text.vocab_size,
					.image = c->image_token_id,
					.image_begin = -1,
					.image_end = -1,
					.pad = 0,
					.video = -1,
					.image_tokens = image_tokens};
	int64_t dim[4] = {0, c->vision.num_channels, c->vision.image_size, c->vision.image_size};
	struct rng rng = {seed};
	struct feed *pixels;
	int i, r;

	r = case_text_make(c, &tok, plan, &rng, ret, e);
	for (i = 0; i < plan->n_rows; i++)
		dim[0] += plan->row[i].n_images;
	if (r < 0 || dim[0] == 0)
		return r;
	pixels = feeds_add(ret, "pixel_values", ELEM_F32, 4, dim);
	if (!pixels)
		return err_no_memory(e);
	case_fill_normal(&rng, pixels->data, feed_count(pixels));
	return 0;
}

const struct model model_colpali = {
	.arch = &architectures[ARCHITECTURE_colpali],
	.config_size = sizeof(struct paligemma_config),
	.config_read = config_read,
	.trace_sizes = trace_sizes,
	.build = build,
	.case_make = case_make,
};
