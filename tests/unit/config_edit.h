/* For tests of config readers: texts of config.json with one change. */
#ifndef TESTS_UNIT_CONFIG_EDIT_H
#define TESTS_UNIT_CONFIG_EDIT_H

#include "test.h"

#include "base/json.h"

#define JSON(...) #__VA_ARGS__ /* a JSON text written as it is */

/* A change that must be refused. */
struct refusal {
	const char *path, *value;
	int code;
	const char *error;
};

static inline json_t *
load(const char *text)
{
	json_error_t je;
	json_t *j = json_loads(text, 0, &je);

	if (!j)
		fail_msg("%s in %s", je.text, text);
	return j;
}

/* Sets a JSON value at a dotted path; "" removes it. */
static inline void
edit(json_t *j, const char *path, const char *value)
{
	_cleanup_free_ char *copy = strdup(path);
	char *key = copy, *dot;

	for (; (dot = strchr(key, '.')); key = dot + 1) {
		*dot = '\0';
		j = json_object_get(j, key);
		assert_non_null(j);
	}
	if (*value)
		assert_int_equal(json_object_set_new(j, key, json_loads(value, JSON_DECODE_ANY, NULL)), 0);
	else
		assert_int_equal(json_object_del(j, key), 0);
}

#endif
