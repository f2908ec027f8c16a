#include "rule.h"

#include "profile.h"
#include "repo.h"
#include "spec.h"

#define MAX_ABS_ROUNDED 1e-3 /* when the output is rounded to float16 */

/* Default parity limits for each dtype and storage; the first row that fits counts. */
static const struct {
	enum spec_word dtype, storage; /* SPEC_WORD_MAX: any */
	double max_abs, min_cosine, min_top5;
} limits[] = {
	{SPEC_DTYPE_FP32, SPEC_STORAGE_INT8, 2e-1, 0.99, 0.98},
	{SPEC_DTYPE_FP32, SPEC_WORD_MAX, 1e-4, 0.99999, 0},
	{SPEC_DTYPE_FP16, SPEC_WORD_MAX, 5e-2, 0.999, 0},
};

int
rule_any(struct spec *spec _unused_, bool given _unused_, struct err *e _unused_)
{
	return 0;
}

int
rule_model(struct spec *spec, bool given _unused_, struct err *e)
{
	return spec->model ? 0 : err_set(e, E_BAD_REQUEST, "model is missing");
}

int
rule_revision(struct spec *spec, bool given, struct err *e)
{
	if (!spec_is_repo(spec->model))
		return given ? err_set(e, E_BAD_REQUEST,
				       "revision needs a model of the form " REPO_ID_FORM
				       ", and model is a folder")
			     : 0;
	if (!given)
		spec->revision = strdup(REPO_REVISION_DEFAULT);
	if (!spec->revision)
		return err_no_memory(e);
	return repo_revision_ok(spec->revision)
		       ? 0
		       : err_set(e, E_BAD_REQUEST,
				 "revision must be the name of a branch or tag, or a commit, not '%s'",
				 spec->revision);
}

int
rule_variants(struct spec *spec, bool given, struct err *e)
{
	const bool one_model = spec_profile(spec)->one_model;

	if (!given && one_model)
		spec->variants = 1u << VARIANT_UNIFIED;
	if (one_model && spec->variants != 1u << VARIANT_UNIFIED)
		return err_set(e, E_BAD_REQUEST, "the profile %s needs the variant unified and no other",
			       spec_word(spec->profile));
	return 0;
}

/* The programs of other profiles feed the inputs that they know, and `task` is not among them. */
int
rule_task(struct spec *spec, bool given _unused_, struct err *e)
{
	if (spec->task != SPEC_TASK_ALL || spec->profile == SPEC_PROFILE_DEFAULT ||
	    spec->profile == SPEC_PROFILE_SEED)
		return 0;
	return err_set(e, E_BAD_REQUEST,
		       "the task all gives the graphs an input that the profile %s does not feed: choose one "
		       "task, or the profile default",
		       spec_word(spec->profile));
}

int
rule_storage(struct spec *spec, bool given _unused_, struct err *e)
{
	if (spec->storage != SPEC_STORAGE_SAME && spec->dtype != SPEC_DTYPE_FP32)
		return err_set(e, E_BAD_REQUEST, "the storage %s needs the dtype fp32, not %s",
			       spec_word(spec->storage), spec_word(spec->dtype));
	return 0;
}

int
rule_outputs(struct spec *spec, bool given _unused_, struct err *e)
{
	const struct profile *p = spec_profile(spec);

	if (!(spec->outputs & 1u))
		return err_set(e, E_BAD_REQUEST, "outputs must include embeddings");
	if (spec->outputs != 1u && profile_one_output(p))
		return err_set(e, E_BAD_REQUEST, "the profile %s needs the output embeddings and no other",
			       spec_word(spec->profile));
	return 0;
}

int
rule_layout(struct spec *spec, bool given _unused_, struct err *e)
{
	const struct profile *p = spec_profile(spec);

	if ((p->one_model || p->own_data) && spec->layout != SPEC_LAYOUT_SINGLE)
		return err_set(e, E_BAD_REQUEST, "the profile %s needs the layout single, not %s",
			       spec_word(spec->profile), spec_word(spec->layout));
	return 0;
}

int
rule_shard_size(struct spec *spec, bool given, struct err *e)
{
	if (spec->layout == SPEC_LAYOUT_SHARDED)
		return 0;
	if (given)
		return err_set(e, E_BAD_REQUEST, "shard_size needs the layout sharded, not %s",
			       spec_word(spec->layout));
	spec->shard_size = 0;
	return 0;
}

/*
 * Accepts "colpali-engine" and "colpali-engine@0.3.5". The checkpoint's family checks later whether it knows
 * the library.
 */
int
rule_prompts(struct spec *spec, bool given, struct err *e)
{
	static const char library[] = "abcdefghijklmnopqrstuvwxyz0123456789-_", version[] = "0123456789.";
	const char *p = spec->prompts;
	size_t n;

	if (!given || !p)
		return 0;
	n = strspn(p, library);
	if (n && p[n] == '@' && p[n + 1] && !strstr(p, "..") && p[n + 1] != '.' &&
	    !p[n + 1 + strspn(p + n + 1, version)])
		return 0;
	if (n && !p[n])
		return 0;
	return err_set(e, E_BAD_REQUEST,
		       "prompts must be LIBRARY or LIBRARY@VERSION, as colpali-engine@0.3.5, not '%s'", p);
}

static size_t
limits_of(const struct spec *spec)
{
	size_t i = 0;

	while (limits[i].dtype != spec->dtype ||
	       (limits[i].storage != spec->storage && limits[i].storage != SPEC_WORD_MAX))
		i++;
	return i;
}

int
rule_max_abs(struct spec *spec, bool given, struct err *e _unused_)
{
	if (given)
		return 0;
	spec->max_abs = limits[limits_of(spec)].max_abs;
	if (spec_profile(spec)->output_half)
		spec->max_abs = MAX(spec->max_abs, MAX_ABS_ROUNDED);
	return 0;
}

int
rule_min_cosine(struct spec *spec, bool given, struct err *e _unused_)
{
	if (!given)
		spec->min_cosine = limits[limits_of(spec)].min_cosine;
	return 0;
}

int
rule_min_top5(struct spec *spec, bool given, struct err *e _unused_)
{
	if (!given)
		spec->min_top5 = limits[limits_of(spec)].min_top5;
	return 0;
}
