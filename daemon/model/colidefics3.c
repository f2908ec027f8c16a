/*
 * ColIdefics3 (ColSmol): a SigLIP tower over tiles and a Llama decoder, with a projection of every token's
 * last state to a short unit vector. BiIdefics3 has no projection: it gives one vector per row.
 */
#include "llama.h"
#include "pooling.h"
#include "tiles.h"

struct idefics3_config {
	struct tiles_config tiles; /* first: the functions of tiles.h read it */
	struct llama_text text;
	struct pooling_head head;
};

static const char *const vision_types[] = {"idefics3_vision", "idefics3", NULL};

static int
text_read(const struct config_scope *s, struct llama_text *t, struct err *e)
{
	struct config_scope rope;
	int r;

	*t = (struct llama_text){.rms_norm_eps = 1e-5};
	r = llama_text_read(s, "llama", t, e);
	return r < 0 ? r : config_rope(s, 1e4, &rope, &t->rope.theta, e);
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
build(struct trace *t, const void *config, enum variant v, const struct model_options *o)
{
	const struct idefics3_config *c = config;
	const struct decoder d = llama_decoder(&c->text);
	struct tiles_build b = tiles_begin(t, &c->tiles, v);
	struct decoder_attention attention;
	struct ir_value *x;

	tr_scope(t, "lm");
	x = tiles_words(t, &b, c->text.vocab_size);
	x = llama_embed(t, &c->text, x);
	x = tiles_merge(t, &b, x);
	attention = decoder_attention_counted(t, &c->text.rope, c->text.head_dim, b.in.unmasked);
	if (o->mask == MODEL_MASK_BIDIRECTIONAL)
		attention.see = IR_MASK_FULL;
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
	.masks = MODEL_MASKS,
	.image_inputs = tiles_partial_inputs,
	.plans = PLAN_TEXT | PLAN_TILES | PLAN_PARTIAL,
	.config_size = sizeof(struct idefics3_config),
	.tokens = tokens,
	.build = build,
};
