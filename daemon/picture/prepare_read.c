/* Reads preprocessor_config.json: the keys of the processors that prepare.c implements. */
#include <math.h>

#include "base/str.h"
#include "prepare.h"

#define SIDE_MAX 16384
#define GREY_LEVELS 255

/* Steps that a config can switch off; no published config does. */
static const char *const steps[] = {"do_resize", "do_rescale", "do_normalize"};

static int
steps_check(const json_t *j, const char *what, struct err *e)
{
	double factor = 1.0 / GREY_LEVELS;
	bool on;
	size_t i;
	int r;

	for (i = 0; i < ARRAY_LEN(steps); i++) {
		on = true;
		r = json_get_bool(j, "", steps[i], JSON_OPTIONAL, E_BAD_CHECKPOINT, &on, e);
		if (r < 0)
			return err_context(e, "%s", what);
		if (!on)
			return err_set(e, E_UNSUPPORTED_MODEL, "%s: %s false is not supported", what,
				       steps[i]);
	}
	r = json_get_double(j, "", "rescale_factor", JSON_OPTIONAL, E_BAD_CHECKPOINT, &factor, e);
	if (r < 0)
		return err_context(e, "%s", what);
	return fabs(factor * GREY_LEVELS - 1) < 1e-9
		       ? 0
		       : err_set(e, E_UNSUPPORTED_MODEL,
				 "%s: rescale_factor %g is not supported, only 1/255 is", what, factor);
}

/* Pillow's numbers of the filters. */
enum { LANCZOS = 1, BILINEAR = 2, BICUBIC = 3 };

/* The filter of the processor's class, where the file does not say. */
static int64_t
filter_of_class(const json_t *j, enum prepare_rule rule)
{
	const char *class = json_string_value(json_object_get(j, "image_processor_type"));

	if (rule == PREPARE_TILES)
		return LANCZOS;
	if (rule == PREPARE_NAFLEX || rule == PREPARE_PADDED)
		return BILINEAR;
	return rule == PREPARE_FIXED && class && str_starts(class, "Gemma3") ? BILINEAR : BICUBIC;
}

static int
filter_read(const json_t *j, struct prepare *p, struct err *e)
{
	int64_t n = filter_of_class(j, p->rule);
	int r;

	r = json_get_int(j, "", "resample", JSON_OPTIONAL, 0, 5, E_BAD_CHECKPOINT, &n, e);
	if (r < 0)
		return r;
	if (n != LANCZOS && n != BILINEAR && n != BICUBIC)
		return err_set(
			e, E_UNSUPPORTED_MODEL,
			"resample %lld is not supported; 1 (Lanczos), 2 (bilinear) and 3 (bicubic) are",
			(long long)n);
	p->filter = n == LANCZOS ? RESIZE_LANCZOS : n == BILINEAR ? RESIZE_BILINEAR : RESIZE_BICUBIC;
	return 0;
}

/* Reads three numbers and scales them to grey levels: float32 times float32, as the processors multiply. */
static int
colours_read(const json_t *j, const char *key, double least, float ret[3], struct err *e)
{
	const json_t *list = NULL, *v;
	double x;
	size_t i;
	int r;

	r = json_get_array(j, "", key, JSON_REQUIRED, E_BAD_CHECKPOINT, &list, e);
	if (r < 0)
		return r;
	for (i = 0; i < 3; i++) {
		v = json_array_get(list, i);
		x = json_number_value(v);
		if (json_array_size(list) != 3 || !json_is_number(v) || !(x >= least && x <= 1))
			return err_set(e, E_BAD_CHECKPOINT, "%s must be three numbers from %g to 1", key,
				       least);
		ret[i] = (float)x * (float)GREY_LEVELS;
	}
	return 0;
}

static int
patches_read(const json_t *j, const json_t *size, struct prepare *p, struct err *e)
{
	int r;

	p->patch = 14;
	p->merge = 2;
	p->frames = 2;
	p->pixels_min = 56 * 56;
	p->pixels_max = (int64_t)28 * 28 * 1280;
	if ((r = json_get_int(j, "", "patch_size", JSON_OPTIONAL, 1, 256, E_BAD_CHECKPOINT, &p->patch, e)) <
		    0 ||
	    (r = json_get_int(j, "", "merge_size", JSON_OPTIONAL, 1, 16, E_BAD_CHECKPOINT, &p->merge, e)) <
		    0 ||
	    (r = json_get_int(j, "", "temporal_patch_size", JSON_OPTIONAL, 1, 16, E_BAD_CHECKPOINT,
			      &p->frames, e)) < 0 ||
	    (r = json_get_int(size, "size", "shortest_edge", JSON_OPTIONAL, 1, PICTURE_PIXELS_MAX,
			      E_BAD_CHECKPOINT, &p->pixels_min, e)) < 0 ||
	    (r = json_get_int(size, "size", "longest_edge", JSON_OPTIONAL, 1, PICTURE_PIXELS_MAX,
			      E_BAD_CHECKPOINT, &p->pixels_max, e)) < 0 ||
	    (r = json_get_int(j, "", "min_pixels", JSON_OPTIONAL, 1, PICTURE_PIXELS_MAX, E_BAD_CHECKPOINT,
			      &p->pixels_min, e)) < 0)
		return r;
	r = json_get_int(j, "", "max_pixels", JSON_OPTIONAL, 1, PICTURE_PIXELS_MAX, E_BAD_CHECKPOINT,
			 &p->pixels_max, e);
	if (r == 0 && p->pixels_max < p->pixels_min)
		r = err_set(e, E_BAD_CHECKPOINT, "at most %lld pixels are less than at least %lld",
			    (long long)p->pixels_max, (long long)p->pixels_min);
	return r;
}

static int
fixed_read(const json_t *j, const json_t *size, struct prepare *p, struct err *e)
{
	bool crops = false;
	int r;

	r = json_get_bool(j, "", "do_pan_and_scan", JSON_OPTIONAL, E_BAD_CHECKPOINT, &crops, e);
	if (r == 0 && crops)
		r = err_set(e, E_UNSUPPORTED_MODEL, "do_pan_and_scan true is not supported");
	if (r < 0)
		return r;
	r = json_get_int(size, "size", "height", JSON_REQUIRED, 1, SIDE_MAX, E_BAD_CHECKPOINT, &p->height, e);
	return r < 0 ? r
		     : json_get_int(size, "size", "width", JSON_REQUIRED, 1, SIDE_MAX, E_BAD_CHECKPOINT,
				    &p->width, e);
}

/* The side of a token is in another file, processor_config.json: prepare_token_read(). */
static int
whole_read(const json_t *size, struct prepare *p, struct err *e)
{
	return json_get_int(size, "size", "longest_edge", JSON_REQUIRED, 1, SIDE_MAX, E_BAD_CHECKPOINT,
			    &p->longest, e);
}

int
prepare_token_read(const json_t *j, const char *what, struct prepare *p, struct err *e)
{
	int r;

	p->patch = 16;
	p->merge = 1;
	r = json_get_int(j, "", "patch_size", JSON_OPTIONAL, 1, 256, E_BAD_CHECKPOINT, &p->patch, e);
	if (r == 0)
		r = json_get_int(j, "", "spatial_merge_size", JSON_OPTIONAL, 1, 16, E_BAD_CHECKPOINT,
				 &p->merge, e);
	return r < 0 ? err_context(e, "%s", what) : 0;
}

static int
tiles_read(const json_t *j, const json_t *size, struct prepare *p, struct err *e)
{
	static const char tile_key[] = "max_image_size";
	const json_t *tile = NULL;
	bool split = true;
	int r;

	if ((r = json_get_int(size, "size", "longest_edge", JSON_REQUIRED, 1, SIDE_MAX, E_BAD_CHECKPOINT,
			      &p->longest, e)) < 0 ||
	    (r = json_get_obj(j, "", tile_key, JSON_REQUIRED, E_BAD_CHECKPOINT, &tile, e)) < 0 ||
	    (r = json_get_int(tile, tile_key, "longest_edge", JSON_REQUIRED, 1, SIDE_MAX, E_BAD_CHECKPOINT,
			      &p->tile, e)) < 0 ||
	    (r = json_get_bool(j, "", "do_image_splitting", JSON_OPTIONAL, E_BAD_CHECKPOINT, &split, e)) < 0)
		return r;
	if (!split)
		return err_set(e, E_UNSUPPORTED_MODEL, "do_image_splitting false is not supported");
	if (p->longest % p->tile)
		return err_set(e, E_UNSUPPORTED_MODEL,
			       "size.longest_edge %lld is not a multiple of %s.longest_edge %lld",
			       (long long)p->longest, tile_key, (long long)p->tile);
	return 0;
}

/* Numbers of one patch's side, of tokens and of tiles, with what the class has where the file does not say. */
static const struct {
	const char *key;
	int64_t max, fallback;
} naflex_rows[] = {
	{"encoder_patch_size", 256, 16},  {"downsample_factor", 16, 2}, {"min_image_tokens", 65536, 64},
	{"max_image_tokens", 65536, 256}, {"tile_size", SIDE_MAX, 512}, {"min_tiles", 100, 2},
	{"max_tiles", 100, 10},
};

enum { PATCH, FACTOR, TOKENS_MIN, TOKENS_MAX, TILE, TILES_MIN, TILES_MAX };

/*
 * With these tiles the order of grids that are equally near, and as large, would count; it is that of a set in Python. No
 * published file has them.
 */
static int
naflex_tiles_check(const struct prepare *p, struct err *e)
{
	if (p->tile % (p->patch * p->merge))
		return err_set(e, E_UNSUPPORTED_MODEL, "tile_size %lld is not a multiple of %lld",
			       (long long)p->tile, (long long)(p->patch * p->merge));
	if (p->tiles_max == 1 || (p->tiles_min <= 2 && p->tiles_max >= 4))
		return 0;
	return err_set(
		e, E_UNSUPPORTED_MODEL,
		"min_tiles %lld with max_tiles %lld is not supported: at most 2 with at least 4, or 1 with 1",
		(long long)p->tiles_min, (long long)p->tiles_max);
}

static int
naflex_read(const json_t *j, struct prepare *p, struct err *e)
{
	int64_t v[ARRAY_LEN(naflex_rows)], token;
	bool split = true;
	size_t i;
	int r = 0;

	for (i = 0; i < ARRAY_LEN(naflex_rows) && r == 0; i++) {
		v[i] = naflex_rows[i].fallback;
		r = json_get_int(j, "", naflex_rows[i].key, JSON_OPTIONAL, 1, naflex_rows[i].max,
				 E_BAD_CHECKPOINT, &v[i], e);
	}
	p->whole = true;
	p->tolerance = 2;
	if (r < 0 ||
	    (r = json_get_bool(j, "", "use_thumbnail", JSON_OPTIONAL, E_BAD_CHECKPOINT, &p->whole, e)) < 0 ||
	    (r = json_get_bool(j, "", "do_image_splitting", JSON_OPTIONAL, E_BAD_CHECKPOINT, &split, e)) <
		    0 ||
	    (r = json_get_double(j, "", "max_pixels_tolerance", JSON_OPTIONAL, E_BAD_CHECKPOINT,
				 &p->tolerance, e)) < 0)
		return r;
	token = v[PATCH] * v[PATCH] * v[FACTOR] * v[FACTOR];
	p->patch = v[PATCH];
	p->merge = v[FACTOR];
	p->tile = v[TILE];
	p->pixels_min = v[TOKENS_MIN] * token;
	p->pixels_max = v[TOKENS_MAX] * token;
	p->tiles_min = split ? v[TILES_MIN] : 1;
	p->tiles_max = split ? v[TILES_MAX] : 1;
	p->patches = v[TOKENS_MAX] * v[FACTOR] * v[FACTOR];
	if (split)
		p->patches = MAX(p->patches, p->tile / p->patch * (p->tile / p->patch));
	return naflex_tiles_check(p, e);
}

/* A limit that is absent or null does not apply. */
static int
padded_read(const json_t *j, const json_t *size, struct prepare *p, struct err *e)
{
	static const char least[] = "min_pixels", most[] = "max_pixels";
	const char *key;
	json_t *unused;
	int r;

	p->patch = 32;
	p->longest = p->pixels_max = PREPARE_NO_LIMIT;
	json_object_foreach((json_t *)(uintptr_t)size, key, unused)
		if (!str_eq(key, least) && !str_eq(key, most))
			return err_set(e, E_UNSUPPORTED_MODEL,
				       "size.%s is not supported, only size.%s and size.%s are", key, least,
				       most);
	if ((r = json_get_int(j, "", "patch_size", JSON_OPTIONAL, 1, 256, E_BAD_CHECKPOINT, &p->patch, e)) <
		    0 ||
	    (r = json_get_int(j, "", "max_side", JSON_OPTIONAL, 1, PICTURE_PIXELS_MAX, E_BAD_CHECKPOINT,
			      &p->longest, e)) < 0 ||
	    (r = json_get_int(size, "size", least, JSON_OPTIONAL, 1, PICTURE_PIXELS_MAX, E_BAD_CHECKPOINT,
			      &p->pixels_min, e)) < 0)
		return r;
	return json_get_int(size, "size", most, JSON_OPTIONAL, 1, PICTURE_PIXELS_MAX, E_BAD_CHECKPOINT,
			    &p->pixels_max, e);
}

static int
rule_read(const json_t *j, struct prepare *p, struct err *e)
{
	const bool may_lack = p->rule == PREPARE_PATCHES || p->rule == PREPARE_PADDED;
	const enum json_need need = may_lack ? JSON_OPTIONAL : JSON_REQUIRED;
	const json_t *size = NULL;
	int r;

	if (p->rule == PREPARE_NAFLEX)
		return naflex_read(j, p, e);
	r = json_get_obj(j, "", "size", need, E_BAD_CHECKPOINT, &size, e);
	if (r < 0)
		return r;
	if (p->rule == PREPARE_PATCHES)
		return patches_read(j, size, p, e);
	if (p->rule == PREPARE_PADDED)
		return padded_read(j, size, p, e);
	if (p->rule == PREPARE_WHOLE)
		return whole_read(size, p, e);
	return p->rule == PREPARE_FIXED ? fixed_read(j, size, p, e) : tiles_read(j, size, p, e);
}

int
prepare_read(const json_t *j, const char *what, enum prepare_rule rule, struct prepare *ret, struct err *e)
{
	struct prepare p = {.rule = rule, .library = RESIZE_TORCH};
	int r;

	r = steps_check(j, what, e);
	if (r < 0)
		return r;
	if ((r = filter_read(j, &p, e)) < 0 || (r = colours_read(j, "image_mean", 0, p.mean, e)) < 0 ||
	    (r = colours_read(j, "image_std", 1e-6, p.std, e)) < 0 || (r = rule_read(j, &p, e)) < 0)
		return err_context(e, "%s", what);
	*ret = p;
	return 0;
}
