#include "kind.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>

#include "base/str.h"
#include "repo.h"
#include "spec.h"

/* A value that is being read, and the names that its error messages need. */
struct reading {
	const struct spec_field *f;
	const json_t *v; /* NULL: the job does not have the field */
	char *name;      /* of the field, or of the member that is being read */
};

static void _printf_(2, 3) name_set(const struct reading *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(d->name, SPEC_FIELD_LEN, fmt, ap);
	va_end(ap);
	str_clean(d->name); /* it may have been cut inside a character */
}

static int
wrong_type(const struct reading *d, const char *want, struct err *e)
{
	return err_set(e, E_BAD_REQUEST, "%s must be %s", d->name, want);
}

/* A string of 1 to `max` visible characters. */
static int
text_check(const char *s, size_t len, const char *name, size_t max, struct err *e)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++)
		n += (s[i] & 0xc0) != 0x80;
	if (n == 0 || n > max)
		return err_set(e, E_BAD_REQUEST, "%s must have from 1 to %zu characters, not %zu", name, max,
			       n);
	if (!str_is_visible(s, len))
		return err_set(e, E_BAD_REQUEST,
			       "%s must not contain control characters, line separators or direction marks",
			       name);
	return 0;
}

static int
string_parse(const struct reading *d, const json_t *v, size_t max, const char **ret, struct err *e)
{
	*ret = json_string_value(v);
	if (!*ret)
		return wrong_type(d, "a string", e);
	return text_check(*ret, json_string_length(v), d->name, max, e);
}

static int
string_copy(const char *s, char **ret, struct err *e)
{
	*ret = strdup(s);
	return *ret ? 0 : err_no_memory(e);
}

static int
text_parse(const struct reading *d, void *ret, struct err *e)
{
	const char *s;
	int r;

	if (!d->v)
		return 0;
	r = string_parse(d, d->v, (size_t)d->f->most, &s, e);
	return r < 0 ? r : string_copy(s, ret, e);
}

static int
path_parse(const struct reading *d, const json_t *v, char **ret, struct err *e)
{
	const char *s;
	int r = string_parse(d, v, SPEC_PATH_MAX, &s, e);

	if (r < 0)
		return r;
	if (s[0] != '/')
		return err_set(e, E_BAD_REQUEST, "%s must be an absolute path, not '%s'", d->name, s);
	return string_copy(s, ret, e);
}

static int
source_parse(const struct reading *d, void *ret, struct err *e)
{
	const char *s = json_string_value(d->v);

	if (!d->v)
		return 0;
	if (!s || !*s || s[0] == '/')
		return path_parse(d, d->v, ret, e);
	if (json_string_length(d->v) != strlen(s) || !repo_id_ok(s))
		return err_set(e, E_BAD_REQUEST,
			       "%s must be an absolute path or a repository " REPO_ID_FORM
			       " of the Hub, not '%.256s'",
			       d->name, s);
	return string_copy(s, ret, e);
}

static int
word_parse(const struct reading *d, void *ret, struct err *e)
{
	enum spec_word *word = ret, end;

	spec_words(d->f, word, &end);
	if (!d->v)
		return 0;
	if (!json_is_string(d->v))
		return wrong_type(d, "a string", e);
	return spec_word_from_str(d->f, d->name, json_string_value(d->v), word, e);
}

static int
words_parse(const struct reading *d, void *ret, struct err *e)
{
	enum spec_word word, first, end;
	unsigned *set = ret;
	const json_t *v;
	size_t i;
	int r;

	spec_words(d->f, &first, &end);
	*set = d->v ? 0 : (unsigned)d->f->initial;
	if (d->v && !json_is_array(d->v))
		return wrong_type(d, "an array", e);
	if (d->v && json_array_size(d->v) == 0)
		return err_set(e, E_BAD_REQUEST, "%s must have at least one member", d->name);
	json_array_foreach(d->v, i, v) {
		name_set(d, "%s[%zu]", d->f->key, i);
		if (!json_is_string(v))
			return wrong_type(d, "a string", e);
		r = spec_word_from_str(d->f, d->name, json_string_value(v), &word, e);
		if (r < 0)
			return r;
		if (*set & 1u << (word - first))
			return err_set(e, E_BAD_REQUEST, "%s names '%s' a second time", d->name,
				       spec_word(word));
		*set |= 1u << (word - first);
	}
	return 0;
}

static int
whole_parse(const struct reading *d, void *ret, struct err *e)
{
	int64_t *n = ret;

	*n = d->f->initial;
	if (!d->v)
		return 0;
	if (json_to_int(d->v, n, NULL) < 0)
		return wrong_type(d, "a whole number", e);
	if (*n < d->f->least || *n > d->f->most)
		return err_set(e, E_BAD_REQUEST, "%s must be from %" PRId64 " to %" PRId64 ", not %" PRId64,
			       d->name, d->f->least, d->f->most, *n);
	return 0;
}

static int
number_parse(const struct reading *d, void *ret, struct err *e)
{
	const struct spec_field *f = d->f;
	double *x = ret;

	*x = (double)f->initial;
	if (!d->v)
		return 0;
	if (!json_is_number(d->v))
		return wrong_type(d, "a number", e);
	*x = json_number_value(d->v);
	if (isfinite(*x) && *x >= (double)f->least && (*x <= (double)f->most || f->most == INT64_MAX))
		return 0;
	if (f->most == INT64_MAX)
		return err_set(e, E_BAD_REQUEST, "%s must be at least %" PRId64, d->name, f->least);
	return err_set(e, E_BAD_REQUEST, "%s must be from %" PRId64 " to %" PRId64, d->name, f->least,
		       f->most);
}

static int
size_parse(const struct reading *d, void *ret, struct err *e)
{
	struct err why = ERR_INIT;
	uint64_t size = 0;
	int64_t *bytes = ret;

	*bytes = d->f->initial;
	if (!d->v)
		return 0;
	if (json_is_string(d->v)) {
		if (str_to_bytes(json_string_value(d->v), d->name, &size, &why) < 0)
			return err_set(e, E_BAD_REQUEST, "%s", why.msg);
		*bytes = (int64_t)MIN(size, (uint64_t)INT64_MAX);
	} else if (json_to_int(d->v, bytes, NULL) < 0) {
		return wrong_type(d, "a number of bytes or a string such as '2GB'", e);
	}
	if (*bytes < d->f->least || size > INT64_MAX)
		return err_set(e, E_BAD_REQUEST, "%s must be at least %" PRId64 " bytes", d->name,
			       d->f->least);
	return 0;
}

static int
switch_parse(const struct reading *d, void *ret, struct err *e)
{
	const bool members = spec_field_next(NULL, spec_field_id(d->f)) != NULL;
	bool *on = ret;

	*on = d->v ? !json_is_false(d->v) : d->f->initial;
	if (!d->v || json_is_boolean(d->v) || (members && json_is_object(d->v)))
		return 0;
	return wrong_type(d, members ? "true, false or an object" : "true or false", e);
}

static int
paths_parse(const struct reading *d, void *ret, struct err *e)
{
	struct spec_paths *paths = ret;
	const size_t n = json_array_size(d->v);
	int r = 0;

	if (d->v && !json_is_array(d->v))
		return wrong_type(d, "an array", e);
	if (n > (size_t)d->f->most)
		return err_set(e, E_BAD_REQUEST, "%s must have at most %" PRId64 " paths, not %zu", d->name,
			       d->f->most, n);
	paths->item = n ? calloc(n, sizeof(*paths->item)) : NULL;
	if (n && !paths->item)
		return err_no_memory(e);
	while (r == 0 && paths->n < n) {
		name_set(d, "%s[%zu]", d->f->key, paths->n);
		r = path_parse(d, json_array_get(d->v, paths->n), &paths->item[paths->n], e);
		if (r == 0)
			paths->n++;
	}
	return r;
}

static int
labels_parse(const struct reading *d, void *ret, struct err *e)
{
	json_t *labels = json_object(), *copy;
	const json_t *v;
	const char *key, *s;
	int r;

	*(json_t **)ret = labels;
	if (!labels)
		return err_no_memory(e);
	if (d->v && !json_is_object(d->v))
		return wrong_type(d, "an object", e);
	if (json_object_size(d->v) > (size_t)d->f->most)
		return err_set(e, E_BAD_REQUEST, "%s must have at most %" PRId64 " members, not %zu", d->name,
			       d->f->most, json_object_size(d->v));
	json_object_foreach((json_t *)(uintptr_t)d->v, key, v) {
		name_set(d, "%s", d->f->key);
		r = text_check(key, strlen(key), "the name of a label", SPEC_LABEL_LEN_MAX, e);
		if (r < 0)
			return r;
		name_set(d, "%s.%s", d->f->key, key);
		r = string_parse(d, v, SPEC_LABEL_LEN_MAX, &s, e);
		copy = r == 0 ? json_string(s) : NULL;
		if (r < 0 || !copy || json_object_set_new_nocheck(labels, key, copy) < 0)
			return r < 0 ? r : err_no_memory(e);
	}
	return 0;
}

static void
string_print(const struct spec_field *f _unused_, const void *member, struct buf *b)
{
	json_print_str(b, *(char *const *)member);
}

static void
word_print(const struct spec_field *f _unused_, const void *member, struct buf *b)
{
	buf_printf(b, "\"%s\"", spec_word(*(const enum spec_word *)member));
}

static void
words_print(const struct spec_field *f, const void *member, struct buf *b)
{
	const unsigned set = *(const unsigned *)member;
	enum spec_word first, end;
	const char *comma = "[";
	unsigned w;

	spec_words(f, &first, &end);
	for (w = first; w < end; w++)
		if (set & 1u << (w - first)) {
			buf_printf(b, "%s\"%s\"", comma, spec_word(w));
			comma = ",";
		}
	buf_puts(b, "]");
}

static void
whole_print(const struct spec_field *f _unused_, const void *member, struct buf *b)
{
	buf_printf(b, "%" PRId64, *(const int64_t *)member);
}

static void
number_print(const struct spec_field *f _unused_, const void *member, struct buf *b)
{
	json_print_real(b, *(const double *)member);
}

static void
seconds_print(const struct spec_field *f, const void *member, struct buf *b)
{
	if (*(const int64_t *)member)
		whole_print(f, member, b);
	else
		buf_puts(b, "null");
}

static void
switch_print(const struct spec_field *f _unused_, const void *member, struct buf *b)
{
	buf_puts(b, *(const bool *)member ? "true" : "false");
}

static void
paths_print(const struct spec_field *f _unused_, const void *member, struct buf *b)
{
	const struct spec_paths *paths = member;
	size_t i;

	buf_puts(b, "[");
	for (i = 0; i < paths->n; i++) {
		buf_puts(b, i ? "," : "");
		json_print_str(b, paths->item[i]);
	}
	buf_puts(b, "]");
}

/* Sorted, because the order in the request has no meaning. */
static void
labels_print(const struct spec_field *f _unused_, const void *member, struct buf *b)
{
	_cleanup_free_ char *text = json_text(*(json_t *const *)member, JSON_COMPACT | JSON_SORT_KEYS);

	buf_puts(b, text ? text : "");
	b->failed |= !text;
}

static void
string_release(void *member)
{
	free(*(char **)member);
}

static void
paths_release(void *member)
{
	struct spec_paths *paths = member;

	while (paths->n)
		free(paths->item[--paths->n]);
	free(paths->item);
}

static void
labels_release(void *member)
{
	json_decref(*(json_t **)member);
}

/* clang-format off */
static const struct {
	int (*parse)(const struct reading *d, void *ret, struct err *e);
	void (*print)(const struct spec_field *f, const void *member, struct buf *b);
	void (*release)(void *member); /* NULL: owns nothing */
	bool takes_null;
} kinds[SPEC_KIND_MAX] = {
	[SPEC_KIND_SOURCE]  = {source_parse, string_print,  string_release, true},
	[SPEC_KIND_TEXT]    = {text_parse,   string_print,  string_release, false},
	[SPEC_KIND_WORD]    = {word_parse,   word_print,    NULL,           false},
	[SPEC_KIND_WORDS]   = {words_parse,  words_print,   NULL,           false},
	[SPEC_KIND_WHOLE]   = {whole_parse,  whole_print,   NULL,           false},
	[SPEC_KIND_NUMBER]  = {number_parse, number_print,  NULL,           false},
	[SPEC_KIND_SIZE]    = {size_parse,   whole_print,   NULL,           false},
	[SPEC_KIND_SECONDS] = {whole_parse,  seconds_print, NULL,           true},
	[SPEC_KIND_SWITCH]  = {switch_parse, switch_print,  NULL,           false},
	[SPEC_KIND_PATHS]   = {paths_parse,  paths_print,   paths_release,  false},
	[SPEC_KIND_LABELS]  = {labels_parse, labels_print,  labels_release, false},
};
/* clang-format on */

int
spec_kind_parse(const struct spec_field *f, const json_t *v, void *ret, char name[SPEC_FIELD_LEN],
		struct err *e)
{
	const struct reading d = {.f = f, .v = json_is_null(v) ? NULL : v, .name = name};

	return kinds[f->kind].parse(&d, ret, e);
}

static bool
left_out(const struct spec_field *f, const void *member)
{
	return (f->kind == SPEC_KIND_TEXT && !*(char *const *)member) ||
	       (f->kind == SPEC_KIND_SIZE && !*(const int64_t *)member);
}

void
spec_kind_print(const struct spec_field *f, const void *member, const char *key, struct buf *b)
{
	if (left_out(f, member))
		return;
	buf_puts(b, key);
	kinds[f->kind].print(f, member, b);
}

void
spec_kind_release(const struct spec_field *f, void *member)
{
	if (kinds[f->kind].release)
		kinds[f->kind].release(member);
}

bool
spec_kind_takes_null(enum spec_kind kind)
{
	return kinds[kind].takes_null;
}
