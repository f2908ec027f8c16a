/*
 * The ModernBERT encoder: tokens see each other in both directions; in most layers only nearby tokens.
 * Positions are rotary, with a different theta for the layers that see all tokens.
 */
#ifndef MODEL_MODERNBERT_H
#define MODEL_MODERNBERT_H

#include "blocks.h"
#include "checkpoint/config_scope.h"

#define MODERNBERT_LAYERS_MAX 1000

enum modernbert_kind { MODERNBERT_FULL, MODERNBERT_LOCAL, MODERNBERT_KINDS };

struct modernbert_config {
	int64_t hidden_size;
	int64_t num_hidden_layers;
	int64_t num_attention_heads;
	int64_t head_dim; /* hidden_size / num_attention_heads; even */
	int64_t intermediate_size;
	int64_t vocab_size;
	int64_t reach; /* local layers see this many tokens on each side */
	double norm_eps;
	double theta[MODERNBERT_KINDS];
	enum modernbert_kind kind[MODERNBERT_LAYERS_MAX]; /* by layer */
};

/* From `text_config`. E_BAD_CHECKPOINT or E_UNSUPPORTED_MODEL names the key. */
int modernbert_config_read(const struct config_scope *s, struct modernbert_config *c, struct err *e);

/* Takes the embeddings x [batch, sequence, hidden]; returns the last states, after the last norm. */
struct ir_value *modernbert_build(struct trace *t, const struct modernbert_config *c, struct ir_value *x,
				  const struct blk_text *in);

#endif
