#include "page.h"

#include "base/str.h"
#include "document/inputs.h"
#include "onnx/front.h"

bool
page_asked(const struct conversion *c)
{
	int v;

	for (v = 0; v < VARIANT_MAX; v++)
		if (c->spec.variants & 1u << v && variant_takes_picture((enum variant)v))
			return true;
	return false;
}

struct document_spec
page_document_spec(const struct conversion *c)
{
	return (struct document_spec){
		.rule = c->model->picture,
		.prompt = c->prompt->document,
		.tiles = c->model->tile_text,
		.image_token = c->model->tokens(c->config).image,
		.image_tokens = c->model->image_tokens(c->config, 1, 1),
	};
}

static int
token_side_check(const struct conversion *c, const struct prepare *p, struct err *e)
{
	const int64_t side = c->model->token_side(c->config);

	return p->patch * p->merge == side
		       ? 0
		       : err_set(e, E_BAD_CHECKPOINT,
				 "a token has %lld pixels a side in processor_config.json (patch_size * "
				 "spatial_merge_size), and %lld in config.json",
				 (long long)(p->patch * p->merge), (long long)side);
}

/* The pixels must have the form that the model takes: another model's processor would give wrong embeddings. */
static int
rule_check(const struct conversion *c, const struct prepare *p, struct err *e)
{
	const struct shape takes = c->model->image_inputs[0].shape(c->config);
	const bool patches = p->rule == PREPARE_PATCHES;
	const bool tiles = p->rule == PREPARE_TILES;
	const bool naflex = p->rule == PREPARE_NAFLEX, padded = p->rule == PREPARE_PADDED;
	const bool cut = patches || naflex || padded;
	const int64_t gives[] = {patches            ? 3 * p->frames * p->patch * p->patch
				 : naflex || padded ? 3 * p->patch * p->patch
				 : tiles            ? p->tile
						    : p->width,
				 tiles ? p->tile : p->height};
	int i;

	if (p->rule == PREPARE_WHOLE)
		return token_side_check(c, p, e);
	for (i = 0; i < (cut ? 1 : 2); i++)
		if (!dim_eq(takes.dim[takes.rank - 1 - i], dim_const(gives[i])))
			return err_set(e, E_BAD_CHECKPOINT,
				       "the pictures of preprocessor_config.json do not fit the model: it "
				       "gives %lld "
				       "%s where config.json has %lld",
				       (long long)gives[i], cut ? "numbers a patch" : "pixels a side",
				       (long long)takes.dim[takes.rank - 1 - i].num);
	if ((patches || naflex) && c->model->image_tokens(c->config, (int)p->merge, (int)p->merge) != 1)
		return err_set(e, E_BAD_CHECKPOINT, "%s %lld of preprocessor_config.json is not the model's",
			       naflex ? "downsample_factor" : "merge_size", (long long)p->merge);
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
				       "tokenizer.json gives the id %lld, and the model has %lld",
				       (long long)ids->id[i], (long long)t.vocab);
	return 0;
}

/* The tokens around an image must be the ones in config.json. */
static int
around_check(const struct conversion *c, const struct document *d, struct err *e)
{
	const struct model_tokens t = c->model->tokens(c->config);
	const int64_t begin = d->before.n ? d->before.id[d->before.n - 1] : -1;
	const int64_t end = d->after.n ? d->after.id[0] : -1;

	if ((t.image_begin < 0 || t.image_begin == begin) && (t.image_end < 0 || t.image_end == end))
		return 0;
	return err_set(e, E_BAD_CHECKPOINT,
		       "tokenizer.json puts the ids %lld and %lld around an image, config.json %lld and %lld",
		       (long long)begin, (long long)end, (long long)t.image_begin, (long long)t.image_end);
}

static int
document_check(const struct conversion *c, const struct document *d, struct err *e)
{
	int r;

	r = rule_check(c, &d->prepare, e);
	if (r == 0)
		r = ids_check(c, &d->before, e);
	if (r == 0)
		r = ids_check(c, &d->after, e);
	if (r == 0)
		r = ids_check(c, &d->tiles.row, e);
	if (r == 0)
		r = ids_check(c, &d->tiles.last, e);
	return r < 0 ? r : around_check(c, d, e);
}

int
page_open(const struct conversion *c, struct document **ret, struct err *e)
{
	_cleanup_(document_free) struct document *d = NULL;
	struct document_spec spec;
	int r;

	if (!page_asked(c))
		return 0;
	if (!c->prompt)
		return err_set(e, E_UNSUPPORTED_MODEL, "%s has no document prompt of the library %s",
			       c->model->arch->title, library_name(c->found.class->library));
	spec = page_document_spec(c);
	r = document_open(c->job->out_dir, c->spec.model, &spec, &d, e);
	if (r == 0)
		r = document_check(c, d, e);
	if (r < 0)
		return err_context(e, "the graphs preprocess and page need the checkpoint's processor");
	*ret = TAKE(d);
	return 0;
}

/* ---- cases ---- */

/* The graph for images takes an input of that name. */
static bool
is_taken(const struct conversion *c, const char *name)
{
	const struct model_input *in;

	for (in = c->model->image_inputs; in->name; in++)
		if (str_eq(in->name, name))
			return true;
	return str_eq(name, "input_ids") || str_eq(name, "attention_mask");
}

static int
inputs_add(struct feeds *f, const struct conversion *c, const struct document_inputs *made, struct err *e)
{
	const struct document_input *in;
	const struct feed *x;

	for (in = made->input; in < made->input + made->n; in++) {
		if (!is_taken(c, in->name))
			continue;
		x = feeds_add(f, in->name, in->elem, in->rank, in->dim);
		if (!x)
			return err_no_memory(e);
		memcpy(x->data, in->data, in->len);
	}
	return 0;
}

int
page_case_make(const struct conversion *c, const struct picture *picture, struct feeds *ret, struct err *e)
{
	const int64_t dims[] = {picture->height, picture->width, 3}, one[] = {1};
	_cleanup_(document_inputs_release) struct document_inputs made = DOCUMENT_INPUTS_INIT;
	const struct feed *image, *level;
	int r;

	r = document_inputs_make(c->document, picture, &made, e);
	if (r < 0)
		return r;
	image = feeds_add(ret, FRONT_INPUT, ELEM_U8, 3, dims);
	level = feeds_add(ret, "grey_level", ELEM_F32, 1, one);
	if (!image || !level)
		return err_no_memory(e);
	memcpy(image->data, picture->rgb, (size_t)feed_count(image));
	*(float *)level->data = 1 / c->document->prepare.std[0];
	return inputs_add(ret, c, &made, e);
}
