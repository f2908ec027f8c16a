#include "llama.h"

#define TEXT(field) offsetof(struct llama_text, field)

static const struct config_int rows[] = {
	{"hidden_size", 1, 65536, CONFIG_REQUIRED, TEXT(hidden_size)},
	{"num_hidden_layers", 1, 1000, CONFIG_REQUIRED, TEXT(num_hidden_layers)},
	{"num_attention_heads", 1, 1024, CONFIG_REQUIRED, TEXT(num_attention_heads)},
	{"num_key_value_heads", 0, 1024, 0, TEXT(num_key_value_heads)},
	{"head_dim", 0, 4096, 0, TEXT(head_dim)},
	{"intermediate_size", 1, 1 << 20, CONFIG_REQUIRED, TEXT(intermediate_size)},
	{"vocab_size", 1, 1 << 24, CONFIG_REQUIRED, TEXT(vocab_size)},
};

static int
heads_check(const struct config_scope *s, struct llama_text *t, struct err *e)
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

/* Transformers' Llama can have biases, but no published retriever is known to. */
static int
biases_read(const struct config_scope *s, struct llama_text *t, struct err *e)
{
	static const char *const keys[] = {"attention_bias", "mlp_bias"};
	bool bias[ARRAY_LEN(keys)] = {false};
	size_t i;
	int r;

	for (i = 0; i < ARRAY_LEN(keys); i++) {
		r = json_get_bool(s->obj, s->path, keys[i], JSON_OPTIONAL, E_BAD_CHECKPOINT, &bias[i], e);
		if (r < 0)
			return r;
		if (bias[i] && (i > 0 || !t->may_be_biased))
			return config_fail(s, keys[i], E_UNSUPPORTED_MODEL, e, "true is not supported");
	}
	t->biased = bias[0];
	return 0;
}

int
llama_text_read(const struct config_scope *s, const char *type, struct llama_text *t, struct err *e)
{
	const double eps = t->rms_norm_eps;
	int r;

	if ((r = config_only(s, "model_type", type, type, e)) < 0 ||
	    (r = config_only(s, "hidden_act", "silu", "silu", e)) < 0 || (r = biases_read(s, t, e)) < 0 ||
	    (r = config_ints_over(s, rows, ARRAY_LEN(rows), t, e)) < 0 || (r = heads_check(s, t, e)) < 0)
		return r;
	return config_double(s, "rms_norm_eps", eps, 1, &t->rms_norm_eps, e);
}

struct decoder
llama_decoder(const struct llama_text *c)
{
	return (struct decoder){.hidden = c->hidden_size,
				.layers = c->num_hidden_layers,
				.heads = c->num_attention_heads,
				.kv_heads = c->num_key_value_heads,
				.head_dim = c->head_dim,
				.ff = c->intermediate_size,
				.eps = c->rms_norm_eps,
				.qkv_bias = c->biased ? BLK_BIAS : BLK_NO_BIAS,
				.o_bias = c->biased ? BLK_BIAS : BLK_NO_BIAS};
}

struct ir_value *
llama_embed(struct trace *t, const struct llama_text *c, struct ir_value *words)
{
	struct ir_value *table;

	tr_scope(t, "lm");
	table = tr_weight(t, shape_of(2, n(c->vocab_size), n(c->hidden_size)), "lm.embed_tokens.weight");
	return tr_name(t, tr_gather(t, table, words), "embed");
}
