/*
 * Images of tiles through every graph of their families, by libtorch and by ONNX Runtime.
 *
 * Small batches have every count of image tokens beside every choice of blank tiles: each is refused by both runtimes,
 * or gives each row what the row gives alone with its own tiles. Needs ONNX Runtime's library.
 */
#include "runtimes.h"

#include "base/rng.h"
#include "model/tiles.h"

#define ROWS 2
#define SLOTS 2 /* tiles of a row, blank ones included */
#define IDS_MAX 256
#define IMAGE_TOKEN(l) ((l)->config->image_token_id)

static struct loaded {
	const char *folder;
	struct checkpoint *ck;
	const struct model *model;
	struct tiles_config *config; /* the family's, which begins with it */
	struct graph graph[VARIANT_MAX];
} loaded[] = {
	{.folder = "tests/golden/colmodernvbert-tiny"},
	{.folder = "tests/golden/colidefics3-tiny"},
};

struct batch {
	struct loaded *l;
	int rows, images, slots;
	int image_tokens[ROWS];    /* of each row, before two words */
	bool real[ROWS * SLOTS];   /* by image and slot */
	int picture[ROWS * SLOTS]; /* what a tile shows */
	int length;                /* of a row; those that are shorter are padded on the left */
	int first_row;             /* its number where the words come from */
	bool whole;                /* no tile is masked in part */
	float junk;                /* what masked pixels hold, where there is a mask */
};

static void
batch_init(struct batch *b, struct loaded *l, int rows)
{
	int i;

	*b = (struct batch){.l = l, .rows = rows, .images = rows, .slots = SLOTS};
	for (i = 0; i < ROWS * SLOTS; i++)
		b->picture[i] = i;
}

static void
text_fill(const struct batch *b, int64_t *ids, int64_t *mask)
{
	int row, i, n;

	for (row = 0; row < b->rows; row++) {
		n = b->image_tokens[row] + 2;
		for (i = 0; i < b->length; i++) {
			ids[row * b->length + i] =
				i < b->length - 2 ? IMAGE_TOKEN(b->l) : 7 + i + b->first_row + row;
			mask[row * b->length + i] = i >= b->length - n;
			if (!mask[row * b->length + i])
				ids[row * b->length + i] = 0;
		}
	}
}

static void
tiles_fill(const struct batch *b, float *pixels, int64_t *mask)
{
	const int64_t area = b->l->config->vision.image_size * b->l->config->vision.image_size;
	const int64_t each = area * b->l->config->vision.num_channels;
	struct rng rng;
	int64_t k;
	int i;

	for (i = 0; i < b->images * b->slots; i++) {
		rng = (struct rng){100 + (uint64_t)b->picture[i]};
		for (k = 0; k < each; k++)
			pixels[i * each + k] = b->real[i] ? rng_normal(&rng) : mask ? b->junk : 0;
		for (k = 0; mask && k < area; k++)
			mask[i * area + k] = b->real[i];
	}
	/* half of the first tile is masked */
	for (k = 0; mask && !b->whole && b->images && b->real[0] && k < each; k++)
		if (k % area >= area / 2) {
			mask[k % area] = 0;
			pixels[k] = b->junk;
		}
}

static void
feeds_make(const struct batch *b, const struct ir_graph *g, struct feeds *ret)
{
	const struct sizes s = {.of = {[SYM_BATCH] = b->rows,
				       [SYM_SEQUENCE] = b->length,
				       [SYM_IMAGES] = b->images,
				       [SYM_TILES] = b->slots}};
	struct feed *f[4] = {NULL};
	const struct ir_value *v;
	size_t i, n = 0;

	for (i = 0; i < g->n_value; i++) {
		v = g->value[i];
		if (v->kind != IR_INPUT)
			continue;
		assert_true(n < ARRAY_LEN(f));
		f[n] = feeds_add_sized(ret, v->name, v->elem, &v->shape, &s);
		assert_non_null(f[n++]);
	}
	text_fill(b, f[0]->data, f[1]->data);
	if (f[2])
		tiles_fill(b, f[2]->data, f[3] ? f[3]->data : NULL);
}

static struct result result, alone;

/* Runs both; either both succeed or both fail. Returns whether they succeeded. */
static bool
batch_run(struct batch *b, enum variant v, struct result *ret)
{
	struct graph *x = &b->l->graph[v];
	_cleanup_(feeds_release) struct feeds feeds = FEEDS_INIT;
	int i;

	if (!x->g)
		graph_open(b->l->model, b->l->ck, b->l->config, v, false, x);
	for (i = 0; i < b->rows; i++)
		b->length = MAX(b->length, b->image_tokens[i] + 2);
	assert_true(b->rows * b->length <= IDS_MAX);
	feeds_make(b, x->g, &feeds);
	return graph_run(x, &feeds, ret);
}

/* A row gives what it gives alone with these tiles, by libtorch, and without junk in them. */
static void
row_compare(const struct batch *b, int row, int first_image)
{
	const int64_t len = b->length * result.dim;
	struct batch one;
	int i;

	batch_init(&one, b->l, 1);
	one.length = b->length;
	one.image_tokens[0] = b->image_tokens[row];
	for (i = 0; i < SLOTS; i++) {
		one.real[i] = b->real[first_image * SLOTS + i];
		one.picture[i] = b->picture[first_image * SLOTS + i];
	}
	one.whole = first_image > 0;
	one.first_row = row;
	assert_true(batch_run(&one, b->image_tokens[row] ? VARIANT_IMAGE : VARIANT_TEXT, &alone));
	numbers_compare(alone.torch, result.torch + row * len, len, "libtorch");
	numbers_compare(alone.torch, result.ort + row * len, len, "ONNX Runtime");
}

/* A batch may fail two checks; the two runtimes may report different ones. */
static void
refusal_check(const char *msg)
{
	static const char *const names[] = {"image_tokens_must_match_image_features",
					    "images_must_not_continue_in_another_row",
					    "tiles_must_stand_in_the_rows_of_their_tokens"};
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (strstr(msg, names[i]))
			return;
	fail_msg("'%s' does not name the check", msg);
}

static void
refusals_check(void)
{
	refusal_check(result.e_torch.msg);
	refusal_check(result.e_ort.msg);
}

/* A batch is right if each row has the tokens of its own tiles. */
static bool
is_right(const struct batch *b, enum variant v)
{
	int row, i, want, tokens = 0;
	bool right = true;

	for (row = 0; row < b->rows; row++) {
		for (i = 0, want = 0; i < SLOTS; i++)
			want += b->real[row * SLOTS + i] ? (int)b->l->config->tokens : 0;
		right &= want == b->image_tokens[row];
		tokens += b->image_tokens[row];
	}
	return right || (v == VARIANT_UNIFIED && tokens == 0); /* a text, which does not read the tiles */
}

static void
counts_run(struct loaded *l, enum variant v)
{
	const int per = (int)l->config->tokens, counts[] = {0, 1, per - 1, per, per + 1, 2 * per};
	int bits, accepted = 0, i;
	struct batch b;
	size_t k, m;
	bool right;

	for (bits = 0; bits < 1 << ROWS * SLOTS; bits++)
		for (k = 0; k < ARRAY_LEN(counts); k++)
			for (m = 0; m < ARRAY_LEN(counts); m++) {
				batch_init(&b, l, ROWS);
				for (i = 0; i < ROWS * SLOTS; i++)
					b.real[i] = bits >> i & 1;
				b.image_tokens[0] = counts[k];
				b.image_tokens[1] = counts[m];
				right = is_right(&b, v);
				if (batch_run(&b, v, &result) != right)
					fail_msg("tiles %x, tokens %d and %d: %s %s", (unsigned)bits,
						 counts[k], counts[m], right ? "refused:" : "not refused",
						 result.e_ort.msg);
				if (!right)
					refusals_check();
				for (i = 0; right && i < ROWS; i++)
					row_compare(&b, i, i);
				accepted += right;
			}
	print_message("%s, %s: %d right\n", l->model->arch->family, variant_name(v), accepted);
	assert_true(accepted > 0);
}

TEST(test_every_count)
{
	enum variant v;
	size_t i;

	need_runtime();
	for (i = 0; i < ARRAY_LEN(loaded); i++)
		for (v = VARIANT_IMAGE; v <= VARIANT_UNIFIED; v++)
			counts_run(&loaded[i], v);
}

/* One blank tile beside any number of texts, as fastembed sends, and no tile at all: what the text graph gives. */
TEST(test_texts_beside_a_blank_tile)
{
	static float want[OUT_MAX];
	struct batch b;
	int images;
	size_t i;

	need_runtime();
	for (i = 0; i < ARRAY_LEN(loaded); i++)
		for (images = 0; images < 2; images++) {
			batch_init(&b, &loaded[i], ROWS);
			b.images = images;
			b.slots = 1;
			assert_true(batch_run(&b, VARIANT_TEXT, &result));
			memcpy(want, result.torch, sizeof(want));
			assert_true(batch_run(&b, VARIANT_UNIFIED, &result));
			numbers_compare(want, result.torch, b.rows * b.length * result.dim, "libtorch");
			numbers_compare(want, result.ort, b.rows * b.length * result.dim, "ONNX Runtime");
		}
}

/* If the number of images is not that of the rows, only the order of the tiles counts, as in the original classes. */
TEST(test_tiles_by_order_alone)
{
	struct batch b;
	enum variant v;
	size_t i;

	need_runtime();
	for (i = 0; i < ARRAY_LEN(loaded); i++)
		for (v = VARIANT_IMAGE; v <= VARIANT_UNIFIED; v++) {
			batch_init(&b, &loaded[i], ROWS);
			b.images = 1;
			b.real[0] = b.real[1] = true;
			b.image_tokens[0] = b.image_tokens[1] = (int)loaded[i].config->tokens;
			assert_true(batch_run(&b, v, &result));
			b.image_tokens[1]--;
			assert_false(batch_run(&b, v, &result));
			refusals_check();
		}
}

/* Masked pixels may have any value, in tiles that are used and in tiles that are not. */
TEST(test_masked_pixels)
{
	const float junk[] = {NAN, INFINITY, -INFINITY, 3e38f, 1};
	struct loaded *l = &loaded[1];
	struct batch b;
	enum variant v;
	size_t i;

	need_runtime();
	assert_true(l->config->partial);
	for (i = 0; i < ARRAY_LEN(junk); i++)
		for (v = VARIANT_IMAGE; v <= VARIANT_UNIFIED; v++) {
			batch_init(&b, l, ROWS);
			b.real[0] = true;
			b.image_tokens[0] = (int)l->config->tokens;
			b.junk = junk[i];
			assert_true(batch_run(&b, v, &result));
			row_compare(&b, 0, 0);
		}
}

static int
setup(void **state)
{
	size_t i;

	if (runtime_setup(state) < 0)
		return -1;
	for (i = 0; i < ARRAY_LEN(loaded); i++)
		loaded[i].config = family_load(loaded[i].folder, &loaded[i].ck, &loaded[i].model);
	return 0;
}

static int
teardown(void **state)
{
	enum variant v;
	size_t i;

	for (i = 0; i < ARRAY_LEN(loaded); i++) {
		for (v = 0; v < VARIANT_MAX; v++) {
			graph_free(&loaded[i].graph[v].g);
			ort_session_free(&loaded[i].graph[v].s);
		}
		free(loaded[i].config);
		checkpoint_free(&loaded[i].ck);
	}
	return runtime_teardown(state);
}

int
main(void)
{
	return tests_run("tiles", setup, teardown);
}
