/*
 * The complete retriever on top of a Qwen-VL backbone of any generation: from tokens and images through the
 * decoder to embeddings. A family only reads its config.json and defines the names in its checkpoints.
 */
#ifndef MODEL_QWEN_RETRIEVER_H
#define MODEL_QWEN_RETRIEVER_H

#include "model.h"
#include "qwen2vl_config.h"

/* Reads the head, by the matching row and by the projection, which must or must not exist. */
int qwen_head_read(const struct model_found *as, const struct checkpoint *ck, struct qwen2vl_config *c,
		   struct err *e);

/* For a `struct model`; `config` is a qwen2vl_config. */
struct sizes qwen_trace_sizes(const void *config);
struct ir_value *qwen_build(struct trace *t, const void *config, enum variant v,
			    const struct model_options *o);
int qwen_case_make(const struct model *m, const void *config, const struct plan *plan, uint64_t seed,
		   struct feeds *ret, struct err *e);

/* What these families have alike, for the row of one. */
/* clang-format off */
#define QWEN_RETRIEVER                                                                                       \
	.image_inputs = qwen2vl_inputs, .picture = PREPARE_PATCHES, .plans = PLAN_TEXT | PLAN_IMAGE | PLAN_SIZES, \
	.masks = MODEL_MASKS, .config_size = sizeof(struct qwen2vl_config), .tokens = qwen2vl_tokens, .image_tokens = qwen2vl_image_tokens, \
	.trace_sizes = qwen_trace_sizes, .build = qwen_build, .case_make = qwen_case_make
/* clang-format on */

/* The text that the processors of ColQwen2 and its successors put around the image of a page. */
#define QWEN_DOCUMENT                                                                \
	"<|im_start|>user\n<|vision_start|>{image}<|vision_end|>Describe the image." \
	"<|im_end|><|endoftext|>"

#endif
