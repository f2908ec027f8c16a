#include "page.h"

#include "base/fs.h"
#include "base/str.h"

#define CONFIG_FILE "preprocessor_config.json"
#define CONFIG_FILE_NEW "processor_config.json" /* transformers 5: the same as its member `image_processor` */
#define CONFIG_LEN_MAX (8 << 20)
#define TOKENIZER_FILE "tokenizer.json"
#define IMAGE_MARK "{image}"

void
page_free(struct page **page)
{
	struct page *p = TAKE(*page);

	if (!p)
		return;
	ids_release(&p->before);
	ids_release(&p->after);
	ids_release(&p->row);
	ids_release(&p->last);
	free(p->place);
	free(p);
}

bool
page_asked(const struct conversion *c)
{
	int v;

	for (v = 0; v < VARIANT_MAX; v++)
		if (c->spec.variants & 1u << v && variant_takes_picture((enum variant)v))
			return true;
	return false;
}

static int
missing(const struct conversion *c, const char *file, struct err *e)
{
	return err_set(e, E_BAD_CHECKPOINT,
		       "the graphs preprocess and page need %s, which '%s' does not have; leave them out, or "
		       "put the processor's files beside the weights",
		       file, c->spec.model);
}

/* ---- the picture's rule ---- */

static int
rule_read(const struct conversion *c, const char *file, const char *member, struct prepare *ret,
	  struct err *e)
{
	_cleanup_free_ char *path = fs_join(c->job->out_dir, file);
	json_auto_t *j = NULL;
	const json_t *own;
	int r;

	if (!path)
		return err_no_memory(e);
	if (!fs_exists(path))
		return missing(c, CONFIG_FILE, e);
	r = json_read(path, CONFIG_LEN_MAX, E_BAD_CHECKPOINT, &j, e);
	if (r < 0)
		return r;
	own = member ? json_object_get(j, member) : j;
	return own ? prepare_read(own, file, c->model->picture, ret, e) : missing(c, CONFIG_FILE, e);
}

static int
rule_find(const struct conversion *c, struct prepare *ret, struct err *e)
{
	_cleanup_free_ char *path = fs_join(c->job->out_dir, CONFIG_FILE);

	if (!path)
		return err_no_memory(e);
	return fs_exists(path) ? rule_read(c, CONFIG_FILE, NULL, ret, e)
			       : rule_read(c, CONFIG_FILE_NEW, "image_processor", ret, e);
}

/* What the processor makes must be what the model takes, for a processor of another model gives wrong embeddings. */
static int
rule_check(const struct conversion *c, const struct prepare *p, struct err *e)
{
	const struct shape takes = c->model->image_inputs[0].shape(c->config);
	const bool patches = p->rule == PREPARE_PATCHES;
	const bool tiles = p->rule == PREPARE_TILES;
	const int64_t gives[] = {patches ? 3 * p->frames * p->patch * p->patch
				 : tiles ? p->tile
					 : p->width,
				 tiles ? p->tile : p->height};
	int i;

	for (i = 0; i < (patches ? 1 : 2); i++)
		if (!dim_eq(takes.dim[takes.rank - 1 - i], dim_const(gives[i])))
			return err_set(e, E_BAD_CHECKPOINT,
				       "the pictures of " CONFIG_FILE " do not fit the model: it gives %lld "
				       "%s where config.json has %lld",
				       (long long)gives[i], patches ? "numbers a patch" : "pixels a side",
				       (long long)takes.dim[takes.rank - 1 - i].num);
	if (patches && c->model->image_tokens(c->config, (int)p->merge, (int)p->merge) != 1)
		return err_set(e, E_BAD_CHECKPOINT, "merge_size %lld of " CONFIG_FILE " is not the model's",
			       (long long)p->merge);
	return 0;
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

/* Every <name> of the prompt must be a token: an unknown one would silently become letters. */
static int
marks_check(const struct tokenizer *t, const char *text, struct err *e)
{
	const char *p, *end;
	int64_t id;
	int r = 0;

	for (p = text; r == 0 && (p = strchr(p, '<')) && (end = strchr(p, '>')); p = end) {
		_cleanup_free_ char *mark = strndup(p, (size_t)(end - p) + 1);

		r = mark ? token_get(t, mark, &id, e) : err_no_memory(e);
	}
	return r;
}

static int
ids_check(const struct conversion *c, const struct ids *ids, struct err *e)
{
	const struct model_tokens t = c->model->tokens(c->config);
	size_t i;

	for (i = 0; i < ids->n; i++)
		if (ids->id[i] < 0 || ids->id[i] >= t.vocab)
			return err_set(e, E_BAD_CHECKPOINT,
				       TOKENIZER_FILE " gives the id %lld, and the model has %lld",
				       (long long)ids->id[i], (long long)t.vocab);
	return 0;
}

/* The tokens around an image must be those that config.json names. */
static int
around_check(const struct conversion *c, const struct page *p, struct err *e)
{
	const struct model_tokens t = c->model->tokens(c->config);
	const int64_t begin = p->before.n ? p->before.id[p->before.n - 1] : -1;
	const int64_t end = p->after.n ? p->after.id[0] : -1;

	if ((t.image_begin < 0 || t.image_begin == begin) && (t.image_end < 0 || t.image_end == end))
		return 0;
	return err_set(e, E_BAD_CHECKPOINT,
		       TOKENIZER_FILE
		       " puts the ids %lld and %lld around an image, config.json %lld and %lld",
		       (long long)begin, (long long)end, (long long)t.image_begin, (long long)t.image_end);
}

static int
places_get(const struct conversion *c, const struct tokenizer *t, struct page *p, struct err *e)
{
	const char *const *around = c->model->tile_text->place;
	struct onnx_front_tiles *tiles = &p->front.tiles;
	int64_t i;
	int r = 0;

	tiles->side = p->front.prepare.longest / p->front.prepare.tile;
	tiles->place = p->place = calloc((size_t)(tiles->side * tiles->side), sizeof(*p->place));
	if (!p->place)
		return err_no_memory(e);
	for (i = 0; r == 0 && i < tiles->side * tiles->side; i++) {
		_cleanup_free_ char *name =
			str_printf("%s%lld%s%lld%s", around[0], (long long)(i / tiles->side + 1), around[1],
				   (long long)(i % tiles->side + 1), around[2]);

		r = name ? token_get(t, name, &p->place[i], e) : err_no_memory(e);
	}
	return r;
}

static int
tiles_encode(const struct conversion *c, const struct tokenizer *t, struct page *p, struct err *e)
{
	const struct model_tile_text *text = c->model->tile_text;
	struct onnx_front_tiles *tiles = &p->front.tiles;
	int r;

	r = token_get(t, text->begin, &tiles->begin, e);
	if (r == 0)
		r = token_get(t, text->whole, &tiles->whole, e);
	if (r == 0)
		r = places_get(c, t, p, e);
	if (r == 0)
		r = tokenizer_encode(t, text->row, strlen(text->row), /*with_special=*/false, &p->row, e);
	if (r == 0)
		r = tokenizer_encode(t, text->last, strlen(text->last), /*with_special=*/false, &p->last, e);
	tiles->row = p->row.id;
	tiles->n_row = p->row.n;
	tiles->last = p->last.id;
	tiles->n_last = p->last.n;
	return r;
}

static int
prompt_encode(const struct conversion *c, const struct tokenizer *t, struct page *p, struct err *e)
{
	const struct model_prompt *prompt = c->prompt;
	const char *mark = prompt ? strstr(prompt->document, IMAGE_MARK) : NULL, *rest;
	int r;

	if (!mark)
		return err_set(e, E_UNSUPPORTED_MODEL, "%s has no document prompt of the library %s",
			       c->model->arch->title, model_library_name(c->spelling->library));
	rest = mark + strlen(IMAGE_MARK);
	r = marks_check(t, prompt->document, e);
	if (r == 0)
		r = tokenizer_encode(t, prompt->document, (size_t)(mark - prompt->document),
				     /*with_special=*/false, &p->before, e);
	if (r == 0)
		r = tokenizer_encode(t, rest, strlen(rest), /*with_special=*/false, &p->after, e);
	if (r == 0)
		r = ids_check(c, &p->before, e);
	if (r == 0)
		r = ids_check(c, &p->after, e);
	if (r == 0 && c->model->tile_text)
		r = tiles_encode(c, t, p, e);
	return r < 0 ? r : around_check(c, p, e);
}

static int
prompt_read(const struct conversion *c, struct page *p, struct err *e)
{
	_cleanup_free_ char *path = fs_join(c->job->out_dir, TOKENIZER_FILE);
	_cleanup_(tokenizer_free) struct tokenizer *t = NULL;
	int r;

	if (!path)
		return err_no_memory(e);
	if (!fs_exists(path))
		return missing(c, TOKENIZER_FILE, e);
	r = tokenizer_open(path, &t, e);
	return r < 0 ? r : prompt_encode(c, t, p, e);
}

int
page_open(const struct conversion *c, struct page **ret, struct err *e)
{
	_cleanup_(page_free) struct page *p = NULL;
	int r;

	if (!page_asked(c))
		return 0;
	p = calloc(1, sizeof(*p));
	if (!p)
		return err_no_memory(e);
	r = rule_find(c, &p->front.prepare, e);
	if (r == 0)
		r = rule_check(c, &p->front.prepare, e);
	if (r == 0)
		r = prompt_read(c, p, e);
	if (r < 0)
		return r;
	p->front.before = p->before.id;
	p->front.n_before = p->before.n;
	p->front.after = p->after.id;
	p->front.n_after = p->after.n;
	p->front.image_token = c->model->tokens(c->config).image;
	p->front.image_tokens = c->model->image_tokens(c->config, 1, 1);
	*ret = TAKE(p);
	return 0;
}

/* ---- cases ---- */

static int
pixels_add(struct feeds *f, const struct conversion *c, const struct prepared *made, struct err *e)
{
	const bool cut = c->model->picture == PREPARE_PATCHES, tiles = c->model->picture == PREPARE_TILES;
	const int64_t *d = made->dim, list[] = {1, d[0], d[1], d[2], d[3]}, grid[] = {1, 3},
		      mask[] = {1, d[0], d[2], d[3]};
	const struct model_input *in = c->model->image_inputs;
	struct feed *x = cut || tiles ? feeds_add(f, in[0].name, ELEM_F32, made->rank + 1, list)
				      : feeds_add(f, in[0].name, ELEM_F32, made->rank, d);
	int64_t i;

	if (!x)
		return err_no_memory(e);
	memcpy(x->data, made->pixels, (size_t)feed_count(x) * sizeof(float));
	if (cut) {
		x = feeds_add(f, in[1].name, ELEM_I64, 2, grid);
		if (!x)
			return err_no_memory(e);
		memcpy(x->data, (const int64_t[]){1, made->rows, made->cols}, 3 * sizeof(int64_t));
	} else if (tiles && in[1].name) {
		x = feeds_add(f, in[1].name, ELEM_I64, 4, mask);
		if (!x)
			return err_no_memory(e);
		for (i = 0; i < feed_count(x); i++)
			((int64_t *)x->data)[i] = 1; /* tiles of pictures are full */
	}
	return 0;
}

static void
ids_add_all(struct ids *ids, const int64_t *id, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		ids_add(ids, id[i]);
}

static void
ids_add_image(struct ids *ids, const struct onnx_front *front, int64_t n)
{
	while (n-- > 0)
		ids_add(ids, front->image_token);
}

static void
ids_add_tiles(struct ids *ids, const struct onnx_front *front, const struct prepared *made)
{
	const struct onnx_front_tiles *t = &front->tiles;
	int64_t row, col;

	for (row = 0; row < made->rows; row++) {
		for (col = 0; col < made->cols; col++) {
			ids_add(ids, t->begin);
			ids_add(ids, t->place[row * t->side + col]);
			ids_add_image(ids, front, front->image_tokens);
		}
		if (row + 1 < made->rows)
			ids_add_all(ids, t->row, t->n_row);
		else
			ids_add_all(ids, t->last, t->n_last);
	}
	ids_add(ids, t->begin);
	ids_add(ids, t->whole);
	ids_add_image(ids, front, front->image_tokens);
	ids_add(ids, t->begin);
}

/* The document prompt of a picture. */
static int
ids_make(const struct onnx_front *front, const struct prepared *made, struct ids *ret, struct err *e)
{
	const struct prepare *p = &front->prepare;

	ids_add_all(ret, front->before, front->n_before);
	if (p->rule == PREPARE_TILES)
		ids_add_tiles(ret, front, made);
	else
		ids_add_image(ret, front,
			      p->rule == PREPARE_PATCHES ? made->rows * made->cols / (p->merge * p->merge)
							 : front->image_tokens);
	ids_add_all(ret, front->after, front->n_after);
	return ids_failed(ret, e);
}

static int
ids_feed(struct feeds *f, const struct onnx_front *front, const struct prepared *made, struct err *e)
{
	_cleanup_(ids_release) struct ids all = IDS_INIT;
	const struct feed *ids, *mask;
	int64_t dims[] = {1, 0};
	size_t i;
	int r;

	r = ids_make(front, made, &all, e);
	if (r < 0)
		return r;
	dims[1] = (int64_t)all.n;
	ids = feeds_add(f, "input_ids", ELEM_I64, 2, dims);
	mask = feeds_add(f, "attention_mask", ELEM_I64, 2, dims);
	if (!ids || !mask)
		return err_no_memory(e);
	memcpy(ids->data, all.id, all.n * sizeof(*all.id));
	for (i = 0; i < all.n; i++)
		((int64_t *)mask->data)[i] = 1;
	return 0;
}

int
page_case_make(const struct conversion *c, const struct picture *picture, struct feeds *ret, struct err *e)
{
	const struct onnx_front *front = &c->page->front;
	const int64_t dims[] = {picture->height, picture->width, 3}, one[] = {1};
	_cleanup_(prepared_release) struct prepared made = PREPARED_INIT;
	const struct feed *image, *level;
	int r;

	r = prepare_run(&front->prepare, picture, &made, e);
	if (r < 0)
		return r;
	image = feeds_add(ret, FRONT_INPUT, ELEM_U8, 3, dims);
	level = feeds_add(ret, "grey_level", ELEM_F32, 1, one);
	if (!image || !level)
		return err_no_memory(e);
	memcpy(image->data, picture->rgb, (size_t)feed_count(image));
	*(float *)level->data = 1 / front->prepare.std[0];
	r = ids_feed(ret, front, &made, e);
	return r < 0 ? r : pixels_add(ret, c, &made, e);
}
