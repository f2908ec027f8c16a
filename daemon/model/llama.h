/*
 * What the families with a Llama decoder share: the keys of its config and the table of words.
 */
#ifndef MODEL_LLAMA_H
#define MODEL_LLAMA_H

#include "decoder.h"
#include "rope.h"

struct llama_text {
	int64_t hidden_size;
	int64_t num_hidden_layers;
	int64_t num_attention_heads;
	int64_t num_key_value_heads;
	int64_t head_dim; /* even; heads * head_dim need not be hidden_size */
	int64_t intermediate_size;
	int64_t vocab_size;
	double rms_norm_eps;
	bool biased;        /* q, k, v and o have biases */
	bool may_be_biased; /* for the family to set: attention_bias is not refused */
	struct rope rope;   /* the family reads it */
};

/*
 * Reads `text_config`, whose model_type must be `type`. On entry *t holds the values of missing keys; 0: the key is
 * required, but that num_key_value_heads is then num_attention_heads, and head_dim hidden_size / num_attention_heads.
 * E_BAD_CHECKPOINT or E_UNSUPPORTED_MODEL names the key.
 */
int llama_text_read(const struct config_scope *s, const char *type, struct llama_text *t, struct err *e);

/* The facts that follow from it. */
struct decoder llama_decoder(const struct llama_text *c);

/* The rows of the table of words: float [batch, sequence, hidden]. */
struct ir_value *llama_embed(struct trace *t, const struct llama_text *c, struct ir_value *words);

#endif
