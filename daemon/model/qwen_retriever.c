#include "qwen_retriever.h"

#include "caseinput.h"
#include "decoder.h"
#include "delta_layer.h"
#include "guards.h"
#include "qwen_tower.h"

int
qwen_head_read(const struct model_found *as, const struct checkpoint *ck, struct qwen2vl_config *c,
	       struct err *e)
{
	int r = pooling_head_read(as, ck, &c->head, e);

	c->projection = c->head.dim;
	return r;
}

struct sizes
qwen_trace_sizes(const void *config)
{
	struct sizes s;

	(void)config;
	s.of[SYM_BATCH] = 2;
	s.of[SYM_SEQUENCE] = 7;
	s.of[SYM_IMAGES] = 3;
	s.of[SYM_PATCHES] = 20;
	return s;
}

/* A graph while it is built. */
struct build {
	const struct qwen2vl_config *c;
	struct blk_text in;
	struct qwen2vl_fed image;
	struct ir_value *flag; /* bool [batch, sequence]: the id is the image token's */
	struct tasks *tasks;   /* NULL: none */
	struct ir_value *x;    /* embeddings of the tokens */
	struct ir_value *deep
		[QWEN3VL_DEEP_MAX]; /* [j] is added after decoder layer j; float [batch, sequence, hidden] */
	int n_deep;
};

/*
 * The embeddings with the image features in them and, joined on the last axis, the values that are added
 * after the first layers, because a branch has only one result. These values are 0 except at image tokens.
 */
static struct ir_value *
with_images(struct trace *t, const void *arg)
{
	const struct build *b = arg;
	const struct qwen2vl_images im = qwen2vl_images(t, &b->image, &b->in, b->flag);
	const struct qwen_features f = qwen_vision(t, b->c, &im);
	struct ir_value *index, *x, *none, *deep;
	int j;

	index = qwen2vl_index(t, &im);
	x = tr_name(t, blk_scatter(t, b->x, im.is_image, f.merged, index), "out");
	if (f.n_deep == 0)
		return x;
	none = tr_mul(t, b->x, tr_f32(t, 0));
	for (j = 0; j < f.n_deep; j++) {
		deep = blk_scatter(t, none, im.is_image, f.deep[j], index);
		x = tr_concat(t, 2, 2, x, deep); /* [batch, sequence, (2+j)*hidden] */
	}
	return x;
}

static struct ir_value *
without_images(struct trace *t, const void *arg)
{
	const struct build *b = arg;
	struct ir_value *x = b->x, *none;
	int j;

	if (b->c->vision.n_deep == 0)
		return x;
	none = tr_mul(t, x, tr_f32(t, 0));
	for (j = 0; j < b->c->vision.n_deep; j++)
		x = tr_concat(t, 2, 2, x, none);
	return x;
}

/* Splits the values that a branch joined. */
static void
deep_split(struct trace *t, struct build *b, struct ir_value *x)
{
	const int64_t hidden = b->c->text.hidden_size;
	int j;

	b->x = x;
	if (b->c->vision.n_deep == 0)
		return;
	tr_scope(t, "deep");
	b->x = tr_slice(t, x, 2, 0, hidden);
	for (j = 0; j < b->c->vision.n_deep; j++)
		b->deep[b->n_deep++] = tr_slice(t, x, 2, (j + 1) * hidden, (j + 2) * hidden);
}

static struct ir_value *
deep_add(struct trace *t, struct ir_value *x, int il, const void *arg)
{
	const struct build *b = arg;

	return il < b->n_deep ? tr_name(t, tr_add(t, x, b->deep[il]), "deep") : x;
}

static struct ir_value *
image_angles(struct trace *t, const void *arg)
{
	const struct build *b = arg;
	const struct qwen2vl_images im = qwen2vl_images(t, &b->image, &b->in, b->flag);

	return qwen2vl_mrope(t, b->c, &im, &b->in); /* [batch, sequence, rotary_dim/2] */
}

static struct ir_value *
rope_table(struct trace *t, const struct qwen2vl_config *c)
{
	return blk_inv_freq(t, "rope.inv_freq", c->text.rope_theta, c->text.rotary_dim, 0,
			    c->text.rotary_dim / 2);
}

/* Positions 0, 1, ... for all kinds of tokens: float [sequence, rotary_dim/2]. */
static struct ir_value *
arange_angles(struct trace *t, const struct qwen2vl_config *c)
{
	struct ir_value *angles, *table;

	tr_scope(t, "rope");
	table = rope_table(t, c);
	angles = tr_iota(t, sym(SYM_SEQUENCE));
	return blk_angles(t, angles, table);
}

/* The trained positions of a text without images: the number of the token among the unmasked tokens. */
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
	return blk_angles(t, angles, table); /* [batch, sequence, rotary_dim/2] */
}

/* Rotary angles of all tokens: float [sequence, 1, rotary_dim/2], or [batch, sequence, 1, rotary_dim/2], the same for all heads. */
static struct ir_value *
angles_build(struct trace *t, const struct build *b, enum variant v, const struct model_options *o,
	     struct ir_value *any_image)
{
	struct ir_value *angles;

	if (v == VARIANT_TEXT || o->positions_arange) {
		angles = arange_angles(t, b->c);
		return blk_unsqueeze(t, angles, 1);
	}
	tr_scope(t, "mrope");
	angles = v == VARIANT_IMAGE ? image_angles(t, b) : tr_if(t, any_image, image_angles, text_angles, b);
	return blk_unsqueeze(t, angles, 2);
}

/*
 * The words of a model that also listens. The call fails when a token stands for a sound or a video: no input of the
 * graph has these.
 */
static struct ir_value *
without_sound(struct trace *t, const struct build *b, struct ir_value *words)
{
	struct ir_value *sound, *video;

	sound = tr_equal(t, words, tr_i64(t, b->c->audio_token_id));
	video = tr_equal(t, words, tr_i64(t, b->c->video_token_id));
	sound = tr_or(t, sound, video); /* [batch, sequence] */
	return tr_name(t, tr_check(t, words, sound), "audio_and_video_tokens_are_not_supported");
}

/* The embeddings of the tokens: float [batch, sequence, hidden]. `any` is set in the unified graph. */
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
	if (b->c->audio_token_id >= 0)
		words = without_sound(t, b, words);
	table = tr_weight(t, shape_of(2, n(c->vocab_size), n(c->hidden_size)), "lm.embed_tokens.weight");
	return tr_name(t, tr_gather(t, table, words), "embed");
}

/*
 * Makes a vector for each row or each token: projected if there is a projection, shortened if the model does
 * so.
 */
static struct ir_value *
head(struct trace *t, const struct build *b)
{
	const struct qwen2vl_config *c = b->c;
	struct ir_value *z = b->x;

	if (c->head.head != HEAD_MULTI_VECTOR)
		return pooling_head_build(t, &c->head, z, &b->in);
	if (c->beside.head != HEAD_MULTI_VECTOR)
		tr_output(t, pooling_head_build(t, &c->beside, z, &b->in), head_output(c->beside.head));
	tr_scope(t, "head");
	if (c->projection)
		z = tasks_linear(t, b->tasks, z, c->projection,
				 c->projection_no_bias ? BLK_NO_BIAS : BLK_BIAS, "proj",
				 "proj"); /* [batch, sequence, projection] */
	if (c->projection > c->head.dim)
		z = tr_slice(t, z, 2, 0, c->head.dim);
	return blk_unit(t, z, &b->in, c->head.floor);
}

static enum ir_mask
mask_see(const struct qwen2vl_config *c, const struct model_options *o)
{
	const bool all = o->mask == MODEL_MASK_TRAINED ? c->sees_all : o->mask == MODEL_MASK_BIDIRECTIONAL;

	return all ? IR_MASK_FULL : IR_MASK_CAUSAL;
}

struct ir_value *
qwen_build(struct trace *t, const void *config, enum variant v, const struct model_options *o)
{
	const struct qwen2vl_config *c = config;
	struct build b = {.c = c, .in = blk_text_inputs(t)};
	const bool linear = c->generation == QWEN3_5;
	struct tasks tasks;
	const struct delta_layer delta = {.c = &c->text.linear,
					  .hidden = c->text.hidden_size,
					  .eps = c->text.rms_norm_eps,
					  .unmasked = b.in.unmasked};
	const struct decoder d = {.hidden = c->text.hidden_size,
				  .layers = c->text.num_hidden_layers,
				  .heads = c->text.num_attention_heads,
				  .kv_heads = c->text.num_key_value_heads,
				  .head_dim = c->text.head_dim,
				  .ff = c->text.intermediate_size,
				  .eps = c->text.rms_norm_eps,
				  .act = DECODER_SILU,
				  .qkv_bias = c->text.qkv_bias ? BLK_BIAS : BLK_NO_BIAS,
				  .o_bias = c->text.o_bias ? BLK_BIAS : BLK_NO_BIAS,
				  .qk_norm = c->text.qk_norm,
				  .norm = linear ? DECODER_NORM_ONE_PLUS : DECODER_NORM,
				  .gated = linear,
				  .mixes = linear ? c->text.linear.layer : NULL,
				  .mixer = delta_layer_mix,
				  .mixer_arg = &delta,
				  .tasks = c->tasks ? &tasks : NULL,
				  .after = deep_add,
				  .after_arg = &b};
	struct decoder_attention attention = {NULL};
	struct ir_value *angles, *x, *any = NULL;

	if (v != VARIANT_TEXT)
		b.image = qwen2vl_image_inputs(t, c);
	if (c->tasks) {
		tasks_begin(t, c->tasks, &tasks);
		b.tasks = &tasks;
	}
	tr_scope(t, "%s", "");
	b.x = embed(t, &b, v, &any);
	angles = angles_build(t, &b, v, o, any);
	tr_scope(t, "rope");
	attention.cos = tr_name(t, tr_cos(t, angles), "cos");
	attention.sin = tr_name(t, tr_sin(t, angles), "sin");
	if (v != VARIANT_TEXT) {
		x = v == VARIANT_IMAGE ? with_images(t, &b) : tr_if(t, any, with_images, without_images, &b);
		deep_split(t, &b, x);
	}
	attention.mask = b.in.unmasked;
	attention.see = mask_see(c, o);
	skip_words_output(t, &c->skip, &b.in);
	b.x = decoder_build(t, &d, b.x, &attention); /* [batch, sequence, hidden] */
	return head(t, &b);
}

int
qwen_case_make(const struct model *m, const void *config, const struct plan *plan, uint64_t seed,
	       struct feeds *ret, struct err *e)
{
	struct rng rng = {seed};
	int r;

	r = case_text_make(m, config, plan, &rng, ret, e);
	if (r == 0 && plan_has_images(plan))
		r = qwen2vl_images_make(config, plan, &rng, ret, e);
	return r;
}
