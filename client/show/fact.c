#include "fact.h"

#include "base/buf.h"
#include "text.h"

void
fact_print(const char *name, const char *value)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;

	text_add(&b, name, strlen(name));
	(void)printf("%-14s ", b.data ? b.data : "");
	text_print(stdout, value);
	(void)fputc('\n', stdout);
}

void
fact_value_add(struct buf *b, const json_t *v)
{
	_cleanup_free_ char *text = NULL;
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_string(v)) {
		buf_puts(b, json_string_value(v));
	} else if (json_is_array(v)) {
		json_array_foreach(v, i, item) {
			buf_puts(b, i ? ", " : "");
			fact_value_add(b, item);
		}
	} else if (json_is_object(v)) {
		json_object_foreach((json_t *)(uintptr_t)v, key, item) {
			buf_printf(b, "%s%s=", b->len ? ", " : "", key);
			fact_value_add(b, item);
		}
	} else {
		text = json_text(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
		buf_puts(b, text ? text : "");
	}
}

void
fact_member(const json_t *obj, const char *key)
{
	const json_t *v = json_object_get(obj, key);
	_cleanup_(buf_release) struct buf b = BUF_INIT;

	if (!v || json_is_null(v))
		return;
	fact_value_add(&b, v);
	if (b.len)
		fact_print(key, b.data);
}
