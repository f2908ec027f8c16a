#include "job_options.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"
#include "mistyped.h"
#include "spec/repo.h"

#define SPEC_FILE_MAX (1u << 20)
#define READ_LEN 65536

/* Takes `value`, which is NULL when memory ran out. */
static int
set_take(json_t *obj, const char *key, json_t *value, struct err *e)
{
	return json_object_set_new(obj, key, value) < 0 ? err_no_memory(e) : 0;
}

/* A string from the command line, which may be any bytes. */
static int
str_new(const char *what, const char *s, size_t len, json_t **ret, struct err *e)
{
	*ret = json_stringn(s, len);
	return *ret ? 0 : err_set(e, E_USAGE, "%s must be UTF-8, not '%s'", what, s);
}

/* The array or object under `key`; it is made when missing. */
static int
member_make(json_t *obj, const char *key, json_t *(*make)(void), json_t **ret, struct err *e)
{
	int r = 0;

	*ret = json_object_get(obj, key);
	if (!*ret)
		r = set_take(obj, key, make(), e);
	if (r == 0)
		*ret = json_object_get(obj, key);
	return r;
}

/* The field that an option sets; NULL for an option that is not about the job. */
static const struct spec_field *
field_of(const struct option_row *o)
{
	const struct spec_field *f;

	for (f = spec_fields; f < spec_fields + SPEC_FIELD_MAX; f++)
		if (f->option && str_eq(f->option, o->name))
			return f;
	return NULL;
}

/* Puts a value into the job's object, or into that of the field's parent ("parity"), unless the parent is switched off. */
static int
put_take(const struct option_row *o, json_t *value, struct err *e)
{
	const enum spec_field_id parent = field_of(o)->parent;
	json_t *obj = o->ret;
	int r = 0;

	if (parent != SPEC_FIELD_JOB) {
		r = member_make(o->ret, spec_fields[parent].key, json_object, &obj, e);
		if (r == 0 && !json_is_object(obj))
			r = err_set(e, E_USAGE, "--%s cannot be used with --%s", o->name,
				    spec_fields[parent].option);
	}
	if (r < 0) {
		json_decref(value);
		return r;
	}
	return set_take(obj, o->key, value, e);
}

static int
set_str(const struct option_row *o, const char *value, struct err *e)
{
	json_t *s;
	int r = str_new(o->name, value, strlen(value), &s, e);

	return r < 0 ? r : put_take(o, s, e);
}

static int
set_words(const struct option_row *o, const char *value, struct err *e)
{
	json_t *list = json_array(), *s;
	size_t len;
	int r;

	for (;; value += len + 1) {
		len = strcspn(value, ",");
		r = str_new(o->name, value, len, &s, e);
		if (r < 0) {
			json_decref(list);
			return r;
		}
		(void)json_array_append_new(list, s);
		if (value[len] == '\0')
			return put_take(o, list, e);
	}
}

int
job_option_append(const struct option_row *o, const char *value, struct err *e)
{
	json_t *list, *s;
	int r;

	r = member_make(o->ret, o->key, json_array, &list, e);
	if (r == 0)
		r = str_new(o->name, value, strlen(value), &s, e);
	if (r == 0)
		(void)json_array_append_new(list, s);
	return r;
}

/* Sets a whole number, which may be negative. The daemon checks its range. */
static int
set_whole(const struct option_row *o, const char *value, struct err *e)
{
	const bool negative = *value == '-';
	uint64_t n;
	int r = str_to_u64(value + negative, 0, INT64_MAX, o->name, &n, e);

	return r < 0 ? r : put_take(o, json_integer(negative ? -(json_int_t)n : (json_int_t)n), e);
}

static int
set_number(const struct option_row *o, const char *value, struct err *e)
{
	double x;
	int r = str_to_double(value, -INFINITY, INFINITY, o->name, &x, e);

	return r < 0 ? r : put_take(o, json_real(x), e);
}

static int
set_seconds(const struct option_row *o, const char *value, struct err *e)
{
	uint64_t n;
	const struct option_row number = {.name = o->name, .ret = &n};
	int r = option_seconds(&number, value, e);

	return r < 0 ? r : put_take(o, json_integer((json_int_t)n), e);
}

/* Sets a switch to the opposite of its default. */
static int
set_switch(const struct option_row *o, const char *value _unused_, struct err *e)
{
	if (json_object_get(o->ret, o->key))
		return err_set(e, E_USAGE, "--%s cannot be used with the options of %s", o->name, o->key);
	return put_take(o, json_boolean(!field_of(o)->initial), e);
}

static int
set_label(const struct option_row *o, const char *value, struct err *e)
{
	const char *eq = strchr(value, '=');
	_cleanup_free_ char *key = NULL;
	json_t *labels, *s;
	int r;

	if (!eq || eq == value)
		return err_set(e, E_USAGE, "--%s must be KEY=VALUE, not '%s'", o->name, value);
	key = strndup(value, (size_t)(eq - value));
	if (!key)
		return err_no_memory(e);
	r = member_make(o->ret, o->key, json_object, &labels, e);
	if (r == 0)
		r = str_new(o->name, eq + 1, strlen(eq + 1), &s, e);
	if (r == 0 && json_object_set_new(labels, key, s) < 0)
		r = err_set(e, E_USAGE, "--%s must be UTF-8, not '%s'", o->name, value);
	return r;
}

static option_fn *const setters[SPEC_KIND_MAX] = {
	[SPEC_KIND_SOURCE] = set_str,    [SPEC_KIND_TEXT] = set_str,
	[SPEC_KIND_WORD] = set_str,      [SPEC_KIND_WORDS] = set_words,
	[SPEC_KIND_WHOLE] = set_whole,   [SPEC_KIND_NUMBER] = set_number,
	[SPEC_KIND_SIZE] = set_str,      [SPEC_KIND_SECONDS] = set_seconds,
	[SPEC_KIND_SWITCH] = set_switch, [SPEC_KIND_PATHS] = job_option_append,
	[SPEC_KIND_LABELS] = set_label,
};

/* The text is made once and lives as long as the program. */
static const char *
help_of(const struct spec_field *f)
{
	static char *texts[SPEC_FIELD_MAX];
	char **text = &texts[spec_field_id(f)];
	struct buf b = BUF_INIT;

	if (!*text) {
		spec_field_help(f, &b);
		*text = buf_take(&b);
	}
	return *text ? *text : f->help;
}

struct option_row
job_option(enum spec_field_id id, json_t *ret)
{
	const struct spec_field *f = &spec_fields[id];

	return (struct option_row){
		.name = f->option,
		.value = f->value,
		.set = setters[f->kind],
		.ret = ret,
		.key = f->key,
		.help = help_of(f),
	};
}

/* Reads all of the standard input. */
static int
stdin_read(struct buf *ret, struct err *e)
{
	void *room;
	ssize_t n;

	do {
		room = buf_reserve(ret, READ_LEN);
		if (!room)
			return buf_failed(ret, e);
		n = read(STDIN_FILENO, room, READ_LEN);
		if (n < 0 && errno != EINTR)
			return err_errno(e, E_USAGE, errno, "cannot read the standard input");
		ret->len += n > 0 ? (size_t)n : 0;
		if (ret->len > SPEC_FILE_MAX)
			return err_set(e, E_USAGE, "the standard input is longer than %u bytes",
				       SPEC_FILE_MAX);
	} while (n != 0);
	return 0;
}

int
job_file_read(const char *path, json_t **ret, struct err *e)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	int r;

	if (!str_eq(path, "-"))
		return json_read(path, SPEC_FILE_MAX, E_USAGE, ret, e);
	r = stdin_read(&b, e);
	return r < 0 ? r : json_parse(b.data, b.len, "the standard input", E_USAGE, ret, e);
}

int
job_spec_over(json_t **spec, json_t *base, const char *name, struct err *e)
{
	int r = 0;

	if (json_object_update_recursive(base, *spec) < 0)
		r = err_set(e, E_USAGE, "'%s' is not a JSON object", name);
	json_decref(*spec);
	*spec = base;
	return r;
}

int
job_spec_finish(json_t **spec, const char *file, const char *model, struct err *e)
{
	json_t *base;
	int r = 0;

	if (model && json_object_set_new(*spec, "model", json_string(model)) < 0)
		return err_set(e, E_USAGE, "the model must be UTF-8, not '%s'", model);
	if (file) {
		r = job_file_read(file, &base, e);
		if (r == 0)
			r = job_spec_over(spec, base, file, e);
	}
	if (r == 0 && !json_object_get(*spec, "model"))
		r = err_set(e, E_USAGE, "there must be a model, or a --file with one");
	return r < 0 ? r : job_paths_resolve(*spec, e);
}

/* The absolute form of a path; NULL when the string should stay. `what` ends the error message. */
static int
path_resolve(const json_t *path, const char *what, json_t **ret, struct err *e)
{
	_cleanup_free_ char *real = NULL;
	const char *s = json_string_value(path);

	*ret = NULL;
	if (!s)
		return 0; /* not a string: the daemon reports the error */
	real = realpath(s, NULL);
	if (!real && *s == '/')
		return 0; /* not on this machine, maybe on the daemon's */
	if (!real)
		return err_errno(e, E_BAD_REQUEST, errno, "cannot find '%s'%s", s, what);
	return str_new("a path", real, strlen(real), ret, e);
}

/* An existing folder wins over a repository of the same name on the Hub. */
static bool
is_repo(const char *model)
{
	return model && repo_id_ok(model) && !fs_is_dir(model);
}

static int
source_resolve(json_t *spec, const char *key, struct err *e)
{
	const json_t *source = json_object_get(spec, key);
	const char *name = json_string_value(source);
	json_t *real;
	int r;

	if (is_repo(name)) {
		mistyped_tell(name);
		return 0;
	}
	r = path_resolve(source, ", which must be a folder here or OWNER/NAME on the Hub", &real, e);
	return r < 0 || !real ? r : set_take(spec, key, real, e);
}

static int
paths_resolve(json_t *paths, struct err *e)
{
	json_t *real;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < json_array_size(paths); i++) {
		r = path_resolve(json_array_get(paths, i), "", &real, e);
		if (r == 0 && real)
			(void)json_array_set_new(paths, i, real);
	}
	return r;
}

int
job_paths_resolve(json_t *spec, struct err *e)
{
	const struct spec_field *f = NULL;
	int r = 0;

	while (r == 0 && (f = spec_field_next(f, SPEC_FIELD_JOB))) {
		if (f->kind == SPEC_KIND_SOURCE)
			r = source_resolve(spec, f->key, e);
		else if (f->kind == SPEC_KIND_PATHS)
			r = paths_resolve(json_object_get(spec, f->key), e);
	}
	return r;
}
