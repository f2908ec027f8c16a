#include "known.h"

#include <strings.h>

#include "base/buf.h"
#include "base/str.h"
#include "client/show/fact.h"
#include "client/show/job.h"

#define NEAR_MAX 4
#define NEAR_LETTERS 4 /* that names have in common at least */

static bool
same(const json_t *row, const char *key, const char *name)
{
	return strcasecmp(job_str(row, key), name) == 0;
}

/* "colqwen2-v1.0" of "vidore/colqwen2-v1.0" */
static const char *
short_name(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

static bool
is_repository(const json_t *row, const char *name)
{
	return same(row, "name", name) || strcasecmp(short_name(job_str(row, "name")), name) == 0;
}

/* A model of the answer: the repositories of its classes are those of the family. */
static const char *
family_of(const json_t *reply, const char *name)
{
	json_t *model;
	size_t i;

	json_array_foreach(json_object_get(reply, "models"), i, model)
		if (same(model, "architecture", name) || same(model, "name", name))
			return job_str(model, "architecture");
	return NULL;
}

/* Whether a family has a class of that name, which may have no known repository. */
static bool
is_class(const json_t *reply, const char *name)
{
	json_t *model, *class;
	size_t i, k;

	json_array_foreach(json_object_get(reply, "models"), i, model)
		json_array_foreach(json_object_get(model, "classes"), k, class)
			if (same(class, "class", name))
				return true;
	return false;
}

static bool
is_meant(const json_t *row, const char *name, const char *family)
{
	if (family)
		return same(row, "architecture", family);
	return is_repository(row, name) || same(row, "class", name);
}

/* How many letters a row's name and `name` begin with alike; all of them when `name` is a part of it. */
static size_t
likeness(const json_t *row, const char *name)
{
	const char *a = short_name(job_str(row, "name")), *b = short_name(name);
	size_t n = 0;

	if (strcasestr(job_str(row, "name"), name))
		return strlen(name);
	while (a[n] && b[n] && strncasecmp(a + n, b + n, 1) == 0)
		n++;
	return n;
}

/* Adds the names most like it, best first: "a/b, a/c". */
static void
near_add(struct buf *b, const json_t *all, const char *name)
{
	size_t i, n, best = SIZE_MAX, next, found = 0;
	json_t *row;

	do {
		next = 0;
		json_array_foreach(all, i, row) {
			n = likeness(row, name);
			if (n == best && n >= NEAR_LETTERS && found < NEAR_MAX)
				buf_printf(b, "%s%s", found++ ? ", " : "", job_str(row, "name"));
			if (n < best && n > next)
				next = n;
		}
		best = next;
	} while (best >= NEAR_LETTERS && found < NEAR_MAX);
}

static int
unknown(const json_t *all, const char *name, struct err *e)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	int r;

	near_add(&b, all, name);
	r = buf_failed(&b, e);
	if (r < 0)
		return r;
	return err_set(e, E_USAGE,
		       "'%s' is not a repository, class or family that colconv knows%s%s; what is converted "
		       "is decided "
		       "by config.json, so a checkpoint with a known class is converted under any name",
		       name, b.len ? "; near to it: " : "", b.len ? b.data : "");
}

int
known_find(const json_t *reply, const char *name, json_t **ret, struct err *e)
{
	const json_t *all = json_object_get(reply, "repositories");
	const char *family = family_of(reply, name);
	json_t *rows = json_array(), *row;
	size_t i;
	int r;

	json_array_foreach(all, i, row)
		if (is_meant(row, name, family))
			(void)json_array_append(rows, row);
	if (!json_array_size(rows) && !family && !is_class(reply, name)) {
		r = unknown(all, name, e);
		json_decref(rows);
		return r;
	}
	*ret = rows;
	return 0;
}

/* "converted; golden data of its class are checked", "refused: its class is not converted" */
static void
status_add(struct buf *b, const json_t *row)
{
	const char *status = job_str(row, "status"), *detail = job_str(row, "detail");

	if (str_eq(status, "verified"))
		buf_puts(b, "converted, and verified on golden data of its class");
	else if (str_eq(status, "unseen"))
		buf_printf(b, "converted, with something not seen: %s", detail);
	else
		buf_printf(b, "%s%s%s", status, *detail ? ": " : "", detail);
}

static void
facts_print(const json_t *row)
{
	static const char *const before[] = {"name", "architecture", "class", "head", "parameters", "width"};
	static const char *const after[] = {"pages", "note", "experimental"};
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(before); i++)
		fact_member(row, before[i]);
	status_add(&b, row);
	fact_print("status", b.len ? b.data : "");
	for (i = 0; i < ARRAY_LEN(after); i++)
		fact_member(row, after[i]);
}

void
known_print(const json_t *rows)
{
	json_t *row;
	size_t i;

	if (json_array_size(rows) == 1) {
		facts_print(json_array_get(rows, 0));
		return;
	}
	json_array_foreach(rows, i, row) {
		_cleanup_(buf_release) struct buf b = BUF_INIT;

		buf_printf(&b, "%s: ", job_str(row, "name"));
		status_add(&b, row);
		fact_print(job_str(row, "class"), b.len ? b.data : "");
	}
}
