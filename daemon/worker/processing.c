#include "processing.h"

#include "base/fs.h"
#include "base/str.h"
#include "page.h"

#define CONFIG_LEN_MAX (32u << 20)

/* ---- which prompts ---- */

static int
prompts_refuse(const struct conversion *c, struct err *e)
{
	_cleanup_(buf_release) struct buf rows = BUF_INIT;
	const struct model_prompt *p;
	int r;

	for (p = c->model->prompts; p && !model_prompt_is_end(p); p++)
		buf_printf(&rows, "%s%s (%s)", rows.len ? ", " : "", library_name(p->library), p->versions);
	r = buf_failed(&rows, e);
	return r < 0 ? r
		     : err_set(e, E_BAD_REQUEST, "%s has no prompts of '%s', only those of %s",
			       c->model->arch->title, c->spec.prompts, rows.data ? rows.data : "no library");
}

int
prompt_choose(struct conversion *c, struct err *e)
{
	_cleanup_free_ char *library = c->spec.prompts ? strdup(c->spec.prompts) : NULL;
	char *version = library ? strchr(library, '@') : NULL;

	if (!c->spec.prompts) {
		c->prompt = model_prompt_find(c->model, library_name(c->found.class->library), NULL);
		return 0;
	}
	if (!library)
		return err_no_memory(e);
	if (version)
		*version++ = '\0';
	c->prompt = model_prompt_find(c->model, library, version);
	return c->prompt ? 0 : prompts_refuse(c, e);
}

char *
prompt_query(const struct model_prompt *p)
{
	struct buf b = BUF_INIT;
	int i;

	buf_printf(&b, "%s{text}", p->query_prefix);
	for (i = 0; i < p->query_pads; i++)
		buf_puts(&b, p->query_pad);
	buf_puts(&b, p->query_end);
	return buf_take(&b);
}

/* ---- in the manifest ---- */

/* The prompt of a page is null if it needs a message that the checkpoint does not have. */
static int
prompt_to_json(const struct conversion *c, const struct model_prompt *p, json_t **ret, struct err *e)
{
	_cleanup_free_ char *query = p ? prompt_query(p) : NULL, *document = NULL;
	struct err why = ERR_INIT;
	int r = p ? document_prompt(c->job->out_dir, p->document, &document, &why) : 0;

	if (r < 0 && r != E_BAD_CHECKPOINT) /* a template that cannot be read gives no message */
		return err_set(e, r, "%s", why.msg);
	*ret = p ? json_pack("{s:s, s:s, s:s, s:s?}", "library", library_name(p->library), "versions",
			     p->versions, "query", query, "document", document)
		 : json_null();
	return *ret ? 0 : err_no_memory(e);
}

static int
prompts_to_json(const struct conversion *c, json_t **ret, struct err *e)
{
	const struct model_prompt *p;
	json_auto_t *all = json_array();
	json_t *one;
	int r = all ? 0 : err_no_memory(e);

	for (p = c->model->prompts; r == 0 && p && !model_prompt_is_end(p); p++) {
		r = prompt_to_json(c, p, &one, e);
		if (r == 0 && json_array_append_new(all, one) < 0)
			r = err_no_memory(e);
	}
	if (r == 0)
		*ret = TAKE(all);
	return r;
}

/* An id of -1, a token that the family does not have, becomes null. */
static json_t *
tokens_to_json(const struct conversion *c)
{
	const struct model_tokens t = c->model->tokens(c->config);
	const struct {
		const char *name;
		int64_t id;
	} rows[] = {
		{"image", t.image},
		{"image_begin", t.image_begin},
		{"image_end", t.image_end},
		{"video", t.video},
		{"pad", t.pad},
	};
	json_t *j = json_object();
	int failed = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		failed |= json_object_set_new(j, rows[i].name,
					      rows[i].id < 0 ? json_null() : json_integer(rows[i].id));
	return json_whole(j, failed);
}

/*
 * Reads a processor file that was copied into the artifact. *ret stays NULL if the checkpoint has no such
 * file, or one that no processor could read either.
 */
static int
copy_read(const struct conversion *c, const char *name, json_t **ret, struct err *e)
{
	_cleanup_free_ char *path = fs_join(c->job->out_dir, name);
	struct err why = ERR_INIT;
	int r;

	if (!path)
		return err_no_memory(e);
	r = fs_exists(path) ? json_read(path, CONFIG_LEN_MAX, E_BAD_CHECKPOINT, ret, &why) : 0;
	return r == 0 || r == E_BAD_CHECKPOINT ? 0 : err_set(e, r, "%s", why.msg);
}

static const char *
padding_side(const struct conversion *c, const json_t *tokenizer)
{
	const char *side = json_string_value(json_object_get(tokenizer, "padding_side"));

	if (side && (str_eq(side, "left") || str_eq(side, "right")))
		return side;
	return c->model->pad_right ? "right" : "left";
}

/*
 * The settings for resizing and normalising in preprocessor_config.json, under the same keys: `resample` is
 * Pillow's number of the filter (1 Lanczos, 2 bilinear, 3 bicubic). null if the checkpoint has no such file.
 */
static json_t *
pictures_to_json(const json_t *from)
{
	static const char *const keys[] = {"image_mean", "image_std",  "rescale_factor", "resample",
					   "size",       "min_pixels", "max_pixels",     "max_image_size",
					   "patch_size", "merge_size"};
	json_t *j = json_object(), *value;
	int failed = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(keys); i++) {
		value = json_object_get(from, keys[i]);
		if (value && !json_is_null(value))
			failed |= json_object_set(j, keys[i], value);
	}
	if (failed || !j || json_object_size(j))
		return json_whole(j, failed);
	json_decref(j);
	return json_null();
}

/* How the inputs of a page are made; null where that is not known, as where `prompt` has none for a page. */
static json_t *
page_to_json(const struct conversion *c, const json_t *prompt)
{
	struct document_spec spec;

	if (!json_is_string(json_object_get(prompt, "document")))
		return json_null();
	spec = page_document_spec(c);
	return document_spec_to_json(&spec);
}

int
processing_make(const struct conversion *c, json_t **ret, struct err *e)
{
	json_auto_t *tokenizer = NULL, *own = NULL, *processor = NULL, *prompt = NULL, *prompts = NULL;
	const json_t *pictures;
	int r;

	r = copy_read(c, "tokenizer_config.json", &tokenizer, e);
	if (r == 0)
		r = copy_read(c, "preprocessor_config.json", &own, e);
	if (r == 0)
		r = copy_read(c, "processor_config.json", &processor, e);
	if (r == 0)
		r = prompt_to_json(c, c->prompt, &prompt, e);
	if (r == 0)
		r = prompts_to_json(c, &prompts, e);
	if (r < 0)
		return r;
	pictures = own ? own : json_object_get(processor, "image_processor");
	*ret = json_pack("{s:O, s:O, s:o, s:s, s:o, s:o}", "prompt", prompt, "prompts", prompts, "tokens",
			 tokens_to_json(c), "padding_side", padding_side(c, tokenizer), "pictures",
			 pictures_to_json(pictures), "page", page_to_json(c, prompt));
	return *ret ? 0 : err_no_memory(e);
}
