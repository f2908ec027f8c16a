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
	const int64_t gives[] = {patches ? 3 * p->frames * p->patch * p->patch : p->width, p->height};
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

/* That of the library whose class saved the checkpoint, in its newest version. */
static const struct model_prompt *
prompt_get(const struct conversion *c)
{
	const struct model_prompt *p = c->model->prompts;

	while (p->document && p->library != c->spelling->library)
		p++;
	return p->document ? p : NULL;
}

/* Every <name> of the prompt must be a token: an unknown one would silently become letters. */
static int
marks_check(const struct tokenizer *t, const char *text, struct err *e)
{
	const char *p, *end;

	for (p = text; (p = strchr(p, '<')) && (end = strchr(p, '>')); p = end) {
		_cleanup_free_ char *mark = strndup(p, (size_t)(end - p) + 1);

		if (!mark)
			return err_no_memory(e);
		if (tokenizer_id(t, mark) < 0)
			return err_set(e, E_BAD_CHECKPOINT,
				       TOKENIZER_FILE " has no token '%s', which the prompt needs", mark);
	}
	return 0;
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
prompt_encode(const struct conversion *c, const struct tokenizer *t, struct page *p, struct err *e)
{
	const struct model_prompt *prompt = prompt_get(c);
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
	if (p->front.prepare.rule == PREPARE_FIXED)
		p->front.image_tokens = c->model->image_tokens(c->config, 0, 0);
	*ret = TAKE(p);
	return 0;
}

/* ---- cases ---- */

static int
pixels_add(struct feeds *f, const struct prepare *p, const struct prepared *made, struct err *e)
{
	const int64_t patches[] = {1, made->dim[0], made->dim[1]}, grid[] = {1, 3};
	const bool cut = p->rule == PREPARE_PATCHES;
	struct feed *pixels =
		feeds_add(f, "pixel_values", ELEM_F32, cut ? 3 : made->rank, cut ? patches : made->dim);
	struct feed *sizes = cut ? feeds_add(f, "image_grid_thw", ELEM_I64, 2, grid) : NULL;

	if (!pixels || (cut && !sizes))
		return err_no_memory(e);
	memcpy(pixels->data, made->pixels, (size_t)feed_count(pixels) * sizeof(float));
	if (sizes)
		memcpy(sizes->data, (const int64_t[]){1, made->rows, made->cols}, 3 * sizeof(int64_t));
	return 0;
}

static int
ids_feed(struct feeds *f, const struct onnx_front *front, const struct prepared *made, struct err *e)
{
	const struct prepare *p = &front->prepare;
	const int64_t image = p->rule == PREPARE_PATCHES ? made->rows * made->cols / (p->merge * p->merge)
							 : front->image_tokens;
	const int64_t first = (int64_t)front->n_before, last = (int64_t)front->n_after;
	const int64_t dims[] = {1, first + image + last};
	const struct feed *ids = feeds_add(f, "input_ids", ELEM_I64, 2, dims);
	const struct feed *mask = feeds_add(f, "attention_mask", ELEM_I64, 2, dims);
	int64_t i, *id, *seen;

	if (!ids || !mask)
		return err_no_memory(e);
	id = ids->data;
	seen = mask->data;
	for (i = 0; i < dims[1]; i++) {
		seen[i] = 1;
		id[i] = i < first           ? front->before[i]
			: i < first + image ? front->image_token
					    : front->after[i - first - image];
	}
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
	return r < 0 ? r : pixels_add(ret, &front->prepare, &made, e);
}
