/*
 * ColGemma3: Gemma 3 with a projection of every token's last state to a short unit vector. Gemma 3 has a
 * SigLIP tower whose patches are averaged in squares, and a decoder in which most layers see only a window
 * of earlier tokens. BiGemma3 has no projection: it gives one vector per row, whose first numbers alone can
 * also be used as a shorter vector.
 */
#include <math.h>

#include "base/str.h"
#include "gemma.h"

struct gemma3_config {
	struct gemma_config gemma; /* first */
	int64_t side;              /* tokens along a side of an image: image_tokens is its square */
	int64_t image_begin_id, image_end_id;
	int64_t sliding_window; /* a token sees itself and the window - 1 before it */
	double query_pre_attn_scalar;
	double theta, factor; /* of the layers with full attention: angles are divided by the factor */
	double theta_sliding;
	bool sliding[GEMMA_LAYERS_MAX]; /* by layer */
};

#define OFFSET(field) offsetof(struct gemma3_config, field)

/* Keys that are missing in config.json have the values of this class. */
static const struct gemma_text text_absent = {
	.num_attention_heads = 8, .num_key_value_heads = 4, .vocab_size = 262208};

static const struct config_int text_rows[] = {
	{"sliding_window", 1, INT32_MAX, 4096, OFFSET(sliding_window)},
};

static const struct config_int top_rows[] = {
	{"boi_token_index", 0, INT32_MAX, 255999, OFFSET(image_begin_id)},
	{"eoi_token_index", 0, INT32_MAX, 256000, OFFSET(image_end_id)},
	{"mm_tokens_per_image", 1, 1 << 20, 256, OFFSET(gemma.images.image_tokens)},
};

/* Keys that would change what is computed. */
static int
unsupported_check(const struct config_scope *s, struct err *e)
{
	const json_t *cap = json_object_get(s->obj, "attn_logit_softcapping");
	bool both_ways = false;
	int r;

	r = json_get_bool(s->obj, s->path, "use_bidirectional_attention", JSON_OPTIONAL, E_BAD_CHECKPOINT,
			  &both_ways, e);
	if (r < 0)
		return r;
	if (both_ways)
		return config_fail(s, "use_bidirectional_attention", E_UNSUPPORTED_MODEL, e,
				   "true is not supported");
	if (cap && !json_is_null(cap))
		return config_fail(s, "attn_logit_softcapping", E_UNSUPPORTED_MODEL, e,
				   "is not supported, only null");
	return 0;
}

/*
 * Without `layer_types`, every `sliding_window_pattern`-th layer sees all tokens and the others use the
 * window.
 */
static int
pattern_read(const struct config_scope *s, struct gemma3_config *c, struct err *e)
{
	static const char *const keys[] = {"sliding_window_pattern", "_sliding_window_pattern"};
	int64_t every = 6, il;
	size_t i;
	int r = 0;

	for (i = 0; i < ARRAY_LEN(keys) && r == 0; i++)
		r = json_get_int(s->obj, s->path, keys[i], JSON_OPTIONAL, 1, GEMMA_LAYERS_MAX,
				 E_BAD_CHECKPOINT, &every, e);
	for (il = 0; r == 0 && il < c->gemma.text.num_hidden_layers; il++)
		c->sliding[il] = (il + 1) % every != 0;
	return r;
}

static int
layers_read(const struct config_scope *s, struct gemma3_config *c, struct err *e)
{
	const int64_t layers = c->gemma.text.num_hidden_layers;
	const json_t *types = json_object_get(s->obj, "layer_types"), *v;
	const char *type;
	size_t il;

	if (!types || json_is_null(types))
		return pattern_read(s, c, e);
	if (json_array_size(types) != (size_t)layers)
		return config_fail(s, "layer_types", E_BAD_CHECKPOINT, e,
				   "must be a list of num_hidden_layers, %lld, strings", (long long)layers);
	json_array_foreach(types, il, v) {
		type = json_string_value(v);
		c->sliding[il] = type && str_eq(type, "sliding_attention");
		if (!type || (!c->sliding[il] && !str_eq(type, "full_attention")))
			return config_fail(s, "layer_types", E_UNSUPPORTED_MODEL, e,
					   "may hold 'sliding_attention' and 'full_attention' only");
	}
	return 0;
}

/*
 * Whether a rope object asks for scaling. Its kind is stored under one of two keys; without both there is no
 * scaling.
 */
static int
rope_scaled(const struct config_scope *s, bool *ret, struct err *e)
{
	static const char *const keys[] = {"type", "rope_type"};
	static const char *const kinds[] = {"default", "linear", NULL};
	const char *kind;
	size_t i;
	int r;

	*ret = false;
	for (i = 0; i < ARRAY_LEN(keys); i++) {
		kind = "default";
		if ((r = config_one_of(s, keys[i], kinds, e)) < 0 ||
		    (r = json_get_str(s->obj, s->path, keys[i], JSON_OPTIONAL, E_BAD_CHECKPOINT, &kind, e)) <
			    0)
			return r;
		*ret |= str_eq(kind, "linear");
	}
	return 0;
}

/* Newer: an object for each kind of layer in `rope_parameters`. Older: keys of the text, and `rope_scaling`. */
static int
rope_read(const struct config_scope *s, struct gemma3_config *c, struct err *e)
{
	struct config_scope both, full, sliding;
	double theta, theta_sliding;
	bool scaled;
	int r;

	if ((r = config_sub(s, "rope_parameters", JSON_OPTIONAL, &both, e)) < 0 ||
	    (r = config_sub(&both, "full_attention", JSON_OPTIONAL, &full, e)) < 0 ||
	    (r = config_sub(&both, "sliding_attention", JSON_OPTIONAL, &sliding, e)) < 0)
		return r;
	if (!full.obj && (r = config_sub(s, "rope_scaling", JSON_OPTIONAL, &full, e)) < 0)
		return r;
	if ((r = config_double(s, "rope_theta", 1e6, 1e12, &theta, e)) < 0 ||
	    (r = config_double(s, "rope_local_base_freq", 1e4, 1e12, &theta_sliding, e)) < 0 ||
	    (r = config_double(&full, "rope_theta", theta, 1e12, &c->theta, e)) < 0 ||
	    (r = config_double(&sliding, "rope_theta", theta_sliding, 1e12, &c->theta_sliding, e)) < 0 ||
	    (r = config_only(&sliding, "rope_type", "default", "default", e)) < 0 ||
	    (r = rope_scaled(&full, &scaled, e)) < 0)
		return r;
	c->factor = 1;
	return scaled ? config_double(&full, "factor", 1, 1e6, &c->factor, e) : 0;
}

static int
text_read(const struct config_scope *s, struct gemma3_config *c, struct err *e)
{
	int r;

	c->gemma.text = text_absent;
	if ((r = config_only(s, "model_type", "gemma3_text", "gemma3_text", e)) < 0 ||
	    (r = config_only(s, "hidden_activation", "gelu_pytorch_tanh", "gelu_pytorch_tanh", e)) < 0 ||
	    (r = unsupported_check(s, e)) < 0 || (r = gemma_text_read(s, &c->gemma.text, e)) < 0 ||
	    (r = config_ints(s, text_rows, ARRAY_LEN(text_rows), c, e)) < 0 ||
	    (r = config_double(s, "query_pre_attn_scalar", 256, 1e6, &c->query_pre_attn_scalar, e)) < 0 ||
	    (r = layers_read(s, c, e)) < 0)
		return r;
	return rope_read(s, c, e);
}

/*
 * The patches of an image are averaged in squares, one square per token. The squares must fill the image
 * exactly.
 */
static int
side_read(const struct config_scope *top, struct gemma3_config *c, struct err *e)
{
	const int64_t patches = c->gemma.images.vision.image_size / c->gemma.images.vision.patch_size;
	int64_t side = 1;

	while (side * side < c->gemma.images.image_tokens)
		side++;
	if (side * side != c->gemma.images.image_tokens || patches % side)
		return config_fail(top, "mm_tokens_per_image", E_BAD_CHECKPOINT, e,
				   "must be the square of a number that divides the %lld patches along a "
				   "side of an image",
				   (long long)patches);
	c->side = side;
	return 0;
}

static const char *const vision_types[] = {"siglip_vision_model", NULL};

static int
backbone_read(const json_t *config, struct gemma3_config *c, struct err *e)
{
	struct config_scope top, text, vision;
	struct gemma_config *g = &c->gemma;
	int r;

	g->images.vision = (struct siglip_config){0};
	g->images.image_token_id = 262144;
	if ((r = config_embedding_dim(config, &g->head.dim, e)) < 0 ||
	    (r = config_backbone(config, &top, e)) < 0 ||
	    (r = config_sub(&top, "text_config", JSON_REQUIRED, &text, e)) < 0 ||
	    (r = config_sub(&top, "vision_config", JSON_REQUIRED, &vision, e)) < 0 ||
	    (r = text_read(&text, c, e)) < 0 ||
	    (r = siglip_config_read(&vision, vision_types, &g->images.vision, e)) < 0 ||
	    (r = config_image_token(&top, &g->images.image_token_id, e)) < 0 ||
	    (r = config_ints(&top, top_rows, ARRAY_LEN(top_rows), c, e)) < 0)
		return r;
	return side_read(&top, c, e);
}

static int
config_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as, void *config,
	    struct err *e)
{
	struct gemma3_config *c = config;
	int r = backbone_read(json, c, e);

	return r < 0 ? err_context(e, "config.json") : pooling_head_read(as, ck, &c->gemma.head, e);
}

/* The mean of each square of patches: [images, patches, width] to [images, side, side, width]. */
static struct ir_value *
averages(struct trace *t, const struct gemma3_config *c, struct ir_value *x)
{
	const int64_t per = c->gemma.images.vision.image_size / c->gemma.images.vision.patch_size / c->side;
	const int64_t w = c->gemma.images.vision.hidden_size;

	x = tr_reshape(t, x, shape_of(6, axis(x, 0), n(c->side), n(per), n(c->side), n(per), n(w)));
	x = tr_sum(t, x, 4); /* [images, side, per, side, width] */
	x = tr_sum(t, x, 2);
	return tr_mul(t, x, tr_f32(t, 1.0 / (double)(per * per)));
}

static struct ir_value *
features(struct trace *t, const void *config, struct ir_value *pixels)
{
	static const int swap[] = {1, 0};
	const struct gemma3_config *c = config;
	const int64_t width = c->gemma.images.vision.hidden_size, hidden = c->gemma.text.hidden_size;
	const struct dim tokens = dim_mul(sym(SYM_IMAGES), n(c->gemma.images.image_tokens));
	struct ir_value *x, *norm, *proj;

	x = siglip_build(t, &c->gemma.images.vision, pixels, NULL); /* [images, patches, width] */
	tr_scope(t, "mmproj");
	x = averages(t, c, x);
	x = tr_reshape(t, x, shape_of(2, tokens, n(width)));
	norm = tr_weight_plus_one(t, shape_of(1, n(width)), "mmproj.mm_soft_emb_norm.weight");
	x = tr_name(t, tr_rms_norm(t, x, norm, c->gemma.images.vision.layer_norm_eps), "norm");
	/* Stored transposed, compared with linears. */
	proj = tr_weight(t, shape_of(2, n(width), n(hidden)), "mmproj.mm_input_projection_weight");
	proj = tr_transpose(t, proj, swap);
	return tr_name(t, tr_linear(t, x, proj, NULL), "features");
}

/*
 * Whether two tokens belong to the same image: bool [batch, sequence, sequence]. Consecutive image tokens,
 * with nothing in between, are one image.
 */
static struct ir_value *
same_image(struct trace *t, struct ir_value *flag)
{
	struct ir_value *before, *first, *image, *query, *same;

	before = tr_shift(t, flag, 1);
	before = tr_not(t, before);
	first = tr_and(t, flag, before);
	first = tr_cast(t, first, ELEM_I64);
	image = tr_cumsum(t, first, 1);                 /* number of the image in its row, from 1 */
	image = tr_where(t, flag, image, tr_i64(t, 0)); /* [batch, sequence] */
	query = blk_unsqueeze(t, image, 2);             /* [batch, sequence, 1] */
	image = blk_unsqueeze(t, image, 1);
	same = tr_equal(t, query, image);
	flag = blk_unsqueeze(t, flag, 1);
	return tr_and(t, same, flag);
}

/*
 * The keys that a query sees in a layer, bool [batch, query, key]: the earlier ones and, as trained, all
 * tokens of its own image.
 */
struct seen {
	struct ir_value *full, *sliding;
};

static struct seen
seen_build(struct trace *t, const struct gemma3_config *c, const struct squares_build *b, bool images_whole)
{
	struct ir_value *key, *query, *past, *near, *unmasked;
	struct seen seen;

	tr_scope(t, "mask");
	key = tr_iota(t, sym(SYM_SEQUENCE));
	query = blk_unsqueeze(t, key, 1); /* [sequence, 1] */
	past = tr_less(t, query, key);    /* [sequence, sequence] */
	past = tr_not(t, past);
	if (images_whole) {
		near = same_image(t, b->flag);
		past = tr_or(t, past, near); /* [batch, sequence, sequence] */
	}
	unmasked = blk_unsqueeze(t, b->in.unmasked, 1); /* [batch, 1, sequence] */
	seen.full = tr_name(t, tr_and(t, past, unmasked), "full");
	near = tr_add(t, key, tr_i64(t, c->sliding_window));
	near = tr_less(t, query, near); /* [sequence, sequence] */
	seen.sliding = tr_name(t, tr_and(t, seen.full, near), "sliding");
	return seen;
}

/* Makes the rotary tables and the mask for one kind of layers. Positions count padding. */
static struct decoder_attention
attention_build(struct trace *t, const struct gemma3_config *c, double theta, double factor,
		struct ir_value *seen)
{
	const int64_t d = c->gemma.text.head_dim;
	struct decoder_attention ret = {NULL};
	struct ir_value *angles, *inv;

	inv = blk_inv_freq(t, "inv_freq", theta, d, 0, d / 2);
	inv = tr_div(t, inv, tr_f32(t, factor));
	angles = tr_iota(t, sym(SYM_SEQUENCE));
	angles = blk_angles(t, angles, inv);
	angles = blk_unsqueeze(t, angles, 1); /* [sequence, 1, head_dim/2] */
	ret.cos = tr_name(t, tr_cos(t, angles), "cos");
	ret.sin = tr_name(t, tr_sin(t, angles), "sin");
	ret.mask = seen;
	ret.see = IR_MASK_FULL;
	return ret;
}

static struct ir_value *
build(struct trace *t, const void *config, enum variant v, const struct model_options *o)
{
	const struct gemma3_config *c = config;
	struct decoder d = gemma_decoder(&c->gemma.text);
	struct squares_build b = gemma_begin(t, c, v, features);
	struct decoder_attention kinds[2]; /* full, sliding */
	struct seen seen = seen_build(t, c, &b, /*images_whole=*/b.flag && o->mask != MODEL_MASK_CAUSAL);

	tr_scope(t, "full");
	kinds[0] = attention_build(t, c, c->theta, c->factor, seen.full);
	tr_scope(t, "sliding");
	kinds[1] = attention_build(t, c, c->theta_sliding, /*factor=*/1, seen.sliding);
	d.scale = 1 / sqrt(c->query_pre_attn_scalar);
	d.qk_norm = true;
	d.after_norms = true;
	d.sliding = c->sliding;
	b.x = decoder_build(t, &d, b.x, kinds); /* [batch, sequence, hidden] */
	return pooling_head_build(t, &c->gemma.head, b.x, &b.in);
}

static struct model_tokens
tokens(const void *config)
{
	const struct gemma3_config *c = config;

	return (struct model_tokens){
		.vocab = c->gemma.text.vocab_size,
		.image = c->gemma.images.image_token_id,
		.image_begin = c->image_begin_id,
		.image_end = c->image_end_id,
		.video = -1,
		.audio = -1,
		.pad = 0,
	};
}

static const struct model_spelling spellings[] = {
	{"gemma3", NULL, "Gemma3Model"},
	{0},
};

/* The chat template begins with <bos>, and the tokenizer adds another one. */
#define TURN "<bos><bos><start_of_turn>user\n"

static const struct model_prompt prompts[] = {
	{LIBRARY_ENGINE, "0.3.13 and newer", TURN "Query: ", "", 0, "<end_of_turn>\n",
	 TURN "\n\n<start_of_image>{image}<end_of_image>\n\nDescribe this image<end_of_turn>\n"},
	{0},
};

const struct model model_colgemma3 = {
	MODEL_OF_FAMILY(colgemma3),
	SQUARES_RETRIEVER,
	.picture = PREPARE_FIXED,
	.config_size = sizeof(struct gemma3_config),
	.tokens = tokens,
	.build = build,
	/* Half of its layers see a window, which has no meaning in both directions. */
	.masks = 1u << MODEL_MASK_CAUSAL,
};
