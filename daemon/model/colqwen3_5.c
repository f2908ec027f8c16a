/*
 * ColQwen3.5: late interaction on top of Qwen3.5, whose decoder has linear attention in most layers. One
 * class serves many publishers, whose checkpoints differ in what config.json may leave unsaid: whether the
 * layers with full attention see later tokens, and to which widths an embedding may be cut.
 *
 *	ColQwen3_5 (colpali-engine)      a projection with a bias
 *	TopkEmbedModel (topk-io)         without, in `head`; embeddings may be cut to any width
 *	Qwen3_5Model (perplexity-ai)     without, in a folder of its own (checkpoint/dense.h)
 *
 * BiQwen3_5 has no projection, and gives the last token's vector for each row.
 */
#include "base/str.h"
#include "checkpoint/config_scope.h"
#include "checkpoint/names.h"
#include "qwen2vl.h"
#include "qwen_retriever.h"
#include "width.h"

#define CONTRACT "retrieval_attention_contract"

/* Nothing in the tensors shows the direction, and a wrong one ruins the embeddings without an error. */
#define GUESSED                                                                                             \
	"whether tokens see later ones is a guess: config.json has neither " CONTRACT                       \
	" nor text_config.is_causal, so the layers with full attention are causal, as colpali-engine runs " \
	"them. EVIE-8B, webAI-ColVec1.1 and older copies of colqwen3.5-4.5B-v3 were trained bidirectional " \
	"and need --mask-mode bidirectional; --mask-mode causal confirms the guess"

/* ---- the direction of full attention ---- */

static int
contract_read(const struct config_scope *s, const char **ret, struct err *e)
{
	int r = json_get_str(s->obj, s->path, CONTRACT, JSON_OPTIONAL, E_BAD_CHECKPOINT, ret, e);

	if (r < 0 || !*ret || str_eq(*ret, "causal") || str_eq(*ret, "bidirectional"))
		return r;
	return config_fail(s, CONTRACT, E_UNSUPPORTED_MODEL, e,
			   "'%s' is not known, only causal and bidirectional: choose with --mask-mode", *ret);
}

/* What config.json declares, in the order in which the declarations count. */
static int
direction_find(const struct config_scope *top, const struct config_scope *text, struct model_direction *ret,
	       struct err *e)
{
	const char *outer = NULL, *inner = NULL;
	bool causal = true;
	int r;

	if ((r = contract_read(top, &outer, e)) < 0 || (r = contract_read(text, &inner, e)) < 0 ||
	    (r = json_get_bool(text->obj, text->path, "is_causal", JSON_OPTIONAL, E_BAD_CHECKPOINT, &causal,
			       e)) < 0)
		return r;
	if (outer && inner && !str_eq(outer, inner))
		return config_fail(top, CONTRACT, E_BAD_CHECKPOINT, e,
				   "is '%s' but that of text_config is '%s': choose with --mask-mode", outer,
				   inner);
	if (outer || inner)
		*ret = (struct model_direction){str_eq(outer ? outer : inner, "bidirectional"), CONTRACT};
	else if (!causal)
		*ret = (struct model_direction){true, "text_config.is_causal"};
	else if (json_object_get(top->obj, "head_dims"))
		*ret = (struct model_direction){true, "head_dims"};
	else
		*ret = (struct model_direction){false, "guess", GUESSED};
	return 0;
}

/* The job's word counts most, so that it also settles what config.json leaves contradictory. */
static int
direction_read(const json_t *json, const struct model_found *as, struct qwen2vl_config *c, struct err *e)
{
	struct config_scope top, text;
	int r;

	if (as->mask != MODEL_MASK_TRAINED) {
		c->direction = (struct model_direction){as->mask == MODEL_MASK_BIDIRECTIONAL, "mask_mode"};
	} else {
		if ((r = config_backbone(json, &top, e)) < 0 ||
		    (r = config_sub(&top, "text_config", JSON_OPTIONAL, &text, e)) < 0)
			return r;
		r = direction_find(&top, text.obj ? &text : &top, &c->direction, e);
		if (r < 0)
			return err_context(e, "config.json");
	}
	c->sees_all = c->direction.bidirectional;
	return 0;
}

static const struct model_direction *
direction(const void *config)
{
	const struct qwen2vl_config *c = config;

	return &c->direction;
}

/* ---- the projection ---- */

/* Reads a width under any of its names; *ret stays 0 without one. `rows` of the projection must agree, if not 0. */
static int
stated_read(const json_t *json, int64_t rows, int64_t *ret, struct err *e)
{
	static const char *const keys[] = {"dim", "embed_dim", "projection_dim", "colbert_dim", NULL};
	const struct config_scope top = {.obj = json};
	int64_t stated;
	int i, r;

	for (i = 0; keys[i]; i++) {
		stated = 0;
		r = json_get_int(json, "", keys[i], JSON_OPTIONAL, 1, 65536, E_BAD_CHECKPOINT, &stated, e);
		if (r < 0)
			return r;
		if (stated && rows && stated != rows)
			return config_fail(&top, keys[i], E_BAD_CHECKPOINT, e,
					   "is %lld but the projection has %lld rows", (long long)stated,
					   (long long)rows);
		if (!*ret)
			*ret = stated;
	}
	return 0;
}

/* Cuts the embeddings to the width that config.json or the job asks for. */
static int
cut_read(const json_t *json, const struct model_found *as, struct qwen2vl_config *c, struct err *e)
{
	static const char *const keys[] = {"output_dim", "dims", NULL};
	const struct config_scope top = {.obj = json};
	struct widths w = {.any = str_eq(as->class->name, "TopkEmbedModel")};
	int i, r = 0;

	for (i = 0; r == 0 && keys[i]; i++) {
		w.any |= json_object_get(json, keys[i]) != NULL;
		r = json_get_int(json, "", keys[i], JSON_OPTIONAL, 1, c->projection, E_BAD_CHECKPOINT,
				 &c->head.dim, e);
	}
	if (r == 0)
		r = widths_read(&top, "head_dims", c->projection, &w, e);
	if (r < 0)
		return err_context(e, "config.json");
	return width_choose(as, &w, c->projection, &c->head.dim, e);
}

static int
head_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as,
	  struct qwen2vl_config *c, struct err *e)
{
	const struct widths none = {.n = 0};
	int r;

	r = qwen_head_read(as, ck, c, e);
	if (r < 0)
		return r;
	if (as->head != HEAD_MULTI_VECTOR)
		return width_choose(as, &none, c->text.hidden_size, &c->head.dim, e);
	r = ck ? skip_words_read(ck, &c->skip, e) : 0;
	if (r < 0)
		return r;
	r = stated_read(json, ck ? c->projection : 0, &c->head.dim, e);
	if (r < 0)
		return err_context(e, "config.json");
	if (!ck) {
		c->projection = c->head.dim ? c->head.dim : 128;
		c->head.dim = c->projection;
	}
	c->projection_no_bias =
		ck ? !checkpoint_find(ck, "proj.bias") : !str_starts(as->class->name, "ColQwen3_5");
	return cut_read(json, as, c, e);
}

/* Qwen3-Next joins projections that are apart here, in an order of its own. */
static int
fused_check(const struct checkpoint *ck, struct err *e)
{
	static const char *const fused[] = {".linear_attn.in_proj_qkvz.weight",
					    ".linear_attn.in_proj_ba.weight"};
	const struct weight *w;
	size_t i, k;

	for (i = 0; ck && i < checkpoint_count(ck); i++)
		for (k = 0; k < ARRAY_LEN(fused); k++) {
			w = checkpoint_get(ck, i);
			if (str_ends(w->name, fused[k]))
				return err_set(e, E_UNSUPPORTED_MODEL,
					       "'%s' in '%s' is a projection as Qwen3-Next joins them, which "
					       "is not supported: save the model with the class of Qwen3.5",
					       w->tensor->name, st_path(w->file));
		}
	return 0;
}

static int
config_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as, void *config,
	    struct err *e)
{
	struct qwen2vl_config *c = config;
	int r;

	if ((r = qwen2vl_config_read(json, QWEN3_5, c, e)) < 0 || (r = fused_check(ck, e)) < 0 ||
	    (r = direction_read(json, as, c, e)) < 0)
		return r;
	return head_read(json, ck, as, c, e);
}

static const struct model_spelling spellings[] = {
	{"qwen3_5", NULL, "Qwen3_5Model"},
	{"colqwen3_5", NULL, "ColQwen3_5"},
	{"topk_embed", NULL, "TopkEmbedModel"},
	{0},
};

/* The heads of some publishers; the layers of multi-token prediction, which no retriever uses. */
static const struct name_rule names[] = {{"head.", "proj."}, {"mtp.", NULL}, {0}};

static const struct model_prompt prompts[] = {
	{LIBRARY_ENGINE, "all", "", "<|endoftext|>", 10, "", QWEN_DOCUMENT},
	{LIBRARY_PERPLEXITY, "all", "[Q] ", "", 0, "", "[D] <|vision_start|>{image}<|vision_end|>"},
	/* The pages of topk-io go through the repository's own chat template, which colconv does not read. So
	 * there is no row, and no page graph. */
	{0},
};

const struct model model_colqwen3_5 = {
	MODEL_OF_FAMILY(colqwen3_5), QWEN_RETRIEVER, .names = names, .direction = direction, .cuts = true,
};
