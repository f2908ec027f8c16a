/*
 * ColQwen3: late interaction on top of Qwen3-VL. Four published classes give a vector for each token. They
 * differ in what they do with the last states:
 *
 *	ColQwen3 (colpali-engine, and TomoroAI's own)   project
 *	OpsColQwen3Model (OpenSearch-AI)                project to the same width, keep the first `dims` numbers
 *	Qwen3VLNemotronEmbedModel (NVIDIA)              use the states unchanged; tokens also see later tokens
 *
 * BiQwen3 has no projection either, and gives the last token's vector for each row.
 */
#include "base/str.h"
#include "checkpoint/config_scope.h"
#include "qwen2vl.h"
#include "qwen_retriever.h"
#include "width.h"

/*
 * TomoroAI's config states the width, as `embed_dim`. The library sauerkrautlm-colpali writes the same model_type, or none,
 * over the names of colpali-engine, and states no width: the names of the tensors say which it is, and both compute the same.
 */
static int
tomoro_read(const struct model_found *as, const json_t *json, const struct checkpoint *ck,
	    struct qwen2vl_config *c, struct err *e)
{
	int64_t stated = 0;
	int r;

	r = json_get_int(json, "", "embed_dim", JSON_OPTIONAL, 1, 65536, E_BAD_CHECKPOINT, &stated, e);
	if (r < 0)
		return err_context(e, "config.json");
	if (!ck)
		c->head.dim = stated;
	r = qwen_head_read(as, ck, c, e);
	if (r == 0 && stated && stated != c->head.dim)
		return err_set(e, E_BAD_CHECKPOINT,
			       "config.json: embed_dim is %lld but the projection has %lld rows",
			       (long long)stated, (long long)c->head.dim);
	return r;
}

/* The projection is square; `dims` is the number of outputs to keep. */
static int
ops_read(const struct model_found *as, const json_t *json, const struct checkpoint *ck,
	 struct qwen2vl_config *c, struct err *e)
{
	int64_t dims;
	int r;

	c->head.dim = c->text.hidden_size;
	r = qwen_head_read(as, ck, c, e);
	if (r < 0)
		return r;
	dims = c->projection;
	r = json_get_int(json, "", "dims", JSON_OPTIONAL, 1, c->projection, E_BAD_CHECKPOINT, &dims, e);
	if (r < 0)
		return err_context(e, "config.json");
	c->head.dim = dims;
	return 0;
}

/* The pooling "colbert" keeps a vector for each token. */
static int
nemotron_read(const json_t *json, struct qwen2vl_config *c, struct err *e)
{
	struct config_scope top = {.obj = json};
	int r = config_only(&top, "pooling", "colbert", "colbert", e);

	c->head.head = HEAD_MULTI_VECTOR;
	c->head.floor = BLK_FLOOR;
	c->projection = 0;
	c->head.dim = c->text.hidden_size;
	c->sees_all = true;
	return r < 0 ? err_context(e, "config.json") : 0;
}

/* Only OpenSearch-AI's embeddings may be cut, and to any width. */
static int
dim_choose(const struct model_found *as, struct qwen2vl_config *c, struct err *e)
{
	const struct widths w = {.any = as->spelling->type && str_eq(as->spelling->type, "ops_colqwen3")};

	return width_choose(as, &w, c->projection ? c->projection : c->text.hidden_size, &c->head.dim, e);
}

static int
head_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as,
	  struct qwen2vl_config *config, struct err *e)
{
	if (!as->spelling->type || str_eq(as->spelling->type, "colqwen3"))
		return tomoro_read(as, json, ck, config, e);
	if (str_eq(as->spelling->type, "ops_colqwen3"))
		return ops_read(as, json, ck, config, e);
	if (str_eq(as->spelling->type, "qwen3_vl_nemotron_embed"))
		return nemotron_read(json, config, e);
	return qwen_head_read(as, ck, config, e);
}

static int
config_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as, void *config,
	    struct err *e)
{
	int r = qwen2vl_config_read(json, QWEN3_VL, config, e);

	if (r == 0)
		r = head_read(json, ck, as, config, e);
	return r < 0 ? r : dim_choose(as, config, e);
}

static const struct model_spelling spellings[] = {
	{"qwen3_vl", NULL, "Qwen3VLModel"},
	{"colqwen3", NULL, "ColQwen3"},
	{NULL, NULL, "ColQwen3"},
	{"ops_colqwen3", NULL, "OpsColQwen3Model"},
	{"qwen3_vl_nemotron_embed", NULL, "Qwen3VLNemotronEmbedModel"},
	{0},
};

static const struct model_prompt prompts[] = {
	{LIBRARY_ENGINE, "0.3.13 and newer", "", "<|endoftext|>", 10, "", QWEN_DOCUMENT},
	{LIBRARY_SAUERKRAUT, "all", "Query: ", "<|endoftext|>", 10, "", QWEN_DOCUMENT},
	{LIBRARY_OPENSEARCH, "all", "", "", 0, "",
	 "<|im_start|>user\n<|vision_start|>{image}<|vision_end|>Describe the image."
	 "<|im_end|><|im_start|>assistant\n<|endoftext|>"},
	/* NVIDIA's prompts come from the repository's own chat template, which colconv does not read. So
	 * there is no row, and no page graph. */
	{0},
};

const struct model model_colqwen3 = {
	MODEL_OF_FAMILY(colqwen3),
	QWEN_RETRIEVER,
	.cuts = true,
};
