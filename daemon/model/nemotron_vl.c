/*
 * Llama Nemotron ColEmbed VL: a SigLIP tower over tiles, whose patches are joined in squares and pass a small network, and a
 * Llama decoder in which tokens see each other in both directions. There is no projection: the last states are the vectors.
 *
 * The published code was not seen; the class was rebuilt from public sources. So a key of config.json that these do not
 * agree with is refused by name.
 */
#include "base/str.h"
#include "checkpoint/names.h"
#include "llama.h"
#include "squares.h"

#define CONNECTOR_EPS 1e-5

struct nemotron_config {
	struct squares_config images; /* first: a tile is an image */
	struct llama_text text;
	int64_t factor; /* patches on each side of a token */
};

static const char *const vision_types[] = {"siglip_vision_model", NULL};

static int
whole_only(const struct config_scope *s, const char *key, int64_t want, struct err *e)
{
	int64_t v = want;
	int r = json_get_int(s->obj, s->path, key, JSON_OPTIONAL, INT32_MIN, INT32_MAX, E_BAD_CHECKPOINT, &v,
			     e);

	return r < 0 || v == want
		       ? r
		       : config_fail(s, key, E_UNSUPPORTED_MODEL, e, "%lld is not supported, only %lld",
				     (long long)v, (long long)want);
}

/* The class behind `llm_config`. */
static int
llm_class_check(const struct config_scope *s, struct err *e)
{
	const json_t *name = json_array_get(json_object_get(s->obj, "architectures"), 0);

	if (!name ||
	    str_eq(json_string_value(name) ? json_string_value(name) : "", "LlamaBidirectionalModel"))
		return 0;
	return config_fail(s, "architectures", E_UNSUPPORTED_MODEL, e,
			   "is not supported, only LlamaBidirectionalModel");
}

/* The same class pools one vector for a page unless it is told otherwise. */
static int
pooling_check(const struct config_scope *s, struct err *e)
{
	if (json_object_get(s->obj, "pooling"))
		return config_only(s, "pooling", "colbert", "colbert", e);
	return config_fail(s, "pooling", E_UNSUPPORTED_MODEL, e,
			   "is missing, which means one vector for each row; only 'colbert' is supported");
}

static int
unsupported_check(const struct config_scope *top, const struct siglip_config *v, struct err *e)
{
	bool both = true;
	int r;

	if ((r = pooling_check(top, e)) < 0 || (r = config_only(top, "ps_version", "v2", "v2", e)) < 0 ||
	    (r = whole_only(top, "select_layer", -1, e)) < 0 ||
	    (r = json_get_bool(top->obj, top->path, "bidirectional_attention", JSON_OPTIONAL,
			       E_BAD_CHECKPOINT, &both, e)) < 0)
		return r;
	if (!both)
		return config_fail(top, "bidirectional_attention", E_UNSUPPORTED_MODEL, e,
				   "false is not supported");
	if (!json_object_get(top->obj, "force_image_size") ||
	    json_is_null(json_object_get(top->obj, "force_image_size")))
		return 0;
	return whole_only(top, "force_image_size", v->image_size, e);
}

/* downsample_ratio is 1 / factor. */
static int
factor_read(const struct config_scope *top, struct nemotron_config *c, struct err *e)
{
	const int64_t side = c->images.vision.image_size / c->images.vision.patch_size;
	double ratio;
	int r = config_double(top, "downsample_ratio", 0.5, 1, &ratio, e);

	if (r < 0)
		return r;
	c->factor = (int64_t)(1 / MAX(ratio, 1e-3) + 0.5);
	if ((double)c->factor * ratio < 0.999999 || (double)c->factor * ratio > 1.000001)
		return config_fail(top, "downsample_ratio", E_UNSUPPORTED_MODEL, e,
				   "must be 1 divided by a whole number");
	if (side % c->factor)
		return config_fail(top, "downsample_ratio", E_BAD_CHECKPOINT, e,
				   "must divide the %lld patches that a tile has on each side",
				   (long long)side);
	c->images.image_tokens = (side / c->factor) * (side / c->factor);
	return 0;
}

static int
text_read(const struct config_scope *s, struct llama_text *t, struct err *e)
{
	struct config_scope rope;
	int r;

	*t = (struct llama_text){.rms_norm_eps = 1e-6, .may_be_biased = true, .rope = {.theta = 1e4}};
	if ((r = llm_class_check(s, e)) < 0 || (r = llama_text_read(s, "llama_bidirec", t, e)) < 0)
		return r;
	return rope_read(s, &t->rope, &rope, e);
}

static int
parts_read(const json_t *config, struct nemotron_config *c, struct err *e)
{
	const struct config_scope top = {.obj = config, .path = ""};
	struct config_scope text, vision;
	int r;

	c->images = (struct squares_config){.image_token_id = 128258};
	if ((r = config_sub(&top, "llm_config", JSON_REQUIRED, &text, e)) < 0 ||
	    (r = config_sub(&top, "vision_config", JSON_REQUIRED, &vision, e)) < 0 ||
	    (r = text_read(&text, &c->text, e)) < 0 ||
	    (r = siglip_config_read(&vision, vision_types, &c->images.vision, e)) < 0 ||
	    (r = unsupported_check(&top, &c->images.vision, e)) < 0 ||
	    (r = json_get_int(config, "", "img_context_token_id", JSON_OPTIONAL, 0, INT32_MAX,
			      E_BAD_CHECKPOINT, &c->images.image_token_id, e)) < 0)
		return r;
	return factor_read(&top, c, e);
}

/* Tokens were added to the vocabulary: the table of words says how many there are. */
static int
tensors_read(const struct checkpoint *ck, struct nemotron_config *c, struct err *e)
{
	const struct weight *table = checkpoint_find(ck, "lm.embed_tokens.weight");
	const struct weight *proj = checkpoint_find(ck, "proj.weight");

	if (table && table->tensor->rank == 2)
		c->text.vocab_size = table->tensor->shape[0];
	if (!proj)
		return 0;
	return err_set(
		e, E_UNSUPPORTED_MODEL,
		"tensor '%s' in '%s' is a projection, which Llama Nemotron ColEmbed VL is not known to have",
		proj->tensor->name, st_path(proj->file));
}

static int
config_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as, void *config,
	    struct err *e)
{
	int r = parts_read(json, config, e);

	(void)as;
	if (r < 0)
		return err_context(e, "config.json");
	return ck ? tensors_read(ck, config, e) : 0;
}

/* The network between tower and decoder. */
static struct ir_value *
features(struct trace *t, const void *config, struct ir_value *pixels)
{
	const struct nemotron_config *c = config;
	const int64_t hidden = c->text.hidden_size;
	struct ir_value *x;

	x = siglip_build(t, &c->images.vision, pixels, NULL); /* [tiles, patches, width] */
	tr_scope(t, "connector");
	x = siglip_shuffle(t, &c->images.vision, c->factor, x); /* [tiles*tokens, factor^2*width] */
	x = tr_name(t, blk_layer_norm(t, x, CONNECTOR_EPS, "mlp1.0"), "norm");
	x = blk_linear(t, x, hidden, BLK_BIAS, "fc1", "mlp1.1");
	x = tr_gelu(t, x);
	return blk_linear(t, x, hidden, BLK_BIAS, "fc2", "mlp1.3"); /* [tiles*tokens, hidden] */
}

static struct ir_value *
build(struct trace *t, const void *config, enum variant v, const struct model_options *o)
{
	const struct nemotron_config *c = config;
	const struct decoder d = llama_decoder(&c->text);
	struct squares_build b = squares_begin(t, c, v, features);
	struct decoder_attention attention;
	struct ir_value *x;

	tr_scope(t, "lm");
	x = squares_words(t, &b, c->text.vocab_size);
	x = llama_embed(t, &c->text, x);
	x = squares_merge(t, &b, x);
	attention = decoder_attention_counted(t, &c->text.rope, c->text.head_dim, b.in.unmasked);
	attention.see = o->mask == MODEL_MASK_CAUSAL ? IR_MASK_CAUSAL : IR_MASK_FULL;
	x = decoder_build(t, &d, x, &attention); /* [batch, sequence, hidden] */
	tr_scope(t, "head");
	return blk_unit(t, x, &b.in, BLK_FLOOR);
}

static struct model_tokens
tokens(const void *config)
{
	const struct nemotron_config *c = config;

	return (struct model_tokens){
		.vocab = c->text.vocab_size,
		.image = c->images.image_token_id,
		.image_begin = -1, /* the tokens around the tiles are defined by the tokenizer */
		.image_end = -1,
		.video = -1,
		.audio = -1,
		.pad = -1,
	};
}

static const struct model_spelling spellings[] = {
	{"llama_nemotron_vl", NULL, "LlamaNemotronVLModel"},
	{0},
};

/* Before version 5 of transformers the tower was a part of a module of the same name. The tower's own pooling is not used. */
static const struct name_rule names[] = {
	{"vis.vision_model.head.", NULL},
	{"vis.vision_model.", "vis."},
	{"vis.head.", NULL},
	{0},
};

static const struct model_prompt prompts[] = {
	{LIBRARY_NVIDIA, "all", "query: ", "", 0, "", "passage: <img>{image}</img> "},
	{0},
};

const struct model model_nemotron_vl = {
	MODEL_OF_FAMILY(nemotron_vl),
	SQUARES_RETRIEVER,
	.names = names,
	.masks = MODEL_MASKS,
	.config_size = sizeof(struct nemotron_config),
	.tokens = tokens,
	.build = build,
};
