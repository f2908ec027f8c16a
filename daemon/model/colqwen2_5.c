/*
 * ColQwen2.5: ColQwen2 on top of Qwen2.5-VL, whose vision tower sees only windows of the image in most of
 * its blocks. BiQwen2.5 has no projection: it gives one vector per row.
 */
#include "qwen2vl.h"
#include "qwen_retriever.h"

static int
config_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as, void *config,
	    struct err *e)
{
	int r = qwen2vl_config_read(json, QWEN2_5_VL, config, e);

	return r < 0 ? r : qwen_head_read(as, ck, config, e);
}

static const struct model_spelling spellings[] = {
	{"colqwen2", "qwen2_5_vl", "ColQwen2ForRetrieval"},
	{"qwen2_5_vl", NULL, "Qwen2_5_VLModel"},
	{0},
};

static const struct model_prompt prompts[] = {
	{LIBRARY_TRANSFORMERS, "5.16 and newer", "Query: ", "<|endoftext|>", 10, "\n", QWEN_DOCUMENT},
	{LIBRARY_TRANSFORMERS, "up to 5.15", "Query: ", "<|endoftext|>", 10, "", QWEN_DOCUMENT},
	{LIBRARY_ENGINE, "0.3.11 and newer", "", "<|endoftext|>", 10, "", QWEN_DOCUMENT},
	{LIBRARY_ENGINE, "up to 0.3.10", "Query: ", "<|endoftext|>", 10, "", QWEN_DOCUMENT},
	{0},
};

const struct model model_colqwen2_5 = {
	MODEL_OF_FAMILY(colqwen2_5),
	QWEN_RETRIEVER,
};
