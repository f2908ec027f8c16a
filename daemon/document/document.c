#include "document.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"

#define CONFIG_FILE "preprocessor_config.json"
#define CONFIG_FILE_NEW "processor_config.json" /* transformers 5: same keys, in `image_processor` */
#define CONFIG_LEN_MAX (8 << 20)
#define TOKENIZER_FILE "tokenizer.json"
#define IMAGE_MARK "{image}"
#define SYSTEM_MARK "{system}"
#define TEMPLATE_FILE "chat_template.jinja"
#define TEMPLATE_FILE_OLD "tokenizer_config.json" /* has it as a string */

void
document_free(struct document **document)
{
	struct document *d = TAKE(*document);

	if (!d)
		return;
	ids_release(&d->before);
	ids_release(&d->after);
	ids_release(&d->tiles.row);
	ids_release(&d->tiles.last);
	free(d->tiles.place);
	free(d);
}

static int
missing(const char *name, const char *file, struct err *e)
{
	return err_set(e, E_BAD_CHECKPOINT, "'%s' has no %s, which says how pages are prepared", name, file);
}

/* ---- the picture's rule ---- */

static int
token_side_read(const char *path, const char *name, struct prepare *ret, struct err *e)
{
	json_auto_t *j = NULL;
	int r;

	if (!fs_exists(path))
		return missing(name, CONFIG_FILE_NEW, e);
	r = json_read(path, CONFIG_LEN_MAX, E_BAD_CHECKPOINT, &j, e);
	return r < 0 ? r : prepare_token_read(j, CONFIG_FILE_NEW, ret, e);
}

static int
rule_read(const char *dir, const char *name, enum prepare_rule rule, struct prepare *ret, struct err *e)
{
	_cleanup_free_ char *old = fs_join(dir, CONFIG_FILE), *new = fs_join(dir, CONFIG_FILE_NEW);
	json_auto_t *j = NULL;
	const json_t *own;
	bool is_old;
	int r;

	if (!old || !new)
		return err_no_memory(e);
	is_old = fs_exists(old);
	if (!is_old && !fs_exists(new))
		return missing(name, CONFIG_FILE, e);
	r = json_read(is_old ? old : new, CONFIG_LEN_MAX, E_BAD_CHECKPOINT, &j, e);
	if (r < 0)
		return r;
	own = is_old ? j : json_object_get(j, "image_processor");
	if (!own)
		return missing(name, CONFIG_FILE, e);
	r = prepare_read(own, is_old ? CONFIG_FILE : CONFIG_FILE_NEW, rule, ret, e);
	return r < 0 || rule != PREPARE_WHOLE ? r : token_side_read(new, name, ret, e);
}

/* ---- the prompt ---- */

static int
token_get(const struct tokenizer *t, const char *content, int64_t *ret, struct err *e)
{
	*ret = tokenizer_id(t, content);
	return *ret >= 0 ? 0
			 : err_set(e, E_BAD_CHECKPOINT,
				   TOKENIZER_FILE " has no token '%s', which the prompt needs", content);
}

/*
 * Every <name> and [NAME] in the prompt must be a token: an unknown one would be encoded as plain letters, without an
 * error.
 */
static int
marks_check(const struct tokenizer *t, const char *text, struct err *e)
{
	const char *p, *end;
	int64_t id;
	int r = 0;

	for (p = text; r == 0 && (p = strpbrk(p, "<[")) && (end = strchr(p, *p == '<' ? '>' : ']'));
	     p = end) {
		_cleanup_free_ char *mark = strndup(p, (size_t)(end - p) + 1);

		r = mark ? token_get(t, mark, &id, e) : err_no_memory(e);
	}
	return r;
}

static int
places_get(const struct tokenizer *t, const struct document_tile_text *text, struct document *d,
	   struct err *e)
{
	const bool naflex = d->prepare.rule == PREPARE_NAFLEX;
	struct document_tiles *tiles = &d->tiles;
	int64_t i;
	int r = 0;

	tiles->side = naflex ? d->prepare.tiles_max : d->prepare.longest / d->prepare.tile;
	tiles->place = calloc((size_t)(tiles->side * tiles->side), sizeof(*tiles->place));
	if (!tiles->place)
		return err_no_memory(e);
	for (i = 0; r == 0 && i < tiles->side * tiles->side; i++) {
		_cleanup_free_ char *name =
			str_printf("%s%lld%s%lld%s", text->place[0], (long long)(i / tiles->side + 1),
				   text->place[1], (long long)(i % tiles->side + 1), text->place[2]);

		if (naflex && (i / tiles->side + 1) * (i % tiles->side + 1) > d->prepare.tiles_max)
			continue;
		r = name ? token_get(t, name, &tiles->place[i], e) : err_no_memory(e);
	}
	return r;
}

static int
encode(const struct tokenizer *t, const char *text, size_t len, struct ids *ret, struct err *e)
{
	return tokenizer_encode(t, text, len, /*with_special=*/false, ret, e);
}

/* The ids after the rows of tiles, or of image tokens. */
static int
rows_encode(const struct tokenizer *t, const struct document_tile_text *text, struct document *d,
	    struct err *e)
{
	int r = encode(t, text->row, strlen(text->row), &d->tiles.row, e);

	return r < 0 ? r : encode(t, text->last, strlen(text->last), &d->tiles.last, e);
}

static int
tiles_encode(const struct tokenizer *t, const struct document_tile_text *text, struct document *d,
	     struct err *e)
{
	int64_t row;
	int r = 0;

	if (d->prepare.rule == PREPARE_PADDED) {
		r = token_get(t, text->row, &row, e);
		return r < 0 ? r : encode(t, text->row, strlen(text->row), &d->tiles.row, e);
	}
	if (d->prepare.rule == PREPARE_WHOLE) {
		r = marks_check(t, text->row, e);
		if (r == 0)
			r = marks_check(t, text->last, e);
		return r < 0 ? r : rows_encode(t, text, d, e);
	}
	if (*text->begin)
		r = token_get(t, text->begin, &d->tiles.begin, e);
	if (r == 0)
		r = token_get(t, text->whole, &d->tiles.whole, e);
	if (r == 0)
		r = places_get(t, text, d, e);
	return r < 0 ? r : rows_encode(t, text, d, e);
}

/* ---- the message of the chat template ---- */

/* Writes the characters of a string literal up to its end; NULL: it does not end. */
static const char *
literal_read(const char *p, struct buf *ret)
{
	for (; *p && *p != '\''; p++) {
		if (*p == '\\' && p[1]) {
			p++;
			buf_printf(ret, "%c", *p == 'n' ? '\n' : *p);
		} else {
			buf_printf(ret, "%c", *p);
		}
	}
	return *p ? p : NULL;
}

/* The message that the template's text sets, or NULL. */
static char *
system_find(const char *template)
{
	static const char set[] = "set default_system_message = '", end[] = "' %}";
	const char *p = strstr(template, set);
	_cleanup_(buf_release) struct buf b = BUF_INIT;

	p = p ? literal_read(p + strlen(set), &b) : NULL;
	return p && str_starts(p, end) ? buf_take(&b) : NULL;
}

/* Reads the template from its own file, or from the tokenizer's. *ret stays NULL where there is none. */
static int
template_read(const char *dir, char **ret, struct err *e)
{
	_cleanup_free_ char *own = fs_join(dir, TEMPLATE_FILE), *old = fs_join(dir, TEMPLATE_FILE_OLD);
	json_auto_t *j = NULL;
	const char *text = NULL;
	size_t len;
	int r;

	if (!own || !old)
		return err_no_memory(e);
	if (fs_exists(own))
		return fs_read(own, CONFIG_LEN_MAX, E_BAD_CHECKPOINT, ret, &len, e);
	if (!fs_exists(old))
		return 0;
	r = json_read(old, CONFIG_LEN_MAX, E_BAD_CHECKPOINT, &j, e);
	text = r == 0 ? json_string_value(json_object_get(j, "chat_template")) : NULL;
	if (!text)
		return r;
	*ret = strdup(text);
	return *ret ? 0 : err_no_memory(e);
}

int
document_prompt(const char *dir, const char *prompt, char **ret, struct err *e)
{
	const char *mark = strstr(prompt, SYSTEM_MARK);
	_cleanup_free_ char *template = NULL, *message = NULL;
	int r;

	if (mark) {
		r = template_read(dir, &template, e);
		if (r < 0)
			return r;
		message = template ? system_find(template) : NULL;
		if (!message)
			return 0;
	}
	*ret = mark ? str_printf("%.*s%s%s", (int)(mark - prompt), prompt, message,
				 mark + strlen(SYSTEM_MARK))
		    : strdup(prompt);
	return *ret ? 0 : err_no_memory(e);
}

static int
prompt_encode(const struct tokenizer *t, const struct document_spec *spec, const char *prompt,
	      struct document *d, struct err *e)
{
	const char *mark = strstr(prompt, IMAGE_MARK), *rest;
	int r = 0;

	if (!mark)
		return err_set(e, E_UNSUPPORTED_MODEL, "the document prompt '%s' has no " IMAGE_MARK,
			       spec->prompt);
	rest = mark + strlen(IMAGE_MARK);
	if (!spec->complete) /* a message may have any words between such brackets */
		r = marks_check(t, spec->prompt, e);
	if (r == 0)
		r = encode(t, prompt, (size_t)(mark - prompt), &d->before, e);
	if (r == 0)
		r = encode(t, rest, strlen(rest), &d->after, e);
	if (r == 0 && spec->tiles)
		r = tiles_encode(t, spec->tiles, d, e);
	return r;
}

static int
prompt_read(const char *dir, const char *name, const struct document_spec *spec, struct document *d,
	    struct err *e)
{
	_cleanup_free_ char *path = fs_join(dir, TOKENIZER_FILE);
	_cleanup_free_ char *prompt = NULL;
	_cleanup_(tokenizer_free) struct tokenizer *t = NULL;
	int r;

	if (!path)
		return err_no_memory(e);
	if (!fs_exists(path))
		return missing(name, TOKENIZER_FILE, e);
	r = tokenizer_open(path, &t, e);
	if (r == 0)
		r = document_prompt(dir, spec->prompt, &prompt, e);
	if (r == 0 && !prompt)
		return err_set(e, E_BAD_CHECKPOINT,
			       "'%s' has no " TEMPLATE_FILE " that sets default_system_message, which "
			       "stands before a page: add the file of the model's repository, or leave out "
			       "the graphs preprocess and page",
			       name);
	return r < 0 ? r : prompt_encode(t, spec, prompt, d, e);
}

int
document_open(const char *dir, const char *name, const struct document_spec *spec, struct document **ret,
	      struct err *e)
{
	_cleanup_(document_free) struct document *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return err_no_memory(e);
	d->image_token = spec->image_token;
	d->image_tokens = spec->image_tokens;
	r = rule_read(dir, name, spec->rule, &d->prepare, e);
	if (r == 0)
		r = prompt_read(dir, name, spec, d, e);
	if (r < 0)
		return r;
	*ret = TAKE(d);
	return 0;
}

/* ---- the ids of a picture ---- */

static void
add_all(struct ids *ids, const struct ids *more)
{
	size_t i;

	for (i = 0; i < more->n; i++)
		ids_add(ids, more->id[i]);
}

static void
add_image(struct ids *ids, const struct document *d, int64_t n)
{
	while (n-- > 0)
		ids_add(ids, d->image_token);
}

static void
add_tiles(struct ids *ids, const struct document *d, const struct prepared *made)
{
	const struct document_tiles *t = &d->tiles;
	int64_t row, col;

	for (row = 0; row < made->rows; row++) {
		for (col = 0; col < made->cols; col++) {
			ids_add(ids, t->begin);
			ids_add(ids, t->place[row * t->side + col]);
			add_image(ids, d, d->image_tokens);
		}
		add_all(ids, row + 1 < made->rows ? &t->row : &t->last);
	}
	ids_add(ids, t->begin);
	ids_add(ids, t->whole);
	add_image(ids, d, d->image_tokens);
	ids_add(ids, t->begin);
}

static void
add_naflex(struct ids *ids, const struct document *d, const struct prepared *made)
{
	const struct prepare *p = &d->prepare;
	const int64_t side = p->tile / p->patch / p->merge;
	int64_t i;

	for (i = 0; i < made->rows * made->cols; i++) {
		ids_add(ids, d->tiles.place[i / made->cols * d->tiles.side + i % made->cols]);
		add_image(ids, d, side * side);
	}
	if (made->whole_rows && made->rows)
		ids_add(ids, d->tiles.whole);
	add_image(ids, d, made->whole_rows * made->whole_cols / (p->merge * p->merge));
}

/* A token for the picture, then one for each patch of a row and the row's end. */
static void
add_padded(struct ids *ids, const struct document *d, const struct prepared *made)
{
	int64_t row;

	add_image(ids, d, 1);
	for (row = 0; row < made->rows; row++) {
		add_image(ids, d, made->cols);
		add_all(ids, &d->tiles.row);
	}
}

static void
add_rows(struct ids *ids, const struct document *d, const struct prepared *made)
{
	int64_t row;

	for (row = 0; row < made->rows; row++) {
		add_image(ids, d, made->cols);
		add_all(ids, row + 1 < made->rows ? &d->tiles.row : &d->tiles.last);
	}
}

int
document_ids(const struct document *d, const struct prepared *made, struct ids *ret, struct err *e)
{
	const struct prepare *p = &d->prepare;

	add_all(ret, &d->before);
	if (p->rule == PREPARE_TILES)
		add_tiles(ret, d, made);
	else if (p->rule == PREPARE_NAFLEX)
		add_naflex(ret, d, made);
	else if (p->rule == PREPARE_PADDED)
		add_padded(ret, d, made);
	else if (p->rule == PREPARE_WHOLE)
		add_rows(ret, d, made);
	else
		add_image(ret, d,
			  p->rule == PREPARE_PATCHES ? made->rows * made->cols / (p->merge * p->merge)
						     : d->image_tokens);
	add_all(ret, &d->after);
	return ids_failed(ret, e);
}
