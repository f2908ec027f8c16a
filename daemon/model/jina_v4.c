/*
 * jina-embeddings-v4: ColQwen2.5 with a LoRA adapter for each task (checkpoint/adapter.h merges the one that the job
 * asks for) over the decoder and the projection. It has two heads: a vector for each token, and the mean of a row's
 * tokens, which for a page is that of its image alone. Graphs give both, or with the head image-mean the second alone.
 *
 * Two other forms were merged already: `JinaV4MultiVector`, and plain Qwen2.5-VL (the -vllm- repositories), which has
 * no projection and says nothing of itself, so that only a job that asks for its head gets it.
 */
#include "base/str.h"
#include "checkpoint/config_scope.h"
#include "qwen2vl.h"
#include "qwen_retriever.h"
#include "width.h"

/* The released class has adapters, always: without one it gives no embeddings at all. */
static int
task_check(const struct checkpoint *ck, const struct model_found *as, struct err *e)
{
	if (!ck || !str_eq(as->class->name, "JinaEmbeddingsV4Model") || checkpoint_task(ck) ||
	    checkpoint_task_count(ck))
		return 0;
	return err_set(e, E_BAD_REQUEST,
		       "the class JinaEmbeddingsV4Model needs the adapter of a task, and none is used: the "
		       "folder '%s' must have " ADAPTER_TASKS_DIR
		       "/adapter_config.json and " ADAPTER_TASKS_DIR
		       "/adapter_model.safetensors, without --adapter ignore",
		       checkpoint_dir(ck));
}

/* A head of versions before the release, whose class is not known. */
static int
earlier_check(const struct checkpoint *ck, struct err *e)
{
	const struct weight *w = ck ? checkpoint_find(ck, "single_vector_projector.weight") : NULL;

	return w ? err_set(e, E_UNSUPPORTED_MODEL,
			   "'%s' in '%s' is of a version before the release of jina-embeddings-v4, which is "
			   "not supported: take a revision without it",
			   w->tensor->name, st_path(w->file))
		 : 0;
}

static int
multi_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as,
	   struct qwen2vl_config *c, struct err *e)
{
	int64_t stated = 0;
	int r;

	r = json_get_int(json, "", "multi_vector_projector_dim", JSON_OPTIONAL, 1, 65536, E_BAD_CHECKPOINT,
			 &stated, e);
	if (r < 0)
		return err_context(e, "config.json");
	if (!ck && stated)
		c->head.dim = stated;
	r = qwen_head_read(as, ck, c, e);
	if (r == 0 && stated && stated != c->head.dim)
		return err_set(
			e, E_BAD_CHECKPOINT,
			"config.json: multi_vector_projector_dim is %lld but the projection has %lld rows",
			(long long)stated, (long long)c->head.dim);
	return r;
}

/*
 * The width of a row's vector; the vectors of tokens are never cut. Of the class, config.json lists the widths. The forms
 * that were merged have lost the list, and nothing refuses a width there.
 */
static int
cut_read(const json_t *json, const struct model_found *as, struct qwen2vl_config *c, struct err *e)
{
	const struct config_scope top = {.obj = json};
	const int64_t whole = c->text.hidden_size;
	struct widths w = {.any = false};
	int64_t usual = 0;
	int r;

	if ((r = widths_read(&top, "matryoshka_dims", whole, &w, e)) < 0 ||
	    (r = json_get_int(json, "", "truncate_dim", JSON_OPTIONAL, 0, 65536, E_BAD_CHECKPOINT, &usual,
			      e)) < 0)
		return err_context(e, "config.json");
	w.any = !w.n && !str_eq(as->class->name, "JinaEmbeddingsV4Model");
	if (!as->dim && usual < whole && width_allowed(&w, usual, whole))
		c->encode_dim = usual;
	return width_choose(as, &w, whole, &c->beside.cut, e);
}

static void
advise(const void *config, struct buf *ret)
{
	const struct qwen2vl_config *c = config;

	if (c->encode_dim)
		buf_printf(ret,
			   "the graphs give all %lld numbers of a row's vector, as the class does. Its "
			   "encode_text() and encode_image() then cut it to the truncate_dim of config.json: "
			   "--dim %lld gives the same",
			   (long long)c->text.hidden_size, (long long)c->encode_dim);
}

static int
config_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as, void *config,
	    struct err *e)
{
	struct qwen2vl_config *c = config;
	int r = qwen2vl_config_read(json, QWEN2_5_VL, c, e);

	if (r == 0)
		r = earlier_check(ck, e);
	if (r == 0)
		r = task_check(ck, as, e);
	if (r < 0)
		return r;
	c->tasks = ck ? (int64_t)checkpoint_task_count(ck) : 0;
	c->beside = (struct pooling_head){.head = HEAD_IMAGE_MEAN,
					  .begin_id = c->vision_start_token_id,
					  .end_id = c->vision_end_token_id,
					  .floor = BLK_FLOOR};
	r = cut_read(json, as, c, e);
	if (r < 0)
		return r;
	c->head.floor = BLK_FLOOR;
	if (as->head == HEAD_MULTI_VECTOR)
		return multi_read(json, ck, as, c, e);
	/* The vector of a row alone. The projection may be there: the class has both heads. */
	c->head = c->beside;
	return 0;
}

static const struct model_spelling spellings[] = {
	{NULL, NULL, "JinaEmbeddingsV4Model"},
	{"qwen2_5_vl", NULL, "Qwen2_5_VLForConditionalGeneration"},
	{0},
};

/* A text that is searched has the prefix "Passage: " instead, but for the task text-matching. */
static const struct model_prompt prompts[] = {
	{LIBRARY_JINA, "all", "Query: ", "", 0, "",
	 "<|im_start|>user\n<|vision_start|>{image}<|vision_end|>Describe the image.<|im_end|>\n"},
	{0},
};

const struct model model_jina_v4 = {
	MODEL_OF_FAMILY(jina_v4), QWEN_RETRIEVER, .pad_right = true, .cuts = true, .advise = advise,
};
