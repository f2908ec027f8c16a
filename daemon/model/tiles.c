#include "tiles.h"

#include "caseinput.h"
#include "guards.h"

/* Patches on each side. */
static int64_t
side(const struct tiles_config *c)
{
	return c->vision.image_size / c->vision.patch_size;
}

int
tiles_config_read(const struct config_scope *s, const char *key, int64_t fallback, struct tiles_config *c,
		  struct err *e)
{
	int r;

	c->factor = fallback;
	r = json_get_int(s->obj, s->path, key, JSON_OPTIONAL, 1, 64, E_BAD_CHECKPOINT, &c->factor, e);
	if (r < 0)
		return r;
	if (side(c) % c->factor)
		return config_fail(s, key, E_BAD_CHECKPOINT, e,
				   "must divide the %lld patches that a tile has on each side",
				   (long long)side(c));
	c->tokens = c->vision.patches / (c->factor * c->factor);
	return 0;
}

static struct shape
pixels_shape(const void *config)
{
	const struct siglip_config *v = &((const struct tiles_config *)config)->vision;

	return shape_of(5, sym(SYM_IMAGES), sym(SYM_TILES), n(v->num_channels), n(v->image_size),
			n(v->image_size));
}

static struct shape
mask_shape(const void *config)
{
	const struct siglip_config *v = &((const struct tiles_config *)config)->vision;

	return shape_of(4, sym(SYM_IMAGES), sym(SYM_TILES), n(v->image_size), n(v->image_size));
}

#define PIXELS                                         \
	{                                              \
		"pixel_values", ELEM_F32, pixels_shape \
	}

/* clang-format off */
const struct model_input tiles_inputs[] = {PIXELS, {0}};

/* 1 for a pixel of the image, 0 for a pixel that only fills up the tile. */
const struct model_input tiles_partial_inputs[] = {PIXELS, {"pixel_attention_mask", ELEM_I64, mask_shape}, {0}};
/* clang-format on */

const struct document_tile_text tiles_text = {
	.begin = "<fake_token_around_image>",
	.place = {"<row_", "_col_", ">"},
	.whole = "<global-img>",
	.row = "\n",
	.last = "\n\n",
};

/* An image with several tiles has one more tile, which shows the whole image. */
static int64_t
tiles_of(int h, int w)
{
	return h * w == 1 ? 1 : (int64_t)h * w + 1;
}

int64_t
tiles_image_tokens(const void *config, int h, int w)
{
	return tiles_of(h, w) * ((const struct tiles_config *)config)->tokens;
}

struct sizes
tiles_trace_sizes(const void *config)
{
	struct sizes s = {{0}};

	(void)config;
	s.of[SYM_BATCH] = 2;
	s.of[SYM_SEQUENCE] = 7;
	s.of[SYM_IMAGES] = 6;
	s.of[SYM_TILES] = 11;
	return s;
}

static int64_t
row_tiles(const struct plan_row *row)
{
	int64_t count = 0;
	int i;

	for (i = 0; i < row->n_images; i++)
		count += tiles_of(row->image[i].h, row->image[i].w);
	return count;
}

/* Masks all pixels of a tile except h x w, and sets masked pixels to 0. At least one patch stays. */
static void
tile_cut(const struct siglip_config *v, struct rng *rng, float *pixels, int64_t *mask)
{
	const int64_t s = v->image_size;
	const int64_t h = 1 + (int64_t)rng_below(rng, (uint64_t)s),
		      w = 1 + (int64_t)rng_below(rng, (uint64_t)s);
	int64_t c, y, x;

	for (y = 0; y < s; y++)
		for (x = 0; x < s; x++) {
			if (y < h && x < w)
				continue;
			mask[y * s + x] = 0;
			for (c = 0; c < v->num_channels; c++)
				pixels[(c * s + y) * s + x] = 0;
		}
}

static void
tiles_fill(const struct tiles_config *c, const struct plan *plan, struct rng *rng, float *pixels,
	   int64_t *mask, int64_t tiles)
{
	const int64_t area = c->vision.image_size * c->vision.image_size,
		      each = area * c->vision.num_channels;
	int64_t k, p;
	int i;

	for (i = 0; i < plan->n_rows; i++)
		for (k = 0; k < row_tiles(&plan->row[i]); k++) {
			case_fill_normal(rng, pixels + (i * tiles + k) * each, each);
			for (p = 0; mask && p < area; p++)
				mask[(i * tiles + k) * area + p] = 1;
			if (mask && plan->kind == PLAN_PARTIAL)
				tile_cut(&c->vision, rng, pixels + (i * tiles + k) * each,
					 mask + (i * tiles + k) * area);
		}
}

int
tiles_case_make(const struct model *m, const void *config, const struct plan *plan, uint64_t seed,
		struct feeds *ret, struct err *e)
{
	const struct tiles_config *c = config;
	struct sizes s = {.of = {[SYM_IMAGES] = plan->n_rows}};
	struct feed *pixels, *mask = NULL;
	struct rng rng = {seed};
	int i, r;

	r = case_text_make(m, config, plan, &rng, ret, e);
	if (r < 0 || !plan_has_images(plan))
		return r;
	for (i = 0; i < plan->n_rows; i++)
		s.of[SYM_TILES] = MAX(s.of[SYM_TILES], row_tiles(&plan->row[i]));
	pixels = model_input_feed(ret, &m->image_inputs[0], config, &s);
	if (pixels && c->partial)
		mask = model_input_feed(ret, &m->image_inputs[1], config, &s);
	if (!pixels || (c->partial && !mask))
		return err_no_memory(e);
	tiles_fill(c, plan, &rng, pixels->data, mask ? mask->data : NULL, s.of[SYM_TILES]);
	return 0;
}

struct tiles_build
tiles_begin(struct trace *t, const struct tiles_config *c, enum variant v)
{
	struct tiles_build b = {.c = c, .variant = v, .in = blk_text_inputs(t)};
	struct ir_value *seen;

	if (v == VARIANT_TEXT)
		return b;
	b.pixels = model_input_trace(t, &tiles_partial_inputs[0], c);
	if (c->partial)
		b.mask = model_input_trace(t, &tiles_partial_inputs[1], c);
	b.flag = tr_equal(t, b.in.ids, tr_i64(t, c->image_token_id));
	if (v == VARIANT_UNIFIED) {
		seen = tr_and(t, b.flag, b.in.unmasked);
		b.any = tr_name(t, tr_any(t, seen), "any_image");
	}
	return b;
}

struct ir_value *
tiles_words(struct trace *t, const struct tiles_build *b, int64_t vocab)
{
	return guard_words(t, b->in.ids, b->in.unmasked, b->flag, vocab);
}

/* All tiles of a batch in one list, and the part of a tile that each token stands for. */
struct tiles {
	struct ir_value *pixels;   /* float [images*tiles, channels, side, side]; masked ones are 0 */
	struct ir_value *seen;     /* bool [images*tiles, side, side]: not masked; NULL: all */
	struct ir_value *real;     /* bool [images*tiles]: not blank */
	struct ir_value *is_image; /* bool [batch, sequence] */
	struct ir_value *tile;     /* int64 [batch*sequence]: the token's tile */
	struct ir_value *place;    /* int64 [batch*sequence]: the token's number within its tile */
};

static void
pixels_read(struct trace *t, const struct tiles_build *b, struct tiles *im)
{
	const struct siglip_config *v = &b->c->vision;
	const struct dim all = dim_mul(sym(SYM_IMAGES), sym(SYM_TILES));
	const int64_t s = v->image_size, ch = v->num_channels;
	struct ir_value *masked, *keep;

	im->pixels = tr_reshape(t, b->pixels, shape_of(4, all, n(ch), n(s), n(s)));
	if (!b->mask)
		return;
	masked = tr_equal(t, b->mask, tr_i64(t, 0));
	masked = tr_reshape(t, masked, shape_of(3, all, n(s), n(s)));
	im->seen = tr_name(t, tr_not(t, masked), "seen");
	keep = blk_unsqueeze(t, im->seen, 1); /* [images*tiles, 1, side, side] */
	im->pixels = tr_where(t, keep, im->pixels, tr_f32(t, 0));
}

/* A tile is blank when all its numbers are 0. */
static void
real_find(struct trace *t, const struct siglip_config *v, struct tiles *im)
{
	const int64_t each = v->num_channels * v->image_size * v->image_size;
	struct ir_value *x;

	x = tr_equal(t, im->pixels, tr_f32(t, 0));
	x = tr_not(t, x);
	x = tr_cast(t, x, ELEM_I64);
	x = tr_reshape(t, x, shape_of(2, axis(im->pixels, 0), n(each)));
	x = tr_sum(t, x, 1); /* [images*tiles] */
	x = tr_less(t, tr_i64(t, 0), x);
	im->real = tr_name(t, x, "real");
}

/*
 * Returns `index`. The call fails unless each tile is in the row of its tokens. This is checked when there
 * is one image per row of the batch: then order alone could give a row another row's tile, if both have a
 * wrong number of tokens.
 */
static struct ir_value *
rows_check(struct trace *t, const struct tiles *im, struct ir_value *index)
{
	struct ir_value *row, *own, *each, *rows, *wrong;

	each = tr_size(t, sym(SYM_TILES));
	row = tr_div(t, im->tile, each);
	row = tr_reshape(t, row, im->is_image->shape); /* [batch, sequence] */
	own = tr_iota(t, sym(SYM_BATCH));
	own = blk_unsqueeze(t, own, 1); /* [batch, 1] */
	wrong = tr_equal(t, row, own);
	wrong = tr_not(t, wrong);
	wrong = tr_and(t, im->is_image, wrong);
	rows = tr_size(t, sym(SYM_BATCH));
	each = tr_size(t, sym(SYM_IMAGES));
	each = tr_equal(t, each, rows);
	wrong = tr_and(t, wrong, each);
	return tr_name(t, tr_check(t, index, wrong), "tiles_must_stand_in_the_rows_of_their_tokens");
}

static struct tiles
tiles_read(struct trace *t, const struct tiles_build *b)
{
	struct tiles im = {.pixels = NULL};
	struct ir_value *tokens, *all, *last;

	tr_scope(t, "images");
	pixels_read(t, b, &im);
	real_find(t, &b->c->vision, &im);
	tokens = tr_cast(t, im.real, ELEM_I64);
	tokens = tr_mul(t, tokens, tr_i64(t, b->c->tokens)); /* [images*tiles] */
	all = tr_sum(t, tokens, 0);
	im.is_image = guard_image_tokens(t, b->flag, b->in.unmasked, all, &im.pixels);
	blk_tokens_place(t, im.is_image, tokens, &im.tile, &im.place);
	/* When there are no image tokens, the computed tile is one after the last; limit it. */
	last = tr_size(t, axis(tokens, 0));
	last = tr_sub(t, last, tr_i64(t, 1));
	im.tile = tr_min(t, im.tile, last);
	return im;
}

/*
 * The rows of the table of positions for `count` patches along a side: they spread over the whole side,
 * as transformers computes it in float32. A side must have a power of two of patches, so that
 * its other roundings play no part. int64 [side + 1, side], by count and number of the patch: in a table of
 * floats quantize_dynamic() would round them.
 */
static struct ir_value *
buckets(struct trace *t, int64_t s)
{
	_cleanup_free_ int64_t *table = calloc((size_t)((s + 1) * s), sizeof(*table));
	const float end = (float)(1.0 - 1e-6);
	int64_t count, i;
	float at;

	if (!table) {
		tr_fail(t, E_NO_MEMORY, "memory ran out");
		return tr_i64(t, 0);
	}
	for (count = 1; count <= s; count++)
		for (i = 0; i < s; i++) {
			at = (float)i * (1.0f / (float)count);
			table[count * s + i] = (int64_t)((at < end ? at : end) * (float)s);
		}
	return tr_table_i64(t, "vis.buckets", shape_of(2, n(s + 1), n(s)), table);
}

/*
 * Rows or columns of the table, int64 [images*tiles, side], from the visible patches along the first row or
 * column.
 */
static struct ir_value *
spread(struct trace *t, struct ir_value *valid, int along, struct ir_value *table)
{
	struct ir_value *x;

	x = tr_slice(t, valid, 3 - along, 0, 1);
	x = tr_reshape(t, x, shape_of(2, axis(valid, 0), axis(valid, 1)));
	x = tr_cast(t, x, ELEM_I64);
	x = tr_sum(t, x, 1); /* [images*tiles] */
	return tr_gather(t, table, x);
}

/*
 * A patch is seen if one of its pixels is unmasked. All patches of a blank tile are seen, because its result
 * is never used.
 */
static struct ir_value *
patches_seen(struct trace *t, const struct siglip_config *v, const struct tiles *im)
{
	const int64_t p = v->patch_size, s = v->image_size / p;
	const struct dim all = axis(im->seen, 0);
	struct ir_value *x = im->seen, *blank;

	if (s * p < v->image_size) {
		x = tr_slice(t, x, 1, 0, s * p);
		x = tr_slice(t, x, 2, 0, s * p);
	}
	x = tr_cast(t, x, ELEM_I64);
	x = tr_reshape(t, x, shape_of(5, all, n(s), n(p), n(s), n(p)));
	x = tr_sum(t, x, 4);
	x = tr_sum(t, x, 2); /* [images*tiles, side, side] */
	x = tr_less(t, tr_i64(t, 0), x);
	blank = tr_not(t, im->real);
	blank = tr_reshape(t, blank, shape_of(3, all, n(1), n(1)));
	return tr_name(t, tr_or(t, x, blank), "patches_seen");
}

static struct siglip_part
part_build(struct trace *t, const struct tiles_config *c, const struct tiles *im)
{
	const int64_t s = side(c);
	struct siglip_part part;
	struct ir_value *valid, *table, *row, *col;

	tr_scope(t, "vis.pos");
	valid = patches_seen(t, &c->vision, im);
	table = buckets(t, s);
	row = spread(t, valid, 1, table);
	row = tr_mul(t, row, tr_i64(t, s));
	row = blk_unsqueeze(t, row, 2); /* [images*tiles, side, 1] */
	col = spread(t, valid, 2, table);
	col = blk_unsqueeze(t, col, 1); /* [images*tiles, 1, side] */
	row = tr_add(t, row, col);
	row = tr_where(t, valid, row, tr_i64(t, 0));
	part.place = tr_reshape(t, row, shape_of(2, axis(valid, 0), n(s * s)));
	part.seen = tr_reshape(t, valid, shape_of(2, axis(valid, 0), n(s * s)));
	return part;
}

/* [images*tiles, patches, width] to [images*tiles*tokens, hidden] */
static struct ir_value *
connect(struct trace *t, const struct tiles_config *c, struct ir_value *x)
{
	tr_scope(t, "connector");
	x = siglip_shuffle(t, &c->vision, c->factor, x);
	return blk_linear(t, x, c->hidden, BLK_NO_BIAS, "proj", "connector");
}

static struct ir_value *
with_images(struct trace *t, const void *arg)
{
	const struct tiles_build *b = arg;
	const struct tiles im = tiles_read(t, b);
	struct siglip_part part;
	struct ir_value *features, *index;

	if (im.seen)
		part = part_build(t, b->c, &im);
	features = siglip_build(t, &b->c->vision, im.pixels, im.seen ? &part : NULL);
	features = connect(t, b->c, features);
	tr_scope(t, "merge");
	index = tr_mul(t, im.tile, tr_i64(t, b->c->tokens));
	index = tr_add(t, index, im.place); /* [batch*sequence] */
	index = guard_rows(t, index, im.is_image, im.place);
	index = rows_check(t, &im, index);
	return tr_name(t, blk_scatter(t, b->x, im.is_image, features, index), "out");
}

static struct ir_value *
without_images(struct trace *t, const void *arg)
{
	const struct tiles_build *b = arg;

	(void)t;
	return b->x;
}

struct ir_value *
tiles_merge(struct trace *t, struct tiles_build *b, struct ir_value *x)
{
	b->x = x;
	if (b->variant == VARIANT_TEXT)
		return x;
	return b->variant == VARIANT_IMAGE ? with_images(t, b)
					   : tr_if(t, b->any, with_images, without_images, b);
}
