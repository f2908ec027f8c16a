#include "normal.h"

#include <string.h>
#include <utf8proc.h>

#include "base/str.h"

void
normal_release(struct normal *n)
{
	size_t i;

	for (i = 0; i < n->n; i++) {
		free(n->step[i].from);
		free(n->step[i].to);
	}
	memset(n, 0, sizeof(*n));
}

static int
load_str(const json_t *j, const char *key, char **ret, size_t *ret_len, struct err *e)
{
	const char *s;
	int r;

	r = json_get_str(j, "normalizer", key, JSON_REQUIRED, E_BAD_CHECKPOINT, &s, e);
	if (r < 0)
		return r;
	*ret_len = strlen(s);
	*ret = strdup(s);
	return *ret ? 0 : err_no_memory(e);
}

static int
load_form(const json_t *j, struct normal_step *ret, struct err *e)
{
	const char *type = json_string_value(json_object_get(j, "type"));

	(void)e;
	ret->kind = NORMAL_FORM;
	ret->form = UTF8PROC_STABLE |
		    (type[strlen(type) - 1] == 'C' ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
		    (strchr(type, 'K') ? UTF8PROC_COMPAT : 0);
	return 0;
}

static int
load_replace(const json_t *j, struct normal_step *ret, struct err *e)
{
	const json_t *pattern;
	int r;

	ret->kind = NORMAL_REPLACE;
	r = json_get_obj(j, "normalizer", "pattern", JSON_REQUIRED, E_BAD_CHECKPOINT, &pattern, e);
	if (r < 0)
		return r;
	if (!json_object_get(pattern, "String"))
		return err_set(e, E_UNSUPPORTED_MODEL,
			       "normalizer: Replace by a regular expression is not written here");
	r = load_str(pattern, "String", &ret->from, &ret->from_len, e);
	if (r == 0 && ret->from_len == 0)
		return err_set(e, E_BAD_CHECKPOINT, "normalizer: Replace has an empty pattern");
	return r < 0 ? r : load_str(j, "content", &ret->to, &ret->to_len, e);
}

static int
load_prepend(const json_t *j, struct normal_step *ret, struct err *e)
{
	ret->kind = NORMAL_PREPEND;
	return load_str(j, "prepend", &ret->to, &ret->to_len, e);
}

static const struct {
	const char *type;
	int (*load)(const json_t *j, struct normal_step *ret, struct err *e);
} kinds[] = {
	{"NFC", load_form},  {"NFD", load_form},        {"NFKC", load_form},
	{"NFKD", load_form}, {"Replace", load_replace}, {"Prepend", load_prepend},
};

static int
load_step(const json_t *j, struct normal *ret, struct err *e)
{
	const json_t *list, *item;
	const char *type = NULL;
	size_t i;
	int r;

	r = json_get_str(j, "normalizer", "type", JSON_REQUIRED, E_BAD_CHECKPOINT, &type, e);
	if (r < 0)
		return r;
	if (str_eq(type, "Sequence")) {
		r = json_get_array(j, "normalizer", "normalizers", JSON_REQUIRED, E_BAD_CHECKPOINT, &list, e);
		for (i = 0; r == 0 && i < json_array_size(list); i++) {
			item = json_array_get(list, i);
			r = load_step(item, ret, e);
		}
		return r;
	}
	if (ret->n == NORMAL_MAX)
		return err_set(e, E_UNSUPPORTED_MODEL, "more than %d normalizers", NORMAL_MAX);
	for (i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_eq(type, kinds[i].type))
			return kinds[i].load(j, &ret->step[ret->n++], e);
	return err_set(e, E_UNSUPPORTED_MODEL, "normalizer '%s' is not written here", type);
}

int
normal_load(const json_t *j, struct normal *ret, struct err *e)
{
	if (!j || json_is_null(j))
		return 0;
	return load_step(j, ret, e);
}

static int
run_form(const struct normal_step *s, const char *text, size_t len, struct buf *ret, struct err *e)
{
	utf8proc_uint8_t *out = NULL;
	utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, &out,
					  (utf8proc_option_t)s->form);

	if (n < 0)
		return err_set(e, n == UTF8PROC_ERROR_NOMEM ? E_NO_MEMORY : E_BAD_REQUEST, "%s",
			       utf8proc_errmsg(n));
	buf_add(ret, out, (size_t)n);
	free(out);
	return 0;
}

static void
run_replace(const struct normal_step *s, const char *text, size_t len, struct buf *ret)
{
	const char *end = text + len, *at;

	while ((at = memmem(text, (size_t)(end - text), s->from, s->from_len))) {
		buf_add(ret, text, (size_t)(at - text));
		buf_add(ret, s->to, s->to_len);
		text = at + s->from_len;
	}
	buf_add(ret, text, (size_t)(end - text));
}

static int
run_step(const struct normal_step *s, const char *text, size_t len, struct buf *ret, struct err *e)
{
	switch (s->kind) {
	case NORMAL_FORM:
		return run_form(s, text, len, ret, e);
	case NORMAL_REPLACE:
		run_replace(s, text, len, ret);
		return 0;
	case NORMAL_PREPEND:
		buf_add(ret, s->to, len ? s->to_len : 0);
		buf_add(ret, text, len);
		return 0;
	}
	return 0;
}

int
normal_run(const struct normal *n, const char *text, size_t len, struct buf *ret, struct err *e)
{
	_cleanup_(buf_release) struct buf from = BUF_INIT, to = BUF_INIT;
	size_t i;
	int r;

	buf_add(&from, text, len);
	for (i = 0; i < n->n && !from.failed; i++) {
		buf_clear(&to);
		r = run_step(&n->step[i], from.len ? from.data : "", from.len, &to, e);
		if (r < 0)
			return r;
		struct buf swap = from;

		from = to;
		to = swap;
	}
	buf_add(ret, from.len ? from.data : "", from.len);
	return buf_failed(&from, e) < 0 ? E_NO_MEMORY : buf_failed(ret, e);
}
