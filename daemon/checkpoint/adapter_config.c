#include "adapter_config.h"

#include <math.h>
#include <regex.h>

#include "base/buf.h"
#include "base/str.h"

#define CONFIG_LEN_MAX (8u << 20)
#define PATTERNS_MAX 4096
#define PATTERN_LEN_MAX 512
#define RANK_MAX 65536

struct adapter_pattern {
	regex_t re;
	double value;
};

/* They change what is computed, or how it is stored. */
static const char *const refused[] = {
	"target_parameters",
	"layer_replication",
	"trainable_token_indices",
	"alora_invocation_tokens",
	"use_qalora",
	"use_bdlora",
	"arrow_config",
	"kasa_config",
	"velora_config",
	"monteclora_config",
	"megatron_config",
};

/* With these the training began by changing the base. An adapter that was converted for the plain one says
 * true. */
static const char *const other_bases[] = {"pissa", "olora", "corda", "loftq", "lora_ga"};

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
		regfree(&p->item[--p->n].re);
	free(p->item);
}

/* How many bytes at `s` are one item of an expression, and how POSIX spells it. 0: it has no such thing. */
static size_t
pattern_item(const char *s, bool in_class, const char **ret, size_t *ret_len)
{
	*ret = s;
	*ret_len = 1;
	if (in_class)
		return *s != '\\';
	if (str_starts(s, "(?:")) {
		*ret = "(";
		return 3;
	}
	if (str_starts(s, "\\d")) {
		*ret = "[0-9]";
		*ret_len = 5;
		return 2;
	}
	if (*s == '\\') {
		*ret_len = 2;
		return s[1] && strchr("w.-_/()[]*+?|^$\\", s[1]) ? 2 : 0;
	}
	if (*s == '{' || str_starts(s, "(?") || (strchr("*+?", *s) && s[1] && strchr("+?", s[1])))
		return 0;
	return 1;
}

/*
 * Python's regular expression as a POSIX one that a whole path must match, or its end after a
 * dot. Of what the two do not share only \d and (?: are in use. Counts in braces are left out: they can
 * make an expression huge.
 */
static int
pattern_translate(const char *s, struct buf *b, struct err *e)
{
	bool in_class = false;
	const char *item;
	size_t n, len;

	buf_puts(b, "^(.*\\.)?(");
	for (; *s; s += n) {
		n = pattern_item(s, in_class, &item, &len);
		if (n == 0)
			return err_set(e, E_UNSUPPORTED_MODEL, "'%.2s' in a pattern is not supported", s);
		buf_add(b, item, len);
		in_class = in_class ? *s != ']' : *s == '[';
	}
	buf_puts(b, ")$");
	return buf_failed(b, e);
}

static int
pattern_compile(const char *s, regex_t *ret, struct err *e)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	int r;

	if (strlen(s) > PATTERN_LEN_MAX)
		return err_set(e, E_BAD_CHECKPOINT, "it is longer than %d bytes", PATTERN_LEN_MAX);
	r = pattern_translate(s, &b, e);
	if (r < 0)
		return r;
	if (regcomp(ret, b.data, REG_EXTENDED | REG_NOSUB))
		return err_set(e, E_BAD_CHECKPOINT, "it is no regular expression");
	return 0;
}

static int
patterns_parse(const json_t *json, const char *key, struct adapter_patterns *ret, struct err *e)
{
	const json_t *obj = NULL, *v;
	const char *pattern;
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
		r = pattern_compile(pattern, &ret->item[ret->n].re, e);
		if (r < 0)
			return err_context(e, "%s: '%s'", key, pattern);
		ret->n++;
	}
	return 0;
}

static double
patterns_find(const struct adapter_patterns *p, const char *module, double otherwise)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (regexec(&p->item[i].re, module, 0, NULL, 0) == 0)
			return p->item[i].value;
	return otherwise;
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
config_parse(struct adapter_config *c, struct err *e)
{
	const json_t *j = c->json, *init = json_object_get(j, "init_lora_weights");
	size_t i;
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
	for (i = 0; json_is_string(init) && i < ARRAY_LEN(other_bases); i++)
		if (str_starts(json_string_value(init), other_bases[i]))
			c->init = json_string_value(init);
	return 0;
}

int
adapter_config_read(const char *path, struct adapter_config *ret, struct err *e)
{
	struct adapter_config c = ADAPTER_CONFIG_INIT;
	int r;

	r = json_read(path, CONFIG_LEN_MAX, E_BAD_CHECKPOINT, &c.json, e);
	if (r < 0)
		return r;
	r = config_parse(&c, e);
	if (r < 0) {
		adapter_config_release(&c);
		return err_context(e, "'%s'", path);
	}
	*ret = c;
	return 0;
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
adapter_config_scale(const struct adapter_config *c, const char *module, int64_t rank, float *ret,
		     struct err *e)
{
	const double r = patterns_find(&c->r_of, module, (double)c->r),
		     alpha = patterns_find(&c->alpha_of, module, c->alpha);

	if (r != (double)rank)
		return err_set(e, E_BAD_CHECKPOINT,
			       "the adapter of '%s' has the rank %lld, but " ADAPTER_CONFIG_NAME " says %g",
			       module, (long long)rank, r);
	*ret = (float)(alpha / (c->rslora ? sqrt(r) : r));
	if (!isfinite(*ret))
		return err_set(e, E_BAD_CHECKPOINT, "the scale of the adapter of '%s' is not finite", module);
	return 0;
}
