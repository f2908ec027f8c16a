#include "qwen2vl.h"

#include "caseinput.h"
#include "guards.h"

#define MERGE QWEN2VL_MERGE

int64_t
qwen2vl_features(const struct qwen2vl_vision *c)
{
	return c->in_channels * c->temporal_patch_size * c->patch_size * c->patch_size;
}

static struct shape
pixels_shape(const void *config)
{
	const struct qwen2vl_config *c = config;

	return shape_of(3, sym(SYM_IMAGES), sym(SYM_PATCHES), n(qwen2vl_features(&c->vision)));
}

static struct shape
grid_shape(const void *config)
{
	(void)config;
	return shape_of(2, sym(SYM_IMAGES), n(3));
}

enum { PIXELS, GRID };

const struct model_input qwen2vl_inputs[] = {
	[PIXELS] = {"pixel_values", ELEM_F32, pixels_shape},
	[GRID] = {"image_grid_thw", ELEM_I64,
		  grid_shape}, /* frames, height and width of each image in patches */
	{0},
};

struct model_tokens
qwen2vl_tokens(const void *config)
{
	const struct qwen2vl_config *c = config;

	return (struct model_tokens){
		.vocab = c->text.vocab_size,
		.image = c->image_token_id,
		.image_begin = c->vision_start_token_id,
		.image_end = c->vision_end_token_id,
		.video = c->video_token_id,
		.audio = c->audio_token_id,
		.pad = -1, /* the id is in the tokenizer, not in config.json */
	};
}

int64_t
qwen2vl_image_tokens(const void *config, int h, int w)
{
	(void)config;
	return (int64_t)h * w / (MERGE * MERGE);
}

int
qwen2vl_images_make(const struct qwen2vl_config *c, const struct plan *plan, struct rng *rng,
		    struct feeds *ret, struct err *e)
{
	const struct sizes s = plan_images_sizes(plan);
	const struct feed *grid_feed = model_input_feed(ret, &qwen2vl_inputs[GRID], c, &s);
	const struct feed *pixels_feed = model_input_feed(ret, &qwen2vl_inputs[PIXELS], c, &s);
	int64_t *grid;
	float *pixels;
	int i, k;

	if (!grid_feed || !pixels_feed)
		return err_no_memory(e);
	grid = grid_feed->data;
	pixels = pixels_feed->data;
	for (i = 0; i < plan->n_rows; i++)
		for (k = 0; k < plan->row[i].n_images; k++) {
			*grid++ = 1;
			*grid++ = plan->row[i].image[k].h;
			*grid++ = plan->row[i].image[k].w;
			case_fill_normal(rng, pixels, grid[-2] * grid[-1] * qwen2vl_features(&c->vision));
			pixels += s.of[SYM_PATCHES] * qwen2vl_features(&c->vision);
		}
	return 0;
}

/* One column of the grid [images, 3]: int64 [images]. */
static struct ir_value *
grid_column(struct trace *t, struct ir_value *grid, int column, const char *name)
{
	struct ir_value *x;

	x = tr_slice(t, grid, 1, column, column + 1);
	x = tr_reshape(t, x, shape_of(1, sym(SYM_IMAGES))); /* [images] */
	return tr_name(t, x, "%s", name);
}

struct qwen2vl_fed
qwen2vl_image_inputs(struct trace *t, const struct qwen2vl_config *c)
{
	struct qwen2vl_fed in;
	struct ir_value *grid;

	in.pixels = model_input_trace(t, &qwen2vl_inputs[PIXELS], c);
	grid = model_input_trace(t, &qwen2vl_inputs[GRID], c);
	tr_scope(t, "grid");
	in.t = grid_column(t, grid, 0, "t");
	in.h = grid_column(t, grid, 1, "h");
	in.w = grid_column(t, grid, 2, "w");
	return in;
}

/*
 * The sizes of the images, from the grid. Each image must have one frame, sides of whole tokens, and at
 * most as many patches as there are, which must be a multiple of a token's patches too.
 */
static void
sizes_read(struct trace *t, const struct qwen2vl_fed *in, struct qwen2vl_images *im)
{
	struct ir_value *four = tr_i64(t, MERGE * MERGE);
	struct ir_value *patches, *room, *ok, *fits;

	patches = tr_size(t, sym(SYM_PATCHES));
	im->rows = guard_side(t, in->h, patches, &ok);
	im->cols = guard_side(t, in->w, patches, &fits);
	ok = tr_and(t, ok, fits);
	fits = tr_equal(t, in->t, tr_i64(t, 1));
	ok = tr_and(t, ok, fits);
	im->tokens = tr_mul(t, im->rows, im->cols); /* [images] */
	room = tr_div(t, patches, four);
	fits = tr_less(t, room, im->tokens);
	fits = tr_not(t, fits);
	ok = tr_and(t, ok, fits);
	room = tr_mul(t, room, four);
	fits = tr_equal(t, room, patches);
	ok = tr_and(t, ok, fits);
	ok = tr_not(t, ok);
	im->tokens = tr_check(t, im->tokens, ok);
	im->tokens = tr_name(t, im->tokens, "image_grid_thw_must_fit_pixel_values");
}

struct qwen2vl_images
qwen2vl_images(struct trace *t, const struct qwen2vl_fed *in, const struct blk_text *text,
	       struct ir_value *flag)
{
	struct qwen2vl_images im = {.pixels = in->pixels};
	struct ir_value *all;

	tr_scope(t, "images");
	sizes_read(t, in, &im);
	all = tr_sum(t, im.tokens, 0);
	im.is_image = guard_image_tokens(t, flag, text->unmasked, all, &im.tokens);
	blk_tokens_place(t, im.is_image, im.tokens, &im.image, &im.place);
	return im;
}

struct ir_value *
qwen2vl_index(struct trace *t, const struct qwen2vl_images *im)
{
	struct ir_value *room, *index;

	tr_scope(t, "merge");
	room = tr_size(t, dim_div(sym(SYM_PATCHES), MERGE * MERGE)); /* rows of each image, padding too */
	index = tr_mul(t, im->image, room);
	index = tr_add(t, index, im->place); /* [tokens] */
	return guard_rows(t, index, im->is_image, im->place);
}

/*
 * The number of each token within its image: int64 [batch, sequence]. An image token continues the image of
 * the token before it if that one is an image token with the same mask; otherwise it begins a new image.
 */
static struct ir_value *
place_in_run(struct trace *t, const struct qwen2vl_images *im, struct ir_value *unmasked)
{
	struct ir_value *zero = tr_i64(t, 0), *one = tr_i64(t, 1);
	struct ir_value *place, *kind, *before, *continues, *begins, *wrong;

	place = tr_reshape(t, im->place, im->is_image->shape); /* [batch, sequence] */
	kind = tr_cast(t, unmasked, ELEM_I64);
	kind = tr_add(t, kind, one);
	kind = tr_where(t, im->is_image, kind, zero); /* 0 text, 1 masked image token, 2 image token */
	before = tr_shift(t, kind, 1);
	continues = tr_equal(t, kind, before);
	begins = tr_equal(t, place, zero);
	wrong = tr_equal(t, continues, begins);
	wrong = tr_and(t, im->is_image, wrong);
	place = tr_check(t, place, wrong);
	return tr_name(t, place, "each_run_of_image_tokens_must_be_one_image");
}

/*
 * The position of each token, before the two coordinates within its image are added. A text token takes one
 * position. An image takes as many positions as its longer side has tokens, and all its tokens start from
 * the same one. Masked tokens take none. int64 [batch, sequence].
 */
static struct ir_value *
positions(struct trace *t, const struct qwen2vl_images *im, struct ir_value *image, struct ir_value *place,
	  struct ir_value *unmasked, struct ir_value *seen)
{
	struct ir_value *zero = tr_i64(t, 0), *one = tr_i64(t, 1);
	struct ir_value *span, *begins, *step, *own, *base;

	span = tr_max(t, im->rows, im->cols);
	span = tr_gather(t, span, image); /* [batch, sequence] */
	begins = tr_equal(t, place, zero);
	begins = tr_cast(t, begins, ELEM_I64);
	begins = tr_mul(t, begins, span);
	step = tr_cast(t, unmasked, ELEM_I64);
	step = tr_where(t, seen, begins, step);
	base = tr_cumsum(t, step, 1);
	own = tr_where(t, seen, span, one);
	return tr_sub(t, base, own);
}

/* The axis of the position, 0 to 2, that the k-th frequency rotates. */
static int
axis_of(const struct qwen2vl_text *c, int64_t k)
{
	const int64_t *n_of = c->mrope_section;

	if (c->mrope_interleaved) /* the axes take turns, t h w t h w ...; t where h or w has no frequency
                                   * left */
		return k < 3 * n_of[k % 3] ? (int)(k % 3) : 0;
	return (k >= n_of[0]) + (k >= n_of[0] + n_of[1]);
}

/*
 * The angles of one axis, float [batch, sequence, rotary_dim/2]. Frequencies of other axes are 0, so the sum
 * over the axes is exactly each frequency's own angle.
 */
static struct ir_value *
axis_angles(struct trace *t, const struct qwen2vl_text *c, struct ir_value *pos, int which)
{
	const int64_t count = c->rotary_dim / 2;
	_cleanup_free_ float *table = calloc((size_t)count, sizeof(*table));
	struct ir_value *inv;
	char name[32];
	int64_t k;

	if (!table) {
		tr_fail(t, E_NO_MEMORY, "memory ran out");
		return pos;
	}
	for (k = 0; k < count; k++)
		if (axis_of(c, k) == which)
			table[k] = blk_frequency(c->rope_theta, c->rotary_dim, k);
	(void)snprintf(name, sizeof(name), "mrope.inv_freq.%d", which);
	inv = tr_table(t, name, shape_of(1, n(count)), table);
	pos = tr_name(t, pos, "pos.%c", "thw"[which]);
	return blk_angles(t, pos, inv);
}

struct ir_value *
qwen2vl_mrope(struct trace *t, const struct qwen2vl_config *c, const struct qwen2vl_images *im,
	      const struct blk_text *in)
{
	struct ir_value *image, *place, *seen, *base, *cols, *row, *col, *zero = tr_i64(t, 0);

	tr_scope(t, "mrope");
	image = tr_reshape(t, im->image, im->is_image->shape); /* [batch, sequence] */
	place = place_in_run(t, im, in->unmasked);
	seen = tr_and(t, im->is_image, in->unmasked);
	base = positions(t, im, image, place, in->unmasked, seen);
	/* The coordinates within the image; text tokens have none. */
	cols = tr_gather(t, im->cols, image);
	row = tr_div(t, place, cols);
	row = tr_where(t, seen, row, zero);
	row = tr_add(t, base, row);
	col = tr_mod(t, place, cols);
	col = tr_where(t, seen, col, zero);
	col = tr_add(t, base, col);
	base = axis_angles(t, &c->text, base, 0);
	row = axis_angles(t, &c->text, row, 1);
	col = axis_angles(t, &c->text, col, 2);
	base = tr_add(t, base, row);
	return tr_add(t, base, col);
}
