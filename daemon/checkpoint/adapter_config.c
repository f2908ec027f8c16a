#include "adapter_config.h"

#include <math.h>
#include <strings.h>

#include "base/fs.h"
#include "base/str.h"
#include "pattern.h"

#define CONFIG_LEN_MAX (8u << 20)
#define PATTERNS_MAX 4096
#define PATTERNS_SIZE_MAX 500000       /* instructions in all patterns together */
#define STEPS_MAX UINT64_C(1000000000) /* in matching, for one adapter: a few seconds */
#define RANK_MAX 65536

struct adapter_pattern {
	struct pattern *pattern;
	double value;
};

/* Keys that change the computation or the layout of the tensors in a way that cannot be merged. */
static const char *const refused[] = {
	"target_parameters", "layer_replication", "alora_invocation_tokens",
	"use_qalora",        "use_bdlora",        "arrow_config",
	"kasa_config",       "velora_config",     "monteclora_config",
	"megatron_config",
};

#define CONVERT                                                                          \
	"; save the adapter converted for the plain base (save_pretrained of peft with " \
	"path_initial_model_for_weight_conversion)"

/*
 * Values of init_lora_weights. peft runs the init again when it loads an adapter. An init that changes the base
 * changes it then, too, and the adapter fits only that changed base. The others have no effect at load.
 */
static const struct {
	const char *name;
	bool any_case, prefix;
	enum weight_init init;
	const char *refusal; /* NULL: merged */
} inits[] = {
	{"gaussian", true, false, WEIGHT_INIT_NONE, NULL},
	{"orthogonal", false, false, WEIGHT_INIT_NONE, NULL},
	{"eva", false, false, WEIGHT_INIT_NONE, NULL},
	{"mica", true, false, WEIGHT_INIT_NONE, NULL},
	{"lora_ga", false, false, WEIGHT_INIT_NONE, NULL},
	{"pissa", false, false, WEIGHT_INIT_PISSA, NULL},
	{"olora", true, false, WEIGHT_INIT_OLORA, NULL},
	{"pissa_niter_", false, true, WEIGHT_INIT_NONE,
	 "peft finds its part of the base with random numbers at every load" CONVERT},
	{"corda", false, true, WEIGHT_INIT_NONE,
	 "peft loads such an adapter only beside the data of its training" CONVERT},
	{"loftq", false, false, WEIGHT_INIT_NONE,
	 "peft quantizes the base at every load, and the result depends on the machine; merge it with peft"},
};

static bool
is_set(const json_t *v)
{
	return v && !json_is_null(v) && !json_is_false(v) && !(json_is_array(v) && json_array_size(v) == 0) &&
	       !(json_is_object(v) && json_object_size(v) == 0);
}

static void
patterns_release(struct adapter_patterns *p)
{
	while (p->n)
		pattern_free(&p->item[--p->n].pattern);
	free(p->item);
}

/* peft's own way to wrap a pattern: it matches a whole path, or the end of a path that follows a dot. */
static int
pattern_compile(const char *text, struct pattern **ret, struct err *e)
{
	_cleanup_free_ char *wrapped = str_printf("(.*\\.)?(%s)$", text);

	return wrapped ? pattern_new(wrapped, ret, e) : err_no_memory(e);
}

static int
patterns_parse(const json_t *json, const char *key, struct adapter_patterns *ret, struct err *e)
{
	const json_t *obj = NULL, *v;
	const char *pattern;
	size_t size = 0;
	int r;

	r = json_get_obj(json, "", key, JSON_OPTIONAL, E_BAD_CHECKPOINT, &obj, e);
	if (r < 0 || json_object_size(obj) == 0)
		return r;
	if (json_object_size(obj) > PATTERNS_MAX)
		return err_set(e, E_BAD_CHECKPOINT, "%s has more than %d patterns", key, PATTERNS_MAX);
	ret->item = calloc(json_object_size(obj), sizeof(*ret->item));
	if (!ret->item)
		return err_no_memory(e);
	json_object_foreach((json_t *)(uintptr_t)obj, pattern, v) {
		ret->item[ret->n].value = json_number_value(v);
		if (!json_is_number(v))
			return err_set(e, E_BAD_CHECKPOINT, "%s: '%s' must be a number", key, pattern);
		r = pattern_compile(pattern, &ret->item[ret->n].pattern, e);
		if (r < 0)
			return err_context(e, "%s: '%.200s'", key, pattern);
		size += pattern_size(ret->item[ret->n++].pattern);
		if (size > PATTERNS_SIZE_MAX)
			return err_set(e, E_BAD_CHECKPOINT, "%s is too large", key);
	}
	return 0;
}

/* The value of the first pattern that matches. */
static int
patterns_find(struct adapter_config *c, const struct adapter_patterns *p, const char *module,
	      double otherwise, double *ret, struct err *e)
{
	size_t i;
	int r = 0;

	*ret = otherwise;
	for (i = 0; i < p->n && r == 0; i++) {
		r = pattern_match(p->item[i].pattern, module, &c->steps, e);
		if (r > 0)
			*ret = p->item[i].value;
	}
	return r < 0 ? err_context(e, "rank_pattern or alpha_pattern of '%s'", module) : 0;
}

static int
refused_check(const json_t *json, struct err *e)
{
	const char *type = "none";
	size_t i;
	int r;

	r = json_get_str(json, "", "peft_type", JSON_REQUIRED, E_BAD_CHECKPOINT, &type, e);
	if (r < 0)
		return r;
	if (!str_eq(type, "LORA"))
		return err_set(e, E_UNSUPPORTED_MODEL, "peft_type '%s' is not supported, only 'LORA'", type);
	for (i = 0; i < ARRAY_LEN(refused); i++)
		if (is_set(json_object_get(json, refused[i])))
			return err_set(e, E_UNSUPPORTED_MODEL,
				       "%s is not supported: such an adapter cannot be merged", refused[i]);
	return 0;
}

static int
init_parse(const json_t *j, enum weight_init *ret, struct err *e)
{
	const json_t *v = json_object_get(j, "init_lora_weights");
	const char *name = json_string_value(v);
	size_t i;

	*ret = WEIGHT_INIT_NONE;
	if (!v || json_is_null(v) || json_is_boolean(v))
		return 0;
	if (!name)
		return err_set(e, E_BAD_CHECKPOINT, "init_lora_weights must be true, false or a string");
	for (i = 0; i < ARRAY_LEN(inits); i++) {
		if (inits[i].prefix     ? !str_starts(name, inits[i].name)
		    : inits[i].any_case ? strcasecmp(name, inits[i].name) != 0
					: !str_eq(name, inits[i].name))
			continue;
		*ret = inits[i].init;
		return inits[i].refusal ? err_set(e, E_UNSUPPORTED_MODEL,
						  "init_lora_weights '%.40s' is not supported: %s", name,
						  inits[i].refusal)
					: 0;
	}
	return err_set(e, E_UNSUPPORTED_MODEL, "init_lora_weights '%.40s' is not known", name);
}

static int
config_parse(struct adapter_config *c, struct err *e)
{
	const json_t *j = c->json;
	int r;

	if (!json_is_object(j))
		return err_set(e, E_BAD_CHECKPOINT, "it must hold a JSON object");
	c->r = 8;
	c->alpha = 8;
	if ((r = refused_check(j, e)) < 0 ||
	    (r = json_get_str(j, "", "base_model_name_or_path", JSON_OPTIONAL, E_BAD_CHECKPOINT, &c->base,
			      e)) < 0 ||
	    (r = json_get_int(j, "", "r", JSON_OPTIONAL, 1, RANK_MAX, E_BAD_CHECKPOINT, &c->r, e)) < 0 ||
	    (r = json_get_double(j, "", "lora_alpha", JSON_OPTIONAL, E_BAD_CHECKPOINT, &c->alpha, e)) < 0 ||
	    (r = json_get_bool(j, "", "use_rslora", JSON_OPTIONAL, E_BAD_CHECKPOINT, &c->rslora, e)) < 0 ||
	    (r = json_get_bool(j, "", "use_dora", JSON_OPTIONAL, E_BAD_CHECKPOINT, &c->dora, e)) < 0 ||
	    (r = patterns_parse(j, "rank_pattern", &c->r_of, e)) < 0 ||
	    (r = patterns_parse(j, "alpha_pattern", &c->alpha_of, e)) < 0)
		return r;
	c->tokens = json_object_get(j, "trainable_token_indices");
	return init_parse(j, &c->init, e);
}

static int
config_take(json_t *json, const char *what, struct adapter_config *ret, struct err *e)
{
	struct adapter_config c = {.json = json, .steps = STEPS_MAX};
	int r = config_parse(&c, e);

	if (r < 0) {
		adapter_config_release(&c);
		return err_context(e, "'%s'", what);
	}
	*ret = c;
	return 0;
}

int
adapter_config_read(struct folder *dir, struct adapter_config *ret, struct err *e)
{
	_cleanup_free_ char *path = fs_join(folder_path(dir), ADAPTER_CONFIG_NAME);
	json_t *json = NULL;
	int r;

	if (!path)
		return err_no_memory(e);
	r = json_read_in(dir, ADAPTER_CONFIG_NAME, CONFIG_LEN_MAX, E_BAD_CHECKPOINT, &json, e);
	return r < 0 ? r : config_take(json, path, ret, e);
}

int
adapter_config_parse(const char *text, size_t len, const char *what, struct adapter_config *ret,
		     struct err *e)
{
	json_t *json = NULL;
	int r = json_parse(text, len, what, E_BAD_CHECKPOINT, &json, e);

	return r < 0 ? r : config_take(json, what, ret, e);
}

void
adapter_config_release(struct adapter_config *c)
{
	patterns_release(&c->r_of);
	patterns_release(&c->alpha_of);
	json_decref(c->json);
	*c = (struct adapter_config)ADAPTER_CONFIG_INIT;
}

int
adapter_config_scale(struct adapter_config *c, const char *module, int64_t rank, float *ret, struct err *e)
{
	double r, alpha;
	int err;

	if ((err = patterns_find(c, &c->r_of, module, (double)c->r, &r, e)) < 0 ||
	    (err = patterns_find(c, &c->alpha_of, module, c->alpha, &alpha, e)) < 0)
		return err;
	if (r != (double)rank)
		return err_set(e, E_BAD_CHECKPOINT,
			       "the adapter of '%s' has the rank %lld, but " ADAPTER_CONFIG_NAME " says %g",
			       module, (long long)rank, r);
	*ret = (float)(alpha / (c->rslora ? sqrt(r) : r));
	if (!isfinite(*ret))
		return err_set(e, E_BAD_CHECKPOINT, "the scale of the adapter of '%s' is not finite", module);
	return 0;
}

/* The tokens for a module: trainable_token_indices, or its member whose key ends the module's path. */
static const json_t *
tokens_list(const struct adapter_config *c, const char *module)
{
	const json_t *list = c->tokens, *v;
	const char *key;

	if (json_is_array(list))
		return list;
	json_object_foreach((json_t *)(uintptr_t)list, key, v)
		if (str_ends(module, key))
			return v;
	return NULL;
}

int
adapter_config_tokens(const struct adapter_config *c, const char *module, int64_t rows, int64_t *ret,
		      size_t n, struct err *e)
{
	const json_t *list = tokens_list(c, module);
	int64_t token;
	size_t i;

	if (json_array_size(list) != n)
		return err_set(
			e, E_BAD_CHECKPOINT,
			"'%s' has %zu rows for tokens, but trainable_token_indices in " ADAPTER_CONFIG_NAME
			" lists %zu for it",
			module, n, json_array_size(list));
	for (i = 0; i < n; i++) {
		if (json_to_int(json_array_get(list, i), &token, NULL) < 0 || token < 0 || token >= rows)
			return err_set(e, E_BAD_CHECKPOINT,
				       "trainable_token_indices of '%s': each must be from 0 to %lld", module,
				       (long long)rows - 1);
		ret[i] = token;
	}
	return 0;
}
