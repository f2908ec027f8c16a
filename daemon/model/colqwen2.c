/*
 * ColQwen2: Qwen2-VL with a projection of every token's last state to a short unit vector.
 */
#include "caseinput.h"
#include "decoder.h"
#include "guards.h"
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
	struct qwen2vl_fed image;
	struct ir_value *flag; /* bool [batch, sequence]: the id is the image token's */
	struct ir_value *x;    /* embeddings of the tokens */
};

static struct ir_value *
with_images(struct trace *t, const void *arg)
{
	const struct build *b = arg;
	const struct qwen2vl_images im = qwen2vl_images(t, &b->image, &b->in, b->flag);
	struct ir_value *features;

	features = qwen2vl_vision(t, b->c, &im); /* [images*patches/4, hidden] */
	return qwen2vl_scatter(t, &im, b->x, features);
}

static struct ir_value *
without_images(struct trace *t, const void *arg)
{
	const struct build *b = arg;

	(void)t;
	return b->x;
}

/*
 * Each frequency turns two of a head's numbers, half a head apart. Made in each branch rather than behind it:
 * OpenVINO 2025.4 and 2026.4 read a Concat of a branch's result with itself wrongly.
 */
static struct ir_value *
both_halves(struct trace *t, struct ir_value *angles)
{
	return tr_concat(t, angles->shape.rank - 1, 2, angles, angles); /* [..., head_dim] */
}

static struct ir_value *
image_angles(struct trace *t, const void *arg)
{
	const struct build *b = arg;
	const struct qwen2vl_images im = qwen2vl_images(t, &b->image, &b->in, b->flag);
	struct ir_value *angles;

	angles = qwen2vl_mrope(t, b->c, &im, &b->in); /* [batch, sequence, head_dim/2] */
	return both_halves(t, angles);
}

static struct ir_value *
rope_table(struct trace *t, const struct qwen2vl_config *c)
{
	return blk_inv_freq(t, "rope.inv_freq", c->text.rope_theta, c->text.head_dim, 0,
			    c->text.head_dim / 2);
}

/* Positions 0, 1, ... whatever the tokens: float [sequence, head_dim]. */
static struct ir_value *
arange_angles(struct trace *t, const struct qwen2vl_config *c)
{
	struct ir_value *angles, *table;

	tr_scope(t, "rope");
	table = rope_table(t, c);
	angles = tr_iota(t, sym(SYM_SEQUENCE));
	angles = blk_angles(t, angles, table);
	return both_halves(t, angles);
}

/* The trained positions of a text without images: the number of the token among the unmasked ones. */
static struct ir_value *
text_angles(struct trace *t, const void *arg)
{
	const struct build *b = arg;
	struct ir_value *angles, *table;

	tr_scope(t, "rope");
	table = rope_table(t, b->c);
	angles = tr_cast(t, b->in.unmasked, ELEM_I64);
	angles = tr_cumsum(t, angles, 1);
	angles = tr_sub(t, angles, tr_i64(t, 1));
	angles = blk_angles(t, angles, table); /* [batch, sequence, head_dim/2] */
	return both_halves(t, angles);
}

/* Rotary angles of all tokens: float [sequence, head_dim], or [batch, 1, sequence, head_dim], the same for all heads. */
static struct ir_value *
angles_build(struct trace *t, const struct build *b, enum variant v, const struct model_options *o,
	     struct ir_value *any_image)
{
	struct ir_value *angles;

	if (v == VARIANT_TEXT || o->positions_arange)
		return arange_angles(t, b->c);
	tr_scope(t, "mrope");
	angles = v == VARIANT_IMAGE ? image_angles(t, b) : tr_if(t, any_image, image_angles, text_angles, b);
	return blk_unsqueeze(t, angles, 1);
}

/* Embeddings of the tokens: float [batch, sequence, hidden]. `any` is set in the unified graph. */
static struct ir_value *
embed(struct trace *t, struct build *b, enum variant v, struct ir_value **any)
{
	const struct qwen2vl_text *c = &b->c->text;
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
	return tr_name(t, tr_gather(t, table, words), "embed");
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
	struct ir_value *angles, *any = NULL;

	if (v != VARIANT_TEXT)
		b.image = qwen2vl_image_inputs(t, c);
	tr_scope(t, "%s", "");
	b.x = embed(t, &b, v, &any);
	angles = angles_build(t, &b, v, o, any);
	tr_scope(t, "rope");
	attention.cos = tr_name(t, tr_cos(t, angles), "cos");
	attention.sin = tr_name(t, tr_sin(t, angles), "sin");
	if (v == VARIANT_IMAGE)
		b.x = with_images(t, &b);
	if (v == VARIANT_UNIFIED)
		b.x = tr_if(t, any, with_images, without_images, &b);
	tr_scope(t, "lm");
	attention.bias = tr_name(t, tr_attention_bias(t, b.in.unmasked, IR_MASK_CAUSAL), "bias");
	b.x = decoder_build(t, &d, b.x, &attention); /* [batch, sequence, hidden] */
	return blk_head(t, b.x, &b.in, c->embedding_dim);
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
	{"colqwen2", "qwen2_vl", NULL, LIBRARY_TRANSFORMERS, HEAD_MULTI_VECTOR, 0},
	{"qwen2_vl", NULL, NULL, LIBRARY_ENGINE, HEAD_MULTI_VECTOR, 0},
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
	.picture = PREPARE_PATCHES,
	.plans = PLAN_TEXT | PLAN_IMAGE | PLAN_SIZES,
	.config_size = sizeof(struct qwen2vl_config),
	.config_read = config_read,
	.tokens = qwen2vl_tokens,
	.image_tokens = qwen2vl_image_tokens,
	.trace_sizes = trace_sizes,
	.build = build,
	.case_make = case_make,
};
