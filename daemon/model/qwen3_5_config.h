/* Reads what the text of Qwen3.5 has beside that of the earlier generations (qwen2vl_config.h). */
#ifndef MODEL_QWEN3_5_CONFIG_H
#define MODEL_QWEN3_5_CONFIG_H

#include "checkpoint/config_scope.h"
#include "qwen2vl_config.h"

/*
 * The kinds of the layers, the sizes of linear attention and the rotated part of a head. The sizes of t
 * that all generations have were read before.
 */
int qwen3_5_text_read(const struct config_scope *s, const struct config_scope *rope, struct qwen2vl_text *t,
		      struct err *e);

#endif
