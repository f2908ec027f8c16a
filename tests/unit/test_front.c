/*
 * The nodes that make a model's inputs from a picture, run by ONNX Runtime, against the same work in C
 * (picture/prepare.h), which is held against the originals in test_prepare.c. Skipped where ONNX Runtime is not found.
 */
#include "runtime.h"

#include "base/rng.h"
#include "base/str.h"
#include "graph/graph.h"
#include "onnx/front.h"
#include "onnx/onnx.h"

#define TILE 32
#define SIDE 3

static int64_t places[SIDE * SIDE] = {11, 12, 13, 21, 22, 23, 31, 32, 33};
static int64_t row_end[] = {50, 51}, last_end[] = {52};

static int64_t before[] = {5, 900}, after[] = {901, 7, 7};

/*
 * Half of the pictures are noise, which reveals each wrong weight; half have edges and flat parts, as pages
 * do.
 */
static void
picture_make(struct rng *rng, int64_t height, int64_t width, bool noise, struct picture *ret)
{
	const size_t len = (size_t)(height * width * 3);
	size_t i;

	ret->rgb = malloc(len);
	assert_non_null(ret->rgb);
	for (i = 0; i < len; i++)
		ret->rgb[i] = noise || rng_below(rng, 7) == 0 ? (unsigned char)rng_u64(rng) : 250;
	ret->height = height;
	ret->width = width;
}

/* A graph that only computes the inputs of the model. */
static struct ir_graph *
inputs_graph(const struct prepare *p)
{
	const struct shape tokens = shape_of(2, dim_symbol(SYM_BATCH), dim_symbol(SYM_SEQUENCE));
	const struct shape grid = shape_of(2, dim_symbol(SYM_IMAGES), dim_const(3));
	const bool cut = p->rule == PREPARE_PATCHES;
	const bool tiled = p->rule == PREPARE_TILES;
	const bool padded = p->rule == PREPARE_PADDED;
	const bool whole = p->rule == PREPARE_WHOLE;
	const struct shape sizes = shape_of(2, dim_symbol(SYM_IMAGES), dim_const(2));
	const struct shape pixels =
		padded  ? shape_of(2, dim_symbol(SYM_PATCHES), dim_const(3 * p->patch * p->patch))
		: cut   ? shape_of(3, dim_symbol(SYM_IMAGES), dim_symbol(SYM_PATCHES),
				   dim_const(3 * p->frames * p->patch * p->patch))
		: tiled ? shape_of(5, dim_symbol(SYM_IMAGES), dim_symbol(SYM_TILES), dim_const(3),
				   dim_const(TILE), dim_const(TILE))
		: whole ? shape_of(4, dim_symbol(SYM_IMAGES), dim_const(3), dim_symbol(SYM_IMAGE_HEIGHT),
				   dim_symbol(SYM_IMAGE_WIDTH))
			: shape_of(4, dim_symbol(SYM_IMAGES), dim_const(3), dim_const(p->height),
				   dim_const(p->width));
	const struct shape full =
		shape_of(4, dim_symbol(SYM_IMAGES), dim_symbol(SYM_TILES), dim_const(TILE), dim_const(TILE));
	struct ir_graph *g;
	struct err e = ERR_INIT;

	assert_int_equal(graph_new("preprocess", &g, &e), 0);
	(void)graph_value_add(g, IR_INPUT, ELEM_I64, &tokens, "input_ids");
	(void)graph_value_add(g, IR_INPUT, ELEM_I64, &tokens, "attention_mask");
	(void)graph_value_add(g, IR_INPUT, ELEM_F32, &pixels, "pixel_values");
	if (cut)
		(void)graph_value_add(g, IR_INPUT, ELEM_I64, &grid, "image_grid_thw");
	if (whole)
		(void)graph_value_add(g, IR_INPUT, ELEM_I64, &sizes, "image_sizes");
	if (tiled)
		(void)graph_value_add(g, IR_INPUT, ELEM_I64, &full, "pixel_attention_mask");
	return g;
}

static struct ort_session *
session_make(const struct prepare *p)
{
	const struct document front = {
		.prepare = *p,
		.before = {.id = before, .n = p->rule == PREPARE_PATCHES ? ARRAY_LEN(before) : 0},
		.after = {.id = after, .n = ARRAY_LEN(after)},
		.image_token = 1000,
		.image_tokens = 16,
		.tiles = {.begin = 40,
			  .place = places,
			  .side = SIDE,
			  .whole = 41,
			  .row = {.id = row_end, .n = ARRAY_LEN(row_end)},
			  .last = {.id = last_end, .n = ARRAY_LEN(last_end)}}};
	_cleanup_(graph_free) struct ir_graph *g = inputs_graph(p);
	_cleanup_(onnx_export_free) struct onnx_export *ex = NULL;
	_cleanup_free_ char *path = fs_join(dir, "preprocess.onnx");
	const struct onnx_options options = {.half = p->rule == PREPARE_FIXED};
	struct ort_session *s = NULL;
	struct err e = ERR_INIT;

	(void)onnx_export_new(dir, &options, &ex, &e);
	assert_no_error(&e);
	onnx_export_front(ex, &front);
	(void)onnx_export_add(ex, g, "preprocess.onnx", &e);
	assert_no_error(&e);
	(void)onnx_export_write(ex, NULL, NULL, &e);
	assert_no_error(&e);
	(void)ort_session_new(path, 1, &s, &e);
	assert_no_error(&e);
	return s;
}

static int
graph_run(struct ort_session *s, const struct picture *in, struct ort_tensor out[4], struct err *e)
{
	const struct ort_tensor image = {.type = ELEM_U8,
					 .rank = 3,
					 .shape = {in->height, in->width, 3},
					 .data = in->rgb,
					 .len = (size_t)(in->height * in->width * 3)};

	return ort_run_all(s, &image, out, e);
}

static const struct ort_tensor *
output(struct ort_session *s, const struct ort_tensor *out, const char *name)
{
	size_t i;

	for (i = 0; i < ort_output_count(s); i++)
		if (str_eq(ort_output_name(s, i), name))
			return &out[i];
	fail_msg("no output '%s'", name);
	return NULL;
}

/* Ids before the image tokens, one of these for each token of the picture, ids after them; all of them unmasked. */
static void
ids_check(const struct prepare *p, const struct prepared *want, const int64_t *ids, const int64_t *mask,
	  int64_t n)
{
	const bool cut = p->rule == PREPARE_PATCHES;
	const int64_t first = cut ? (int64_t)ARRAY_LEN(before) : 0;
	const int64_t tokens = cut ? want->rows * want->cols / (p->merge * p->merge) : 16;
	int64_t i;

	assert_int_equal(n, first + tokens + (int64_t)ARRAY_LEN(after));
	for (i = 0; i < n; i++) {
		assert_int_equal(mask[i], 1);
		assert_int_equal(ids[i], i < first            ? before[i]
					 : i < first + tokens ? 1000
							      : after[i - first - tokens]);
	}
}

/*
 * The tokens of each tile with its row and column, the ends of rows, and the whole picture. A picture of one tile
 * has the last part only.
 */
static void
tile_ids_check(const struct prepared *want, const int64_t *ids, int64_t n)
{
	int64_t at = 0, row, col, i;

	for (row = 0; row < want->rows; row++) {
		for (col = 0; col < want->cols; col++) {
			assert_int_equal(ids[at++], 40);
			assert_int_equal(ids[at++], places[row * SIDE + col]);
			for (i = 0; i < 16; i++)
				assert_int_equal(ids[at++], 1000);
		}
		if (row + 1 < want->rows) {
			assert_int_equal(ids[at++], 50);
			assert_int_equal(ids[at++], 51);
		} else {
			assert_int_equal(ids[at++], 52);
		}
	}
	assert_int_equal(ids[at++], 40);
	assert_int_equal(ids[at++], 41);
	for (i = 0; i < 16; i++)
		assert_int_equal(ids[at++], 1000);
	assert_int_equal(ids[at++], 40);
	for (i = 0; i < (int64_t)ARRAY_LEN(after); i++)
		assert_int_equal(ids[at++], after[i]);
	assert_int_equal(at, n);
}

/* A token for the picture, then the patches of each row and its end. */
static void
padded_ids_check(const struct prepared *want, const int64_t *ids, int64_t n)
{
	int64_t at = 0, row, col;
	size_t i;

	assert_int_equal(ids[at++], 1000);
	for (row = 0; row < want->rows; row++) {
		for (col = 0; col < want->cols; col++)
			assert_int_equal(ids[at++], 1000);
		assert_int_equal(ids[at++], 50);
		assert_int_equal(ids[at++], 51);
	}
	for (i = 0; i < ARRAY_LEN(after); i++)
		assert_int_equal(ids[at++], after[i]);
	assert_int_equal(at, n);
}

/* Rows of image tokens, each with its end. */
static void
row_ids_check(const struct prepared *want, const int64_t *ids, int64_t n)
{
	int64_t at = 0, row, i;

	for (row = 0; row < want->rows; row++) {
		for (i = 0; i < want->cols; i++)
			assert_int_equal(ids[at++], 1000);
		if (row + 1 < want->rows) {
			assert_int_equal(ids[at++], 50);
			assert_int_equal(ids[at++], 51);
		} else {
			assert_int_equal(ids[at++], 52);
		}
	}
	for (i = 0; i < (int64_t)ARRAY_LEN(after); i++)
		assert_int_equal(ids[at++], after[i]);
	assert_int_equal(at, n);
}

static void
picture_check(const struct prepare *p, struct ort_session *s, const struct picture *in)
{
	_cleanup_(prepared_release) struct prepared want = PREPARED_INIT;
	struct ort_tensor out[4];
	const struct ort_tensor *pixels, *ids, *mask, *grid;
	struct err e = ERR_INIT;
	size_t i, count, wrong = 0;

	(void)prepare_run(p, in, &want, &e);
	(void)graph_run(s, in, out, &e);
	assert_no_error(&e);
	pixels = output(s, out, "pixel_values");
	ids = output(s, out, "input_ids");
	mask = output(s, out, "attention_mask");
	assert_int_equal(pixels->shape[0], p->rule == PREPARE_PADDED ? want.rows * want.cols : 1);
	for (count = 1, i = 0; i < (size_t)want.rank; i++)
		count *= (size_t)want.dim[i];
	assert_int_equal(pixels->len, count * sizeof(float));
	for (i = 0; i < count; i++)
		wrong += ((const float *)pixels->data)[i] != want.pixels[i];
	if (wrong)
		fail_msg("%lld x %lld: %zu of %zu samples differ", (long long)in->width,
			 (long long)in->height, wrong, count);
	assert_int_equal(ids->len, mask->len);
	if (p->rule == PREPARE_TILES)
		tile_ids_check(&want, ids->data, ids->shape[1]);
	else if (p->rule == PREPARE_PADDED)
		padded_ids_check(&want, ids->data, ids->shape[1]);
	else if (p->rule == PREPARE_WHOLE)
		row_ids_check(&want, ids->data, ids->shape[1]);
	else
		ids_check(p, &want, ids->data, mask->data, ids->shape[1]);
	if (p->rule == PREPARE_TILES) {
		mask = output(s, out, "pixel_attention_mask");
		assert_int_equal(mask->len, count / 3 * sizeof(int64_t));
		for (i = 0; i < count / 3; i++)
			assert_int_equal(((const int64_t *)mask->data)[i], 1);
	}
	if (p->rule == PREPARE_PATCHES) {
		grid = output(s, out, "image_grid_thw");
		assert_int_equal(((const int64_t *)grid->data)[0], 1);
		assert_int_equal(((const int64_t *)grid->data)[1], want.rows);
		assert_int_equal(((const int64_t *)grid->data)[2], want.cols);
	}
	if (p->rule == PREPARE_WHOLE) {
		grid = output(s, out, "image_sizes");
		assert_int_equal(((const int64_t *)grid->data)[0], want.dim[2]);
		assert_int_equal(((const int64_t *)grid->data)[1], want.dim[3]);
	}
	for (i = 0; i < ort_output_count(s); i++)
		ort_tensor_release(&out[i]);
}

/*
 * Smaller than the minimum, larger than the maximum, extreme shapes, odd and exact sizes. The width of the last but one is
 * 70.8 after PREPARE_WHOLE's limit, which is rounded down to five tokens; the last has weights of 22 bits: the largest sums.
 */
static const int64_t sizes[][2] = {{1, 1},    {5, 7},   {28, 56},   {41, 33},   {42, 70},
				   {1, 200},  {190, 1}, {300, 400}, {401, 203}, {97, 500},
				   {640, 31}, {64, 64}, {421, 142}, {3000, 16}};

static void
rule_check(const struct prepare *p)
{
	_cleanup_(ort_session_free) struct ort_session *s = NULL;
	struct rng rng = {p->rule};
	size_t i;

	if (!have_runtime)
		skip();
	s = session_make(p);
	for (i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
		_cleanup_(picture_release) struct picture in = PICTURE_INIT;

		picture_make(&rng, sizes[i / 2][0], sizes[i / 2][1], i % 2, &in);
		picture_check(p, s, &in);
	}
	for (i = 0; i < 24; i++) {
		_cleanup_(picture_release) struct picture in = PICTURE_INIT;

		picture_make(&rng, 1 + (int64_t)rng_below(&rng, 150), 1 + (int64_t)rng_below(&rng, 150),
			     i % 2, &in);
		picture_check(p, s, &in);
	}
}

#define CLIP \
	.mean = {122.77093945F, 116.74601250F, 104.09373365F}, .std = {68.500534F, 66.632158F, 70.323164F}

static const struct prepare qwen = {.rule = PREPARE_PATCHES,
				    CLIP,
				    .patch = 14,
				    .merge = 2,
				    .frames = 2,
				    .pixels_min = 3136,
				    .pixels_max = 50176};

static const struct prepare pixtral = {
	.rule = PREPARE_WHOLE, .filter = RESIZE_BICUBIC, CLIP, .patch = 7, .merge = 2, .longest = 210};

TEST(test_patches)
{
	rule_check(&qwen);
}

/* Another patch size and filter, and a minimum size that most pictures are below. */
TEST(test_patches_lanczos)
{
	const struct prepare p = {.rule = PREPARE_PATCHES,
				  .filter = RESIZE_LANCZOS,
				  CLIP,
				  .patch = 16,
				  .merge = 3,
				  .frames = 1,
				  .pixels_min = 30000,
				  .pixels_max = 40000};

	rule_check(&p);
}

TEST(test_fixed)
{
	const struct prepare p = {.rule = PREPARE_FIXED,
				  .mean = {127.5F, 127.5F, 127.5F},
				  .std = {127.5F, 127.5F, 127.5F},
				  .height = 56,
				  .width = 84};

	rule_check(&p);
}

TEST(test_tiles)
{
	const struct prepare p = {.rule = PREPARE_TILES,
				  .filter = RESIZE_LANCZOS,
				  .mean = {127.5F, 127.5F, 127.5F},
				  .std = {127.5F, 127.5F, 127.5F},
				  .longest = SIDE * TILE,
				  .tile = TILE};

	rule_check(&p);
}

TEST(test_one_tile)
{
	const struct prepare p = {
		.rule = PREPARE_TILES, .filter = RESIZE_BICUBIC, CLIP, .longest = TILE, .tile = TILE};

	rule_check(&p);
}

/* Without limits, with one for the longest side, with two for the pixels, and with all of them. */
TEST(test_padded)
{
	static const int64_t none = PREPARE_NO_LIMIT;
	const int64_t limits[][3] = {{none, 0, none}, {40, 0, none}, {none, 700, 4000}, {none, 700, 701},
				     {none, 50, 100}, {5, 0, none},  {72, 100, 3000},   {30, 9000, none}};
	size_t i;

	for (i = 0; i < ARRAY_LEN(limits); i++) {
		const struct prepare p = {.rule = PREPARE_PADDED,
					  .mean = {127.5F, 127.5F, 127.5F},
					  .std = {127.5F, 127.5F, 127.5F},
					  .patch = 8,
					  .longest = limits[i][0],
					  .pixels_min = limits[i][1],
					  .pixels_max = limits[i][2]};

		rule_check(&p);
	}
}

/* Pictures that are smaller than the limit, and larger ones. */
TEST(test_whole)
{
	rule_check(&pixtral);
}

/* A picture of a refused shape and one without pixels. */
TEST(test_refused)
{
	static const int64_t refused[][2] = {{1, 201}, {402, 2}, {0, 5}, {5, 0}, {0, 0}};
	const struct prepare fixed = {.rule = PREPARE_FIXED, CLIP, .height = 56, .width = 56};
	const struct prepare padded = {.rule = PREPARE_PADDED,
				       CLIP,
				       .patch = 8,
				       .longest = PREPARE_NO_LIMIT,
				       .pixels_max = PREPARE_NO_LIMIT};
	_cleanup_(ort_session_free) struct ort_session *s = NULL, *f = NULL, *own = NULL;
	unsigned char bytes[2 * 402 * 3] = {0};
	struct ort_tensor out[4];
	size_t i;

	if (!have_runtime)
		skip();
	s = session_make(&qwen);
	f = session_make(&fixed);
	own = session_make(&padded);
	for (i = 0; i < ARRAY_LEN(refused); i++) {
		const struct picture in = {.rgb = bytes, .height = refused[i][0], .width = refused[i][1]};
		struct err e = ERR_INIT;

		assert_int_equal(graph_run(s, &in, out, &e), E_BAD_ONNX);
		assert_error(&e, E_BAD_ONNX, "picture_must_have_pixels_and_a_usual_shape");
		err_clear(&e);
		if (in.height > 0 && in.width > 0)
			continue;
		assert_int_equal(graph_run(f, &in, out, &e), E_BAD_ONNX);
		assert_error(&e, E_BAD_ONNX, "picture_must_have_pixels_and_a_usual_shape");
		err_clear(&e);
		assert_int_equal(graph_run(own, &in, out, &e), E_BAD_ONNX);
		assert_error(&e, E_BAD_ONNX, "picture_must_have_pixels");
	}
}

int
main(void)
{
	return tests_run("front", runtime_setup, runtime_teardown);
}
