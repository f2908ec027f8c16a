#include "gemma.h"

#include <math.h>

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

/* The scaled embeddings of the tokens: float [batch, sequence, hidden]. */
static struct ir_value *
embed(struct trace *t, const struct gemma_text *c, const struct squares_build *b)
{
	struct ir_value *table, *words;

	tr_scope(t, "lm");
	words = squares_words(t, b, c->vocab_size);
	table = tr_weight(t, shape_of(2, n(c->vocab_size), n(c->hidden_size)), "lm.embed_tokens.weight");
	table = tr_gather(t, table, words);
	return tr_name(t, tr_mul(t, table, tr_f32(t, sqrt((double)c->hidden_size))), "embed");
}

struct squares_build
gemma_begin(struct trace *t, const void *config, enum variant v, squares_features_fn features)
{
	const struct gemma_config *c = config;
	struct squares_build b = squares_begin(t, config, v, features);

	b.x = embed(t, &c->text, &b);
	b.x = squares_merge(t, &b, b.x);
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
