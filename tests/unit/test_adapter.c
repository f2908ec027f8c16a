#include "test.h"

#include <math.h>

#include "checkpoint/adapter_config.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/stwriter.h"
#include "tmpdir.h"

#define Q "model.layers.0.self_attn.q_proj"
#define K "model.layers.0.self_attn.k_proj"
#define E "model.embed_tokens"
#define P "custom_text_proj"
#define C "visual.patch_embed.proj"
#define BM "base_model.model."

/* Sizes that are not multiples of a tile, and ranks above 1. */
#define Q_OUT 70
#define Q_IN 150
#define C_OUT 40
#define C_IN 150 /* of all but the first axis */
#define E_WORDS 145
#define E_DIM 33

struct row {
	const char *name;
	int rank;
	int64_t shape[5];
	enum elem dtype;
};

#define ROWS(...) ((const struct row[]){__VA_ARGS__, {.name = NULL}})

static const struct row base_rows[] = {
	{Q ".weight", 2, {Q_OUT, Q_IN}, ELEM_F32},
	{Q ".bias", 1, {Q_OUT}, ELEM_F32},
	{K ".weight", 2, {3, 4}, ELEM_F32},
	{E ".weight", 2, {E_WORDS, E_DIM}, ELEM_F32},
	{P ".weight", 2, {6, 5}, ELEM_F32},
	{P ".bias", 1, {6}, ELEM_F32},
	{"model.norm.weight", 1, {5}, ELEM_F32},
	{C ".weight", 5, {C_OUT, 3, 2, 5, 5}, ELEM_F32},
	{NULL},
};

#define ADAPTER_OF(module, rank, in, out)                            \
	{BM module ".lora_A.weight", 2, {rank, in}, ELEM_F32},       \
	{                                                            \
		BM module ".lora_B.weight", 2, {out, rank}, ELEM_F32 \
	}

/* Element i of a tensor: an arbitrary but fixed number. */
static float
value(const char *name, size_t i)
{
	uint32_t h = (uint32_t)i * 2654435761u;

	while (*name)
		h = (h ^ (unsigned char)*name++) * 16777619u;
	return (float)(h >> 8) / 0x1p24f - 0.5f;
}

static void
tensors_put(const char *dir, const char *file, const struct row *rows)
{
	_cleanup_free_ char *path = fs_join(dir, file);
	struct err e = ERR_INIT;
	struct stw *w = NULL;
	const struct row *r;
	float f;
	size_t i, n;
	int k;

	(void)stw_new(path, &w, &e);
	for (r = rows; r->name; r++)
		(void)stw_add(w, r->name, r->dtype, r->rank, r->shape, &e);
	(void)stw_begin(w, &e);
	for (r = rows; r->name; r++) {
		for (k = 0, n = 1; k < r->rank; k++)
			n *= (size_t)r->shape[k];
		for (i = 0; i < n; i++) {
			f = value(r->name, i);
			(void)stw_data(w, &f, elem_size(r->dtype), &e);
		}
	}
	(void)stw_finish(w, &e);
	stw_free(&w);
	assert_no_error(&e);
}

static void
text_put(const char *dir, const char *name, const char *text)
{
	tmpdir_write(dir, name, text, strlen(text));
}

/* DIR/base and DIR/adapter, both new; the adapter's folder. */
static char *
folders_make(void **state, const struct row *base, const char *config, const struct row *adapter)
{
	_cleanup_free_ char *dir = fs_join(*state, "base");
	char *adapter_dir = fs_join(*state, "adapter");
	struct err e = ERR_INIT;

	(void)fs_remove(dir, &e);
	(void)fs_remove(adapter_dir, &e);
	(void)fs_mkdir(dir, 0700, &e);
	(void)fs_mkdir(adapter_dir, 0700, &e);
	assert_no_error(&e);
	text_put(dir, "config.json", "{}");
	tensors_put(dir, "model.safetensors", base);
	text_put(adapter_dir, "adapter_config.json", config);
	if (adapter)
		tensors_put(adapter_dir, "adapter_model.safetensors", adapter);
	return adapter_dir;
}

static struct checkpoint *
open_made(void **state, const char *config, const struct row *adapter)
{
	_cleanup_free_ char *dir = folders_make(state, base_rows, config, adapter);
	struct checkpoint *c = NULL;
	struct err e = ERR_INIT;

	(void)checkpoint_open(dir, NULL, &c, &e);
	assert_no_error(&e);
	assert_string_equal(checkpoint_adapter(c), dir);
	return c;
}

/* Element (i, j) of the product B A of a module, by definition. */
static double
product(const char *module, size_t rank, size_t in, size_t i, size_t j)
{
	_cleanup_free_ char *a = str_printf(BM "%s.lora_A.weight", module);
	_cleanup_free_ char *b = str_printf(BM "%s.lora_B.weight", module);
	double sum = 0;
	size_t k;

	for (k = 0; k < rank; k++)
		sum += (double)value(b, i * rank + k) * (double)value(a, k * in + j);
	return sum;
}

/* A merged weight has the same numbers whether it is read whole or in parts, in its own order or transposed. */
static void
assert_weight(const struct checkpoint *c, const char *name, const double *want, size_t rows, size_t cols)
{
	const struct weight *w = checkpoint_find(c, name);
	const size_t first = MIN(13, rows * cols - 1), n = MIN(2 * cols + 3, rows * cols - first);
	const size_t row = rows / 3, col = cols / 2, part_rows = rows - row, part_cols = cols - col;
	float *got = malloc(rows * cols * sizeof(*got));
	struct err e = ERR_INIT;
	size_t i, j;

	assert_non_null(w);
	assert_int_equal(w->tensor->count, rows * cols);
	assert_int_equal(weight_read(w, ELEM_F32, 0, rows * cols, got, &e), 0);
	for (i = 0; i < rows * cols; i++)
		assert_near((double)got[i], want[i], 1e-5);
	assert_int_equal(weight_read(w, ELEM_F32, first, n, got, &e), 0);
	for (i = 0; i < n; i++)
		assert_near((double)got[i], want[first + i], 1e-5);
	if (w->tensor->rank > 1) {
		assert_int_equal(
			weight_read_transposed(w, ELEM_F32, cols, row, col, part_rows, part_cols, got, &e),
			0);
		for (i = 0; i < part_rows; i++)
			for (j = 0; j < part_cols; j++)
				assert_near((double)got[j * part_rows + i], want[(row + i) * cols + col + j],
					    1e-5);
	}
	free(got);
}

static void
assert_unchanged(const struct checkpoint *c, const char *name, const char *on_disk, size_t count)
{
	double *want = malloc(count * sizeof(*want));
	size_t i;

	for (i = 0; i < count; i++)
		want[i] = (double)value(on_disk, i);
	assert_weight(c, name, want, count, 1);
	free(want);
}

/* The merged weight of a module, by definition. */
struct merged {
	const char *name, *module;
	size_t rows, cols, rank;
	double scale;
	double initial; /* what the part that init_stub() subtracts is multiplied by */
	bool dora;
};

static double
initial_product(size_t rank, size_t cols, size_t i, size_t j)
{
	double sum = 0;
	size_t k;

	for (k = 0; k < rank; k++)
		sum += (double)value("b", i * rank + k) * (double)value("a", k * cols + j);
	return sum;
}

static void
assert_merged(const struct checkpoint *c, const struct merged *m)
{
	_cleanup_free_ char *base = str_printf("%s.weight", m->module);
	_cleanup_free_ char *magnitude = str_printf(BM "%s.lora_magnitude_vector", m->module);
	double *want = malloc(m->rows * m->cols * sizeof(*want)), squares;
	size_t i, j;

	for (i = 0; i < m->rows; i++) {
		double *row = want + i * m->cols;

		squares = 0;
		for (j = 0; j < m->cols; j++) {
			row[j] = (double)value(base, i * m->cols + j) +
				 m->scale * product(m->module, m->rank, m->cols, i, j) -
				 m->initial * initial_product(m->rank, m->cols, i, j);
			squares += row[j] * row[j];
		}
		for (j = 0; m->dora && j < m->cols; j++)
			row[j] *= (double)value(magnitude, i) / sqrt(squares);
	}
	assert_weight(c, m->name, want, m->rows, m->cols);
	free(want);
}

#define MERGED_Q .name = "lm.layers.0.self_attn.q_proj.weight", .module = Q, .rows = Q_OUT, .cols = Q_IN
#define MERGED_C .name = "vis.patch_embed.proj.weight", .module = C, .rows = C_OUT, .cols = C_IN

/* Checks Q after a merge with this scale, with DoRA if `dora`. */
static void
assert_q(const struct checkpoint *c, size_t rank, double scale, bool dora)
{
	assert_merged(c, &(struct merged){MERGED_Q, .rank = rank, .scale = scale, .dora = dora});
}

#define CONFIG(more) "{\"peft_type\": \"LORA\", \"base_model_name_or_path\": \"base\"" more "}"

static const struct row q_rows[] = {ADAPTER_OF(Q, 37, Q_IN, Q_OUT), {NULL}};

TEST(test_plain)
{
	struct checkpoint *c = open_made(state, CONFIG(", \"r\": 37, \"lora_alpha\": 18.5"), q_rows);

	assert_q(c, 37, 0.5, false);
	assert_unchanged(c, "proj.weight", P ".weight", 30);
	assert_unchanged(c, "lm.layers.0.self_attn.q_proj.bias", Q ".bias", Q_OUT);
	assert_int_equal(checkpoint_file_count(c), 2);
	checkpoint_free(&c);
}

TEST(test_rslora)
{
	struct checkpoint *c = open_made(state,
					 CONFIG(", \"r\": 37, \"lora_alpha\": 2, \"use_rslora\": true, "
						"\"init_lora_weights\": \"Gaussian\""),
					 q_rows);

	assert_q(c, 37, 2 / sqrt(37), false);
	checkpoint_free(&c);
}

TEST(test_dora)
{
	struct checkpoint *c = open_made(
		state, CONFIG(", \"use_dora\": true"),
		ROWS(ADAPTER_OF(Q, 8, Q_IN, Q_OUT), {BM Q ".lora_magnitude_vector", 1, {Q_OUT}, ELEM_F32}));

	assert_q(c, 8, 1, true);
	checkpoint_free(&c);
}

/* A pattern matches the whole path of a module, or its end after a dot. The first pattern that matches is used. */
TEST(test_patterns)
{
	static const struct {
		const char *patterns;
		double alpha;
	} cases[] = {
		{"{}", 8},
		{"{\"q_proj\": 3}", 3},
		{"{\"proj\": 3, \"self_attn.q_proj\": 4, \"q_proj\": 5}", 4},
		{"{\"model.layers.0.self_attn.q_proj\": 3}", 3},
		{"{\"model\": 3, \"q_pro\": 4, \"_proj\": 5}", 8},
		{"{\"^model\\\\.layers\\\\.\\\\d+\\\\.self_attn.q_proj$\": 3}", 3},
		{"{\"layers.1.*q_proj\": 3, \"layers.[0-1].*(?:k|q)_proj\": 4}", 4},
		{"{\"(k_proj|q_proj)\": 7}", 7},
		{"{\"(?!.*k_proj).*_proj\": 7}", 7},
		{"{\"(?=.*k_proj).*_proj\": 7}", 8},
		{"{\"layers\\\\.[0-9]{1,2}\\\\.self_attn\\\\.q_proj\": 7}", 7},
		{"{\"layers.[0-9]{2}.self_attn.q_proj\": 7}", 8},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_free_ char *config = str_printf(
			CONFIG(", \"r\": 9, \"rank_pattern\": {\"q_proj\": 37}, \"alpha_pattern\": %s"),
			cases[i].patterns);
		struct checkpoint *c = open_made(state, config, q_rows);

		assert_q(c, 37, cases[i].alpha / 37, false);
		checkpoint_free(&c);
	}
}

TEST(test_embedding)
{
	struct checkpoint *c = open_made(state, CONFIG(", \"r\": 34"),
					 ROWS({BM E ".lora_embedding_A", 2, {34, E_WORDS}, ELEM_F32},
					      {BM E ".lora_embedding_B", 2, {E_DIM, 34}, ELEM_F32}));
	double *want = malloc((size_t)E_WORDS * E_DIM * sizeof(*want));
	size_t i, j, k;

	for (i = 0; i < E_WORDS; i++) {
		for (j = 0; j < E_DIM; j++) {
			want[i * E_DIM + j] = (double)value(E ".weight", i * E_DIM + j);
			for (k = 0; k < 34; k++)
				want[i * E_DIM + j] +=
					8.0 / 34 * (double)value(BM E ".lora_embedding_B", j * 34 + k) *
					(double)value(BM E ".lora_embedding_A", k * E_WORDS + i);
		}
	}
	assert_weight(c, "lm.embed_tokens.weight", want, E_WORDS, E_DIM);
	free(want);
	checkpoint_free(&c);
}

/* For a convolution, lora_B has a 1 in its shape for each axis of the kernel. */
#define KERNEL_OF(rank)                                                    \
	{BM C ".lora_A.weight", 5, {rank, 3, 2, 5, 5}, ELEM_F32},          \
	{                                                                  \
		BM C ".lora_B.weight", 5, {C_OUT, rank, 1, 1, 1}, ELEM_F32 \
	}

TEST(test_kernel)
{
	struct checkpoint *c =
		open_made(state, CONFIG(", \"r\": 33, \"lora_alpha\": 66"), ROWS(KERNEL_OF(33)));

	assert_merged(c, &(struct merged){MERGED_C, .rank = 33, .scale = 2});
	checkpoint_free(&c);
	c = open_made(state, CONFIG(", \"use_dora\": true"),
		      ROWS(KERNEL_OF(8), {BM C ".lora_magnitude_vector", 5, {1, C_OUT, 1, 1, 1}, ELEM_F32}));
	assert_merged(c, &(struct merged){MERGED_C, .rank = 8, .scale = 1, .dora = true});
	checkpoint_free(&c);
}

/* Trained rows replace rows of the embedding, in the order of the list of token ids. */
static void
assert_tokens(void **state, const char *config, const char *tensor, const int *tokens, size_t n)
{
	_cleanup_free_ char *name = str_printf("%s", tensor);
	struct checkpoint *c = open_made(state, config, ROWS({name, 2, {(int64_t)n, E_DIM}, ELEM_F32}));
	double *want = malloc((size_t)E_WORDS * E_DIM * sizeof(*want));
	size_t i, j;

	for (i = 0; i < E_WORDS * E_DIM; i++)
		want[i] = (double)value(E ".weight", i);
	for (i = 0; i < n; i++)
		for (j = 0; j < E_DIM; j++)
			want[(size_t)tokens[i] * E_DIM + j] = (double)value(name, i * E_DIM + j);
	assert_weight(c, "lm.embed_tokens.weight", want, E_WORDS, E_DIM);
	free(want);
	checkpoint_free(&c);
}

#define TOKENS BM E ".token_adapter.trainable_tokens_delta"

TEST(test_tokens)
{
	assert_tokens(state, CONFIG(", \"trainable_token_indices\": [144, 0, 37]"), TOKENS,
		      (int[]){144, 0, 37}, 3);
	assert_tokens(state,
		      CONFIG(", \"trainable_token_indices\": {\"lm_head\": [1], \"embed_tokens\": [99, 98]}"),
		      TOKENS ".default", (int[]){99, 98}, 2);
}

/* Stands for libtorch: checks that it is given the base, and returns numbers of its own. */
static int
init_stub(enum weight_init init, const float *w, size_t rows, size_t cols, size_t rank, float *ret_b,
	  float *ret_a, struct err *e)
{
	size_t i;

	(void)init;
	(void)e;
	for (i = 0; i < rows * cols; i++)
		assert_near((double)w[i], (double)value(Q ".weight", i), 0);
	for (i = 0; i < rows * rank; i++)
		ret_b[i] = value("b", i);
	for (i = 0; i < rank * cols; i++)
		ret_a[i] = value("a", i);
	return 0;
}

static int
init_fails(enum weight_init init, const float *w, size_t rows, size_t cols, size_t rank, float *ret_b,
	   float *ret_a, struct err *e)
{
	(void)init, (void)w, (void)rows, (void)cols, (void)rank, (void)ret_b, (void)ret_a;
	return err_set(e, E_UNSUPPORTED_MODEL, "it is not determined");
}

static void
progress_count(void *arg, uint64_t done, uint64_t total, const char *name)
{
	(void)name;
	assert_int_equal(done, ++*(uint64_t *)arg);
	assert_int_equal(total, 1);
}

/*
 * An init that changes the base when the adapter is loaded: PiSSA independently of the scale, OLoRA with it.
 */
TEST(test_init)
{
	static const struct {
		const char *name;
		bool dora;
		double initial;
	} cases[] = {{"pissa", false, 1}, {"olora", false, 0.5}, {"OLoRA", true, 0.5}, {"pissa", true, 1}};
	struct err e = ERR_INIT;
	struct checkpoint *c;
	uint64_t calls;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_free_ char *config =
			str_printf(CONFIG(", \"r\": 36, \"lora_alpha\": 18, \"use_dora\": %s, "
					  "\"init_lora_weights\": \"%s\""),
				   cases[i].dora ? "true" : "false", cases[i].name);

		c = open_made(state, config,
			      cases[i].dora ? ROWS(ADAPTER_OF(Q, 36, Q_IN, Q_OUT),
						   {BM Q ".lora_magnitude_vector", 1, {Q_OUT}, ELEM_F32})
					    : ROWS(ADAPTER_OF(Q, 36, Q_IN, Q_OUT)));
		calls = 0;
		assert_int_equal(checkpoint_init_apply(c, init_stub, progress_count, &calls, &e), 0);
		assert_int_equal(calls, 1);
		assert_merged(c, &(struct merged){MERGED_Q, .rank = 36, .scale = 0.5,
						  .initial = cases[i].initial, .dora = cases[i].dora});
		assert_unchanged(c, "proj.weight", P ".weight", 30);
		checkpoint_free(&c);
	}
	c = open_made(state, CONFIG(", \"init_lora_weights\": \"pissa\""),
		      ROWS(ADAPTER_OF(Q, 8, Q_IN, Q_OUT)));
	assert_int_equal(checkpoint_init_apply(c, init_fails, progress_count, &(uint64_t){0}, &e),
			 E_UNSUPPORTED_MODEL);
	assert_error(&e, E_UNSUPPORTED_MODEL, "'" Q ".weight': it is not determined");
	checkpoint_free(&c);
}

/* These inits do not change the base when the adapter is loaded. */
TEST(test_init_plain)
{
	static const char *const values[] = {"true",           "false",   "null",     "\"gaussian\"",
					     "\"orthogonal\"", "\"eva\"", "\"MiCA\"", "\"lora_ga\""};
	size_t i;

	for (i = 0; i < ARRAY_LEN(values); i++) {
		_cleanup_free_ char *config = str_printf(CONFIG(", \"init_lora_weights\": %s"), values[i]);
		struct checkpoint *c = open_made(state, config, ROWS(ADAPTER_OF(Q, 8, Q_IN, Q_OUT)));

		assert_int_equal(checkpoint_init_apply(c, init_fails, progress_count, NULL, NULL), 0);
		assert_q(c, 8, 1, false);
		checkpoint_free(&c);
	}
}

TEST(test_replaced)
{
	struct checkpoint *c = open_made(
		state, CONFIG(", \"bias\": \"lora_only\", \"modules_to_save\": [\"" P "\"]"),
		ROWS(ADAPTER_OF(Q, 8, Q_IN, Q_OUT), {BM Q ".base_layer.bias", 1, {Q_OUT}, ELEM_F32},
		     {BM P ".modules_to_save.default.weight", 2, {6, 5}, ELEM_F32},
		     {BM P ".original_module.weight", 2, {6, 5}, ELEM_F32},
		     {BM "lm_head.weight", 2, {6, 5}, ELEM_F32}, {BM "model.norm.weight", 1, {5}, ELEM_F32}));

	assert_q(c, 8, 1, false);
	assert_unchanged(c, "lm.layers.0.self_attn.q_proj.bias", BM Q ".base_layer.bias", Q_OUT);
	assert_unchanged(c, "proj.weight", BM P ".modules_to_save.default.weight", 30);
	assert_unchanged(c, "proj.bias", P ".bias", 6);
	assert_unchanged(c, "lm.norm.weight", BM "model.norm.weight", 5);
	checkpoint_free(&c);
}

/* Both spellings of a tensor with the adapter's name, and an adapter that adds to a bias. */
TEST(test_bias)
{
	struct checkpoint *c = open_made(state, CONFIG(", \"lora_bias\": true"),
					 ROWS({BM Q ".lora_A.default.weight", 2, {8, Q_IN}, ELEM_F32},
					      {BM Q ".lora_B.default.weight", 2, {Q_OUT, 8}, ELEM_F32},
					      {BM Q ".lora_B.default.bias", 1, {Q_OUT}, ELEM_F32}));
	double want[Q_OUT];
	size_t i;

	for (i = 0; i < Q_OUT; i++)
		want[i] = (double)value(Q ".bias", i) + (double)value(BM Q ".lora_B.default.bias", i);
	assert_weight(c, "lm.layers.0.self_attn.q_proj.bias", want, Q_OUT, 1);
	assert_non_null(checkpoint_find(c, "lm.layers.0.self_attn.q_proj.weight")->delta);
	checkpoint_free(&c);
}

/* A projection that only the adapter has. */
TEST(test_own_projection)
{
	_cleanup_free_ char *dir =
		folders_make(state, ROWS({K ".weight", 2, {3, 4}, ELEM_F32}), CONFIG(""),
			     ROWS({BM P ".weight", 2, {6, 5}, ELEM_F32}, {BM P ".bias", 1, {6}, ELEM_F32}));
	struct checkpoint *c = NULL;
	struct err e = ERR_INIT;

	(void)checkpoint_open(dir, NULL, &c, &e);
	assert_no_error(&e);
	assert_unchanged(c, "proj.weight", BM P ".weight", 30);
	assert_unchanged(c, "proj.bias", BM P ".bias", 6);
	checkpoint_free(&c);
}

static void
assert_refused(const char *dir, const char *base, int code, const char *words)
{
	struct checkpoint *c = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(checkpoint_open(dir, &(struct checkpoint_choice){.base = base}, &c, &e), code);
	assert_null(c);
	assert_error(&e, code, words);
}

/* The folders in which the base is looked for, in this order. */
TEST(test_base)
{
	_cleanup_free_ char *dir = folders_make(state, base_rows, CONFIG(", \"r\": 37"), q_rows);
	_cleanup_free_ char *base = fs_join(*state, "base"), *config = NULL, *inner = fs_join(dir, "base");
	struct checkpoint *c = NULL;
	struct err e = ERR_INIT;

	(void)checkpoint_open(dir, NULL, &c, &e);
	assert_no_error(&e);
	assert_string_equal(checkpoint_dir(c), base);
	checkpoint_free(&c);

	text_put(dir, "adapter_config.json", "{\"peft_type\": \"LORA\", \"r\": 37}");
	assert_refused(dir, NULL, E_BAD_CHECKPOINT, "does not name its base: give the base with --base DIR");
	(void)checkpoint_open(dir, &(struct checkpoint_choice){.base = base}, &c, &e);
	assert_no_error(&e);
	assert_string_equal(checkpoint_dir(c), base);
	checkpoint_free(&c);
	assert_refused(dir, dir, E_UNSUPPORTED_MODEL, "is an adapter itself");
	assert_refused(base, base, E_BAD_REQUEST, "is not an adapter");
	assert_refused(dir, "/nowhere", E_BAD_CHECKPOINT, "'/nowhere' is not a folder");

	config =
		str_printf("{\"peft_type\": \"LORA\", \"r\": 37, \"base_model_name_or_path\": \"%s\"}", base);
	text_put(dir, "adapter_config.json", config);
	(void)checkpoint_open(dir, NULL, &c, &e);
	assert_no_error(&e);
	checkpoint_free(&c);

	text_put(dir, "adapter_config.json",
		 "{\"peft_type\": \"LORA\", \"base_model_name_or_path\": \"vidore/colqwen2-base\"}");
	assert_refused(
		dir, NULL, E_BAD_CHECKPOINT,
		"is a LoRA adapter over 'vidore/colqwen2-base', which is not a folder on this machine");

	text_put(dir, "adapter_config.json", CONFIG(", \"r\": 37"));
	assert_int_equal(fs_rename(base, inner, &e), 0);
	(void)checkpoint_open(dir, NULL, &c, &e);
	assert_no_error(&e);
	assert_string_equal(checkpoint_dir(c), inner);
	checkpoint_free(&c);
}

/* Files adapter_config.json that must be refused, and the error for each. */
static const struct {
	const char *config;
	int code;
	const char *words;
} bad_configs[] = {
	{"[]", E_BAD_CHECKPOINT, "adapter_config.json': it must hold a JSON object"},
	{"{}", E_BAD_CHECKPOINT, "peft_type"},
	{"{\"peft_type\": \"LOHA\"}", E_UNSUPPORTED_MODEL, "peft_type 'LOHA' is not supported"},
	{CONFIG(", \"r\": 0"), E_BAD_CHECKPOINT, "r must be from 1 to"},
	{CONFIG(", \"lora_alpha\": \"8\""), E_BAD_CHECKPOINT, "lora_alpha must be a number"},
	{CONFIG(", \"use_dora\": 1"), E_BAD_CHECKPOINT, "use_dora must be true or false"},
	{CONFIG(", \"rank_pattern\": []"), E_BAD_CHECKPOINT, "rank_pattern must be an object"},
	{CONFIG(", \"alpha_pattern\": {\"q\": \"3\"}"), E_BAD_CHECKPOINT,
	 "alpha_pattern: 'q' must be a number"},
	{CONFIG(", \"alpha_pattern\": {\"(a)\\\\1\": 3}"), E_UNSUPPORTED_MODEL,
	 "alpha_pattern: '(a)\\1': this escape ('\\1)$') in a pattern is not supported"},
	{CONFIG(", \"alpha_pattern\": {\"(a\": 3}"), E_BAD_CHECKPOINT,
	 "alpha_pattern: '(a': the pattern is not a regular expression: a '(' without its ')'"},
	{CONFIG(", \"r\": 37, \"init_lora_weights\": 1"), E_BAD_CHECKPOINT,
	 "must be true, false or a string"},
	{CONFIG(", \"r\": 37, \"init_lora_weights\": \"zeros\""), E_UNSUPPORTED_MODEL,
	 "'zeros' is not known"},
	{CONFIG(", \"r\": 37, \"init_lora_weights\": \"PISSA\""), E_UNSUPPORTED_MODEL,
	 "'PISSA' is not known"},
	{CONFIG(", \"r\": 37, \"init_lora_weights\": \"pissa_niter_16\""), E_UNSUPPORTED_MODEL,
	 "'pissa_niter_16' is not supported: peft finds its part of the base with random numbers"},
	{CONFIG(", \"r\": 37, \"init_lora_weights\": \"corda\""), E_UNSUPPORTED_MODEL,
	 "'corda' is not supported"},
	{CONFIG(", \"r\": 37, \"init_lora_weights\": \"loftq\""), E_UNSUPPORTED_MODEL,
	 "'loftq' is not supported"},
	{CONFIG(", \"r\": 37, \"kasa_config\": {\"beta\": 0.1}"), E_UNSUPPORTED_MODEL, "kasa_config"},
	{CONFIG(", \"r\": 37, \"velora_config\": {\"scale\": 1}"), E_UNSUPPORTED_MODEL, "velora_config"},
	{CONFIG(", \"r\": 37, \"monteclora_config\": {\"num_samples\": 8}"), E_UNSUPPORTED_MODEL,
	 "monteclora_config"},
	{CONFIG(", \"rank_pattern\": {\"q_proj\": 5}"), E_BAD_CHECKPOINT,
	 "the adapter of '" Q "' has the rank 37, but adapter_config.json says 5"},
	{CONFIG(", \"lora_alpha\": 1e300, \"r\": 37"), E_BAD_CHECKPOINT, "is not finite"},
	{CONFIG(", \"r\": 37, \"use_dora\": true"), E_BAD_CHECKPOINT,
	 "has no lora_magnitude_vector, but use_dora is true"},
	{CONFIG(", \"target_parameters\": [\"x\"]"), E_UNSUPPORTED_MODEL,
	 "target_parameters is not supported"},
	{CONFIG(", \"layer_replication\": [[0, 1]]"), E_UNSUPPORTED_MODEL, "layer_replication"},
	{CONFIG(", \"alora_invocation_tokens\": [1]"), E_UNSUPPORTED_MODEL, "alora_invocation_tokens"},
	{CONFIG(", \"use_qalora\": true"), E_UNSUPPORTED_MODEL, "use_qalora"},
	{CONFIG(", \"use_bdlora\": {\"nblocks\": 2}"), E_UNSUPPORTED_MODEL, "use_bdlora"},
	{CONFIG(", \"arrow_config\": {\"top_k\": 3}"), E_UNSUPPORTED_MODEL, "arrow_config"},
	{CONFIG(", \"megatron_config\": {\"a\": 3}"), E_UNSUPPORTED_MODEL, "megatron_config"},
};

TEST(test_bad_config)
{
	_cleanup_free_ char *dir = folders_make(state, base_rows, CONFIG(""), q_rows);
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad_configs); i++) {
		text_put(dir, "adapter_config.json", bad_configs[i].config);
		assert_refused(dir, NULL, bad_configs[i].code, bad_configs[i].words);
	}
	/* An unsupported option is accepted if it is off or empty. */
	text_put(dir, "adapter_config.json",
		 CONFIG(", \"r\": 37, \"use_qalora\": false, \"arrow_config\": null, \"layer_replication\": "
			"[], "
			"\"megatron_core\": \"megatron.core\", \"loftq_config\": {}, \"rank_pattern\": {}"));
	{
		struct checkpoint *c = NULL;
		struct err e = ERR_INIT;

		(void)checkpoint_open(dir, NULL, &c, &e);
		assert_no_error(&e);
		checkpoint_free(&c);
	}
}

#define A(module, rank, in)                                         \
	{                                                           \
		BM module ".lora_A.weight", 2, {rank, in}, ELEM_F32 \
	}
#define B(module, out, rank)                                         \
	{                                                            \
		BM module ".lora_B.weight", 2, {out, rank}, ELEM_F32 \
	}

/* Tensors of an adapter that must be refused, and the error for each. */
static const struct {
	const char *more; /* of the config */
	const struct row rows[5];
	int code;
	const char *words;
} bad_tensors[] = {
	{"",
	 {{BM "lm_head.weight", 2, {2, 2}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "has no tensor for any weight of the model"},
	{"",
	 {A(K, 8, 4)},
	 E_BAD_CHECKPOINT,
	 "'" BM K ".lora_A.weight' is one of a pair: lora_A or lora_B is missing"},
	{"",
	 {B(K, 3, 8)},
	 E_BAD_CHECKPOINT,
	 "'" BM K ".lora_B.weight' is one of a pair: lora_A or lora_B is missing"},
	{"",
	 {A(K, 8, 5), B(K, 3, 8)},
	 E_BAD_CHECKPOINT,
	 "has 2 axes and the shape (8, 5), but '" K ".weight' wants 2 and (8, 4)"},
	{"",
	 {A(K, 8, 4), B(K, 3, 7)},
	 E_BAD_CHECKPOINT,
	 "has 2 axes and the shape (3, 7), but '" K ".weight' wants 2 and (3, 8)"},
	{"", {A(K, 4, 4), B(K, 3, 4)}, E_BAD_CHECKPOINT, "has the rank 4, but adapter_config.json says 8"},
	{"",
	 {A("model.layers.9.x", 8, 4)},
	 E_BAD_CHECKPOINT,
	 "changes the weight 'lm.layers.9.x.weight', which the base"},
	{"",
	 {A("model.norm", 8, 5), B("model.norm", 5, 8)},
	 E_BAD_CHECKPOINT,
	 "a weight that is not a matrix"},
	{"",
	 {{BM K ".lora_A.weight", 4, {8, 4, 1, 1}, ELEM_F32}, B(K, 3, 8)},
	 E_BAD_CHECKPOINT,
	 "has 4 axes and the shape (8, 4, ...), but '" K ".weight' wants 2 and (8, 4)"},
	{"",
	 {A(K, 8, 4), {BM K ".lora_A.default.weight", 2, {8, 4}, ELEM_F32}, B(K, 3, 8)},
	 E_BAD_CHECKPOINT,
	 "repeats what another tensor says about the weight 'lm.layers.0.self_attn.k_proj.weight'"},
	{"",
	 {A(K, 8, 4), {BM K ".lora_embedding_B", 2, {4, 8}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "repeats what another tensor says"},
	{"",
	 {{BM K ".lora_E.weight", 2, {8, 4}, ELEM_F32}},
	 E_UNSUPPORTED_MODEL,
	 "this kind of adapter cannot be merged"},
	{"", {{BM K ".lora_A.weight", 2, {8, 4}, ELEM_I32}}, E_BAD_CHECKPOINT, "is of dtype I32"},
	{"",
	 {{BM K ".weight", 2, {4, 3}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "replaces '" K ".weight' of the base, but has another shape"},
	{"",
	 {{BM K ".weight", 2, {3, 4}, ELEM_F32}, {BM K ".base_layer.weight", 2, {3, 4}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "repeats what another tensor says"},
	{"",
	 {{BM "score.weight", 2, {3, 4}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "changes the weight 'score.weight'"},
	{"",
	 {A(K, 8, 4), B(K, 3, 8), {BM K ".lora_magnitude_vector", 1, {3}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "has a lora_magnitude_vector, but use_dora is not true"},
	{", \"use_dora\": true",
	 {A(K, 8, 4), B(K, 3, 8), {BM K ".lora_magnitude_vector", 1, {4}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "whose length is not the number of rows"},
	{", \"use_dora\": true",
	 {{BM E ".lora_embedding_A", 2, {8, E_WORDS}, ELEM_F32},
	  {BM E ".lora_embedding_B", 2, {E_DIM, 8}, ELEM_F32}},
	 E_UNSUPPORTED_MODEL,
	 "DoRA of an embedding is not supported"},
	{"",
	 {{BM Q ".lora_B.bias", 1, {Q_OUT}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "is a bias, but its module has no lora_A"},
	{"",
	 {A(Q, 8, Q_IN), B(Q, Q_OUT, 8), {BM Q ".lora_B.bias", 1, {3}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "has another shape than the bias"},
	{"",
	 {{BM C ".lora_A.weight", 2, {8, C_IN}, ELEM_F32}, {BM C ".lora_B.weight", 2, {C_OUT, 8}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "has 2 axes and the shape (8, 150), but '" C ".weight' wants 5 and (8, 3, its kernel)"},
	{"",
	 {{BM C ".lora_A.weight", 5, {8, 3, 2, 5, 5}, ELEM_F32},
	  {BM C ".lora_B.weight", 5, {C_OUT, 8, 1, 5, 1}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "wants 5 and (40, 8, 1...)"},
	{", \"init_lora_weights\": \"pissa\"",
	 {{BM C ".lora_A.weight", 5, {8, 3, 2, 5, 5}, ELEM_F32},
	  {BM C ".lora_B.weight", 5, {C_OUT, 8, 1, 1, 1}, ELEM_F32}},
	 E_UNSUPPORTED_MODEL,
	 "peft has no init_lora_weights 'pissa' for a layer that is not linear"},
	{", \"init_lora_weights\": \"olora\"",
	 {A(K, 8, 4), B(K, 3, 8)},
	 E_BAD_CHECKPOINT,
	 "has a rank above that of the weight"},
	{"",
	 {{TOKENS, 2, {2, E_DIM}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "has 2 rows for tokens, but trainable_token_indices in adapter_config.json lists 0"},
	{", \"trainable_token_indices\": [1, 145]",
	 {{TOKENS, 2, {2, E_DIM}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "each must be from 0 to 144"},
	{", \"trainable_token_indices\": [1, -1]",
	 {{TOKENS, 2, {2, E_DIM}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "each must be from 0 to 144"},
	{", \"trainable_token_indices\": [7, \"x\"]",
	 {{TOKENS, 2, {2, E_DIM}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "each must be from 0 to 144"},
	{", \"trainable_token_indices\": [7, 7]",
	 {{TOKENS, 2, {2, E_DIM}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "lists 7 twice"},
	{", \"trainable_token_indices\": [7]",
	 {{TOKENS, 2, {1, E_DIM - 1}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "does not have rows of the embedding's length"},
	{", \"trainable_token_indices\": [7]",
	 {{TOKENS, 2, {1, E_DIM}, ELEM_F32}, {BM E ".lora_embedding_A", 2, {8, E_WORDS}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "changes an embedding whose rows are replaced too"},
	{"",
	 {A(K, 8, 4), B(K, 3, 8), {BM K ".lora_B.bias", 1, {3}, ELEM_F32}},
	 E_BAD_CHECKPOINT,
	 "changes the weight 'lm.layers.0.self_attn.k_proj.bias'"},
};

TEST(test_bad_tensors)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad_tensors); i++) {
		_cleanup_free_ char *config = str_printf(CONFIG("%s"), bad_tensors[i].more);
		_cleanup_free_ char *dir = folders_make(state, base_rows, config, bad_tensors[i].rows);

		assert_refused(dir, NULL, bad_tensors[i].code, bad_tensors[i].words);
	}
}

TEST(test_bare_base)
{
	_cleanup_free_ char *dir = folders_make(state, ROWS({K ".weight", 2, {3, 4}, ELEM_F32}), CONFIG(""),
						ROWS(ADAPTER_OF(P, 8, 5, 6)));

	assert_refused(dir, NULL, E_BAD_CHECKPOINT,
		       "the base has no projection, and '" BM P ".lora_A.weight' in '");
}

/* A quantized base has matrices of integers, so an adapter cannot be added to it. */
TEST(test_integer_base)
{
	_cleanup_free_ char *dir = folders_make(state, ROWS({K ".weight", 2, {3, 4}, ELEM_I8}),
						CONFIG(", \"init_lora_weights\": \"pissa\", \"r\": 2"),
						ROWS(ADAPTER_OF(K, 2, 4, 3)));

	assert_refused(dir, NULL, E_UNSUPPORTED_MODEL, "tensor '" K ".weight' of the base is of dtype I8");
}

TEST(test_no_weights)
{
	_cleanup_free_ char *dir = folders_make(state, base_rows, CONFIG(""), NULL);

	assert_refused(dir, NULL, E_BAD_CHECKPOINT, "has no adapter_model.safetensors");
	text_put(dir, "adapter_model.bin", "");
	assert_refused(dir, NULL, E_BAD_CHECKPOINT, "has pickled weights only ('adapter_model.bin')");
}

int
main(void)
{
	return tests_run("adapter", tmpdir_setup, tmpdir_teardown);
}
