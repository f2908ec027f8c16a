/*
 * ColIdefics3 (ColSmol): a SigLIP tower over tiles and a Llama decoder, with a projection of every token's
 * last state to a short unit vector. BiIdefics3 has no projection: it gives one vector per row.
 */
#include "decoder.h"
#include "pooling.h"
#include "tiles.h"

struct idefics3_text {
	int64_t hidden_size;
	int64_t num_hidden_layers;
	int64_t num_attention_heads;
	int64_t num_key_value_heads;
	int64_t head_dim; /* even */
	int64_t intermediate_size;
	int64_t vocab_size;
	double rms_norm_eps;
	double rope_theta;
};

struct idefics3_config {
	struct tiles_config tiles; /* first: the functions of tiles.h read it */
	struct idefics3_text text;
	struct pooling_head head;
};

#define TEXT(field) offsetof(struct idefics3_text, field)

static const struct config_int text_rows[] = {
	{"hidden_size", 1, 65536, CONFIG_REQUIRED, TEXT(hidden_size)},
	{"num_hidden_layers", 1, 1000, CONFIG_REQUIRED, TEXT(num_hidden_layers)},
	{"num_attention_heads", 1, 1024, CONFIG_REQUIRED, TEXT(num_attention_heads)},
	{"num_key_value_heads", 0, 1024, 0, TEXT(num_key_value_heads)},
	{"head_dim", 0, 4096, 0, TEXT(head_dim)},
	{"intermediate_size", 1, 1 << 20, CONFIG_REQUIRED, TEXT(intermediate_size)},
	{"vocab_size", 1, 1 << 24, CONFIG_REQUIRED, TEXT(vocab_size)},
};

static const char *const vision_types[] = {"idefics3_vision", "idefics3", NULL};

static int
heads_check(const struct config_scope *s, struct idefics3_text *t, struct err *e)
{
	if (!t->num_key_value_heads)
		t->num_key_value_heads = t->num_attention_heads;
	if (!t->head_dim)
		t->head_dim = t->hidden_size / t->num_attention_heads;
	if (t->head_dim < 2 || t->head_dim % 2)
		return config_fail(s, "head_dim", E_BAD_CHECKPOINT, e, "must be even");
	if (t->num_attention_heads % t->num_key_value_heads)
		return config_fail(s, "num_attention_heads", E_BAD_CHECKPOINT, e,
				   "must be a multiple of num_key_value_heads");
	return 0;
}

/* Transformers' Llama can have biases, but no published retriever does. */
static int
biases_check(const struct config_scope *s, struct err *e)
{
	static const char *const keys[] = {"attention_bias", "mlp_bias"};
	bool bias = false;
	size_t i;
	int r;

	for (i = 0; i < ARRAY_LEN(keys); i++) {
		r = json_get_bool(s->obj, s->path, keys[i], JSON_OPTIONAL, E_BAD_CHECKPOINT, &bias, e);
		if (r < 0)
			return r;
		if (bias)
			return config_fail(s, keys[i], E_UNSUPPORTED_MODEL, e, "true is not supported");
	}
	return 0;
}

static int
text_read(const struct config_scope *s, struct idefics3_text *t, struct err *e)
{
	struct config_scope rope;
	int r;

	if ((r = config_only(s, "model_type", "llama", "llama", e)) < 0 ||
	    (r = config_only(s, "hidden_act", "silu", "silu", e)) < 0 || (r = biases_check(s, e)) < 0 ||
	    (r = config_ints(s, text_rows, ARRAY_LEN(text_rows), t, e)) < 0 ||
	    (r = heads_check(s, t, e)) < 0 ||
	    (r = config_double(s, "rms_norm_eps", 1e-5, 1, &t->rms_norm_eps, e)) < 0)
		return r;
	return config_rope(s, 1e4, &rope, &t->rope_theta, e);
}

static int
vision_read(const struct config_scope *s, struct siglip_config *v, struct err *e)
{
	int64_t side;
	int r;

	*v = (struct siglip_config){.hidden_size = 1152,
				    .num_hidden_layers = 12,
				    .num_attention_heads = 16,
				    .intermediate_size = 3072,
				    .image_size = 224,
				    .patch_size = 32};
	r = siglip_config_read(s, vision_types, v, e);
	if (r < 0)
		return r;
	side = v->image_size / v->patch_size;
	if (side & (side - 1))
		return config_fail(s, "image_size", E_UNSUPPORTED_MODEL, e,
				   "%lld is not supported: it must be patch_size times 1, 2, 4, 8, 16...",
				   (long long)v->image_size);
	return 0;
}

static int
backbone_read(const json_t *config, struct idefics3_config *c, struct err *e)
{
	struct config_scope top, text, vision;
	int r;

	c->tiles = (struct tiles_config){.image_token_id = 128257, .partial = true};
	if ((r = config_embedding_dim(config, &c->head.dim, e)) < 0 ||
	    (r = config_backbone(config, &top, e)) < 0 ||
	    (r = config_sub(&top, "text_config", JSON_REQUIRED, &text, e)) < 0 ||
	    (r = config_sub(&top, "vision_config", JSON_REQUIRED, &vision, e)) < 0 ||
	    (r = text_read(&text, &c->text, e)) < 0 || (r = vision_read(&vision, &c->tiles.vision, e)) < 0 ||
	    (r = json_get_int(top.obj, top.path, "image_token_id", JSON_OPTIONAL, 0, INT32_MAX,
			      E_BAD_CHECKPOINT, &c->tiles.image_token_id, e)) < 0)
		return r;
	c->tiles.hidden = c->text.hidden_size;
	return tiles_config_read(&top, "scale_factor", 2, &c->tiles, e);
}

static int
config_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as, void *config,
	    struct err *e)
{
	struct idefics3_config *c = config;
	int r = backbone_read(json, c, e);

	return r < 0 ? err_context(e, "config.json") : pooling_head_read(as, ck, &c->head, e);
}

static struct ir_value *
embed(struct trace *t, const struct idefics3_config *c, const struct tiles_build *b)
{
	const struct shape s = shape_of(2, n(c->text.vocab_size), n(c->text.hidden_size));
	struct ir_value *table, *words;

	tr_scope(t, "lm");
	words = tiles_words(t, b, c->text.vocab_size);
	table = tr_weight(t, s, "lm.embed_tokens.weight");
	return tr_name(t, tr_gather(t, table, words), "embed");
}

static struct ir_value *
build(struct trace *t, const void *config, enum variant v, const struct model_options *o)
{
	const struct idefics3_config *c = config;
	const struct decoder d = {.hidden = c->text.hidden_size,
				  .layers = c->text.num_hidden_layers,
				  .heads = c->text.num_attention_heads,
				  .kv_heads = c->text.num_key_value_heads,
				  .head_dim = c->text.head_dim,
				  .ff = c->text.intermediate_size,
				  .eps = c->text.rms_norm_eps};
	struct tiles_build b = tiles_begin(t, &c->tiles, v);
	struct decoder_attention attention;
	struct ir_value *x;

	(void)o;
	x = embed(t, c, &b);
	x = tiles_merge(t, &b, x);
	attention = decoder_attention_counted(t, c->text.rope_theta, c->text.head_dim, b.in.unmasked);
	x = decoder_build(t, &d, x, &attention); /* [batch, sequence, hidden] */
	return pooling_head_build(t, &c->head, x, &b.in);
}

static struct model_tokens
tokens(const void *config)
{
	const struct idefics3_config *c = config;

	return (struct model_tokens){
		.vocab = c->text.vocab_size,
		.image = c->tiles.image_token_id,
		.image_begin = -1, /* the tokens around a tile are defined by the tokenizer, not by
                                    * config.json */
		.image_end = -1,
		.video = -1,
		.audio = -1,
		.pad = -1,
	};
}

static const struct model_spelling spellings[] = {
	{"idefics3", NULL, "Idefics3Model"},
	{0},
};

static const struct name_rule names[] = {TILES_NAMES, {"linear.", "proj."}, {0}};

static const struct model_prompt prompts[] = {
	{LIBRARY_ENGINE, "0.3.11 and newer", "", "<end_of_utterance>", 10, "",
	 "<|im_start|>User:{image}Describe the image.<end_of_utterance>\nAssistant:"},
	{LIBRARY_ENGINE, "0.3.5 to 0.3.10", "Query: ", "<end_of_utterance>", 10, "\n",
	 "<|im_start|>user\n{image}Describe the image.<end_of_utterance>"},
	{0},
};

const struct model model_colidefics3 = {
	MODEL_OF_FAMILY(colidefics3),
	TILES_RETRIEVER,
	.names = names,
	.image_inputs = tiles_partial_inputs,
	.plans = PLAN_TEXT | PLAN_TILES | PLAN_PARTIAL,
	.config_size = sizeof(struct idefics3_config),
	.tokens = tokens,
	.build = build,
};
