#include "gemma.h"

#include <math.h>

#include "caseinput.h"
#include "guards.h"

#define FIELD(field) offsetof(struct gemma_text, field)

static const struct config_int rows[] = {
	{"hidden_size", 1, 65536, CONFIG_REQUIRED, FIELD(hidden_size)},
	{"num_hidden_layers", 1, GEMMA_LAYERS_MAX, CONFIG_REQUIRED, FIELD(num_hidden_layers)},
	{"num_attention_heads", 1, 1024, CONFIG_REQUIRED, FIELD(num_attention_heads)},
	{"num_key_value_heads", 1, 1024, CONFIG_REQUIRED, FIELD(num_key_value_heads)},
	{"head_dim", 2, 4096, 256, FIELD(head_dim)},
	{"intermediate_size", 1, 1 << 20, CONFIG_REQUIRED, FIELD(intermediate_size)},
	{"vocab_size", 1, 1 << 24, CONFIG_REQUIRED, FIELD(vocab_size)},
};

int
gemma_text_read(const struct config_scope *s, struct gemma_text *t, struct err *e)
{
	bool bias = false;
	int r;

	if ((r = json_get_bool(s->obj, s->path, "attention_bias", JSON_OPTIONAL, E_BAD_CHECKPOINT, &bias,
			       e)) < 0 ||
	    (r = config_ints_over(s, rows, ARRAY_LEN(rows), t, e)) < 0 ||
	    (r = config_double(s, "rms_norm_eps", 1e-6, 1, &t->rms_norm_eps, e)) < 0)
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

static struct shape
pixels_shape(const void *config)
{
	const struct siglip_config *c = &((const struct gemma_config *)config)->vision;

	return shape_of(4, sym(SYM_IMAGES), n(c->num_channels), n(c->image_size), n(c->image_size));
}

const struct model_input gemma_inputs[] = {
	{"pixel_values", ELEM_F32, pixels_shape},
	{0},
};

struct sizes
gemma_trace_sizes(const void *config)
{
	struct sizes s = {{0}};

	(void)config;
	s.of[SYM_BATCH] = 2;
	s.of[SYM_SEQUENCE] = 7;
	s.of[SYM_IMAGES] = 3;
	return s;
}

int64_t
gemma_image_tokens(const void *config, int h, int w)
{
	const struct gemma_config *c = config;

	(void)h;
	(void)w;
	return c->image_tokens;
}

int
gemma_case_make(const struct model *m, const void *config, const struct plan *plan, uint64_t seed,
		struct feeds *ret, struct err *e)
{
	const struct sizes s = {.of = {[SYM_IMAGES] = plan_image_count(plan)}};
	struct rng rng = {seed};
	struct feed *pixels;
	int r;

	r = case_text_make(m, config, plan, &rng, ret, e);
	if (r < 0 || !plan_has_images(plan))
		return r;
	pixels = model_input_feed(ret, &gemma_inputs[0], config, &s);
	if (!pixels)
		return err_no_memory(e);
	case_fill_normal(&rng, pixels->data, feed_count(pixels));
	return 0;
}

/* Every image has the same number of tokens, so the k-th image token belongs to the k-th feature. */
static struct ir_value *
with_images(struct trace *t, const void *arg)
{
	const struct gemma_build *b = arg;
	const int64_t tokens = b->c->image_tokens;
	struct ir_value *all, *is_image, *index, *place, *features, *pixels = b->pixels;

	tr_scope(t, "images");
	all = tr_size(t, dim_mul(sym(SYM_IMAGES), n(tokens)));
	is_image = guard_image_tokens(t, b->flag, b->in.unmasked, all, &pixels);
	index = blk_running(t, is_image); /* [batch*sequence] */
	place = tr_mod(t, index, tr_i64(t, tokens));
	index = guard_rows(t, index, is_image, place);
	features = b->features(t, b->c, pixels);
	tr_scope(t, "merge");
	return tr_name(t, blk_scatter(t, b->x, is_image, features, index), "out");
}

static struct ir_value *
without_images(struct trace *t, const void *arg)
{
	const struct gemma_build *b = arg;

	(void)t;
	return b->x;
}

/* The scaled embeddings of the tokens: float [batch, sequence, hidden]. */
static struct ir_value *
embed(struct trace *t, const struct gemma_build *b)
{
	const struct gemma_text *c = &b->c->text;
	struct ir_value *table, *words;

	tr_scope(t, "lm");
	words = guard_words(t, b->in.ids, b->in.unmasked, b->flag, c->vocab_size);
	table = tr_weight(t, shape_of(2, n(c->vocab_size), n(c->hidden_size)), "lm.embed_tokens.weight");
	table = tr_gather(t, table, words);
	return tr_name(t, tr_mul(t, table, tr_f32(t, sqrt((double)c->hidden_size))), "embed");
}

struct gemma_build
gemma_begin(struct trace *t, const void *config, enum variant v, gemma_features_fn features)
{
	struct gemma_build b = {.c = config, .features = features, .in = blk_text_inputs(t)};
	struct ir_value *any = NULL;

	if (v != VARIANT_TEXT) {
		b.pixels = model_input_trace(t, &gemma_inputs[0], config);
		b.flag = tr_equal(t, b.in.ids, tr_i64(t, b.c->image_token_id));
	}
	if (v == VARIANT_UNIFIED) {
		any = tr_and(t, b.flag, b.in.unmasked);
		any = tr_name(t, tr_any(t, any), "any_image");
	}
	b.x = embed(t, &b);
	if (v == VARIANT_IMAGE)
		b.x = with_images(t, &b);
	if (v == VARIANT_UNIFIED)
		b.x = tr_if(t, any, with_images, without_images, &b);
	return b;
}

struct decoder
gemma_decoder(const struct gemma_text *c)
{
	return (struct decoder){.hidden = c->hidden_size,
				.layers = c->num_hidden_layers,
				.heads = c->num_attention_heads,
				.kv_heads = c->num_key_value_heads,
				.head_dim = c->head_dim,
				.ff = c->intermediate_size,
				.eps = c->rms_norm_eps,
				.norm = DECODER_NORM_ONE_PLUS,
				.act = DECODER_GELU_TANH};
}
