/*
 * ColMinistral3: a Pixtral tower and a Ministral 3 decoder, with a projection of every token's last state to a short unit
 * vector. The decoder is Llama with positions that yarn stretches, and with queries that grow with their position.
 */
#include <math.h>

#include "guards.h"
#include "llama.h"
#include "pixtral.h"
#include "pooling.h"

struct ministral3_config {
	struct pixtral_config vision; /* first: the functions of pixtral.h read it */
	struct llama_text text;
	double growth; /* of the queries, llama_4_scaling_beta: by growth * log(1 + position / rope.trained) */
	int64_t image_token_id;
	struct pooling_head head;
};

#define GROWTH_STEPS 1024 /* texts may be so many times longer than the trained length */

/* The class's own values, where config.json has none. */
static const struct llama_text text_fallback = {
	.hidden_size = 4096,
	.num_hidden_layers = 34,
	.num_attention_heads = 32,
	.num_key_value_heads = 8,
	.head_dim = 128,
	.intermediate_size = 14336,
	.vocab_size = 131072,
	.rms_norm_eps = 1e-5,
	.rope = {.theta = 1e6,
		 .trained = 16384,
		 .factor = 16,
		 .beta_fast = 32,
		 .beta_slow = 1,
		 .truncate = true,
		 .magnitude = 1},
};

static int
text_read(const struct config_scope *s, struct ministral3_config *c, struct err *e)
{
	struct config_scope rope;
	int64_t window = 0;
	int r;

	c->text = text_fallback;
	c->growth = 0.1;
	if ((r = llama_text_read(s, "ministral3", &c->text, e)) < 0 ||
	    (r = json_get_int(s->obj, s->path, "sliding_window", JSON_OPTIONAL, 0, INT64_MAX,
			      E_BAD_CHECKPOINT, &window, e)) < 0)
		return r;
	if (window)
		return config_fail(s, "sliding_window", E_UNSUPPORTED_MODEL, e,
				   "%lld is not supported, only null", (long long)window);
	r = rope_read(s, &c->text.rope, &rope, e);
	if (r < 0 || !rope.obj)
		return r;
	if (!c->text.rope.trained)
		return config_fail(&rope, "original_max_position_embeddings", E_BAD_CHECKPOINT, e,
				   "is missing");
	r = json_get_double(rope.obj, rope.path, "llama_4_scaling_beta", JSON_REQUIRED, E_BAD_CHECKPOINT,
			    &c->growth, e);
	if (r == 0 && !(fabs(c->growth) <= 1e3))
		r = config_fail(&rope, "llama_4_scaling_beta", E_BAD_CHECKPOINT, e,
				"must be from -1000 to 1000");
	return r;
}

/* Which layer's output goes to the projector: -1 is the last one. A list joins several, which no Mistral 3 has. */
static int
feature_layer_read(const struct config_scope *top, struct pixtral_config *v, struct err *e)
{
	static const char key[] = "vision_feature_layer";
	const int64_t n = v->num_hidden_layers;
	int64_t layer = -1;
	int r;

	if (json_is_array(json_object_get(top->obj, key)))
		return config_fail(top, key, E_UNSUPPORTED_MODEL, e,
				   "is a list, which is not supported, only one layer is");
	r = json_get_int(top->obj, top->path, key, JSON_OPTIONAL, -n - 1, n, E_BAD_CHECKPOINT, &layer, e);
	v->used = layer < 0 ? n + 1 + layer : layer;
	return r;
}

static const struct config_int top_rows[] = {
	{"spatial_merge_size", 1, 16, 2, offsetof(struct pixtral_config, merge)},
};

static int
backbone_read(const json_t *config, struct ministral3_config *c, struct err *e)
{
	struct config_scope top, text, vision;
	int r;

	c->image_token_id = 10;
	c->vision.out_bias = false;
	if ((r = config_backbone(config, &top, e)) < 0 ||
	    (r = config_sub(&top, "text_config", JSON_REQUIRED, &text, e)) < 0 ||
	    (r = config_sub(&top, "vision_config", JSON_REQUIRED, &vision, e)) < 0 ||
	    (r = text_read(&text, c, e)) < 0 || (r = pixtral_config_read(&vision, &c->vision, e)) < 0 ||
	    (r = config_ints(&top, top_rows, ARRAY_LEN(top_rows), &c->vision, e)) < 0 ||
	    (r = feature_layer_read(&top, &c->vision, e)) < 0 ||
	    (r = config_only(&top, "projector_hidden_act", "gelu", "gelu", e)) < 0 ||
	    (r = json_get_bool(top.obj, top.path, "multimodal_projector_bias", JSON_OPTIONAL,
			       E_BAD_CHECKPOINT, &c->vision.out_bias, e)) < 0 ||
	    (r = config_image_token(&top, &c->image_token_id, e)) < 0)
		return r;
	c->vision.out = c->text.hidden_size;
	c->vision.out_eps = c->text.rms_norm_eps;
	return 0;
}

static int
config_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as, void *config,
	    struct err *e)
{
	struct ministral3_config *c = config;
	int64_t stated = 0;
	int r = backbone_read(json, c, e);

	if (r == 0)
		r = json_get_int(json, "", "dim", JSON_OPTIONAL, 1, 65536, E_BAD_CHECKPOINT, &stated, e);
	if (r < 0)
		return err_context(e, "config.json");
	c->head = (struct pooling_head){.dim = ck ? 0 : stated, .no_bias = true, .eps = 1e-8};
	r = pooling_head_read(as, ck, &c->head, e);
	if (r == 0 && stated && c->head.dim && stated != c->head.dim)
		return err_set(e, E_BAD_CHECKPOINT,
			       "config.json: dim is %lld but the projection has %lld rows", (long long)stated,
			       (long long)c->head.dim);
	return r;
}

/* A graph while it is built. */
struct build {
	const struct ministral3_config *c;
	struct blk_text in;
	struct pixtral_fed image;
	struct ir_value *flag; /* bool [batch, sequence]: the id is the image token's */
	struct ir_value *x;    /* embeddings of the tokens */
};

static struct ir_value *
with_images(struct trace *t, const void *arg)
{
	const struct build *b = arg;
	const struct pixtral_features f = pixtral_build(t, &b->c->vision, &b->image, &b->in, b->flag);

	tr_scope(t, "merge");
	return tr_name(t, blk_scatter(t, b->x, f.is_image, f.rows, f.index), "out");
}

static struct ir_value *
without_images(struct trace *t, const void *arg)
{
	const struct build *b = arg;

	(void)t;
	return b->x;
}

/* Embeddings of words and images: float [batch, sequence, hidden]. */
static struct ir_value *
embed(struct trace *t, struct build *b, enum variant v)
{
	struct ir_value *words, *any = NULL;

	if (v != VARIANT_TEXT)
		b->flag = tr_equal(t, b->in.ids, tr_i64(t, b->c->image_token_id));
	if (v == VARIANT_UNIFIED) {
		any = tr_and(t, b->flag, b->in.unmasked);
		any = tr_name(t, tr_any(t, any), "any_image");
	}
	tr_scope(t, "lm");
	words = guard_words(t, b->in.ids, b->in.unmasked, b->flag, b->c->text.vocab_size);
	b->x = llama_embed(t, &b->c->text, words);
	if (v == VARIANT_TEXT)
		return b->x;
	return v == VARIANT_IMAGE ? with_images(t, b) : tr_if(t, any, with_images, without_images, b);
}

/*
 * Queries at or beyond the trained length grow. The rotation is linear, so that its tables can hold the factor. The call
 * fails for a text that is GROWTH_STEPS times longer.
 */
static void
queries_grow(struct trace *t, const struct ministral3_config *c, struct decoder_attention *a)
{
	float table[GROWTH_STEPS];
	struct ir_value *by, *steps;
	int k;

	for (k = 0; k < GROWTH_STEPS; k++)
		table[k] = 1 + (float)c->growth * logf(1 + (float)k);
	steps = tr_iota(t, sym(SYM_SEQUENCE));
	steps = tr_div(t, steps, tr_i64(t, c->text.rope.trained));
	by = tr_table(t, "rope.growth", shape_of(1, n(GROWTH_STEPS)), table);
	by = tr_gather(t, by, steps); /* [sequence] */
	by = tr_reshape(t, by, shape_of(3, sym(SYM_SEQUENCE), n(1), n(1)));
	a->q_cos = tr_name(t, tr_mul(t, a->cos, by), "q.cos");
	a->q_sin = tr_name(t, tr_mul(t, a->sin, by), "q.sin");
}

static struct ir_value *
build(struct trace *t, const void *config, enum variant v, const struct model_options *o)
{
	const struct ministral3_config *c = config;
	const struct decoder d = llama_decoder(&c->text);
	struct build b = {.c = c, .in = blk_text_inputs(t)};
	struct decoder_attention attention;
	struct ir_value *x;

	(void)o;
	if (v != VARIANT_TEXT)
		b.image = pixtral_fed(t, &c->vision);
	tr_scope(t, "%s", "");
	x = embed(t, &b, v);
	attention = decoder_attention_counted(t, &c->text.rope, c->text.head_dim, b.in.unmasked);
	queries_grow(t, c, &attention);
	x = decoder_build(t, &d, x, &attention); /* [batch, sequence, hidden] */
	return pooling_head_build(t, &c->head, x, &b.in);
}

static struct model_tokens
tokens(const void *config)
{
	const struct ministral3_config *c = config;

	return (struct model_tokens){
		.vocab = c->text.vocab_size,
		.image = c->image_token_id,
		.image_begin = -1,
		.image_end =
			-1, /* the tokens that end rows and image are in the tokenizer, not in config.json */
		.video = -1,
		.audio = -1,
		.pad = -1,
	};
}

static const struct model_spelling spellings[] = {
	{"mistral3", NULL, "Mistral3Model"},
	{0},
};

/*
 * The chat template begins with <s>, and the tokenizer adds another one. {system} is the message that the template sets
 * for a conversation without one.
 */
static const struct model_prompt prompts[] = {
	{LIBRARY_SAUERKRAUT, "all", "<s>", "</s>", 10, "",
	 "<s><s>[SYSTEM_PROMPT]{system}[/SYSTEM_PROMPT][INST]{image}[/INST]"},
	{0},
};

static const struct document_tile_text rows_text = {.row = "[IMG_BREAK]", .last = "[IMG_END]"};

const struct model model_colministral3 = {
	MODEL_OF_FAMILY(colministral3),
	.image_inputs = pixtral_inputs,
	.picture = PREPARE_WHOLE,
	.tile_text = &rows_text,
	.token_side = pixtral_token_side,
	.plans = PLAN_TEXT | PLAN_IMAGE | PLAN_SIZES,
	.config_size = sizeof(struct ministral3_config),
	.tokens = tokens,
	.image_tokens = pixtral_image_tokens,
	.trace_sizes = pixtral_trace_sizes,
	.build = build,
	.case_make = pixtral_case_make,
};
