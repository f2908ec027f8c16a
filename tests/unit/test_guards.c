/*
 * Batches that do not fit together, through every graph of both families, by libtorch and by ONNX Runtime.
 *
 * The image tokens of small batches stand in every pattern: each is refused by both runtimes, or gives each row what
 * the row gives alone with its own images. Which of the two is right is worked out here by plain loops.
 * Needs ONNX Runtime's library.
 */
#include "runtimes.h"

#include "base/rng.h"
#include "model/blocks.h"

#define IDS_MAX 128
#define IMAGES_MAX 4
#define PATCHES 12 /* of each image, padding included; the largest image has 8 */

enum family { COLQWEN2, COLQWEN2_5, COLQWEN3, COLPALI, COLGEMMA3, FAMILY_MAX };

/* All images of this family have the same size. */
#define ONE_SIZE(f) ((f) == COLPALI || (f) == COLGEMMA3)

static struct loaded {
	const char *folder;
	struct checkpoint *ck;
	const struct model *model;
	void *config;
	struct model_tokens tokens;
	int64_t per_patch; /* how many numbers a patch has; for families with one size, an image */
	struct graph graph[VARIANT_MAX][2]; /* the second with positions 0, 1, ... */
} loaded[FAMILY_MAX] = {
	[COLQWEN2] = {.folder = "tests/golden/colqwen2-tiny"},
	[COLQWEN2_5] = {.folder = "tests/golden/colqwen2_5-tiny"},
	[COLQWEN3] = {.folder = "tests/golden/colqwen3-tiny"},
	[COLPALI] = {.folder = "tests/golden/colpali-tiny"},
	[COLGEMMA3] = {.folder = "tests/golden/colgemma3-tiny"},
};

/* Patches of the images that batches are made of, by number. ColPali's are all of one size. */
static const struct {
	int h, w;
} pictures[IMAGES_MAX] = {{2, 4}, {4, 2}, {2, 2}, {2, 2}};

struct batch {
	enum family family;
	int rows, tokens;
	int64_t ids[IDS_MAX], mask[IDS_MAX]; /* [rows, tokens] */
	int images;
	int picture[IMAGES_MAX];
	int64_t grid[IMAGES_MAX][3];
	int64_t patches;
	float padding; /* what padded patches hold */
};

static int64_t
picture_tokens(enum family f, int picture)
{
	return loaded[f].model->image_tokens(loaded[f].config, pictures[picture].h, pictures[picture].w);
}

static void
batch_init(struct batch *b, enum family f, int rows, int tokens)
{
	int i;

	*b = (struct batch){.family = f, .rows = rows, .tokens = tokens, .patches = PATCHES};
	assert_true(rows * tokens <= IDS_MAX);
	for (i = 0; i < rows * tokens; i++) {
		b->ids[i] = 5 + i * 3;
		b->mask[i] = 1;
	}
}

static void
batch_image_add(struct batch *b, int picture)
{
	int64_t *grid = b->grid[b->images];

	b->picture[b->images++] = picture;
	grid[0] = 1;
	grid[1] = pictures[picture].h;
	grid[2] = pictures[picture].w;
}

/* ---- both runtimes ---- */

static const struct graph *
graph_get(enum family f, enum variant v, bool arange)
{
	struct loaded *l = &loaded[f];
	struct graph *x = &l->graph[v][arange];

	if (!x->g)
		graph_open(l->model, l->ck, l->config, v, arange, x);
	return x;
}

static void
pixels_fill(const struct batch *b, float *to)
{
	const bool whole = ONE_SIZE(b->family);
	const int64_t all = loaded[b->family].per_patch * (whole ? 1 : b->patches);
	struct rng rng;
	int64_t k, own;
	int i;

	for (i = 0; i < b->images; i++) {
		rng = (struct rng){100 + (uint64_t)b->picture[i]};
		own = loaded[b->family].per_patch *
		      (whole ? 1 : pictures[b->picture[i]].h * pictures[b->picture[i]].w);
		for (k = 0; k < all; k++)
			*to++ = k < own ? rng_normal(&rng) : b->padding;
	}
}

/* The inputs of a graph. */
static void
feeds_make(const struct batch *b, const struct ir_graph *g, struct feeds *ret)
{
	const struct sizes s = {.of = {[SYM_BATCH] = b->rows,
				       [SYM_SEQUENCE] = b->tokens,
				       [SYM_IMAGES] = b->images,
				       [SYM_PATCHES] = b->patches}};
	const struct ir_value *v;
	struct feed *f;
	size_t i;

	for (i = 0; i < g->n_value; i++) {
		v = g->value[i];
		if (v->kind != IR_INPUT)
			continue;
		f = feeds_add_sized(ret, v->name, v->elem, &v->shape, &s);
		assert_non_null(f);
		if (str_eq(v->name, "input_ids"))
			memcpy(f->data, b->ids, (size_t)feed_count(f) * sizeof(*b->ids));
		else if (str_eq(v->name, "attention_mask"))
			memcpy(f->data, b->mask, (size_t)feed_count(f) * sizeof(*b->mask));
		else if (str_eq(v->name, "image_grid_thw"))
			memcpy(f->data, b->grid, (size_t)feed_count(f) * sizeof(b->grid[0][0]));
		else
			pixels_fill(b, f->data);
	}
}

/* Runs both; either both succeed or both fail. Returns whether they succeeded. */
static bool
batch_run(const struct batch *b, enum variant v, bool arange, struct result *ret)
{
	const struct graph *x = graph_get(b->family, v, arange);
	_cleanup_(feeds_release) struct feeds feeds = FEEDS_INIT;

	feeds_make(b, x->g, &feeds);
	return graph_run(x, &feeds, ret);
}

/* ---- what is right ---- */

static bool
is_image(const struct batch *b, int row, int i)
{
	return b->ids[row * b->tokens + i] == loaded[b->family].tokens.image;
}

/* Images of one row after those before it, or -1. Trained positions want each in a run of its own. */
static int
row_images(const struct batch *b, int row, int next, bool runs)
{
	int64_t left = 0;
	int i, n = 0;

	for (i = 0; i < b->tokens; i++) {
		if (!is_image(b, row, i)) {
			if (left && runs)
				return -1;
			continue;
		}
		if (left == 0) {
			if (next + n == b->images || (runs && i > 0 && is_image(b, row, i - 1)))
				return -1;
			left = picture_tokens(b->family, b->picture[next + n++]);
		}
		left--;
	}
	return left ? -1 : n;
}

/* Runs one row alone with its own images in libtorch. The row must give the same result in any batch. */
static void
row_alone(const struct batch *b, int row, int first, int n, bool arange, struct result *ret)
{
	struct batch one;
	int i;

	batch_init(&one, b->family, 1, b->tokens);
	memcpy(one.ids, b->ids + row * b->tokens, (size_t)b->tokens * sizeof(*one.ids));
	memcpy(one.mask, b->mask + row * b->tokens, (size_t)b->tokens * sizeof(*one.mask));
	for (i = 0; i < n; i++)
		batch_image_add(&one, b->picture[first + i]);
	assert_true(batch_run(&one, n ? VARIANT_IMAGE : VARIANT_TEXT, n && arange, ret));
}

static struct result result, alone;

static void
row_compare(const struct batch *b, int row, int first, int n, bool arange)
{
	const int64_t len = b->tokens * result.dim;

	row_alone(b, row, first, n, arange, &alone);
	numbers_compare(alone.torch, result.torch + row * len, len, "libtorch");
	numbers_compare(alone.torch, result.ort + row * len, len, "ONNX Runtime");
}

static bool
names_one_of(const char *msg, const char *const *names)
{
	while (*names && !strstr(msg, *names))
		names++;
	return *names;
}

/* If a batch fails several checks, the two runtimes may report different ones. */
static void
refusal_check(const char *const *names)
{
	if (!names_one_of(result.e_torch.msg, names) || !names_one_of(result.e_ort.msg, names))
		fail_msg("'%s' or '%s' does not name the check", result.e_torch.msg, result.e_ort.msg);
}

static const char *const token_guards[] = {"image_tokens_must_match_image_features",
					   "images_must_not_continue_in_another_row",
					   "each_run_of_image_tokens_must_be_one_image", NULL};

/* Returns whether the pattern was valid. */
static bool
pattern_check(const struct batch *b, enum variant v, bool arange)
{
	const bool runs = !ONE_SIZE(b->family) && !arange;
	int row, next = 0, n[8], tokens = 0, i;
	bool right = true;

	for (i = 0; i < b->rows * b->tokens; i++)
		tokens += is_image(b, i / b->tokens, i % b->tokens);
	for (row = 0; row < b->rows && right; row++) {
		n[row] = row_images(b, row, next, runs);
		right = n[row] >= 0;
		next += n[row];
	}
	right = right && next == b->images;
	if (v == VARIANT_UNIFIED && tokens == 0) /* a text: nothing reads the images */
		right = true;
	if (batch_run(b, v, arange, &result) != right)
		fail_msg("a batch is %s: %s", right ? "refused" : "not refused", result.e_ort.msg);
	if (!right)
		refusal_check(token_guards);
	for (row = 0, next = 0; right && row < b->rows; next += n[row++])
		row_compare(b, row, next, n[row], arange);
	return right;
}

/* ---- patterns of image tokens ---- */

struct shape_of_batch {
	enum family family;
	int rows, places; /* of each row: image or word */
	int width;        /* tokens of a place */
	int images;
	int picture[IMAGES_MAX];
	bool every_graph; /* or two that differ in all: image, and unified with positions 0, 1, ... where it has them */
};

static void
patterns_run(const struct shape_of_batch *s, enum variant v, bool arange)
{
	int bits, i, accepted = 0, all = 1 << (s->rows * s->places);
	struct batch b;

	for (bits = 0; bits < all; bits++) {
		batch_init(&b, s->family, s->rows, s->places * s->width);
		for (i = 0; i < b.rows * b.tokens; i++)
			if (bits >> (i / s->width) & 1)
				b.ids[i] = loaded[s->family].tokens.image;
		for (i = 0; i < s->images; i++)
			batch_image_add(&b, s->picture[i]);
		accepted += pattern_check(&b, v, arange);
	}
	print_message("%s, %s%s, %d rows, %d images: %d patterns, %d refused, %d right\n",
		      loaded[s->family].model->arch->family, variant_name(v), arange ? ", arange" : "",
		      s->rows, s->images, all, all - accepted, accepted);
	assert_true(accepted > 0);
}

TEST(test_every_pattern)
{
	static const struct shape_of_batch shapes[] = {
		{COLQWEN2, 2, 5, 1, 2, {0, 1}, false},    {COLQWEN2, 3, 3, 1, 2, {2, 1}, true},
		{COLQWEN2, 3, 3, 1, 3, {2, 3, 2}, false}, {COLQWEN2_5, 3, 3, 1, 2, {2, 1}, false},
		{COLQWEN3, 3, 3, 1, 2, {2, 1}, false},    {COLPALI, 2, 4, 4, 1, {0}, false},
		{COLPALI, 2, 5, 4, 2, {0, 1}, false},     {COLGEMMA3, 2, 4, 3, 1, {0}, false},
	};
	bool arange;
	size_t i;

	need_runtime();
	for (i = 0; i < ARRAY_LEN(shapes); i++) {
		arange = !ONE_SIZE(shapes[i].family);
		patterns_run(&shapes[i], VARIANT_IMAGE, false);
		patterns_run(&shapes[i], VARIANT_UNIFIED, arange);
		if (shapes[i].every_graph) {
			patterns_run(&shapes[i], VARIANT_IMAGE, true);
			patterns_run(&shapes[i], VARIANT_UNIFIED, false);
		}
	}
}

/* Two pages of ColPali, with one image token more or less than one and two images need. */
TEST(test_counts)
{
	static const int counts[] = {0, 1, 15, 16, 17, 31, 32, 33};
	enum variant v;
	struct batch b;
	size_t i, k;
	int n, at;

	need_runtime();
	for (v = VARIANT_IMAGE; v <= VARIANT_UNIFIED; v++)
		for (i = 0; i < ARRAY_LEN(counts); i++)
			for (k = 0; k < ARRAY_LEN(counts); k++) {
				batch_init(&b, COLPALI, 2, 36);
				for (n = 0; n < 2; n++)
					for (at = 0; at < counts[n ? k : i]; at++)
						b.ids[n * b.tokens + at] = loaded[COLPALI].tokens.image;
				batch_image_add(&b, 0);
				batch_image_add(&b, 1);
				(void)pattern_check(&b, v, false);
			}
}

/* ---- what is masked, what is padding ---- */

/* Two rows, a page and a text. One of them has `pad` masked tokens at its beginning or end. */
static void
page_and_text(struct batch *b, enum family f, int pad, bool left)
{
	const int n = (int)picture_tokens(f, 0);
	int i, from = left ? pad : 0;

	batch_init(b, f, 2, n + 6 + pad);
	for (i = 0; i < n; i++)
		b->ids[b->tokens + from + 2 + i] = loaded[f].tokens.image;
	for (i = 0; i < pad; i++)
		b->mask[b->tokens + (left ? i : n + 6 + i)] = 0;
	batch_image_add(b, 0);
}

static void
masked_ids_set(struct batch *b, int64_t id)
{
	int i;

	for (i = 0; i < b->rows * b->tokens; i++)
		if (!b->mask[i])
			b->ids[i] = id;
}

TEST(test_masked_ids)
{
	const int64_t ids[] = {-1, -100, 0, 301, 320, 1 << 20, INT64_MIN, INT64_MAX};
	struct batch b;
	enum variant v;
	int f, left;
	size_t i;

	need_runtime();
	for (f = 0; f < FAMILY_MAX; f++)
		for (left = 0; left < 2; left++)
			for (i = 0; i < ARRAY_LEN(ids); i++)
				for (v = VARIANT_IMAGE; v <= VARIANT_UNIFIED; v++) {
					page_and_text(&b, (enum family)f, 3, left);
					masked_ids_set(&b, 7);
					row_alone(&b, 1, 0, 1, false, &alone);
					masked_ids_set(&b, ids[i]);
					assert_true(batch_run(&b, v, false, &result));
					numbers_compare(alone.torch, result.torch + b.tokens * result.dim,
							b.tokens * result.dim, "libtorch");
					numbers_compare(alone.torch, result.ort + b.tokens * result.dim,
							b.tokens * result.dim, "ONNX Runtime");
				}
}

/* A row of padding: all its tokens are masked, and it has an image. The original classes accept it. */
TEST(test_masked_row_with_an_image)
{
	struct batch b;
	enum variant v;
	int f, masked, i;

	need_runtime();
	for (f = 0; f < FAMILY_MAX; f++)
		for (masked = 0; masked < 2; masked++)
			for (v = VARIANT_IMAGE; v <= VARIANT_UNIFIED; v++) {
				page_and_text(&b, (enum family)f, 0, true);
				memcpy(b.ids, b.ids + b.tokens, (size_t)b.tokens * sizeof(*b.ids));
				batch_image_add(&b, 1);
				for (i = 0; i < b.tokens; i++)
					b.mask[masked * b.tokens + i] = 0;
				assert_true(batch_run(&b, v, false, &result));
				row_compare(&b, !masked, !masked, 1, false);
			}
}

TEST(test_padded_patches)
{
	const float padding[] = {0, NAN, INFINITY, -INFINITY, 3e38f, -3e38f};
	struct batch b;
	enum variant v;
	size_t i;
	int f;

	need_runtime();
	for (f = 0; f < COLPALI; f++)
		for (i = 0; i < ARRAY_LEN(padding); i++)
			for (v = VARIANT_IMAGE; v <= VARIANT_UNIFIED; v++) {
				page_and_text(&b, (enum family)f, 2, true);
				b.padding = padding[i];
				assert_true(batch_run(&b, v, false, &result));
				row_compare(&b, 1, 0, 1, false);
				row_compare(&b, 0, 0, 0, false);
			}
}

/* ---- inputs that are wrong by themselves ---- */

TEST(test_ids_out_of_range)
{
	static const char *const names[] = {"ids_must_be_in_the_vocabulary", NULL};
	const int64_t ids[] = {-1, -320, -321, 320, 1 << 20, INT64_MIN, INT64_MAX};
	struct batch b;
	enum variant v;
	size_t i;
	int f;

	need_runtime();
	for (f = 0; f < FAMILY_MAX; f++)
		for (i = 0; i < ARRAY_LEN(ids); i++)
			for (v = VARIANT_TEXT; v <= VARIANT_UNIFIED; v++) {
				page_and_text(&b, (enum family)f, 1, true);
				b.ids[1] = ids[i];
				assert_false(batch_run(&b, v, false, &result));
				refusal_check(names);
			}
}

TEST(test_grids)
{
	static const char *const names[] = {"image_grid_thw_must_fit_pixel_values", NULL};
	static const struct {
		int64_t thw[3], patches;
	} grids[] = {
		{{2, 2, 2}, 12},         {{0, 2, 4}, 12},
		{{1, 3, 4}, 12},         {{1, 2, 3}, 12},
		{{1, 0, 4}, 12},         {{1, -2, -4}, 12},
		{{1, 4, 4}, 12},         {{1, 2, 4}, 10}, /* blocks of four patches would span two images */
		{{1, 2, 4}, 4},          {{1, INT64_C(1) << 32, INT64_C(1) << 32}, 12},
		{{1, INT64_MIN, 2}, 12}, {{INT64_MAX, INT64_MAX, INT64_MAX}, 12},
		{{1, 2, 4}, 0},
	};
	struct batch b;
	enum variant v;
	size_t i;

	need_runtime();
	for (i = 0; i < ARRAY_LEN(grids); i++)
		for (v = VARIANT_IMAGE; v <= VARIANT_UNIFIED; v++) {
			page_and_text(&b, COLQWEN2, 0, true);
			memcpy(b.ids, b.ids + b.tokens, (size_t)b.tokens * sizeof(*b.ids));
			batch_image_add(&b, 1);
			memcpy(b.grid[0], grids[i].thw, sizeof(b.grid[0]));
			b.patches = grids[i].patches;
			assert_false(batch_run(&b, v, false, &result));
			refusal_check(names);
		}
}

TEST(test_tokens_without_images)
{
	struct batch b;
	enum variant v;
	int f;

	need_runtime();
	for (f = 0; f < FAMILY_MAX; f++)
		for (v = VARIANT_IMAGE; v <= VARIANT_UNIFIED; v++) {
			page_and_text(&b, (enum family)f, 0, true);
			b.images = 0;
			assert_false(batch_run(&b, v, false, &result));
			b.patches = 0;
			assert_false(batch_run(&b, v, false, &result));
		}
}

/* ---- padding behind the head ---- */

/* The last steps of a head, over vectors of two numbers that are fed. */
static struct ir_value *
unit_build(struct trace *t)
{
	const struct shape s = shape_of(2, sym(SYM_BATCH), sym(SYM_SEQUENCE));
	struct blk_text in = {NULL};
	struct ir_value *x, *masked;

	x = tr_input(t, "x", ELEM_F32, shape_of(3, s.dim[0], s.dim[1], n(2)));
	masked = tr_equal(t, tr_input(t, "mask", ELEM_I64, s), tr_i64(t, 0));
	in.unmasked = tr_not(t, masked);
	return blk_unit(t, x, &in, BLK_FLOOR);
}

/* A masked token may hold anything, and gives 0; so does an unmasked vector of zeros where the original has a floor. */
TEST(test_padding_of_any_content_gives_zeros)
{
	static const struct sizes traced = {.of = {[SYM_BATCH] = 2, [SYM_SEQUENCE] = 3}};
	static const float x[5][2] = {{3, -4}, {0, 0}, {NAN, 1}, {INFINITY, 1}, {0, 0}};
	static const float want[5][2] = {{0.6f, -0.8f}, {0, 0}, {0, 0}, {0, 0}, {0, 0}};
	const int64_t dim[3] = {1, 5, 2}, mask[5] = {1, 0, 0, 0, 1};
	_cleanup_(feeds_release) struct feeds feeds = {.n = 0};
	_cleanup_(trace_free) struct trace *t = NULL;
	struct graph graph = {NULL};
	struct err e = ERR_INIT;

	need_runtime();
	(void)trace_new("unit", /*ck=*/NULL, &traced, &t, &e);
	assert_no_error(&e);
	graph_finish(t, unit_build(t), "unit", &target_portable, &graph);
	memcpy(feeds_add(&feeds, "x", ELEM_F32, 3, dim)->data, x, sizeof(x));
	memcpy(feeds_add(&feeds, "mask", ELEM_I64, 2, dim)->data, mask, sizeof(mask));
	assert_true(graph_run(&graph, &feeds, &result));
	numbers_compare(want[0], result.torch, 10, "libtorch");
	numbers_compare(want[0], result.ort, 10, "ONNX Runtime");
	ort_session_free(&graph.s);
	graph_free(&graph.g);
}

/* ---- */

static void
family_open(struct loaded *l)
{
	struct shape pixels;

	l->config = family_load(l->folder, &l->ck, &l->model);
	l->tokens = l->model->tokens(l->config);
	pixels = l->model->image_inputs[0].shape(l->config);
	l->per_patch = pixels.rank == 3 ? pixels.dim[2].num
					: pixels.dim[1].num * pixels.dim[2].num * pixels.dim[3].num;
}

static int
setup(void **state)
{
	int f;

	if (runtime_setup(state) < 0)
		return -1;
	for (f = 0; f < FAMILY_MAX; f++)
		family_open(&loaded[f]);
	return 0;
}

static int
teardown(void **state)
{
	enum variant v;
	int f, k;

	for (f = 0; f < FAMILY_MAX; f++) {
		for (v = 0; v < VARIANT_MAX; v++)
			for (k = 0; k < 2; k++) {
				graph_free(&loaded[f].graph[v][k].g);
				ort_session_free(&loaded[f].graph[v][k].s);
			}
		free(loaded[f].config);
		checkpoint_free(&loaded[f].ck);
	}
	return runtime_teardown(state);
}

int
main(void)
{
	return tests_run("guards", setup, teardown);
}
