/* Adapters that peft saved, merged here, against the weights that peft merges from them (tests/golden/peft). */
#include "test.h"

#include <dirent.h>
#include <math.h>

#include "base/fs.h"
#include "base/str.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/names.h"
#include "trace/weight_factors.h"

/*
 * Of w, in units of 1 + |w|. peft decomposes the base in float32 for PiSSA and OLoRA, which leaves its own numbers
 * wrong by that much.
 */
#define TOLERANCE 2e-6
#define TOLERANCE_INIT 1e-5

static char *
golden(const char *name)
{
	const char *top = getenv("COLCONV_SOURCE");

	return str_printf("%s/tests/golden/peft/%s", top ? top : ".", name);
}

static void
progress_ignore(void *arg, uint64_t done, uint64_t total, const char *name)
{
	(void)arg, (void)done, (void)total, (void)name;
}

static float *
weight_all(const struct weight *w)
{
	float *ret = malloc((size_t)w->tensor->count * sizeof(*ret));
	struct err e = ERR_INIT;

	assert_non_null(ret);
	(void)weight_read(w, ELEM_F32, 0, (size_t)w->tensor->count, ret, &e);
	assert_no_error(&e);
	return ret;
}

static void
tensor_compare(const char *kind, const struct checkpoint *c, const struct st_tensor *want)
{
	_cleanup_free_ float *got = NULL;
	const struct weight *w;
	char name[NAME_LEN_MAX];
	struct err e = ERR_INIT;
	const bool init = str_starts(kind, "pissa") || str_starts(kind, "olora");
	const double tolerance = init ? TOLERANCE_INIT : TOLERANCE;
	float v;
	int64_t i;

	assert_int_equal(name_canonical(want->name, name, &e), 1);
	w = checkpoint_find(c, name);
	assert_non_null(w);
	assert_int_equal(w->tensor->count, want->count);
	assert_int_equal(want->dtype, ELEM_F32);
	got = weight_all(w);
	for (i = 0; i < want->count; i++) {
		memcpy(&v, want->data + (size_t)i * sizeof(v), sizeof(v));
		if (!(fabs((double)got[i] - (double)v) <= tolerance * (1 + fabs((double)v))))
			fail_msg("%s: element %d of '%s' is %.9g, not %.9g", kind, (int)i, want->name,
				 (double)got[i], (double)v);
	}
}

/* Counts the weights that differ from the base. */
static size_t
changed_count(const struct checkpoint *c, const struct st_file *base)
{
	size_t i, n = 0;

	for (i = 0; i < checkpoint_count(c); i++)
		n += checkpoint_get(c, i)->delta || !st_find(base, checkpoint_get(c, i)->tensor->name) ||
		     !str_ends(st_path(checkpoint_get(c, i)->file), "/base/model.safetensors");
	return n;
}

static void
kind_compare(const char *kind)
{
	_cleanup_free_ char *dir = golden(kind), *path = fs_join(dir, "want.safetensors");
	struct st_file *want = NULL;
	struct checkpoint *c = NULL;
	struct err e = ERR_INIT;
	size_t i;

	if (checkpoint_open(dir, NULL, &c, &e) == 0 &&
	    checkpoint_init_apply(c, weight_factors_find, progress_ignore, NULL, &e) == 0)
		(void)st_open(path, E_BAD_REFERENCE, &want, &e);
	if (e.code)
		fail_msg("%s: %s", kind, e.msg);
	for (i = 0; i < st_count(want); i++)
		tensor_compare(kind, c, st_get(want, i));
	/* peft saves every bias that it may train, whether training changed it or not. */
	assert_true(changed_count(c, checkpoint_file(c, 0)) >= st_count(want));
	st_free(&want);
	checkpoint_free(&c);
}

static int
is_kind(const struct dirent *d)
{
	return d->d_name[0] != '.' && !str_eq(d->d_name, "base");
}

TEST(test_kinds)
{
	_cleanup_free_ char *dir = golden("");
	struct dirent **kinds = NULL;
	int i, n = scandir(dir, &kinds, is_kind, alphasort);

	assert_true(n >= 31);
	for (i = 0; i < n; i++) {
		kind_compare(kinds[i]->d_name);
		free(kinds[i]);
	}
	free(kinds);
}

#define N 6
#define RANK 2

/* w = u diag(values) v^T with u and v permutations: its factors are known. */
static void
diagonal(const float values[N], float w[N * N])
{
	size_t i;

	memset(w, 0, N * N * sizeof(*w));
	for (i = 0; i < N; i++)
		w[i * N + (i + 2) % N] = values[i];
}

static int
factors(enum weight_init init, const float *w, float product[N * N], struct err *e)
{
	float b[N * RANK], a[RANK * N];
	size_t i, j, k;
	int r = weight_factors_find(init, w, N, N, RANK, b, a, e);

	for (i = 0; r == 0 && i < N; i++)
		for (j = 0; j < N; j++) {
			product[i * N + j] = 0;
			for (k = 0; k < RANK; k++)
				product[i * N + j] += b[i * RANK + k] * a[k * N + j];
		}
	return r;
}

TEST(test_factors)
{
	const float values[N] = {3, 5, 0, 0.5f, 4, 1}, kept[N] = {0, 5, 0, 0, 4, 0},
		    equal[N] = {5, 1, 4, 1, 4, 4};
	float w[N * N], want[N * N], product[N * N];
	struct err e = ERR_INIT;
	size_t i;

	diagonal(values, w);
	diagonal(kept, want);
	assert_int_equal(factors(WEIGHT_INIT_PISSA, w, product, &e), 0);
	for (i = 0; i < N * N; i++)
		assert_near((double)product[i], (double)want[i], 1e-6);
	/* If three singular values are equal, the two largest are not unique. */
	diagonal(equal, w);
	assert_int_equal(factors(WEIGHT_INIT_PISSA, w, product, &e), E_UNSUPPORTED_MODEL);
	assert_error(&e, E_UNSUPPORTED_MODEL, "its singular values 2 and 3 are almost equal");
	err_clear(&e);
	/* A column of zeros has no direction, so its factors are not unique. */
	w[2] = w[0] = 0;
	for (i = 0; i < N; i++)
		w[i * N] = 0;
	assert_int_equal(factors(WEIGHT_INIT_OLORA, w, product, &e), E_UNSUPPORTED_MODEL);
	assert_error(&e, E_UNSUPPORTED_MODEL, "its first 2 columns are linearly dependent");
	err_clear(&e);
	w[0] = NAN;
	assert_true(factors(WEIGHT_INIT_PISSA, w, product, &e) < 0);
	assert_true(e.code < 0 && e.msg[0]);
}

int
main(void)
{
	return tests_run("peft", NULL, NULL);
}
