/*
 * ColPali: PaliGemma (a SigLIP tower and a Gemma decoder that looks both ways) with a projection
 * of every token's last state to a short unit vector.
 */
#include <math.h>

#include "base/str.h"
#include "caseinput.h"
#include "checkpoint/config_scope.h"
#include "decoder.h"
#include "guards.h"
#include "siglip.h"

struct paligemma_text {
	int64_t hidden_size;
	int64_t num_hidden_layers;
	int64_t num_attention_heads;
	int64_t num_key_value_heads;
	int64_t head_dim; /* even; heads * head_dim need not be hidden_size */
	int64_t intermediate_size;
	int64_t vocab_size;
	double rms_norm_eps;
	double rope_theta;
};

struct paligemma_config {
	struct paligemma_text text;
	struct siglip_config vision;
	int64_t image_token_id; /* may be beyond the vocabulary: such ids are looked up as 0 */
	int64_t embedding_dim;  /* 0: config.json does not say; the rows of proj.weight do */
};

#define TEXT(field) offsetof(struct paligemma_text, field)

static const struct config_int text_rows[] = {
	{"hidden_size", 1, 65536, CONFIG_REQUIRED, TEXT(hidden_size)},
	{"num_hidden_layers", 1, 1000, CONFIG_REQUIRED, TEXT(num_hidden_layers)},
	{"num_attention_heads", 1, 1024, CONFIG_REQUIRED, TEXT(num_attention_heads)},
	{"num_key_value_heads", 1, 1024, CONFIG_REQUIRED, TEXT(num_key_value_heads)},
	{"head_dim", 2, 4096, 256, TEXT(head_dim)},
	{"intermediate_size", 1, 1 << 20, CONFIG_REQUIRED, TEXT(intermediate_size)},
	{"vocab_size", 1, 1 << 24, CONFIG_REQUIRED, TEXT(vocab_size)},
};

/*
 * Gemma's activation has two keys. The newer one counts where it is set; without it even an
 * older "gelu" meant the tanh form.
 */
static int
act_check(const struct config_scope *s, struct err *e)
{
	const char *newer = NULL;
	int r;

	r = json_get_str(s->obj, s->path, "hidden_activation", JSON_OPTIONAL, E_BAD_CHECKPOINT, &newer, e);
	if (r < 0)
		return r;
	return newer ? config_only(s, "hidden_activation", "gelu_pytorch_tanh", "gelu_pytorch_tanh", e)
		     : config_only(s, "hidden_act", "gelu_pytorch_tanh", "gelu", e);
}

static int
text_read(const struct config_scope *s, struct paligemma_text *t, struct err *e)
{
	struct config_scope rope;
	bool bias = false;
	int r;

	if ((r = config_only(s, "model_type", "gemma", "gemma", e)) < 0 || (r = act_check(s, e)) < 0 ||
	    (r = json_get_bool(s->obj, s->path, "attention_bias", JSON_OPTIONAL, E_BAD_CHECKPOINT, &bias,
			       e)) < 0 ||
	    (r = config_ints(s, text_rows, ARRAY_LEN(text_rows), t, e)) < 0 ||
	    (r = config_double(s, "rms_norm_eps", 1e-6, 1, &t->rms_norm_eps, e)) < 0 ||
	    (r = config_rope(s, 1e4, &rope, &t->rope_theta, e)) < 0)
		return r;
	if (bias)
		return config_fail(s, "attention_bias", E_UNSUPPORTED_MODEL, e, "true is not supported");
	if (t->head_dim % 2)
		return config_fail(s, "head_dim", E_BAD_CHECKPOINT, e, "must be even");
	if (t->num_attention_heads % t->num_key_value_heads)
		return config_fail(s, "num_attention_heads", E_BAD_CHECKPOINT, e,
				   "must be a multiple of num_key_value_heads");
	return 0;
}

/* `image_token_index`, and its later name. */
static int
image_token_read(const struct config_scope *top, int64_t *ret, struct err *e)
{
	int r;

	*ret = 257152;
	r = json_get_int(top->obj, top->path, "image_token_index", JSON_OPTIONAL, 0, INT32_MAX,
			 E_BAD_CHECKPOINT, ret, e);
	if (r < 0)
		return r;
	return json_get_int(top->obj, top->path, "image_token_id", JSON_OPTIONAL, 0, INT32_MAX,
			    E_BAD_CHECKPOINT, ret, e);
}

static const char *const vision_types[] = {"siglip_vision_model", NULL};

static int
backbone_read(const json_t *config, struct paligemma_config *c, struct err *e)
{
	struct config_scope top, text, vision;
	int64_t projection;
	int r;

	c->vision = (struct siglip_config){0};
	if ((r = config_embedding_dim(config, &c->embedding_dim, e)) < 0 ||
	    (r = config_backbone(config, &top, e)) < 0 ||
	    (r = config_sub(&top, "text_config", JSON_REQUIRED, &text, e)) < 0 ||
	    (r = config_sub(&top, "vision_config", JSON_REQUIRED, &vision, e)) < 0 ||
	    (r = text_read(&text, &c->text, e)) < 0 ||
	    (r = siglip_config_read(&vision, vision_types, &c->vision, e)) < 0 ||
	    (r = image_token_read(&top, &c->image_token_id, e)) < 0)
		return r;
	projection = c->text.hidden_size;
	r = json_get_int(top.obj, top.path, "projection_dim", JSON_OPTIONAL, 1, 65536, E_BAD_CHECKPOINT,
			 &projection, e);
	if (r < 0)
		return r;
	if (projection != c->text.hidden_size)
		return config_fail(&top, "projection_dim", E_BAD_CHECKPOINT, e,
				   "must be the text's hidden_size, %lld", (long long)c->text.hidden_size);
	return 0;
}

static int
config_read(const json_t *json, const struct checkpoint *ck, const struct model_spelling *as, void *config,
	    struct err *e)
{
	struct paligemma_config *c = config;
	int r = backbone_read(json, c, e);

	(void)as;
	return r < 0 ? err_context(e, "config.json") : blk_projection_rows(ck, &c->embedding_dim, e);
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

static struct shape
pixels_shape(const void *config)
{
	const struct paligemma_config *c = config;

	return shape_of(4, sym(SYM_IMAGES), n(c->vision.num_channels), n(c->vision.image_size),
			n(c->vision.image_size));
}

static const struct model_input inputs[] = {
	{"pixel_values", ELEM_F32, pixels_shape},
	{0},
};

/* One graph while it is built. */
struct build {
	const struct paligemma_config *c;
	struct blk_text in;
	struct ir_value *pixels;
	struct ir_value *flag; /* bool [batch, sequence]: the id is the image token's */
	struct ir_value *x;    /* embeddings of the tokens */
};

/* Features of all images: float [images*patches, hidden]. */
static struct ir_value *
vision(struct trace *t, const struct paligemma_config *c, struct ir_value *pixels)
{
	struct ir_value *x;

	x = siglip_build(t, &c->vision, pixels, NULL); /* [images, patches, width] */
	x = blk_linear(t, x, c->text.hidden_size, BLK_BIAS, "proj", "mmproj.linear");
	return tr_reshape(t, x, shape_of(2, dim_mul(axis(x, 0), axis(x, 1)), n(c->text.hidden_size)));
}

/* Every image has as many tokens as patches, so the k-th image token stands for the k-th feature. */
static struct ir_value *
with_images(struct trace *t, const void *arg)
{
	const struct build *b = arg;
	const int64_t patches = b->c->vision.patches;
	struct ir_value *all, *is_image, *index, *place, *features, *pixels = b->pixels;

	tr_scope(t, "images");
	all = tr_size(t, dim_mul(sym(SYM_IMAGES), n(patches)));
	is_image = guard_image_tokens(t, b->flag, b->in.unmasked, all, &pixels);
	index = blk_running(t, is_image); /* [batch*sequence] */
	place = tr_mod(t, index, tr_i64(t, patches));
	index = guard_rows(t, index, is_image, place);
	features = vision(t, b->c, pixels);
	tr_scope(t, "merge");
	return tr_name(t, blk_scatter(t, b->x, is_image, features, index), "out");
}

static struct ir_value *
without_images(struct trace *t, const void *arg)
{
	const struct build *b = arg;

	(void)t;
	return b->x;
}

/* Embeddings of the tokens, scaled: float [batch, sequence, hidden]. `any` is set in the unified graph. */
static struct ir_value *
embed(struct trace *t, struct build *b, enum variant v, struct ir_value **any)
{
	const struct paligemma_text *c = &b->c->text;
	struct ir_value *table, *words, *seen;

	if (v != VARIANT_TEXT)
		b->flag = tr_equal(t, b->in.ids, tr_i64(t, b->c->image_token_id));
	if (v == VARIANT_UNIFIED) {
		seen = tr_and(t, b->flag, b->in.unmasked);
		*any = tr_name(t, tr_any(t, seen), "any_image");
	}
	tr_scope(t, "lm");
	words = guard_words(t, b->in.ids, b->in.unmasked, b->flag, c->vocab_size);
	table = tr_weight(t, shape_of(2, n(c->vocab_size), n(c->hidden_size)), "lm.embed_tokens.weight");
	table = tr_gather(t, table, words);
	return tr_name(t, tr_mul(t, table, tr_f32(t, sqrt((double)c->hidden_size))), "embed");
}

/* Positions from 1 on, padding counted: angles float [sequence, head_dim]. */
static struct ir_value *
angles_build(struct trace *t, const struct paligemma_text *c)
{
	struct ir_value *x, *inv;

	tr_scope(t, "rope");
	inv = blk_inv_freq(t, "rope.inv_freq", c->rope_theta, c->head_dim, 0, c->head_dim / 2);
	x = tr_iota(t, sym(SYM_SEQUENCE));
	x = tr_add(t, x, tr_i64(t, 1));
	x = blk_angles(t, x, inv);
	return tr_concat(t, 1, 2, x, x);
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
				  .norm = DECODER_NORM_ONE_PLUS,
				  .act = DECODER_GELU_TANH};
	struct build b = {.c = c, .in = blk_text_inputs(t)};
	struct decoder_attention attention;
	struct ir_value *angles, *any = NULL;

	if (v != VARIANT_TEXT)
		b.pixels = model_input_trace(t, &inputs[0], c);
	b.x = embed(t, &b, v, &any);
	if (v == VARIANT_IMAGE)
		b.x = with_images(t, &b);
	if (v == VARIANT_UNIFIED)
		b.x = tr_if(t, any, with_images, without_images, &b);
	angles = angles_build(t, &c->text);
	attention.cos = tr_name(t, tr_cos(t, angles), "cos");
	attention.sin = tr_name(t, tr_sin(t, angles), "sin");
	tr_scope(t, "lm");
	attention.bias = tr_attention_bias(t, b.in.unmasked, o->mask_causal ? IR_MASK_CAUSAL : IR_MASK_FULL);
	attention.bias = tr_name(t, attention.bias, "bias");
	b.x = decoder_build(t, &d, b.x, &attention); /* [batch, sequence, hidden] */
	return blk_head(t, b.x, &b.in, c->embedding_dim);
}

static struct model_tokens
tokens(const void *config)
{
	const struct paligemma_config *c = config;

	return (struct model_tokens){
		.vocab = c->text.vocab_size,
		.image = c->image_token_id,
		.image_begin = -1,
		.image_end = -1,
		.video = -1,
		.pad = 0,
	};
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
case_make(const void *config, const struct plan *plan, uint64_t seed, struct feeds *ret, struct err *e)
{
	const struct sizes s = {.of = {[SYM_IMAGES] = plan_image_count(plan)}};
	struct rng rng = {seed};
	struct feed *pixels;
	int r;

	r = case_text_make(&model_colpali, config, plan, &rng, ret, e);
	if (r < 0 || !plan_has_images(plan))
		return r;
	pixels = model_input_feed(ret, &inputs[0], config, &s);
	if (!pixels)
		return err_no_memory(e);
	case_fill_normal(&rng, pixels->data, feed_count(pixels));
	return 0;
}

/* Backbones too: their checkpoints are the bases of adapters that bring the projection. */
static const char *const classes[] = {"ColPaliForRetrieval", "ColPali", "PaliGemmaForConditionalGeneration",
				      "PaliGemmaModel", NULL};

static const struct model_spelling spellings[] = {
	{"colpali", "paligemma", NULL, LIBRARY_TRANSFORMERS, HEAD_MULTI_VECTOR, 0},
	{"paligemma", NULL, NULL, LIBRARY_ENGINE, HEAD_MULTI_VECTOR, 0},
	{0},
};

static const struct model_prompt prompts[] = {
	{LIBRARY_TRANSFORMERS, "all", "<bos>Question: ", "<pad>", 10, "\n",
	 "{image}<bos>Describe the image.\n"},
	{LIBRARY_ENGINE, "0.3.11 and newer", "<bos>", "<pad>", 10, "",
	 "{image}<bos><bos>Describe the image.\n"},
	{LIBRARY_ENGINE, "0.3.4 to 0.3.10", "<bos>Query: ", "<pad>", 10, "\n",
	 "{image}<bos><bos>Describe the image.\n"},
	{LIBRARY_ENGINE, "0.3.1 to 0.3.3", "<bos>Question: ", "<pad>", 10, "\n",
	 "{image}<bos>Describe the image.\n"},
	{0},
};

const struct model model_colpali = {
	.arch = &architectures[ARCHITECTURE_colpali],
	.spellings = spellings,
	.classes = classes,
	.image_inputs = inputs,
	.prompts = prompts,
	.plans = PLAN_TEXT | PLAN_IMAGE,
	.config_size = sizeof(struct paligemma_config),
	.config_read = config_read,
	.tokens = tokens,
	.image_tokens = image_tokens,
	.trace_sizes = trace_sizes,
	.build = build,
	.case_make = case_make,
};
