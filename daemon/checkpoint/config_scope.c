#include "config_scope.h"

#include <stdarg.h>

#include "base/str.h"

static const char *
dot(const struct config_scope *s)
{
	return s->path[0] ? "." : "";
}

int
config_fail(const struct config_scope *s, const char *key, int code, struct err *e, const char *fmt, ...)
{
	char words[200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return err_set(e, code, "%s%s%s %s", s->path, dot(s), key, words);
}

int
config_ints(const struct config_scope *s, const struct config_int *rows, size_t count, void *ret,
	    struct err *e)
{
	enum json_need need;
	int64_t v;
	size_t i;
	int r;

	for (i = 0; i < count; i++) {
		v = rows[i].fallback;
		need = v == CONFIG_REQUIRED ? JSON_REQUIRED : JSON_OPTIONAL;
		r = json_get_int(s->obj, s->path, rows[i].key, need, rows[i].min, rows[i].max,
				 E_BAD_CHECKPOINT, &v, e);
		if (r < 0)
			return r;
		memcpy((char *)ret + rows[i].offset, &v, sizeof(v));
	}
	return 0;
}

int
config_ints_over(const struct config_scope *s, const struct config_int *rows, size_t count, void *ret,
		 struct err *e)
{
	struct config_int row;
	int64_t fallback;
	size_t i;
	int r = 0;

	for (i = 0; i < count && r == 0; i++) {
		row = rows[i];
		memcpy(&fallback, (const char *)ret + row.offset, sizeof(fallback));
		if (fallback)
			row.fallback = fallback;
		r = config_ints(s, &row, 1, ret, e);
	}
	return r;
}

int
config_double(const struct config_scope *s, const char *key, double fallback, double max, double *ret,
	      struct err *e)
{
	int r;

	*ret = fallback;
	r = json_get_double(s->obj, s->path, key, JSON_OPTIONAL, E_BAD_CHECKPOINT, ret, e);
	if (r < 0)
		return r;
	if (!(*ret > 0 && *ret <= max))
		return config_fail(s, key, E_BAD_CHECKPOINT, e, "must be above 0 and at most %g", max);
	return 0;
}

int
config_one_of(const struct config_scope *s, const char *key, const char *const want[], struct err *e)
{
	const char *v = want[0];
	size_t i;
	int r;

	r = json_get_str(s->obj, s->path, key, JSON_OPTIONAL, E_BAD_CHECKPOINT, &v, e);
	for (i = 0; r == 0 && want[i]; i++)
		if (str_eq(v, want[i]))
			return 0;
	return r < 0 ? r
		     : config_fail(s, key, E_UNSUPPORTED_MODEL, e, "'%s' is not supported, only '%s'", v,
				   want[0]);
}

int
config_only(const struct config_scope *s, const char *key, const char *want, const char *other, struct err *e)
{
	const char *const both[] = {want, other, NULL};

	return config_one_of(s, key, both, e);
}

int
config_sub(const struct config_scope *s, const char *key, enum json_need need, struct config_scope *ret,
	   struct err *e)
{
	const json_t *obj = NULL;
	int n, r;

	r = json_get_obj(s->obj, s->path, key, need, E_BAD_CHECKPOINT, &obj, e);
	if (r < 0)
		return r;
	ret->obj = obj;
	n = snprintf(ret->path, sizeof(ret->path), "%s%s%s", s->path, dot(s), key);
	assert((size_t)n < sizeof(ret->path)); /* the deepest path is a rope object, 45 bytes */
	return 0;
}

int
config_backbone(const json_t *config, struct config_scope *ret, struct err *e)
{
	const struct config_scope top = {.obj = config};
	const char *type = "";
	enum json_need need;
	int r;

	r = json_get_str(config, "", "model_type", JSON_OPTIONAL, E_BAD_CHECKPOINT, &type, e);
	if (r < 0)
		return r;
	need = str_starts(type, "col") && !json_object_get(config, "text_config") ? JSON_REQUIRED
										  : JSON_OPTIONAL;
	r = config_sub(&top, "vlm_config", need, ret, e);
	if (r == 0 && !ret->obj)
		*ret = top;
	return r;
}

int
config_embedding_dim(const json_t *config, int64_t *ret, struct err *e)
{
	*ret = 0;
	return json_get_int(config, "", "embedding_dim", JSON_OPTIONAL, 1, 65536, E_BAD_CHECKPOINT, ret, e);
}

int
config_image_token(const struct config_scope *top, int64_t *ret, struct err *e)
{
	int r;

	r = json_get_int(top->obj, top->path, "image_token_index", JSON_OPTIONAL, 0, INT32_MAX,
			 E_BAD_CHECKPOINT, ret, e);
	return r < 0 ? r
		     : json_get_int(top->obj, top->path, "image_token_id", JSON_OPTIONAL, 0, INT32_MAX,
				    E_BAD_CHECKPOINT, ret, e);
}

int
config_rope_scope(const struct config_scope *text, struct config_scope *ret, struct err *e)
{
	int r = config_sub(text, "rope_scaling", JSON_OPTIONAL, ret, e);

	return r == 0 && !ret->obj ? config_sub(text, "rope_parameters", JSON_OPTIONAL, ret, e) : r;
}

int
config_rope(const struct config_scope *text, double theta_fallback, struct config_scope *ret,
	    double *ret_theta, struct err *e)
{
	double theta;
	int r;

	r = config_rope_scope(text, ret, e);
	if (r < 0 || (r = config_double(text, "rope_theta", theta_fallback, 1e12, &theta, e)) < 0)
		return r;
	*ret_theta = theta;
	if (!ret->obj)
		return 0;
	/* "mrope" means no scaling either: the sections say that positions have three axes. */
	if ((r = config_only(ret, "type", "default", "mrope", e)) < 0 ||
	    (r = config_only(ret, "rope_type", "default", "mrope", e)) < 0)
		return r;
	return config_double(ret, "rope_theta", theta, 1e12, ret_theta, e);
}
