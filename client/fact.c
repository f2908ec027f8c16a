#include "fact.h"

#include "job.h"
#include "text.h"

void
fact_print(const char *name, const char *value)
{
	(void)printf("%-15s", name);
	text_print(stdout, value);
	(void)fputc('\n', stdout);
}

void
fact_member(const json_t *obj, const char *key)
{
	const json_t *v = json_object_get(obj, key);
	_cleanup_free_ char *text = NULL;

	if (!v || json_is_null(v))
		return;
	text = json_is_string(v) ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
	fact_print(key, text ? text : job_str(obj, key));
}
