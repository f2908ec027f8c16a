/*
 * ColQwen2.5-Omni: ColQwen2.5 over the thinker of Qwen2.5-Omni, a model that also listens and speaks. Only pages and texts are
 * converted. The tower that listens and the parts that speak take no part in those, so their weights are left out.
 */
#include "checkpoint/names.h"
#include "qwen2vl.h"
#include "qwen_retriever.h"

static int
config_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as, void *config,
	    struct err *e)
{
	int r = qwen2vl_config_read(json, QWEN2_5_OMNI, config, e);

	return r < 0 ? r : qwen_head_read(as, ck, config, e);
}

static const struct name_rule names[] = {
	{"audio_tower.", NULL},
	{"talker.", NULL},
	{"token2wav.", NULL},
	{0},
};

static const struct model_spelling spellings[] = {
	{"qwen2_5_omni_thinker", NULL, "ColQwen2_5Omni"},
	{"qwen2_5_omni", NULL, "ColQwen2_5Omni"}, /* with the parts that speak */
	{0},
};

#define SYSTEM                                                                                          \
	"<|im_start|>system\nYou are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, " \
	"capable"                                                                                       \
	" of perceiving auditory and visual inputs, as well as generating text and speech.<|im_end|>\n" \
	"<|im_start|>user\n"
#define ANSWER "<|im_end|>\n<|im_start|>assistant\n"

static const struct model_prompt prompts[] = {
	{LIBRARY_ENGINE, "all", SYSTEM "Query: ", "<|endoftext|>", 10, ANSWER,
	 SYSTEM "<|vision_bos|>{image}<|vision_eos|>Describe the content." ANSWER},
	{0},
};

const struct model model_colqwen_omni = {
	MODEL_OF_FAMILY(colqwen_omni),
	QWEN_RETRIEVER,
	.names = names,
};
