/*
 * From a picture to pixels, held bit for bit against the originals' processors (tests/golden/processor-*), in both of
 * their libraries. COLCONV_PROCESSORS names another folder of such folders.
 */
#include "test.h"

#include <dirent.h>
#include <math.h>

#include "base/fs.h"
#include "base/str.h"
#include "checkpoint/safetensors.h"
#include "picture/prepare.h"

static const struct {
	const char *folder;
	enum prepare_rule rule;
} processors[] = {
	{"processor-colqwen2", PREPARE_PATCHES},       {"processor-colqwen3", PREPARE_PATCHES},
	{"processor-colpali", PREPARE_FIXED},          {"processor-colgemma3", PREPARE_FIXED},
	{"processor-colidefics3", PREPARE_TILES},      {"processor-collfm2", PREPARE_NAFLEX},
	{"processor-collfm2-nothumb", PREPARE_NAFLEX}, {"processor-neomme", PREPARE_PADDED},
	{"processor-colministral3", PREPARE_WHOLE},
};

static const struct {
	enum resize_library library;
	const char *resized, *pixels;
} libraries[] = {
	{RESIZE_TORCH, "mid.resized", "out.pixel_values"},
	{RESIZE_PILLOW, "mid.resized_pil", NULL}, /* this processor normalises in float64 */
};

static char *
processor_dir(const char *folder)
{
	const char *other = getenv("COLCONV_PROCESSORS"), *top = getenv("COLCONV_SOURCE");

	return other ? fs_join(other, folder) : str_printf("%s/tests/golden/%s", top ? top : ".", folder);
}

static json_t *
config_of(const char *dir)
{
	_cleanup_free_ char *old = fs_join(dir, "preprocessor_config.json");
	_cleanup_free_ char *new = fs_join(dir, "processor_config.json");
	json_auto_t *j = NULL;
	struct err e = ERR_INIT;

	(void)json_read(fs_exists(old) ? old : new, 1 << 20, E_BAD_CHECKPOINT, &j, &e);
	assert_no_error(&e);
	return json_incref(fs_exists(old) ? j : json_object_get(j, "image_processor"));
}

/* PREPARE_WHOLE: this processor has the side of a token in a file of its own. */
static void
token_read(const char *dir, struct prepare *p)
{
	_cleanup_free_ char *path = fs_join(dir, "processor_config.json");
	json_auto_t *j = NULL;
	struct err e = ERR_INIT;

	(void)json_read(path, 1 << 20, E_BAD_CHECKPOINT, &j, &e);
	assert_no_error(&e);
	(void)prepare_token_read(j, "processor_config.json", p, &e);
	assert_no_error(&e);
}

/* The index of a sample in the result of prepare_run(), by the layout that the models document. */
static int64_t
place(const struct prepare *p, int64_t width, int64_t y, int64_t x, int64_t c)
{
	const int64_t side = p->patch * p->merge;
	const int64_t token = y / side * (width / side) + x / side;
	const int64_t inner = y % side / p->patch * p->merge + x % side / p->patch;
	const int64_t patch = token * p->merge * p->merge + inner;

	return ((patch * 3 + c) * p->frames * p->patch + y % p->patch) * p->patch + x % p->patch;
}

/* The same for PREPARE_PADDED: a patch has its pixels row by row, each with its three colours. */
static int64_t
place_padded(const struct prepare *p, int64_t cols, int64_t y, int64_t x, int64_t c)
{
	const int64_t patch = y / p->patch * cols + x / p->patch;

	return ((patch * p->patch + y % p->patch) * p->patch + x % p->patch) * 3 + c;
}

/* Counts the samples that differ from `want`, uint8 [pictures, height, width, 3]. */
static size_t
differing(const struct prepare *p, const struct prepared *got, const unsigned char *want, int64_t pictures,
	  int64_t height, int64_t width)
{
	int64_t i, y, x, c, at, frame;
	size_t wrong = 0;
	float v;

	for (i = 0; i < pictures; i++)
		for (y = 0; y < height; y++)
			for (x = 0; x < width; x++)
				for (c = 0; c < 3; c++) {
					v = ((float)*want++ - p->mean[c]) / p->std[c];
					if (p->rule == PREPARE_PADDED) {
						at = place_padded(p, got->cols, y, x, c);
						wrong += got->pixels[at] != v;
						continue;
					}
					if (p->rule != PREPARE_PATCHES) {
						at = ((i * 3 + c) * height + y) * width + x;
						wrong += got->pixels[at] != v;
						continue;
					}
					at = place(p, width, y, x, c);
					for (frame = 0; frame < p->frames; frame++, at += p->patch * p->patch)
						wrong += got->pixels[at] != v;
				}
	return wrong;
}

/* The heights and widths of the tiles in patches. */
static void
shapes_check(const struct prepare *p, const struct prepared *got, const struct st_file *f)
{
	const struct st_tensor *t = st_find(f, "out.spatial_shapes");
	const int64_t side = p->tile / p->patch, tiles = got->rows * got->cols;
	const int64_t *want;
	int64_t i;

	assert_non_null(t);
	want = (const int64_t *)(const void *)t->data;
	assert_int_equal(t->shape[0], got->dim[0]);
	assert_int_equal(got->dim[0], tiles + (got->whole_rows > 0));
	for (i = 0; i < got->dim[0]; i++) {
		assert_int_equal(want[2 * i], i < tiles ? side : got->whole_rows);
		assert_int_equal(want[2 * i + 1], i < tiles ? side : got->whole_cols);
	}
}

static void
image_sizes_check(const struct prepare *p, const struct prepared *got, const struct st_file *f)
{
	const struct st_tensor *t = st_find(f, "out.image_sizes");
	const int64_t side = p->patch * p->merge;
	int i;

	assert_non_null(t);
	for (i = 0; i < 2; i++)
		assert_int_equal(((const int64_t *)(const void *)t->data)[i], got->dim[2 + i]);
	assert_int_equal(got->rows * side, got->dim[2]);
	assert_int_equal(got->cols * side, got->dim[3]);
}

/*
 * For processors without a form for Pillow: no golden has the picture between resizing and the pixels. Those of PREPARE_WHOLE
 * are bfloat16.
 */
static int
pixels_check(const struct prepare *p, const struct picture *in, const struct st_file *f, const char *path)
{
	_cleanup_(prepared_release) struct prepared got = PREPARED_INIT;
	const struct st_tensor *want = st_find(f, "out.pixel_values");
	struct err e = ERR_INIT;
	size_t count = 1;
	int i;

	(void)prepare_run(p, in, &got, &e);
	assert_no_error(&e);
	if (p->rule == PREPARE_NAFLEX)
		shapes_check(p, &got, f);
	else
		image_sizes_check(p, &got, f);
	assert_non_null(want);
	for (i = 0; i < got.rank; i++)
		count *= (size_t)got.dim[i];
	assert_int_equal(want->len, count * sizeof(float));
	if (memcmp(want->data, got.pixels, want->len) != 0)
		fail_msg("%s: the pixels differ", path);
	return 1;
}

/* A case's own limits; -1: none. */
static struct prepare
limited(const struct prepare *p, const struct st_file *f)
{
	const struct st_tensor *t = st_find(f, "in.limits");
	struct prepare own = *p;
	const int64_t *v;

	assert_non_null(t);
	v = (const int64_t *)(const void *)t->data;
	own.longest = v[0] < 0 ? PREPARE_NO_LIMIT : v[0];
	own.pixels_min = MAX(v[1], 0);
	own.pixels_max = v[2] < 0 ? PREPARE_NO_LIMIT : v[2];
	return own;
}

/* Pages of one call: their patches follow one another. Returns how many comparisons were made. */
static int
padded_check(const struct prepare *given, const struct st_file *f, const char *path)
{
	const struct prepare p = limited(given, f);
	const struct st_tensor *resized = st_find(f, "mid.resized"), *pixels = st_find(f, "out.pixel_values"),
			       *image = st_find(f, "in.image");
	size_t at = 0;
	int i;

	if (!image)
		image = st_find(f, "in.images.0");
	assert_non_null(image);
	for (i = 0; image; i++) {
		const struct picture in = {.rgb = (unsigned char *)(uintptr_t)image->data,
					   .height = image->shape[0],
					   .width = image->shape[1]};
		_cleanup_(prepared_release) struct prepared got = PREPARED_INIT;
		struct err e = ERR_INIT;
		char name[32];
		size_t len;

		(void)prepare_run(&p, &in, &got, &e);
		assert_no_error(&e);
		len = (size_t)(got.dim[0] * got.dim[1]) * sizeof(float);
		assert_int_equal(got.dim[0], got.rows * got.cols);
		if (resized &&
		    differing(&p, &got, resized->data, 1, resized->shape[0], resized->shape[1]) != 0)
			fail_msg("%s: samples differ from mid.resized", path);
		if (pixels && (at + len > pixels->len || memcmp(pixels->data + at, got.pixels, len) != 0))
			fail_msg("%s: the pixels of picture %d differ", path, i);
		at += len;
		(void)snprintf(name, sizeof(name), "in.images.%d", i + 1);
		image = st_find(f, name);
	}
	if (pixels)
		assert_int_equal(at, pixels->len);
	return (resized != NULL) + (pixels != NULL);
}

static void
sizes_check(const struct prepare *p, const struct prepared *got, const struct st_file *f)
{
	const struct st_tensor *t =
		st_find(f, p->rule == PREPARE_TILES ? "out.rows_cols" : "out.image_grid_thw");
	const int64_t *want;

	if (!t)
		return;
	want = (const int64_t *)(const void *)t->data + (p->rule == PREPARE_PATCHES);
	assert_int_equal(got->rows, want[0]);
	assert_int_equal(got->cols, want[1]);
}

/* Returns how many comparisons were made. */
static int
case_check(struct prepare *p, const char *path)
{
	_cleanup_(st_free) struct st_file *f = NULL;
	const struct st_tensor *image, *want;
	struct err e = ERR_INIT;
	int made = 0;
	size_t i, k;

	(void)st_open(path, E_BAD_REFERENCE, &f, &e);
	assert_no_error(&e);
	if (p->rule == PREPARE_PADDED)
		return padded_check(p, f, path);
	image = st_find(f, "in.image");
	for (i = 0; image && i < ARRAY_LEN(libraries); i++) {
		const struct picture in = {.rgb = (unsigned char *)(uintptr_t)image->data,
					   .height = image->shape[0],
					   .width = image->shape[1]};
		_cleanup_(prepared_release) struct prepared got = PREPARED_INIT;
		size_t wrong;

		p->library = libraries[i].library;
		if (p->rule == PREPARE_NAFLEX || p->rule == PREPARE_WHOLE)
			return pixels_check(p, &in, f, path);
		(void)prepare_run(p, &in, &got, &e);
		assert_no_error(&e);
		sizes_check(p, &got, f);
		want = st_find(f, libraries[i].resized);
		assert_non_null(want);
		k = (size_t)want->rank - 3;
		wrong = differing(p, &got, want->data, k ? want->shape[0] : 1, want->shape[k],
				  want->shape[k + 1]);
		if (wrong)
			fail_msg("%s: %zu samples differ from %s", path, wrong, libraries[i].resized);
		made++;
		want = libraries[i].pixels ? st_find(f, libraries[i].pixels) : NULL;
		if (want && memcmp(want->data, got.pixels, want->len) != 0)
			fail_msg("%s: the pixels differ from %s", path, libraries[i].pixels);
		made += want != NULL;
	}
	return made;
}

static int
is_case(const struct dirent *d)
{
	return str_starts(d->d_name, "case-");
}

TEST(test_originals)
{
	struct dirent **names;
	struct prepare p;
	struct err e = ERR_INIT;
	int i, n, made = 0;
	size_t k;

	for (k = 0; k < ARRAY_LEN(processors); k++) {
		_cleanup_free_ char *dir = processor_dir(processors[k].folder);
		json_auto_t *j = config_of(dir);

		(void)prepare_read(j, "preprocessor_config.json", processors[k].rule, &p, &e);
		assert_no_error(&e);
		if (p.rule == PREPARE_WHOLE)
			token_read(dir, &p);
		n = scandir(dir, &names, is_case, alphasort);
		assert_true(n > 0);
		for (i = 0; i < n; i++) {
			_cleanup_free_ char *path = fs_join(dir, names[i]->d_name);

			made += case_check(&p, path);
			free(names[i]);
		}
		free(names);
	}
	print_message("%d comparisons\n", made);
	assert_true(made >= 68);
}

TEST(test_sizes)
{
	static const struct {
		int64_t h, w, want_h, want_w;
	} rows[] = {
		{1, 1, 56, 56},          {42, 70, 56, 56},    {28, 28, 56, 56},     {1000, 1000, 980, 980},
		{4200, 1440, 1708, 560}, {10, 2000, 28, 812}, {3000, 15, 2996, 28}, {14, 300, 28, 280},
	};
	struct prepare p = {.rule = PREPARE_PATCHES,
			    .patch = 14,
			    .merge = 2,
			    .pixels_min = 3136,
			    .pixels_max = (int64_t)1280 * 28 * 28};
	struct err e = ERR_INIT;
	int64_t h, w;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		(void)prepare_size(&p, rows[i].h, rows[i].w, &h, &w, &e);
		assert_no_error(&e);
		if (h != rows[i].want_h || w != rows[i].want_w)
			fail_msg("%lld x %lld became %lld x %lld", (long long)rows[i].h, (long long)rows[i].w,
				 (long long)h, (long long)w);
	}
	assert_int_equal(prepare_size(&p, 1, 201, &h, &w, &e), E_BAD_REQUEST);
	assert_error(&e, E_BAD_REQUEST, "201 x 1 pixels: one side may be 200 times as long as the other");
}

/* Sizes that the original class gives for pictures without golden data, with tiles of 512 pixels and patches of 16. */
TEST(test_naflex_sizes)
{
	static const struct {
		int64_t h, w, rows, cols, whole_rows, whole_cols;
	} rows[] = {
		{724, 724, 2, 2, 32, 32},   {736, 712, 0, 0, 32, 30},  {1085, 1085, 2, 2, 32, 32},
		{1536, 1536, 3, 3, 32, 32}, {600, 3000, 1, 5, 14, 70}, {3000, 500, 6, 1, 78, 12},
		{1200, 1500, 3, 3, 28, 34}, /* 2 x 2, 2 x 3 and 3 x 3 are equally near */
		{900, 1125, 2, 3, 28, 34},  /* likewise, but 3 x 3 have more than twice as many pixels */
		{40, 9000, 0, 0, 2, 480},   {1, 1, 0, 0, 16, 16},
	};
	json_auto_t *j =
		json_pack("{s:[f,f,f], s:[f,f,f]}", "image_mean", 0.5, 0.5, 0.5, "image_std", 0.5, 0.5, 0.5);
	struct err e = ERR_INIT;
	struct prepare p;
	size_t i;

	(void)prepare_read(j, "p.json", PREPARE_NAFLEX, &p, &e);
	assert_no_error(&e);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_free_ unsigned char *rgb = calloc((size_t)(rows[i].h * rows[i].w), 3);
		const struct picture in = {.rgb = rgb, .height = rows[i].h, .width = rows[i].w};
		_cleanup_(prepared_release) struct prepared got = PREPARED_INIT;

		(void)prepare_run(&p, &in, &got, &e);
		assert_no_error(&e);
		if (got.rows != rows[i].rows || got.cols != rows[i].cols ||
		    got.whole_rows != rows[i].whole_rows || got.whole_cols != rows[i].whole_cols)
			fail_msg("%lld x %lld: %lld x %lld tiles, and %lld x %lld patches",
				 (long long)rows[i].h, (long long)rows[i].w, (long long)got.rows,
				 (long long)got.cols, (long long)got.whole_rows, (long long)got.whole_cols);
	}
	{
		const struct picture thin = {.rgb = (unsigned char *)"", .height = 1, .width = 40000};
		struct prepared got = PREPARED_INIT;

		assert_int_equal(prepare_run(&p, &thin, &got, &e), E_BAD_REQUEST);
		assert_error(&e, E_BAD_REQUEST, "40000 x 1 pixels: the shorter side is too short");
	}
}

/* Sizes that the original class gives for pictures without golden data, with limits of each kind; 0: none. */
TEST(test_padded_sizes)
{
	static const struct {
		int64_t h, w, longest, least, most, want_h, want_w;
	} rows[] = {
		{3000, 2000, 2048, 0, 0, 2048, 1365},
		{2048, 2048, 2048, 0, 0, 2048, 2048},
		{1, 5000, 2048, 0, 0, 1, 2048},
		{5, 10, 5, 0, 0, 2, 5},               /* the half of 5 is rounded to the even 2 */
		{100, 100, 2048, 20000, 0, 142, 142}, /* rounded up: 141 x 141 has too few */
		{39, 37, 0, 2407, 9628, 51, 48},      /* likewise, and up to 48 alone */
		{24, 81, 96, 2965, 2965, 29, 96},
		{100, 21, 0, 2134, 2159, 101, 21}, /* rounded up it would have too many */
		{9, 22, 22, 654, 2616, 9, 22},     /* not enlarged, because its side is at its limit */
		{37, 91, 0, 5000, 5010, 45, 111},
		{1000, 999, 0, 100, 10000, 100, 100},
		{7, 4000, 0, 1, 300, 1, 300}, /* as long as the other side, a single pixel, lets it be */
		{4000, 7, 0, 1, 300, 300, 1},
		{1, 106, 0, 10, 10, 1, 10},
		{117, 3, 75, 1, 1, 1, 1},
		{1, 1, 0, 50000, 60000, 224, 224},
		{1, 1, 0, 0, 0, 1, 1},
		{300, 200, 300, 90000, 0, 300, 200},
	};
	struct err e = ERR_INIT;
	int64_t h, w;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const struct prepare p = {.rule = PREPARE_PADDED,
					  .longest = rows[i].longest ? rows[i].longest : PREPARE_NO_LIMIT,
					  .pixels_min = rows[i].least,
					  .pixels_max = rows[i].most ? rows[i].most : PREPARE_NO_LIMIT};

		(void)prepare_size(&p, rows[i].h, rows[i].w, &h, &w, &e);
		assert_no_error(&e);
		if (h != rows[i].want_h || w != rows[i].want_w)
			fail_msg("row %zu: %lld x %lld became %lld x %lld", i, (long long)rows[i].h,
				 (long long)rows[i].w, (long long)h, (long long)w);
	}
}

/* Sizes that the original class gives for the published values. */
TEST(test_whole_sizes)
{
	static const struct {
		int64_t h, w, want_h, want_w;
	} rows[] = {
		{1, 1, 28, 28},           {28, 28, 28, 28},
		{29, 57, 56, 84},         {1540, 1540, 1540, 1540},
		{1541, 1540, 1540, 1540}, {2200, 1700, 1540, 1204},
		{3001, 1999, 1540, 1036}, {1567, 1103, 1540, 1092},
		{200, 1600, 196, 1540},   {5, 4000, 28, 1540},
		{1601, 3, 1540, 28},      {3081, 1122, 1540, 560}, /* 560.8 pixels, which are rounded down */
	};
	const struct prepare p = {.rule = PREPARE_WHOLE, .patch = 14, .merge = 2, .longest = 1540};
	struct err e = ERR_INIT;
	int64_t h, w;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		(void)prepare_size(&p, rows[i].h, rows[i].w, &h, &w, &e);
		assert_no_error(&e);
		if (h != rows[i].want_h || w != rows[i].want_w)
			fail_msg("%lld x %lld became %lld x %lld", (long long)rows[i].h, (long long)rows[i].w,
				 (long long)h, (long long)w);
	}
	assert_int_equal(prepare_size(&p, 4621, 3, &h, &w, &e), E_BAD_REQUEST);
	assert_error(&e, E_BAD_REQUEST,
		     "one side of the picture is more than 1540 times as long as the other");
}

/* A processor's own values, and values that must be refused. */
TEST(test_token_side)
{
	json_auto_t *none = json_object(), *wrong = json_pack("{s:i}", "spatial_merge_size", 0);
	struct prepare p = {.rule = PREPARE_WHOLE};
	struct err e = ERR_INIT;

	assert_int_equal(prepare_token_read(none, "p.json", &p, &e), 0);
	assert_int_equal(p.patch, 16);
	assert_int_equal(p.merge, 1);
	assert_true(prepare_token_read(wrong, "p.json", &p, &e) < 0);
	assert_error(&e, E_BAD_CHECKPOINT, "p.json: spatial_merge_size must be");
}

/* Values in preprocessor_config.json that must be refused. */
TEST(test_refused)
{
	static const struct {
		enum prepare_rule rule;
		const char *text;
		int code;
		const char *words;
	} rows[] = {
		{PREPARE_FIXED, "{}", E_BAD_CHECKPOINT, "p.json: image_mean is missing"},
		{PREPARE_FIXED, "{'image_mean':[1,1], 'image_std':[1,1,1]}", E_BAD_CHECKPOINT,
		 "image_mean must be three numbers"},
		{PREPARE_FIXED, "{'image_mean':[1,1,1], 'image_std':[1,0,1]}", E_BAD_CHECKPOINT,
		 "image_std must be three numbers from 1e-06 to 1"},
		{PREPARE_FIXED, "{'image_mean':[1,1,1], 'image_std':[1,1,1]}", E_BAD_CHECKPOINT,
		 "size is missing"},
		{PREPARE_FIXED, "{'image_mean':[1,1,1], 'image_std':[1,1,1], 'size':{'height':0,'width':2}}",
		 E_BAD_CHECKPOINT, "size.height must be"},
		{PREPARE_FIXED, "{'do_resize':false}", E_UNSUPPORTED_MODEL,
		 "do_resize false is not supported"},
		{PREPARE_FIXED, "{'rescale_factor':0.5}", E_UNSUPPORTED_MODEL, "rescale_factor 0.5 is not"},
		{PREPARE_FIXED, "{'resample':4}", E_UNSUPPORTED_MODEL, "resample 4 is not supported"},
		{PREPARE_FIXED,
		 "{'image_mean':[1,1,1], 'image_std':[1,1,1], 'size':{}, 'do_pan_and_scan':true}",
		 E_UNSUPPORTED_MODEL, "do_pan_and_scan true is not supported"},
		{PREPARE_PATCHES,
		 "{'image_mean':[1,1,1], 'image_std':[1,1,1], 'min_pixels':9000, 'max_pixels':8000}",
		 E_BAD_CHECKPOINT, "at most 8000 pixels are less than at least 9000"},
		{PREPARE_PATCHES, "{'image_mean':[1,1,1], 'image_std':[1,1,1], 'patch_size':'a'}",
		 E_BAD_CHECKPOINT, "patch_size must be"},
		{PREPARE_TILES, "{'image_mean':[1,1,1], 'image_std':[1,1,1], 'size':{'longest_edge':100}}",
		 E_BAD_CHECKPOINT, "max_image_size is missing"},
		{PREPARE_TILES,
		 "{'image_mean':[1,1,1], 'image_std':[1,1,1], 'size':{'longest_edge':100}, "
		 "'max_image_size':{'longest_edge':64}}",
		 E_UNSUPPORTED_MODEL, "size.longest_edge 100 is not a multiple"},
		{PREPARE_TILES,
		 "{'image_mean':[1,1,1], 'image_std':[1,1,1], 'size':{'longest_edge':128}, "
		 "'max_image_size':{'longest_edge':64}, 'do_image_splitting':false}",
		 E_UNSUPPORTED_MODEL, "do_image_splitting false is not supported"},
		{PREPARE_WHOLE, "{'image_mean':[1,1,1], 'image_std':[1,1,1], 'size':{'height':9}}",
		 E_BAD_CHECKPOINT, "size.longest_edge is missing"},
		{PREPARE_NAFLEX, "{'image_mean':[1,1,1], 'image_std':[1,1,1], 'tile_size':500}",
		 E_UNSUPPORTED_MODEL, "tile_size 500 is not a multiple of 32"},
		{PREPARE_NAFLEX, "{'image_mean':[1,1,1], 'image_std':[1,1,1], 'max_tiles':3}",
		 E_UNSUPPORTED_MODEL, "min_tiles 2 with max_tiles 3 is not supported"},
		{PREPARE_PADDED,
		 "{'image_mean':[1,1,1], 'image_std':[1,1,1], 'size':{'min_pixels':1,'longest_edge':2}}",
		 E_UNSUPPORTED_MODEL, "p.json: size.longest_edge is not supported, only size.min_pixels and"},
		{PREPARE_PADDED, "{'image_mean':[1,1,1], 'image_std':[1,1,1], 'size':{'max_pixels':0}}",
		 E_BAD_CHECKPOINT, "size.max_pixels must be"},
		{PREPARE_PADDED, "{'image_mean':[1,1,1], 'image_std':[1,1,1], 'max_side':0}",
		 E_BAD_CHECKPOINT, "max_side must be"},
		{PREPARE_NAFLEX, "{'image_mean':[1,1,1], 'image_std':[1,1,1], 'max_image_tokens':0}",
		 E_BAD_CHECKPOINT, "max_image_tokens must be"},
	};
	struct prepare p;
	size_t i;
	char *q;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_free_ char *text = strdup(rows[i].text);
		json_auto_t *j = NULL;
		struct err e = ERR_INIT;

		for (q = text; *q; q++)
			*q = *q == '\'' ? '"' : *q;
		assert_int_equal(json_parse(text, strlen(text), "p.json", E_BAD_CHECKPOINT, &j, &e), 0);
		assert_true(prepare_read(j, "p.json", rows[i].rule, &p, &e) < 0);
		assert_error(&e, rows[i].code, rows[i].words);
	}
}

int
main(void)
{
	return tests_run("prepare", NULL, NULL);
}
