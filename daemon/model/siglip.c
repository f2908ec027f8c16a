#include "siglip.h"

#include <math.h>

#define FIELD(field) offsetof(struct siglip_config, field)

static const struct config_int rows[] = {
	{"hidden_size", 1, 65536, CONFIG_REQUIRED, FIELD(hidden_size)},
	{"num_hidden_layers", 1, 1000, CONFIG_REQUIRED, FIELD(num_hidden_layers)},
	{"num_attention_heads", 1, 1024, CONFIG_REQUIRED, FIELD(num_attention_heads)},
	{"intermediate_size", 1, 1 << 20, CONFIG_REQUIRED, FIELD(intermediate_size)},
	{"num_channels", 1, 16, 3, FIELD(num_channels)},
	{"image_size", 1, 8192, CONFIG_REQUIRED, FIELD(image_size)},
	{"patch_size", 1, 256, CONFIG_REQUIRED, FIELD(patch_size)},
};

int
siglip_config_read(const struct config_scope *s, const char *const types[], struct siglip_config *v,
		   struct err *e)
{
	int64_t side;
	int r;

	if ((r = config_one_of(s, "model_type", types, e)) < 0 ||
	    (r = config_only(s, "hidden_act", "gelu_pytorch_tanh", "gelu_pytorch_tanh", e)) < 0 ||
	    (r = config_ints_over(s, rows, ARRAY_LEN(rows), v, e)) < 0 ||
	    (r = config_double(s, "layer_norm_eps", 1e-6, 1, &v->layer_norm_eps, e)) < 0)
		return r;
	if (v->hidden_size % v->num_attention_heads)
		return config_fail(s, "hidden_size", E_BAD_CHECKPOINT, e,
				   "must be a multiple of num_attention_heads");
	if (v->image_size < v->patch_size)
		return config_fail(s, "image_size", E_BAD_CHECKPOINT, e, "must be at least patch_size");
	v->head_dim = v->hidden_size / v->num_attention_heads;
	side = v->image_size / v->patch_size;
	v->patches = side * side;
	return 0;
}

/* seen or NULL */
static struct ir_value *
attention(struct trace *t, const struct siglip_config *c, struct ir_value *x, struct ir_value *seen, int il)
{
	const double head_dim = (double)c->head_dim;
	const int64_t w = c->hidden_size;
	struct ir_value *y, *q, *k, *v, *a;

	tr_scope(t, "vis.%02d.attn", il);
	y = blk_layer_norm(t, x, c->layer_norm_eps, "vis.encoder.layers.%d.layer_norm1", il);
	q = blk_linear(t, y, w, BLK_BIAS, "q", "vis.encoder.layers.%d.self_attn.q_proj", il);
	k = blk_linear(t, y, w, BLK_BIAS, "k", "vis.encoder.layers.%d.self_attn.k_proj", il);
	v = blk_linear(t, y, w, BLK_BIAS, "v", "vis.encoder.layers.%d.self_attn.v_proj", il);
	q = blk_heads(t, q, c->num_attention_heads); /* [images, patches, heads, head_dim] */
	k = blk_heads(t, k, c->num_attention_heads);
	v = blk_heads(t, v, c->num_attention_heads);
	a = tr_attention(t, q, k, v, seen, IR_MASK_FULL, 1 / sqrt(head_dim));
	a = blk_heads_merge(t, a); /* [images, patches, width] */
	a = blk_linear(t, a, w, BLK_BIAS, "o", "vis.encoder.layers.%d.self_attn.out_proj", il);
	return tr_name(t, tr_add(t, x, a), "out");
}

static struct ir_value *
mlp(struct trace *t, const struct siglip_config *c, struct ir_value *x, int il)
{
	const int64_t inner = c->intermediate_size;
	struct ir_value *y;

	tr_scope(t, "vis.%02d.mlp", il);
	y = blk_layer_norm(t, x, c->layer_norm_eps, "vis.encoder.layers.%d.layer_norm2", il);
	y = blk_linear(t, y, inner, BLK_BIAS, "fc1", "vis.encoder.layers.%d.mlp.fc1", il);
	y = tr_gelu_tanh(t, y); /* [images, patches, inner] */
	y = blk_linear(t, y, c->hidden_size, BLK_BIAS, "fc2", "vis.encoder.layers.%d.mlp.fc2", il);
	return tr_name(t, tr_add(t, x, y), "out");
}

/*
 * The convolution's stride equals its window, so images are cut into patches, each a row of (channel, y,
 * x). Pixels at the right and bottom that do not fill a patch are left out.
 */
static struct ir_value *
patches(struct trace *t, const struct siglip_config *c, struct ir_value *pixels)
{
	const int64_t p = c->patch_size, s = c->image_size / p;
	struct ir_value *x = pixels;

	if (s * p < c->image_size) {
		x = tr_slice(t, x, 2, 0, s * p);
		x = tr_slice(t, x, 3, 0, s * p);
	}
	return blk_patches(t, x, p);
}

/* Patches as vectors, with their position embedding added: [images, patches, width]. */
static struct ir_value *
embed(struct trace *t, const struct siglip_config *c, struct ir_value *pixels, const struct siglip_part *part)
{
	const int64_t p = c->patch_size, ch = c->num_channels, w = c->hidden_size;
	struct ir_value *x, *weight, *bias, *place;

	x = patches(t, c, pixels); /* [images, patches, ch*p*p] */
	weight = tr_weight_as(t, shape_of(2, n(w), n(ch * p * p)), shape_of(4, n(w), n(ch), n(p), n(p)),
			      "vis.embeddings.patch_embedding.weight");
	bias = tr_weight(t, shape_of(1, n(w)), "vis.embeddings.patch_embedding.bias");
	x = tr_name(t, tr_linear(t, x, weight, bias), "patch_embed");
	place = tr_weight(t, shape_of(2, n(c->patches), n(w)), "vis.embeddings.position_embedding.weight");
	if (part)
		place = tr_gather(t, place, part->place); /* [images, patches, width] */
	return tr_add(t, x, place);
}

struct ir_value *
siglip_build(struct trace *t, const struct siglip_config *c, struct ir_value *pixels,
	     const struct siglip_part *part)
{
	struct ir_value *x;

	tr_scope(t, "vis");
	x = embed(t, c, pixels, part);
	return siglip_layers(t, c, x, part ? part->seen : NULL);
}

struct ir_value *
siglip_layers(struct trace *t, const struct siglip_config *c, struct ir_value *x, struct ir_value *seen)
{
	int il;

	for (il = 0; il < c->num_hidden_layers; il++) {
		x = attention(t, c, x, seen, il);
		x = mlp(t, c, x, il);
	}
	tr_scope(t, "vis");
	return blk_layer_norm(t, x, c->layer_norm_eps, "vis.post_layernorm");
}

struct ir_value *
siglip_shuffle(struct trace *t, const struct siglip_config *c, int64_t factor, struct ir_value *x)
{
	static const int squares_first[] = {0, 1, 3, 2, 4};
	const int64_t f = factor, s = c->image_size / c->patch_size / f, w = c->hidden_size;
	const struct dim images = axis(x, 0);

	x = tr_reshape(t, x, shape_of(5, images, n(s), n(f), n(s), n(f * w)));
	x = tr_transpose(t, x, squares_first); /* [images, s, s, f, f*width] */
	return tr_reshape(t, x, shape_of(2, dim_mul(images, n(s * s)), n(f * f * w)));
}

struct ir_value *
siglip_outputs(struct trace *t, const struct siglip_config *c, struct ir_value *pixels, const int64_t used[],
	       int64_t count)
{
	struct ir_value *x, *out[SIGLIP_USED_MAX] = {NULL};
	int64_t il, i, last = 0;

	for (i = 0; i < count; i++)
		last = MAX(last, used[i]);
	tr_scope(t, "vis");
	x = embed(t, c, pixels, NULL);
	for (il = 0;; il++) {
		for (i = 0; i < count; i++)
			if (used[i] == il)
				out[i] = x;
		if (il == last)
			break;
		x = attention(t, c, x, NULL, (int)il);
		x = mlp(t, c, x, (int)il);
	}
	tr_scope(t, "vis");
	return count == 1 ? x : tr_concat(t, 2, (int)count, out[0], out[1], out[2], out[3]);
}
