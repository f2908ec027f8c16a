/*
 * ColNanoVDR: a ModernBERT encoder that gives vectors of queries alone, for the pages of another model. A projection without
 * bias makes a unit vector of each token; then the row's tokens are weighed by how much they matter, so that the vectors are
 * shorter than 1, and special tokens become zero. The output `mask` says which tokens count.
 *
 * The weighing is a module of its own in a folder of Sentence Transformers:
 *
 *	modules.json                               [..., {"type": "colnanovdr_weighting.ColNanoVDRWeighting", "path": "3_..."}]
 *	3_ColNanoVDRWeighting/config.json          {"learn_weights", "special_token_ids", "hidden_dim", ...}
 *	3_ColNanoVDRWeighting/model.safetensors    weight_head.weight [1, hidden], weight_head.bias [1]
 */
#include "base/str.h"
#include "caseinput.h"
#include "checkpoint/modules.h"
#include "checkpoint/names.h"
#include "guards.h"
#include "model.h"
#include "modernbert.h"

#define WEIGHTING ".ColNanoVDRWeighting"
#define SPECIALS_MAX 32
#define FINITE_MIN (-3.4028234663852886e38) /* what the original fills in for tokens that do not count */

struct nanovdr_config {
	struct modernbert_config text;
	int64_t dim;
	bool weighs; /* has learned weights of tokens */
	int64_t special[SPECIALS_MAX];
	size_t n_special;
};

static int
specials_read(const json_t *obj, const char *file, struct nanovdr_config *c, struct err *e)
{
	const json_t *ids = NULL, *id;
	size_t i;
	int r = json_get_array(obj, "", "special_token_ids", JSON_REQUIRED, E_BAD_CHECKPOINT, &ids, e);

	if (r < 0)
		return err_context(e, "%s", file);
	c->n_special = json_array_size(ids);
	if (c->n_special > SPECIALS_MAX)
		return err_set(e, E_UNSUPPORTED_MODEL, "%s: special_token_ids has more than %d ids", file,
			       SPECIALS_MAX);
	json_array_foreach(ids, i, id) {
		c->special[i] = json_is_integer(id) ? json_integer_value(id) : -1;
		if (c->special[i] < 0 || c->special[i] >= c->text.vocab_size)
			return err_set(e, E_BAD_CHECKPOINT,
				       "%s: special_token_ids must be ids below vocab_size, %lld", file,
				       (long long)c->text.vocab_size);
	}
	return 0;
}

/* The weighing's own settings. */
static int
weighting_read(const json_t *obj, const char *file, struct nanovdr_config *c, struct err *e)
{
	const struct config_scope s = {.obj = obj, .path = ""};
	int64_t width = c->text.hidden_size;
	int r;

	c->weighs = true;
	if ((r = json_get_bool(obj, "", "learn_weights", JSON_OPTIONAL, E_BAD_CHECKPOINT, &c->weighs, e)) <
		    0 ||
	    (r = config_only(&s, "hidden_name", "token_embeddings", "token_embeddings", e)) < 0 ||
	    (r = config_only(&s, "mv_name", "mv_embeddings", "mv_embeddings", e)) < 0 ||
	    (r = json_get_int(obj, "", "hidden_dim", JSON_OPTIONAL, 1, 65536, E_BAD_CHECKPOINT, &width, e)) <
		    0)
		return err_context(e, "%s", file);
	if (width != c->text.hidden_size)
		return err_set(e, E_BAD_CHECKPOINT,
			       "%s: hidden_dim is %lld, but hidden_size of config.json is %lld", file,
			       (long long)width, (long long)c->text.hidden_size);
	return specials_read(obj, file, c, e);
}

/* A ModernBERT without that module is some other text encoder. */
static int
module_read(const struct checkpoint *ck, struct nanovdr_config *c, struct err *e)
{
	_cleanup_free_ char *path = NULL, *file = NULL;
	json_auto_t *obj = NULL;
	int r = modules_find(checkpoint_folder(ck), WEIGHTING, &path, e);

	if (r < 0)
		return r;
	if (!path)
		return err_set(e, E_UNSUPPORTED_MODEL,
			       "'%s' is a text encoder over ModernBERT; of these only ColNanoVDR is "
			       "supported, whose "
			       "modules.json lists a module ColNanoVDRWeighting",
			       checkpoint_dir(ck));
	file = str_printf("%s/config.json", path);
	r = file ? json_read_in(checkpoint_folder(ck), file, MODULES_SETTINGS_MAX, E_BAD_CHECKPOINT, &obj, e)
		 : err_no_memory(e);
	return r < 0 ? r : weighting_read(obj, file, c, e);
}

static int
config_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as, void *config,
	    struct err *e)
{
	const struct config_scope top = {.obj = json, .path = ""};
	struct nanovdr_config *c = config;
	int r = modernbert_config_read(&top, &c->text, e);

	(void)as;
	c->dim = 0;
	c->weighs = false;
	c->n_special = 0;
	if (r < 0)
		return err_context(e, "config.json");
	if (!ck) {
		c->weighs = true;
		return config_embedding_dim(json, &c->dim, e);
	}
	r = module_read(ck, c, e);
	if (r == 0)
		r = blk_projection_rows(ck, &c->dim, e);
	if (r == 0 && checkpoint_find(ck, "proj.bias"))
		r = err_set(e, E_UNSUPPORTED_MODEL,
			    "the projection of '%s' has a bias, which is not supported", checkpoint_dir(ck));
	return r;
}

/* The tokens that count: neither padding nor special. bool [batch, sequence] */
static struct ir_value *
scoring(struct trace *t, const struct nanovdr_config *c, const struct blk_text *in)
{
	struct ir_value *x = in->unmasked, *other;
	size_t i;

	tr_scope(t, "scoring");
	for (i = 0; i < c->n_special; i++) {
		other = tr_equal(t, in->ids, tr_i64(t, c->special[i]));
		other = tr_not(t, other);
		x = tr_and(t, x, other);
	}
	return x;
}

/* The weight of each token among those of its row that count: float [batch, sequence, 1]. */
static struct ir_value *
weigh(struct trace *t, struct ir_value *states, struct ir_value *counts)
{
	struct ir_value *x;

	tr_scope(t, "weight");
	x = blk_linear(t, states, 1, BLK_BIAS, "head", "weight_head"); /* [batch, sequence, 1] */
	x = tr_reshape(t, x, counts->shape);
	x = tr_where(t, counts, x, tr_f32(t, FINITE_MIN));
	x = tr_softmax(t, x);
	return blk_unsqueeze(t, x, 2);
}

static struct ir_value *
build(struct trace *t, const void *config, enum variant v, const struct model_options *o)
{
	const struct nanovdr_config *c = config;
	const struct blk_text in = blk_text_inputs(t);
	struct ir_value *x, *z, *counts, *words, *zero, *mask;

	(void)v;
	(void)o;
	tr_scope(t, "lm");
	words = guard_words(t, in.ids, in.unmasked, /*image=*/NULL, c->text.vocab_size);
	x = tr_weight(t, shape_of(2, n(c->text.vocab_size), n(c->text.hidden_size)),
		      "lm.embeddings.tok_embeddings.weight");
	x = tr_name(t, tr_gather(t, x, words), "embed");
	x = modernbert_build(t, &c->text, x, &in); /* [batch, sequence, hidden] */
	counts = scoring(t, c, &in);
	tr_scope(t, "head");
	z = blk_linear(t, x, c->dim, BLK_NO_BIAS, "proj", "proj"); /* [batch, sequence, dim] */
	z = blk_unit(t, z, &in, BLK_FLOOR);
	if (c->weighs) {
		x = weigh(t, x, counts);
		tr_scope(t, "head");
		z = tr_mul(t, z, x);
	}
	zero = blk_unsqueeze(t, counts, 2);
	z = tr_where(t, zero, z, tr_f32(t, 0));
	mask = tr_cast(t, counts, ELEM_I64);
	tr_output(t, mask, "mask");
	return z;
}

static struct model_tokens
tokens(const void *config)
{
	const struct nanovdr_config *c = config;

	return (struct model_tokens){
		.vocab = c->text.vocab_size,
		.image = -1,
		.image_begin = -1,
		.image_end = -1,
		.video = -1,
		.audio = -1,
		.pad = -1,
	};
}

/* Only graphs with images ask for it, and there are none. */
static int64_t
image_tokens(const void *config, int h, int w)
{
	(void)config;
	(void)h;
	(void)w;
	return 0;
}

static struct sizes
trace_sizes(const void *config)
{
	struct sizes s = {{0}};

	(void)config;
	s.of[SYM_BATCH] = 2;
	s.of[SYM_SEQUENCE] = 7;
	return s;
}

static int
case_make(const struct model *m, const void *config, const struct plan *plan, uint64_t seed,
	  struct feeds *ret, struct err *e)
{
	struct rng rng = {seed};

	return case_text_make(m, config, plan, &rng, ret, e);
}

static const struct model_input image_inputs[] = {{0}};

static const struct model_spelling spellings[] = {
	{"modernbert", NULL, "ModernBertModel"},
	{0},
};

/* The encoder is the whole model, so its names have no prefix. */
static const struct name_rule names[] = {
	{"embeddings.", "lm.embeddings."},
	{"final_norm.", "lm.final_norm."},
	{0},
};

static const struct model_prompt prompts[] = {
	{LIBRARY_NANOVDR, "all", "", "", 0, "", ""},
	{0},
};

const struct model model_colnanovdr = {
	MODEL_OF_FAMILY(colnanovdr),
	.names = names,
	.image_inputs = image_inputs,
	.plans = PLAN_TEXT,
	.pad_right = true,
	.picture = PREPARE_NONE,
	.config_size = sizeof(struct nanovdr_config),
	.image_tokens = image_tokens,
	.trace_sizes = trace_sizes,
	.tokens = tokens,
	.build = build,
	.case_make = case_make,
};
