#include "json.h"

#include <inttypes.h>
#include <math.h>

#include "folder.h"
#include "fs.h"

struct shape {
	int depth;     /* the deepest nesting */
	size_t values; /* members and elements, approximately */
};

/* Measures the tree that jansson would build from the text, before it builds it. */
static struct shape
shape_scan(const char *s, size_t len)
{
	struct shape ret = {.values = 1};
	bool in_string = false;
	size_t i;
	int depth = 0;

	for (i = 0; i < len; i++) {
		if (in_string) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				in_string = false;
		} else if (s[i] == '"') {
			in_string = true;
		} else if (s[i] == '{' || s[i] == '[') {
			depth++;
			ret.depth = MAX(ret.depth, depth);
			ret.values++;
		} else if (s[i] == '}' || s[i] == ']') {
			depth--;
		} else if (s[i] == ',') {
			ret.values++;
		}
	}
	return ret;
}

/* A real without a fraction that int64 holds. Above 2^53 a double may have lost digits. */
static bool
is_whole(const json_t *j)
{
	const double v = json_real_value(j);

	return json_is_real(j) && fabs(v) <= 0x1p53 && v == trunc(v);
}

/* Replaces whole numbers that were read as reals by integers. Returns 0, or -1 when memory ran out. */
static int
integers_restore(json_t *j)
{
	json_t *value;
	void *at;
	size_t i;
	int failed = 0;

	for (at = json_object_iter(j); at; at = json_object_iter_next(j, at)) {
		value = json_object_iter_value(at);
		failed |= is_whole(value) ? json_object_iter_set_new(
						    j, at, json_integer((json_int_t)json_real_value(value)))
					  : integers_restore(value);
	}
	json_array_foreach(j, i, value)
		failed |= is_whole(value)
				  ? json_array_set_new(j, i, json_integer((json_int_t)json_real_value(value)))
				  : integers_restore(value);
	return failed;
}

/*
 * jansson refuses a document with an integer beyond int64, such as the 10^30 that transformers writes for "no limit": such
 * a number is read as a real.
 */
static json_t *
load(const char *text, size_t len, json_error_t *je)
{
	json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES, je);

	if (j || json_error_code(je) != json_error_numeric_overflow)
		return j;
	j = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, je);
	return j ? json_whole(j, integers_restore(j)) : NULL;
}

static int
parse(const char *text, size_t len, size_t values_max, const char *what, int code, json_t **ret,
      struct err *e)
{
	const struct shape shape = shape_scan(text, len);
	json_error_t je;

	if (shape.depth > JSON_DEPTH_MAX) /* jansson recurses per level */
		return err_set(e, code, "%s: nested deeper than %d levels", what, JSON_DEPTH_MAX);
	if (shape.values > values_max)
		return err_set(e, E_TOO_LARGE, "%s: it has more than %zu values", what, values_max);
	*ret = load(text, len, &je);
	if (!*ret)
		return err_set(e, code, "%s: line %d, column %d: %s", what, je.line, je.column, je.text);
	return 0;
}

int
json_parse(const char *text, size_t len, const char *what, int code, json_t **ret, struct err *e)
{
	return parse(text, len, SIZE_MAX, what, code, ret, e);
}

int
json_parse_answer(const char *text, size_t len, const char *what, int code, json_t **ret, struct err *e)
{
	return parse(text, len, JSON_ANSWER_VALUES_MAX, what, code, ret, e);
}

int
json_read(const char *path, uint64_t max, int code, json_t **ret, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	r = fs_read(path, max, code, &text, &len, e);
	if (r < 0)
		return r;
	return json_parse(text, len, path, code, ret, e);
}

int
json_read_in(struct folder *f, const char *name, uint64_t max, int code, json_t **ret, struct err *e)
{
	_cleanup_free_ char *text = NULL, *path = fs_join(folder_path(f), name);
	size_t len;
	int r;

	if (!path)
		return err_no_memory(e);
	r = folder_read(f, name, max, code, &text, &len, e);
	return r < 0 ? r : json_parse(text, len, path, code, ret, e);
}

static int
on_text(const char *data, size_t len, void *arg)
{
	struct buf *b = arg;

	buf_add(b, data, len);
	return b->failed ? -1 : 0;
}

char *
json_text(const json_t *j, size_t flags)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;

	if (json_dump_callback(j, on_text, &b, flags) < 0)
		return NULL;
	return buf_take(&b);
}

int
json_write(const char *path, const json_t *j, struct err *e)
{
	_cleanup_free_ char *text = json_text(j, JSON_INDENT(2));

	if (!text)
		return err_set(e, E_NO_MEMORY, "memory ran out writing '%s'", path);
	return fs_write_file(path, text, strlen(text), e);
}

static void
char_print(struct buf *b, unsigned char c)
{
	if (c == '"' || c == '\\')
		buf_printf(b, "\\%c", c);
	else
		buf_printf(b, "\\u%04x", c);
}

void
json_print_str(struct buf *b, const char *s)
{
	size_t n;

	if (!s) {
		buf_puts(b, "null");
		return;
	}
	buf_puts(b, "\"");
	for (;;) {
		for (n = 0; (unsigned char)s[n] >= ' ' && s[n] != '"' && s[n] != '\\'; n++)
			;
		buf_add(b, s, n);
		if (!s[n])
			break;
		char_print(b, (unsigned char)s[n]);
		s += n + 1;
	}
	buf_puts(b, "\"");
}

void
json_print_real(struct buf *b, double v)
{
	char text[40];

	(void)snprintf(text, sizeof(text), "%.15g", v); /* prints 0.99999 as the client sent it */
	if (strtod(text, NULL) != v)
		(void)snprintf(text, sizeof(text), "%.17g", v);
	buf_puts(b, text);
	if (!strpbrk(text, ".e"))
		buf_puts(b, ".0");
}

/* Returns the member, or NULL when it is optional and absent or null. */
static int
member_get(const json_t *obj, const char *path, const char *key, enum json_need need, int code,
	   const json_t **ret, struct err *e)
{
	const json_t *v = json_object_get(obj, key);

	*ret = NULL;
	if (v && !json_is_null(v))
		*ret = v;
	else if (need == JSON_REQUIRED)
		return err_set(e, code, "%s%s%s is missing", path, *path ? "." : "", key);
	return 0;
}

static int
wrong_type(const char *path, const char *key, int code, const char *want, struct err *e)
{
	return err_set(e, code, "%s%s%s must be %s", path, *path ? "." : "", key, want);
}

int
json_to_int(const json_t *v, int64_t *ret, struct err *e)
{
	const double real = json_real_value(v);

	if (json_is_integer(v))
		*ret = json_integer_value(v);
	else if (json_is_real(v) && real >= -0x1p63 && real < 0x1p63 && trunc(real) == real)
		*ret = (int64_t)real;
	else
		return err_set(e, E_USAGE, "not a whole number");
	return 0;
}

int
json_get_int(const json_t *obj, const char *path, const char *key, enum json_need need, int64_t min,
	     int64_t max, int code, int64_t *ret, struct err *e)
{
	const json_t *v;
	int64_t i;
	int r = member_get(obj, path, key, need, code, &v, e);

	if (r < 0 || !v)
		return r;
	if (json_to_int(v, &i, NULL) < 0)
		return wrong_type(path, key, code, "a whole number", e);
	if (i < min || i > max)
		return err_set(e, code, "%s%s%s must be from %" PRId64 " to %" PRId64 ", not %" PRId64, path,
			       *path ? "." : "", key, min, max, i);
	*ret = i;
	return 0;
}

int
json_get_double(const json_t *obj, const char *path, const char *key, enum json_need need, int code,
		double *ret, struct err *e)
{
	const json_t *v;
	int r = member_get(obj, path, key, need, code, &v, e);

	if (r < 0 || !v)
		return r;
	if (!json_is_number(v))
		return wrong_type(path, key, code, "a number", e);
	*ret = json_number_value(v);
	return 0;
}

int
json_get_bool(const json_t *obj, const char *path, const char *key, enum json_need need, int code, bool *ret,
	      struct err *e)
{
	const json_t *v;
	int r = member_get(obj, path, key, need, code, &v, e);

	if (r < 0 || !v)
		return r;
	if (!json_is_boolean(v))
		return wrong_type(path, key, code, "true or false", e);
	*ret = json_is_true(v);
	return 0;
}

int
json_get_str(const json_t *obj, const char *path, const char *key, enum json_need need, int code,
	     const char **ret, struct err *e)
{
	const json_t *v;
	int r = member_get(obj, path, key, need, code, &v, e);

	if (r < 0 || !v)
		return r;
	if (!json_is_string(v))
		return wrong_type(path, key, code, "a string", e);
	*ret = json_string_value(v);
	return 0;
}

int
json_get_obj(const json_t *obj, const char *path, const char *key, enum json_need need, int code,
	     const json_t **ret, struct err *e)
{
	const json_t *v;
	int r = member_get(obj, path, key, need, code, &v, e);

	if (r < 0 || !v)
		return r;
	if (!json_is_object(v))
		return wrong_type(path, key, code, "an object", e);
	*ret = v;
	return 0;
}

int
json_get_array(const json_t *obj, const char *path, const char *key, enum json_need need, int code,
	       const json_t **ret, struct err *e)
{
	const json_t *v;
	int r = member_get(obj, path, key, need, code, &v, e);

	if (r < 0 || !v)
		return r;
	if (!json_is_array(v))
		return wrong_type(path, key, code, "an array", e);
	*ret = v;
	return 0;
}

json_t *
json_whole(json_t *j, int failed)
{
	if (j && !failed)
		return j;
	json_decref(j);
	return NULL;
}
