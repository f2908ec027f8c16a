#include "like.h"

#include <inttypes.h>

#include "base/str.h"
#include "spec/spec.h"

/* The job with all defaults filled in; "" when this program does not know one of its options. */
static void
whole_print(const json_t *job, struct buf *ret)
{
	_cleanup_(spec_release) struct spec spec = SPEC_INIT;
	char field[SPEC_FIELD_LEN];

	if (spec_from_json(job, &spec, field, NULL) == 0)
		spec_print(&spec, ret);
}

/* Removes `key` from `obj`, a part of `job`, if the job is the same without it. */
static int
default_drop(json_t *job, json_t *obj, const char *key, struct err *e)
{
	_cleanup_(buf_release) struct buf with = BUF_INIT, without = BUF_INIT;
	json_t *value = json_incref(json_object_get(obj, key));
	int r = 0;

	if (!value)
		return 0;
	whole_print(job, &with);
	(void)json_object_del(obj, key);
	whole_print(job, &without);
	if (with.failed || without.failed ||
	    (!json_is_null(value) && (!with.len || !without.len || !str_eq(with.data, without.data))))
		r = json_object_set(obj, key, value);
	json_decref(value);
	return r < 0 || with.failed || without.failed ? err_no_memory(e) : 0;
}

static int
defaults_drop(json_t *job, struct err *e)
{
	const struct spec_field *f;
	json_t *obj;
	int r = 0;

	for (f = spec_fields; r == 0 && f < spec_fields + SPEC_FIELD_MAX; f++) {
		obj = f->parent == SPEC_FIELD_JOB ? job : json_object_get(job, spec_fields[f->parent].key);
		if (f->key && json_is_object(obj) && !json_is_object(json_object_get(obj, f->key)))
			r = default_drop(job, obj, f->key, e);
	}
	return r;
}

int
like_read(struct cli *c, uint64_t id, json_t **ret, struct err *e)
{
	json_t *job, *spec;
	int r;

	r = cli_job(c, id, &job, e);
	if (r < 0)
		return r;
	spec = json_incref(json_object_get(job, "spec"));
	json_decref(job);
	if (!json_is_object(spec))
		r = err_set(e, E_INTERNAL, "job %" PRIu64 " at '%s' has no options", id, cli_server(c));
	if (r == 0)
		r = defaults_drop(spec, e);
	if (r == 0)
		*ret = spec;
	else
		json_decref(spec);
	return r;
}
