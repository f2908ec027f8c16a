/* The documents that list a job's options, compared with the rows of fields.def. */
#include "test.h"

#include <stdlib.h>

#include "base/fs.h"
#include "base/str.h"
#include "spec/spec.h"

#define FILE_MAX (4u << 20)

static char *
path_of(const char *name)
{
	const char *top = getenv("COLCONV_SOURCE");
	char *path = fs_join(top ? top : ".", name);

	assert_non_null(path);
	return path;
}

static json_t *
json_of(const char *name)
{
	_cleanup_free_ char *path = path_of(name);
	struct err e = ERR_INIT;
	json_t *j = NULL;

	(void)json_read(path, FILE_MAX, E_IO, &j, &e);
	assert_no_error(&e);
	return j;
}

static char *
text_of(const char *name)
{
	_cleanup_free_ char *path = path_of(name);
	struct err e = ERR_INIT;
	char *text = NULL;
	size_t len;

	(void)fs_read(path, FILE_MAX, E_IO, &text, &len, &e);
	assert_no_error(&e);
	return text;
}

static const json_t *
member(const json_t *j, const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	char *key, *save;

	assert_non_null(copy);
	for (key = strtok_r(copy, "/", &save); key; key = strtok_r(NULL, "/", &save)) {
		j = json_object_get(j, key);
		if (!j)
			fail_msg("no '%s' in '%s'", key, path);
	}
	return j;
}

/*
 * The least that the schema of a field must have. Its description is the help of the row, beginning with a
 * capital.
 */
static json_t *
schema_make(const struct spec_field *f)
{
	const json_int_t least = f->least, most = f->most;
	json_t *j = NULL;

	switch (f->kind) {
	case SPEC_KIND_SOURCE:
		j = json_pack("{s:s}", "$ref",
			      f->use == SPEC_USE_MODEL ? "#/components/schemas/Source"
						       : "#/components/schemas/SourceOrNull");
		break;
	case SPEC_KIND_TEXT:
		j = json_pack("{s:s, s:I}", "type", "string", "maxLength", most);
		break;
	case SPEC_KIND_WORD:
		j = json_pack("{s:o}", "enum", spec_words_to_json(f, /*set=*/-1));
		(void)json_object_set(j, "default", json_array_get(json_object_get(j, "enum"), 0));
		break;
	case SPEC_KIND_WORDS:
		j = json_pack("{s:s, s:{s:o}, s:i, s:b}", "type", "array", "items", "enum",
			      spec_words_to_json(f, /*set=*/-1), "minItems", 1, "uniqueItems", 1);
		(void)json_object_set_new(j, "default", spec_words_to_json(f, f->initial));
		break;
	case SPEC_KIND_WHOLE:
		j = json_pack("{s:s, s:I, s:I, s:I}", "type", "integer", "minimum", least, "maximum", most,
			      "default", (json_int_t)f->initial);
		break;
	case SPEC_KIND_NUMBER:
		j = json_pack("{s:s, s:I}", "type", "number", "minimum", least);
		if (most < INT64_MAX)
			(void)json_object_set_new(j, "maximum", json_integer(most));
		break;
	case SPEC_KIND_SIZE:
		j = json_pack("{s:[s, s], s:I, s:I}", "type", "integer", "string", "minimum", least,
			      "maximum", most);
		break;
	case SPEC_KIND_SECONDS:
		j = json_pack("{s:[s, s], s:I, s:I, s:n}", "type", "integer", "null", "minimum", least,
			      "maximum", most, "default");
		break;
	case SPEC_KIND_SWITCH:
		j = spec_field_next(NULL, spec_field_id(f))
			    ? json_pack("{s:[s, s], s:b}", "type", "boolean", "object", "default",
					(int)f->initial)
			    : json_pack("{s:s, s:b}", "type", "boolean", "default", (int)f->initial);
		break;
	case SPEC_KIND_PATHS:
		j = json_pack("{s:s, s:{s:s}, s:I}", "type", "array", "items", "$ref",
			      "#/components/schemas/Path", "maxItems", most);
		break;
	case SPEC_KIND_LABELS:
		j = json_pack("{s:s, s:I}", "type", "object", "maxProperties", most);
		break;
	case SPEC_KIND_MAX:
		break;
	}
	assert_non_null(j);
	return j;
}

/* Every member of `want` is in `have`, with the same value. */
static void
assert_within(const struct spec_field *f, const json_t *have, json_t *want)
{
	_cleanup_free_ char *text = json_dumps(want, JSON_SORT_KEYS);
	const char *key;
	json_t *v;

	json_object_foreach(want, key, v)
		if (!json_equal(json_object_get(have, key), v))
			fail_msg("openapi.json: the schema of '%s' needs '%s' as in %s", f->key, key, text);
}

static void
description_check(const struct spec_field *f, const json_t *schema)
{
	const char *text = json_string_value(json_object_get(schema, "description"));

	if (!text || (text[0] | 0x20) != f->help[0] || !str_eq(text + 1, f->help + 1))
		fail_msg("openapi.json: '%s' is described as '%s', not as '%s'", f->key, text ? text : "",
			 f->help);
}

static const json_t *
schema_of(const json_t *properties, const struct spec_field *f)
{
	const json_t *schema;

	if (f->parent != SPEC_FIELD_JOB)
		properties = member(json_object_get(properties, spec_fields[f->parent].key), "properties");
	schema = json_object_get(properties, f->key);
	if (!schema)
		fail_msg("openapi.json has no field '%s'", f->key);
	return schema;
}

static void
members_check(const json_t *properties, enum spec_field_id parent)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)properties, key, v)
		if (!spec_field_find(key, parent))
			fail_msg("openapi.json has a field '%s' without a row", key);
}

TEST(test_request_schema)
{
	json_auto_t *doc = json_of("proto/openapi.json");
	const json_t *properties = member(doc, "components/schemas/JobRequest/properties");
	const struct spec_field *f;

	members_check(properties, SPEC_FIELD_JOB);
	for (f = spec_fields; f < spec_fields + SPEC_FIELD_MAX; f++) {
		const json_t *schema = schema_of(properties, f);
		json_auto_t *want = schema_make(f);

		assert_within(f, schema, want);
		description_check(f, schema);
		if (f->kind == SPEC_KIND_SWITCH && json_object_get(schema, "properties"))
			members_check(json_object_get(schema, "properties"), spec_field_id(f));
	}
}

/* This document may list fewer options, because the manifest's are printed from the rows. */
TEST(test_manifest_schema)
{
	json_auto_t *doc = json_of("proto/manifest.schema.json");
	const json_t *properties =
		member(doc, "properties/additional_metadata/properties/options/properties");
	const struct spec_field *f;
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)properties, key, v) {
		f = spec_field_find(key, SPEC_FIELD_JOB);
		if (!f || f->use != SPEC_USE_ARTIFACT)
			fail_msg("manifest.schema.json has an option '%s' that no manifest has", key);
	}
}

/* "\-\-shard\-size", as a manual page has it. */
static char *
roff_of(const char *option)
{
	struct buf b = BUF_INIT;

	buf_puts(&b, "\\-\\-");
	for (; *option; option++)
		buf_printf(&b, *option == '-' ? "\\-" : "%c", *option);
	assert_false(b.failed);
	return buf_take(&b);
}

/* Each manual must mention each option. */
TEST(test_manuals)
{
	_cleanup_free_ char *api = text_of("proto/api.md"), *ctl = text_of("client/colconvctl.1");
	const struct spec_field *f;

	for (f = spec_fields; f < spec_fields + SPEC_FIELD_MAX; f++) {
		_cleanup_free_ char *key = str_printf("\"%s\":", f->key);
		_cleanup_free_ char *option = f->option ? roff_of(f->option) : NULL;

		assert_non_null(key);
		if (!strstr(api, key))
			fail_msg("proto/api.md has no field %s", key);
		if (option && !strstr(ctl, option))
			fail_msg("client/colconvctl.1 has no option %s", option);
	}
}

TEST(test_help)
{
	static const struct {
		enum spec_field_id id;
		const char *want;
	} rows[] = {
		{SPEC_FIELD_DTYPE, "type of the numbers that the graphs compute with: fp32, fp16 (fp32)"},
		{SPEC_FIELD_VARIANTS, "graphs to make: text, image, unified, preprocess, page (text,image)"},
		{SPEC_FIELD_ATTEMPTS, "maximum number of attempts; only failures that may be temporary are "
				      "retried; from 1 to 10 (3)"},
		{SPEC_FIELD_SEED, "parity: seed for the generated cases (1)"},
		{SPEC_FIELD_PARITY, "do not compare embeddings with the original's before publishing"},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(buf_release) struct buf b = BUF_INIT;

		spec_field_help(&spec_fields[rows[i].id], &b);
		assert_string_equal(b.data, rows[i].want);
	}
}

int
main(void)
{
	return tests_run("fields", NULL, NULL);
}
