/* For tests of config readers: texts of config.json with one change. */
#ifndef TESTS_UNIT_CONFIG_EDIT_H
#define TESTS_UNIT_CONFIG_EDIT_H

#include "test.h"

#include "base/json.h"

#define JSON(...) #__VA_ARGS__ /* a JSON text written as it is */

static inline json_t *
load(const char *text)
{
	json_error_t je;
	json_t *j = json_loads(text, 0, &je);

	if (!j)
		fail_msg("%s in %s", je.text, text);
	return j;
}

/* Sets the value at a dotted path; NULL removes the key. */
static inline void
edit_json(json_t *j, const char *path, json_t *value)
{
	_cleanup_free_ char *copy = strdup(path);
	char *key = copy, *dot;

	for (; (dot = strchr(key, '.')); key = dot + 1) {
		*dot = '\0';
		j = json_object_get(j, key);
		assert_non_null(j);
	}
	assert_int_equal(value ? json_object_set(j, key, value) : json_object_del(j, key), 0);
}

/* The same with a JSON text; "" removes the key. */
static inline void
edit(json_t *j, const char *path, const char *value)
{
	json_auto_t *v = *value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;

	assert_true(v || !*value);
	edit_json(j, path, v);
}

#endif
