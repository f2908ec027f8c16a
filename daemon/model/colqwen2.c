/*
 * ColQwen2: Qwen2-VL with a projection of every token's last state to a short unit vector.
 */
#include "caseinput.h"
#include "decoder.h"
#include "qwen2vl.h"

static int
config_read(const json_t *json, const struct checkpoint *ck, const struct model_spelling *as, void *config,
	    struct err *e)
{
	struct qwen2vl_config *c = config;
	int r;

	(void)as;
	r = qwen2vl_config_read(json, c, e);
	return r < 0 ? r : blk_projection_rows(ck, &c->embedding_dim, e);
}

static struct sizes
trace_sizes(const void *config)
{
	struct sizes s;

	(void)config;
	s.of[SYM_BATCH] = 2;
	s.of[SYM_SEQUENCE] = 7;
	s.of[SYM_IMAGES] = 3;
	s.of[SYM_PATCHES] = 20;
	return s;
}

/* One graph while it is built. */
struct build {
	const struct qwen2vl_config *c;
	struct blk_text in;
	struct qwen2vl_images im;
	struct ir_value *is_image; /* bool [batch, sequence] */
	struct ir_value *x;        /* embeddings of the tokens */
};

static struct ir_value *
with_images(struct trace *t, const void *arg)
{
	const struct build *b = arg;

	return qwen2vl_scatter(t, &b->im, b->x, b->is_image, qwen2vl_vision(t, b->c, &b->im));
}

static struct ir_value *
without_images(struct trace *t, const void *arg)
{
	const struct build *b = arg;

	(void)t;
	return b->x;
}

static struct ir_value *
image_angles(struct trace *t, const void *arg)
{
	const struct build *b = arg;

	return qwen2vl_mrope(t, b->c, &b->im, &b->in, b->is_image);
}

static struct ir_value *
rope_table(struct trace *t, const struct qwen2vl_config *c)
{
	return blk_inv_freq(t, "rope.inv_freq", c->text.rope_theta, c->text.head_dim, 0,
			    c->text.head_dim / 2);
}

/* Positions 0, 1, ... whatever the tokens: float [sequence, head_dim/2]. */
static struct ir_value *
arange_angles(struct trace *t, const struct qwen2vl_config *c)
{
	tr_scope(t, "rope");
	return blk_angles(t, tr_iota(t, sym(SYM_SEQUENCE)), rope_table(t, c));
}

/* What the trained positions come to without images: the number of the token among the unmasked ones. */
static struct ir_value *
text_angles(struct trace *t, const void *arg)
{
	const struct build *b = arg;
	struct ir_value *k;

	tr_scope(t, "rope");
	k = tr_cumsum(t, tr_cast(t, b->in.unmasked, ELEM_I64), 1);
	return blk_angles(t, tr_max(t, tr_sub(t, k, tr_i64(t, 1)), tr_i64(t, 0)), rope_table(t, b->c));
}

static struct ir_value *
angles_build(struct trace *t, const struct build *b, enum variant v, const struct model_options *o,
	     struct ir_value *any_image)
{
	if (v == VARIANT_TEXT || o->positions_arange)
		return arange_angles(t, b->c);
	if (v == VARIANT_IMAGE)
		return image_angles(t, b);
	tr_scope(t, "mrope");
	return tr_if(t, any_image, image_angles, text_angles, b);
}

static struct ir_value *
build(struct trace *t, const void *config, enum variant v, const struct model_options *o)
{
	const struct qwen2vl_config *c = config;
	const struct decoder d = {.hidden = c->text.hidden_size,
				  .layers = c->text.num_hidden_layers,
				  .heads = c->text.num_attention_heads,
				  .kv_heads = c->text.num_key_value_heads,
				  .head_dim = c->text.head_dim,
				  .ff = c->text.intermediate_size,
				  .eps = c->text.rms_norm_eps,
				  .act = DECODER_SILU,
				  .qkv_bias = BLK_BIAS};
	struct build b = {.c = c, .in = blk_text_inputs(t)};
	struct decoder_attention attention;
	struct ir_value *table, *angles, *any = NULL, *x;

	table = tr_weight(t, shape_of(2, n(c->text.vocab_size), n(c->text.hidden_size)),
			  "lm.embed_tokens.weight");
	b.x = tr_name(t, tr_gather(t, table, b.in.ids), "lm.embed"); /* [batch, sequence, hidden] */
	if (v != VARIANT_TEXT) {
		b.im = qwen2vl_image_inputs(t, c);
		tr_scope(t, "%s", "");
		b.is_image = tr_name(t, tr_equal(t, b.in.ids, tr_i64(t, c->image_token_id)), "is_image");
	}
	if (v == VARIANT_UNIFIED)
		any = tr_name(t, tr_any(t, b.is_image), "any_image");
	angles = angles_build(t, &b, v, o, any);
	if (v == VARIANT_IMAGE)
		b.x = with_images(t, &b);
	if (v == VARIANT_UNIFIED)
		b.x = tr_if(t, any, with_images, without_images, &b);

	tr_scope(t, "rope");
	angles = tr_concat(t, angles->shape.rank - 1, 2, angles, angles);
	if (angles->shape.rank == 3)
		angles = blk_unsqueeze(t, angles, 1); /* the same for all heads */
	attention.cos = tr_name(t, tr_cos(t, angles), "cos");
	attention.sin = tr_name(t, tr_sin(t, angles), "sin");
	tr_scope(t, "lm");
	attention.bias = tr_name(t, tr_attention_bias(t, b.in.unmasked, IR_MASK_CAUSAL), "bias");
	x = decoder_build(t, &d, b.x, &attention);
	return blk_head(t, x, &b.in, c->embedding_dim);
}

static int
case_make(const void *config, const struct plan *plan, uint64_t seed, struct feeds *ret, struct err *e)
{
	struct rng rng = {seed};
	int r;

	r = case_text_make(&model_colqwen2, config, plan, &rng, ret, e);
	if (r == 0 && plan_has_images(plan))
		r = qwen2vl_images_make(config, plan, &rng, ret, e);
	return r;
}

/* Backbones too: their checkpoints are the bases of adapters that bring the projection. */
static const char *const classes[] = {"ColQwen2ForRetrieval", "ColQwen2", "Qwen2VLForConditionalGeneration",
				      "Qwen2VLModel", NULL};

static const struct model_spelling spellings[] = {
	{"colqwen2", "qwen2_vl", NULL, LIBRARY_TRANSFORMERS, HEAD_MULTI_VECTOR},
	{"qwen2_vl", NULL, NULL, LIBRARY_ENGINE, HEAD_MULTI_VECTOR},
	{0},
};

#define DOCUMENT                                                                     \
	"<|im_start|>user\n<|vision_start|>{image}<|vision_end|>Describe the image." \
	"<|im_end|><|endoftext|>"

static const struct model_prompt prompts[] = {
	{LIBRARY_TRANSFORMERS, "5.16 and newer", "Query: ", "<|endoftext|>", 10, "\n", DOCUMENT},
	{LIBRARY_TRANSFORMERS, "up to 5.15", "Query: ", "<|endoftext|>", 10, "", DOCUMENT},
	{LIBRARY_ENGINE, "0.3.11 and newer", "", "<|endoftext|>", 10, "", DOCUMENT},
	{LIBRARY_ENGINE, "0.3.4 to 0.3.10", "Query: ", "<|endoftext|>", 10, "", DOCUMENT},
	{0},
};

const struct model model_colqwen2 = {
	.arch = &architectures[ARCHITECTURE_colqwen2],
	.spellings = spellings,
	.classes = classes,
	.image_inputs = qwen2vl_inputs,
	.prompts = prompts,
	.plans = PLAN_TEXT | PLAN_IMAGE | PLAN_SIZES,
	.config_size = sizeof(struct qwen2vl_config),
	.config_read = config_read,
	.tokens = qwen2vl_tokens,
	.image_tokens = qwen2vl_image_tokens,
	.trace_sizes = trace_sizes,
	.build = build,
	.case_make = case_make,
};
