/*
 * GET /v1/models and /v1/errors: the program's tables, for clients that offer choices and explain failures. The
 * answers never change while the daemon runs.
 */
#include "api_private.h"

#include "spec/field.h"
#include "spec/repository.h"

static json_t *
variants_to_json(unsigned variants)
{
	json_t *j = json_array();
	unsigned v;

	for (v = 0; v < VARIANT_MAX; v++)
		if (variants & 1u << v)
			(void)json_array_append_new(j, json_string(variant_name((enum variant)v)));
	return j;
}

/* The allowed words of each field that has any. */
static json_t *
options_to_json(void)
{
	const struct spec_field *f;
	json_t *j = json_object(), *words;

	for (f = spec_fields; f < spec_fields + SPEC_FIELD_MAX; f++) {
		words = spec_words_to_json(f, /*set=*/-1);
		if (json_array_size(words))
			(void)json_object_set(j, f->key, words);
		json_decref(words);
	}
	return j;
}

/* Adds the allowed words, or the range of a whole number, and the default. */
static void
field_add_values(json_t *j, const struct spec_field *f)
{
	json_t *words = spec_words_to_json(f, /*set=*/-1);

	if (json_array_size(words))
		(void)json_object_set(j, "words", words);
	json_decref(words);
	if (f->kind == SPEC_KIND_WORDS)
		(void)json_object_set_new(j, "default", spec_words_to_json(f, f->initial));
	if (f->kind != SPEC_KIND_WHOLE)
		return;
	(void)json_object_set_new(j, "minimum", json_integer(f->least));
	(void)json_object_set_new(j, "maximum", json_integer(f->most));
	(void)json_object_set_new(j, "default", json_integer(f->initial));
}

/* "dtype", or "parity.seed" for a member of another field's object: the `field` of a problem document. */
static json_t *
field_name(const struct spec_field *f)
{
	if (f->parent == SPEC_FIELD_JOB)
		return json_string(f->key);
	return json_sprintf("%s.%s", spec_fields[f->parent].key, f->key);
}

static json_t *
fields_to_json(void)
{
	const struct spec_field *f;
	json_t *all = json_array(), *j;

	for (f = spec_fields; f < spec_fields + SPEC_FIELD_MAX; f++) {
		j = json_pack("{s:o, s:s}", "name", field_name(f), "help", f->help);
		field_add_values(j, f);
		(void)json_array_append_new(all, j);
	}
	return all;
}

/* The class's own head is the first. */
static json_t *
heads_to_json(const struct class *c)
{
	json_t *j = json_array();
	int h;

	(void)json_array_append_new(j, json_string(head_name(c->head)));
	for (h = 0; h < HEAD_MAX; h++)
		if (c->heads & 1u << h && h != (int)c->head)
			(void)json_array_append_new(j, json_string(head_name((enum head)h)));
	return j;
}

/* null for "". */
static json_t *
text_to_json(const char *s)
{
	return s && *s ? json_string(s) : json_null();
}

/* The repositories whose checkpoints have that class. */
static json_t *
checkpoints_to_json(const struct class *c)
{
	const struct repository *r = NULL;
	json_t *j = json_array();

	while ((r = repository_next(r)))
		if (repository_class(r) == c)
			(void)json_array_append_new(j, json_string(r->name));
	return j;
}

static json_t *
repository_to_json(const struct repository *r)
{
	const struct class *c = repository_class(r);

	return json_pack(
		"{s:s, s:o, s:s, s:o, s:o, s:o, s:b, s:s, s:o, s:o, s:o, s:o}", "name", r->name,
		"architecture", text_to_json(c ? c->arch->family : NULL), "class", r->class, "head",
		text_to_json(r->head == HEAD_AUTO ? NULL : head_name(r->head)), "parameters",
		r->parameters ? json_integer(r->parameters) : json_null(), "width", text_to_json(r->width),
		"listed", (int)r->listed, "status", repository_status_name(repository_status(r)), "detail",
		text_to_json(repository_detail(r)), "note", text_to_json(r->note), "pages",
		text_to_json(r->pages), "experimental", text_to_json(c ? class_experimental(c) : NULL));
}

static json_t *
repositories_to_json(void)
{
	const struct repository *r = NULL;
	json_t *all = json_array();

	while ((r = repository_next(r)))
		(void)json_array_append_new(all, repository_to_json(r));
	return all;
}

static json_t *
classes_to_json(const struct architecture *arch)
{
	const struct class *c = NULL;
	json_t *all = json_array();

	while ((c = class_next(arch, c)))
		(void)json_array_append_new(
			all, json_pack("{s:s, s:s, s:o, s:b, s:o, s:o}", "class", c->name, "library",
				       library_name(c->library), "heads", heads_to_json(c), "backbone",
				       (int)c->bare, "checkpoints", checkpoints_to_json(c), "experimental",
				       text_to_json(class_experimental(c))));
	return all;
}

static json_t *
model_to_json(const struct architecture *a)
{
	const char *lacking = architecture_lacking(a);
	json_t *j = json_pack("{s:s, s:s, s:o, s:o}", "architecture", a->family, "name", a->title, "variants",
			      variants_to_json(a->variants), "classes", classes_to_json(a));

	if (lacking)
		(void)json_object_set_new(j, "lacking", json_string(lacking));
	return j;
}

int
api_model_list(struct request *q, struct err *e)
{
	json_t *models = json_array();
	size_t i;

	for (i = 0; i < ARRAY_LEN(architectures); i++)
		(void)json_array_append_new(models, model_to_json(&architectures[i]));
	return reply_json_take(q, MHD_HTTP_OK,
			       json_pack("{s:o, s:o, s:o, s:o}", "models", models, "repositories",
					 repositories_to_json(), "options", options_to_json(), "fields",
					 fields_to_json()),
			       e);
}

int
api_error_list(struct request *q, struct err *e)
{
	json_t *errors = json_array();
	int i;

	for (i = ERR_INDEX_NONE + 1; i < ERR_INDEX_MAX; i++)
		(void)json_array_append_new(errors, json_pack("{s:s, s:i, s:b, s:s, s:s}", "code",
							      err_name(-i), "status", err_http_status(-i),
							      "retryable", (int)err_retryable(-i), "meaning",
							      err_meaning(-i), "remedy", err_remedy(-i)));
	return reply_json_take(q, MHD_HTTP_OK, json_pack("{s:o}", "errors", errors), e);
}
