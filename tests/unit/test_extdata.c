#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/str.h"
#include "checkpoint/convert.h"
#include "checkpoint/stwriter.h"
#include "onnx/extdata.h"

#define BIG_ROWS 1701 /* times BIG_COLS: more than one piece of the pipeline */
#define BIG_COLS 1601
#define LONG_ROWS 2100001 /* one row of the transposed matrix is longer than a piece */

/* ---- single elements ---- */

static uint32_t
bits_of(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof(u));
	return u;
}

static float
float_of(uint32_t u)
{
	float f;

	memcpy(&f, &u, sizeof(f));
	return f;
}

/* The value by the definition of a half: sign, five bits of exponent, ten bits of mantissa. */
static uint32_t
f16_reference(uint16_t h)
{
	int exponent = h >> 10 & 31, mantissa = h & 1023;
	uint32_t sign = (uint32_t)(h >> 15) << 31;

	if (exponent == 31)
		return sign | 0x7f800000 | (uint32_t)mantissa << 13;
	if (exponent == 0)
		return sign | bits_of(ldexpf((float)mantissa, -24));
	return sign | bits_of(ldexpf((float)(1024 + mantissa), exponent - 25));
}

TEST(test_every_half)
{
	unsigned char *src = malloc(2 * 65536 + 1);
	float *dst = malloc(65536 * sizeof(*dst));
	uint32_t i;

	for (i = 0; i < 65536; i++)
		memcpy(src + 1 + 2 * i, &(uint16_t){(uint16_t)i}, 2);
	convert(ELEM_BF16, ELEM_F32, src + 1, 65536, dst);
	for (i = 0; i < 65536; i++)
		assert_int_equal(bits_of(dst[i]), i << 16);
	convert(ELEM_F16, ELEM_F32, src + 1, 65536, dst);
	for (i = 0; i < 65536; i++)
		assert_int_equal(bits_of(dst[i]), f16_reference((uint16_t)i));
	free(src);
	free(dst);
}

TEST(test_wide_floats)
{
	static const double in[] = {0, -0.0, 1.0 / 3, 1e300, -1e-300, INFINITY, NAN, 0x1p-149, 0x1.000001p0};
	unsigned char src[sizeof(in) + 3];
	float dst[ARRAY_LEN(in)];
	const float third = 1.0f / 3;
	size_t i;

	memcpy(src + 3, in, sizeof(in));
	convert(ELEM_F64, ELEM_F32, src + 3, ARRAY_LEN(in), dst);
	for (i = 0; i < ARRAY_LEN(in); i++)
		if (i != 6)
			assert_int_equal(bits_of(dst[i]), bits_of((float)in[i]));
	assert_true(isnan(dst[6]));
	memcpy(src + 1, &third, sizeof(third));
	convert(ELEM_F32, ELEM_F32, src + 1, 1, dst);
	assert_int_equal(bits_of(dst[0]), bits_of(third));
}

/* Searches for the half nearest to a float. If two are equally near, the result is the one with an even mantissa. */
static uint16_t
f16_nearest(float f)
{
	uint16_t low = 0, high = 0x7c00, middle;
	double a = fabs((double)f), below, above;

	while (high - low > 1) {
		middle = (uint16_t)((low + high) / 2);
		if ((double)float_of(f16_reference(middle)) <= a)
			low = middle;
		else
			high = middle;
	}
	below = a - (double)float_of(f16_reference(low));
	above = (high == 0x7c00 ? 65536 : (double)float_of(f16_reference(high))) - a;
	if (above < below || (above <= below && low & 1))
		low = high;
	return signbit(f) ? low | 0x8000 : low;
}

/* For every half: the value itself, the middle between it and the next, and values just beside the middle. */
TEST(test_to_half)
{
	static const float beyond[] = {65519.996f, 65520.0f, 65536.0f, 1e30f, 0x1p-149f, 1e-30f, 0x1.8p-25f};
	float in[4];
	uint16_t out[4], k, i;

	for (i = 0; i < 0x7bff; i++) {
		in[0] = float_of(f16_reference(i));
		in[1] = -(in[0] + (float_of(f16_reference((uint16_t)(i + 1))) - in[0]) / 2);
		in[2] = nextafterf(in[1], 0);
		in[3] = nextafterf(in[1], -INFINITY);
		convert(ELEM_F32, ELEM_F16, (const unsigned char *)in, 4, out);
		for (k = 0; k < 4; k++)
			if (out[k] != f16_nearest(in[k]))
				fail_msg("%a gives %#x, not %#x", (double)in[k], out[k], f16_nearest(in[k]));
	}
	for (i = 0; i < ARRAY_LEN(beyond); i++) {
		convert(ELEM_F32, ELEM_F16, (const unsigned char *)&beyond[i], 1, out);
		assert_int_equal(out[0], f16_nearest(beyond[i]));
	}
	in[0] = INFINITY;
	in[1] = -INFINITY;
	in[2] = NAN;
	in[3] = -0.0f;
	convert(ELEM_F32, ELEM_F16, (const unsigned char *)in, 4, out);
	assert_int_equal(out[0], 0x7c00);
	assert_int_equal(out[1], 0xfc00);
	assert_true((out[2] & 0x7fff) > 0x7c00);
	assert_int_equal(out[3], 0x8000);
	assert_int_equal(convert_count_bad(ELEM_F16, out, 4), 3);
}

TEST(test_to_bf16)
{
	static const struct {
		uint32_t in;
		uint16_t out;
	} rows[] = {
		{0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81}, {0x3f818000, 0x3f82},
		{0x3f817fff, 0x3f81}, {0x00000001, 0x0000}, {0x00008001, 0x0001}, {0x80000000, 0x8000},
		{0x7f7fffff, 0x7f80}, {0x7f800000, 0x7f80}, {0xff800000, 0xff80}, {0x7f800001, 0x7fc0},
		{0xffffffff, 0xffff},
	};
	uint16_t out;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		convert(ELEM_F32, ELEM_BF16, (const unsigned char *)&rows[i].in, 1, &out);
		assert_int_equal(out, rows[i].out);
		assert_int_equal(convert_count_bad(ELEM_BF16, &out, 1), (rows[i].out & 0x7fff) >= 0x7f80);
	}
}

/* ---- a file of weights ---- */

static char dir[64];
static char path[96];
static char ckpt_path[96];

/* A tensor at an odd offset, because a tensor of one byte comes first. */
static const struct {
	const char *name;
	enum elem dtype;
	int64_t rows, cols;
} tensors[] = {
	{"byte", ELEM_U8, 1, 1},          {"one", ELEM_BF16, 1, 1},
	{"odd", ELEM_F16, 9, 15},         {"prime", ELEM_F32, 67, 131},
	{"double", ELEM_F64, 65, 64},     {"big", ELEM_BF16, BIG_ROWS, BIG_COLS},
	{"long", ELEM_F16, LONG_ROWS, 2},
};

static struct st_file *ckpt;
static struct weight weights[ARRAY_LEN(tensors)];

static int
ckpt_write(struct err *e)
{
	struct stw *w = NULL;
	size_t i, k, len;
	unsigned char *data;
	int r;

	r = stw_new(ckpt_path, &w, e);
	for (i = 0; r == 0 && i < ARRAY_LEN(tensors); i++)
		r = stw_add(w, tensors[i].name, tensors[i].dtype, 2,
			    (const int64_t[]){tensors[i].rows, tensors[i].cols}, e);
	if (r == 0)
		r = stw_begin(w, e);
	for (i = 0; r == 0 && i < ARRAY_LEN(tensors); i++) {
		len = (size_t)(tensors[i].rows * tensors[i].cols) * elem_size(tensors[i].dtype);
		data = malloc(len);
		assert_non_null(data);
		/* Finite numbers in every format: the high byte is below the exponent of infinity. */
		for (k = 0; k < len; k++)
			data[k] = (unsigned char)((k * 2654435761u >> 13) & 0x3f);
		r = stw_data(w, data, len, e);
		free(data);
	}
	if (r == 0)
		r = stw_finish(w, e);
	stw_free(&w);
	return r;
}

static int
setup(void **state)
{
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	(void)snprintf(dir, sizeof(dir), "test_extdata.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/model.onnx_data", dir);
	(void)snprintf(ckpt_path, sizeof(ckpt_path), "%s/model.safetensors", dir);
	if (ckpt_write(&e) < 0 || st_open(ckpt_path, E_BAD_CHECKPOINT, &ckpt, &e) < 0) {
		(void)fprintf(stderr, "%s\n", e.msg);
		return -1;
	}
	for (i = 0; i < ARRAY_LEN(tensors); i++)
		weights[i] = (struct weight){tensors[i].name, st_find(ckpt, tensors[i].name), ckpt};
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	st_free(&ckpt);
	return fs_remove(dir, NULL);
}

static const struct weight *
weight_get(const char *name)
{
	size_t i;

	for (i = 0; !str_eq(tensors[i].name, name); i++)
		;
	return &weights[i];
}

static struct extdata_form
transposed(const struct weight *w)
{
	return (struct extdata_form){.rows = w->tensor->shape[0], .cols = w->tensor->shape[1]};
}

static struct extdata_place
add(struct extdata *x, const char *name, struct extdata_form form)
{
	struct extdata_place place = {.len = 0};
	struct err e = ERR_INIT;

	(void)extdata_add(x, weight_get(name), &form, &place, &e);
	assert_no_error(&e);
	return place;
}

static double
element(const struct st_tensor *t, size_t i)
{
	const unsigned char *p = t->data + i * elem_size(t->dtype);
	uint16_t h;
	uint32_t u;
	double d;
	float f;

	memcpy(&h, p, sizeof(h));
	u = t->dtype == ELEM_F16 ? f16_reference(h) : (uint32_t)h << 16;
	memcpy(&f, &u, sizeof(f));
	if (t->dtype == ELEM_F32)
		memcpy(&f, p, sizeof(f));
	d = f;
	if (t->dtype == ELEM_F64)
		memcpy(&d, p, sizeof(d));
	return d;
}

/* Compares the bytes at `place` with the plain definition. */
static void
elements_check(const struct map *m, const char *name, struct extdata_form form, struct extdata_place place)
{
	const struct st_tensor *t = weight_get(name)->tensor;
	size_t count = (size_t)t->count, i, source;
	const size_t size = elem_size(form.dtype);
	uint32_t got, bits;
	uint16_t half;
	float want;

	assert_int_equal(place.len, count * size);
	for (i = 0; i < count; i++) {
		source = form.rows ? i % (size_t)form.rows * (size_t)form.cols + i / (size_t)form.rows : i;
		want = (float)element(t, source);
		if (form.transform == IR_PLUS_ONE)
			want += 1.0f;
		bits = bits_of(want);
		if (form.dtype != ELEM_F32) {
			convert(ELEM_F32, form.dtype, (const unsigned char *)&want, 1, &half);
			bits = half;
		}
		got = 0;
		memcpy(&got, m->data + place.offset + i * size, size);
		if (got != bits)
			fail_msg("element %zu of '%s' is %#x, not %#x", i, name, got, bits);
	}
}

/* The same, and checks that zeros follow up to the next boundary. */
static void
place_check(const struct map *m, const char *name, struct extdata_form form, struct extdata_place place)
{
	size_t i;

	assert_int_equal(place.offset % EXTDATA_ALIGN, 0);
	elements_check(m, name, form, place);
	for (i = place.offset + place.len; i % EXTDATA_ALIGN; i++)
		assert_int_equal(m->data[i], 0);
}

struct seen {
	uint64_t done, total;
	bool wrong;
};

static void
progress(void *userdata, uint64_t done, uint64_t total, const char *name)
{
	struct seen *s = userdata;

	s->wrong |= done <= s->done || !name;
	s->done = done;
	s->total = total;
}

TEST(test_write)
{
	const struct extdata_form as_is = {.rows = 0}, plus_one = {.transform = IR_PLUS_ONE};
	char sha256[SHA256_HEX_LEN + 1], sha256_again[SHA256_HEX_LEN + 1];
	struct extdata_place place[9];
	struct extdata_form form[9];
	const char *name[9];
	struct extdata *x = NULL;
	struct seen seen = {.done = 0};
	struct err e = ERR_INIT;
	struct map map;
	size_t i, n = 0;

	assert_int_equal(extdata_new(ONNX_DATA_FILE, 0, &x, &e), 0);
	for (i = 1; i < ARRAY_LEN(tensors); i++) {
		name[n] = tensors[i].name;
		form[n++] = transposed(&weights[i]);
	}
	name[n] = "prime";
	form[n++] = as_is;
	name[n] = "prime";
	form[n++] = plus_one;
	name[n] = "big";
	form[n++] = as_is;
	for (i = 0; i < n; i++)
		place[i] = add(x, name[i], form[i]);
	(void)extdata_write(x, 0, path, progress, &seen, sha256, &e);
	assert_no_error(&e);
	assert_false(seen.wrong);
	assert_int_equal(seen.done, extdata_len(x));
	assert_int_equal(seen.total, extdata_len(x));
	assert_int_equal(sha256_file(path, sha256_again, &e), 0);
	assert_string_equal(sha256, sha256_again);
	assert_int_equal(map_open(path, E_IO, &map, &e), 0);
	assert_int_equal(map.len, extdata_len(x));
	for (i = 0; i < n; i++)
		place_check(&map, name[i], form[i], place[i]);
	map_close(&map);
	extdata_free(&x);
}

/* Each tensor is written as each 16-bit type, transposed and not. */
TEST(test_write_narrow)
{
	static const enum elem dtypes[] = {ELEM_F16, ELEM_BF16};
	struct extdata_place place[2 * ARRAY_LEN(tensors)];
	struct extdata_form form[ARRAY_LEN(place)];
	char sha256[SHA256_HEX_LEN + 1];
	struct extdata *x;
	struct map map;
	size_t d, i;

	for (d = 0; d < ARRAY_LEN(dtypes); d++) {
		struct err e = ERR_INIT;

		assert_int_equal(extdata_new(ONNX_DATA_FILE, 0, &x, &e), 0);
		for (i = 2; i < ARRAY_LEN(place); i++) {
			form[i] = i % 2 ? transposed(&weights[i / 2]) : (struct extdata_form){.rows = 0};
			form[i].dtype = dtypes[d];
			/* The other tensors have random bits, whose numbers are too large for a half. */
			if (dtypes[d] == ELEM_F16 && tensors[i / 2].dtype != ELEM_F16)
				form[i].dtype = ELEM_BF16;
			place[i] = add(x, tensors[i / 2].name, form[i]);
		}
		(void)extdata_write(x, 0, path, NULL, NULL, sha256, &e);
		assert_no_error(&e);
		assert_int_equal(map_open(path, E_IO, &map, &e), 0);
		for (i = 2; i < ARRAY_LEN(place); i++)
			place_check(&map, tensors[i / 2].name, form[i], place[i]);
		map_close(&map);
		extdata_free(&x);
	}
}

TEST(test_too_large_for_its_type)
{
	static const uint16_t numbers[] = {0x4280, 0x4780, 0xc780}; /* 64, 65536, -65536 in bf16 */
	struct st_tensor t = {.name = "big",
			      .dtype = ELEM_BF16,
			      .rank = 1,
			      .count = 3,
			      .data = (const unsigned char *)numbers};
	const struct weight w = {"lm.big.weight", &t, ckpt};
	const struct extdata_form half = {.dtype = ELEM_F16};
	char sha256[SHA256_HEX_LEN + 1];
	struct extdata_place place;
	struct extdata *x = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(extdata_new(ONNX_DATA_FILE, 0, &x, &e), 0);
	assert_int_equal(extdata_add(x, &w, &half, &place, &e), 0);
	assert_int_equal(extdata_write(x, 0, path, NULL, NULL, sha256, &e), E_UNSUPPORTED_MODEL);
	assert_error(&e, E_UNSUPPORTED_MODEL,
		     "model.safetensors' has 2 of 3 elements that are too large for F16");
	assert_false(fs_exists(path));
	extdata_free(&x);
}

/* The bad element is found at the end of a vector block, of a piece and of the tensor, in each form. */
TEST(test_bad_elements_are_refused)
{
	static const struct {
		const char *name;
		size_t at, n; /* elements in a row */
		uint64_t bits;
		const char *words;
	} rows[] = {
		{"one", 0, 1, 0x7fc0, "tensor 'one' in '"},
		{"one", 0, 1, 0xff80, "model.safetensors' has 0 NaN and 1 infinite of 1 elements"},
		{"odd", 134, 1, 0x7c01, "has 1 NaN and 0 infinite of 135 elements: the file is damaged"},
		{"odd", 31, 2, 0x7c00, "has 0 NaN and 2 infinite"},
		{"prime", 67 * 131 - 1, 1, 0x7fc00000, "has 1 NaN and 0 infinite of 8777"},
		{"prime", 32, 5, 0xff800000, "has 0 NaN and 5 infinite"},
		{"double", 65 * 64 - 1, 1, 0x7ff8000000000000, "has 1 NaN"},
		{"double", 0, 1, 0x7ff0000000000000, "has 0 NaN and 1 infinite"},
		{"big", BIG_ROWS * BIG_COLS - 1, 1, 0x7f81, "has 1 NaN"},
		{"big", (2u << 20) - 1, 2, 0x7f80, "has 0 NaN and 2 infinite"},
		{"long", LONG_ROWS, 1, 0xfe00, "has 1 NaN"},
	};
	const struct extdata_form as_is = {.dtype = ELEM_F32};
	char sha256[SHA256_HEX_LEN + 1];
	struct extdata_place place;
	size_t i, k, f;

	for (i = 0; i < 3 * ARRAY_LEN(rows); i++) {
		const struct weight *from = weight_get(rows[i % ARRAY_LEN(rows)].name);
		const size_t size = elem_size(from->tensor->dtype), r = i % ARRAY_LEN(rows);
		_cleanup_free_ unsigned char *bytes = malloc(from->tensor->len);
		struct extdata_form form = as_is;
		struct st_tensor t = *from->tensor;
		struct weight w = *from;
		struct extdata *x = NULL;
		struct err e = ERR_INIT;

		memcpy(bytes, t.data, t.len);
		for (k = 0; k < rows[r].n; k++)
			memcpy(bytes + (rows[r].at + k) * size, &rows[r].bits, size);
		t.data = bytes;
		w.tensor = &t;
		f = i / ARRAY_LEN(rows);
		if (f == 1)
			form = transposed(&w);
		form.dtype = f == 2 ? ELEM_BF16 : ELEM_F32;
		assert_int_equal(extdata_new(ONNX_DATA_FILE, 0, &x, &e), 0);
		assert_int_equal(extdata_add(x, &w, &form, &place, &e), 0);
		assert_int_equal(extdata_write(x, 0, path, NULL, NULL, sha256, &e), E_BAD_CHECKPOINT);
		assert_error(&e, E_BAD_CHECKPOINT, rows[r].words);
		assert_false(fs_exists(path));
		extdata_free(&x);
	}
}

/* 1e39 is finite in float64 and infinite in float32. */
TEST(test_too_large_for_float32)
{
	const double numbers[] = {1e39, 1};
	struct st_tensor t = {.name = "wide",
			      .dtype = ELEM_F64,
			      .rank = 1,
			      .count = 2,
			      .data = (const unsigned char *)numbers};
	const struct weight w = {"lm.wide.weight", &t, ckpt};
	const struct extdata_form as_is = {.dtype = ELEM_F32};
	char sha256[SHA256_HEX_LEN + 1];
	struct extdata_place place;
	struct extdata *x = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(extdata_new(ONNX_DATA_FILE, 0, &x, &e), 0);
	assert_int_equal(extdata_add(x, &w, &as_is, &place, &e), 0);
	assert_int_equal(extdata_write(x, 0, path, NULL, NULL, sha256, &e), E_UNSUPPORTED_MODEL);
	assert_error(&e, E_UNSUPPORTED_MODEL, "has 1 of 2 elements that are too large for F32");
	extdata_free(&x);
}

TEST(test_stored_once)
{
	struct extdata_form t = transposed(weight_get("odd"));
	struct extdata_place first, second, other;
	struct extdata *x = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(extdata_new(ONNX_DATA_FILE, 0, &x, &e), 0);
	first = add(x, "odd", t);
	other = add(x, "odd", (struct extdata_form){.transform = IR_PLUS_ONE});
	second = add(x, "odd", t);
	assert_int_equal(first.offset, second.offset);
	assert_int_equal(other.offset, EXTDATA_ALIGN);
	assert_int_equal(extdata_len(x), 2 * EXTDATA_ALIGN);
	extdata_free(&x);
}

TEST(test_dtype_refused)
{
	const struct extdata_form as_is = {.rows = 0};
	struct extdata_place place;
	struct extdata *x = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(extdata_new(ONNX_DATA_FILE, 0, &x, &e), 0);
	assert_int_equal(extdata_add(x, weight_get("byte"), &as_is, &place, &e), E_EXPORT);
	assert_error(&e, E_EXPORT, "weight 'byte' is of dtype U8");
	extdata_free(&x);
}

/* "prime" takes 36,864 bytes with its padding, "odd" and "one" 4,096 each. */
TEST(test_shards)
{
	static const struct {
		uint64_t max;
		size_t prime_file, odd_file, one_file;
	} rows[] = {
		{0, 0, 0, 0},     {45056, 0, 0, 0}, {45055, 0, 0, 1},
		{40960, 0, 0, 1}, {40959, 0, 1, 1}, {36864, 0, 1, 1},
	};
	char sha256[SHA256_HEX_LEN + 1];
	const struct extdata_form as_is = {.rows = 0};
	struct extdata_place place[3];
	struct map map;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		static const char *const names[] = {"prime", "odd", "one"};
		struct extdata *x = NULL;
		struct err e = ERR_INIT;

		assert_int_equal(extdata_new(ONNX_DATA_FILE, rows[i].max, &x, &e), 0);
		for (k = 0; k < 3; k++)
			place[k] = add(x, names[k], as_is);
		assert_int_equal(place[0].file, rows[i].prime_file);
		assert_int_equal(place[1].file, rows[i].odd_file);
		assert_int_equal(place[2].file, rows[i].one_file);
		assert_int_equal(extdata_len(x), 45056);
		assert_int_equal(add(x, "odd", as_is).file, place[1].file);
		for (k = 0; k < 3; k++) {
			(void)extdata_write(x, place[k].file, path, NULL, NULL, sha256, &e);
			assert_no_error(&e);
			assert_int_equal(map_open(path, E_IO, &map, &e), 0);
			assert_int_equal(map.len, x->file[place[k].file]);
			assert_true(rows[i].max == 0 || map.len <= rows[i].max);
			place_check(&map, names[k], as_is, place[k]);
			map_close(&map);
		}
		extdata_free(&x);
	}
}

/* The first file of weights has the given name; later files have the name with a number at the end. */
TEST(test_file_names)
{
	char name[EXTDATA_NAME_LEN];
	struct extdata *x = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(extdata_new(ONNX_DATA_FILE, 0, &x, &e), 0);
	assert_string_equal(extdata_file_name(x, 0, name), "model.onnx_data");
	assert_string_equal(extdata_file_name(x, 12, name), "model.onnx_data_12");
	extdata_free(&x);
	assert_int_equal(extdata_new("text_fp16.onnx_data", 0, &x, &e), 0);
	assert_string_equal(extdata_file_name(x, 0, name), "text_fp16.onnx_data");
	extdata_free(&x);
}

TEST(test_shard_too_small)
{
	const struct extdata_form as_is = {.rows = 0};
	struct extdata_place place;
	struct extdata *x = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(extdata_new(ONNX_DATA_FILE, 36863, &x, &e), 0);
	assert_int_equal(extdata_add(x, weight_get("prime"), &as_is, &place, &e), E_TOO_LARGE);
	assert_error(&e, E_TOO_LARGE, "weight 'prime' needs 36.9 kB, but a shard holds at most 36.9 kB");
	extdata_free(&x);
}

TEST(test_embedded)
{
	const struct extdata_form form[] = {
		transposed(weight_get("odd")), {.rows = 0}, transposed(weight_get("big"))};
	static const char *const names[] = {"odd", "one", "big"};
	char sha256[SHA256_HEX_LEN + 1], sha256_again[SHA256_HEX_LEN + 1];
	struct extdata *x = NULL;
	struct err e = ERR_INIT;
	struct map map;
	size_t i;

	assert_int_equal(extdata_new(ONNX_DATA_FILE, 0, &x, &e), 0);
	assert_int_equal(extdata_embed(x, "begin", 5, &e), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(extdata_embed_add(x, weight_get(names[i]), &form[i], "abc", i + 1, &e), 0);
	(void)extdata_write(x, 0, path, NULL, NULL, sha256, &e);
	assert_no_error(&e);
	assert_int_equal(sha256_file(path, sha256_again, &e), 0);
	assert_string_equal(sha256, sha256_again);
	assert_int_equal(map_open(path, E_IO, &map, &e), 0);
	assert_int_equal(map.len, extdata_len(x));
	assert_int_equal(map.len, x->item[2].place.offset + x->item[2].place.len);
	assert_memory_equal(map.data, "begina", 6);
	for (i = 0; i < 3; i++) {
		assert_memory_equal(map.data + x->item[i].place.offset - i - 1, "abc", i + 1);
		elements_check(&map, names[i], form[i], x->item[i].place);
	}
	map_close(&map);
	extdata_free(&x);
}

/* If the file has a second hard link, the content under the other name does not change. */
TEST(test_links_are_not_written_through)
{
	char other[128], sha256[SHA256_HEX_LEN + 1];
	struct extdata *x = NULL;
	struct err e = ERR_INIT;
	struct stat st;

	(void)snprintf(other, sizeof(other), "%s/other", dir);
	assert_int_equal(fs_write_file(path, "old", 3, &e), 0);
	assert_int_equal(link(path, other), 0);
	assert_int_equal(extdata_new(ONNX_DATA_FILE, 0, &x, &e), 0);
	(void)add(x, "one", (struct extdata_form){.rows = 0});
	(void)extdata_write(x, 0, path, NULL, NULL, sha256, &e);
	assert_no_error(&e);
	assert_int_equal(stat(other, &st), 0);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(st.st_size, EXTDATA_ALIGN);
	extdata_free(&x);
}

/* ---- disks that fail ---- */

static int write_errnum; /* errno of a failing pwrite(); 0: it succeeds */
static int write_after;  /* how many calls succeed first */
static bool write_short; /* pwrite() writes only a part, or is interrupted */

ssize_t __real_pwrite(int fd, const void *data, size_t len, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t offset);

ssize_t
__wrap_pwrite(int fd, const void *data, size_t len, off_t offset)
{
	static _Thread_local unsigned int turn;

	if (write_errnum && __atomic_sub_fetch(&write_after, 1, __ATOMIC_RELAXED) < 0) {
		errno = write_errnum;
		return -1;
	}
	if (write_short && ++turn % 2) {
		errno = EINTR;
		return -1;
	}
	return __real_pwrite(fd, data, write_short ? MIN(len, 3000001) : len, offset);
}

static void
fail_check(int want_code, const char *words)
{
	char sha256[SHA256_HEX_LEN + 1] = "none";
	struct extdata *x = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(extdata_new(ONNX_DATA_FILE, 0, &x, &e), 0);
	(void)add(x, "big", transposed(weight_get("big")));
	(void)add(x, "long", transposed(weight_get("long")));
	assert_int_equal(extdata_write(x, 0, path, NULL, NULL, sha256, &e), want_code);
	assert_error(&e, want_code, words);
	assert_string_equal(sha256, "none");
	assert_false(fs_exists(path));
	extdata_free(&x);
}

TEST(test_write_fails)
{
	int after;

	for (after = 0; after < 4; after++) {
		write_errnum = after % 2 ? EIO : ENOSPC;
		write_after = after;
		fail_check(after % 2 ? E_IO : E_NO_SPACE, "model.onnx_data'");
	}
	write_errnum = 0;
}

TEST(test_write_is_short)
{
	write_short = true;
	test_write(state);
	write_short = false;
}

TEST(test_file_size_limit)
{
	struct rlimit old, small;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 1 << 20;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	fail_check(E_NO_SPACE, "cannot allocate 27.7 MB for '");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
}

/* A tensor that is larger than any disk: the write fails before the tensor is read. */
TEST(test_disk_too_small)
{
	struct st_tensor t = {.name = "huge", .dtype = ELEM_BF16, .rank = 1, .count = INT64_C(1) << 50};
	struct weight w = {"huge", &t, ckpt};
	const struct extdata_form as_is = {.rows = 0};
	char sha256[SHA256_HEX_LEN + 1];
	struct extdata_place place;
	struct extdata *x = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(extdata_new(ONNX_DATA_FILE, 0, &x, &e), 0);
	assert_int_equal(extdata_add(x, &w, &as_is, &place, &e), 0);
	assert_int_equal(extdata_write(x, 0, path, NULL, NULL, sha256, &e), E_NO_SPACE);
	assert_error(&e, E_NO_SPACE, "the weights need 4504 TB, but '");
	assert_false(fs_exists(path));
	extdata_free(&x);
}

TEST(test_no_folder)
{
	char sha256[SHA256_HEX_LEN + 1];
	struct extdata *x = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(extdata_new(ONNX_DATA_FILE, 0, &x, &e), 0);
	(void)add(x, "one", (struct extdata_form){.rows = 0});
	assert_int_equal(extdata_write(x, 0, "no-such-folder/data", NULL, NULL, sha256, &e), E_IO);
	assert_error(&e, E_IO, "cannot create 'no-such-folder/data'");
	extdata_free(&x);
}

int
main(void)
{
	return tests_run("extdata", setup, teardown);
}
