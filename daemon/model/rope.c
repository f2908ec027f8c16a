#include "rope.h"

#include <math.h>

#include "base/str.h"

#define POSITIONS_MAX ((int64_t)1 << 32)

/* A number that may be left out: 0 then. */
static int
factor_read(const struct config_scope *s, const char *key, double *ret, struct err *e)
{
	int r;

	*ret = 0;
	r = json_get_double(s->obj, s->path, key, JSON_OPTIONAL, E_BAD_CHECKPOINT, ret, e);
	if (r < 0)
		return r;
	return *ret >= 0 && *ret <= 1e6
		       ? 0
		       : config_fail(s, key, E_BAD_CHECKPOINT, e, "must be from 0 to 1000000");
}

/* By how much longer texts sharpen the attention. */
static double
magnitude_of(double factor, double by)
{
	return factor <= 1 ? 1 : 0.1 * by * log(factor) + 1;
}

static int
magnitude_read(const struct config_scope *s, struct rope *rope, struct err *e)
{
	double all, one, given;
	int r;

	if ((r = factor_read(s, "attention_factor", &given, e)) < 0 ||
	    (r = factor_read(s, "mscale", &one, e)) < 0 ||
	    (r = factor_read(s, "mscale_all_dim", &all, e)) < 0)
		return r;
	if (given > 0)
		rope->magnitude = given;
	else if (one > 0 && all > 0)
		rope->magnitude = magnitude_of(rope->factor, one) / magnitude_of(rope->factor, all);
	else
		rope->magnitude = magnitude_of(rope->factor, 1);
	return 0;
}

static int
yarn_read(const struct config_scope *s, struct rope *rope, struct err *e)
{
	int r;

	rope->truncate = true;
	if (!json_object_get(s->obj, "factor"))
		return config_fail(s, "factor", E_BAD_CHECKPOINT, e, "is missing");
	if (!rope->trained)
		return config_fail(s, "original_max_position_embeddings", E_BAD_CHECKPOINT, e, "is missing");
	if ((r = config_double(s, "factor", 1, 1e6, &rope->factor, e)) < 0 ||
	    (r = config_double(s, "beta_fast", 32, 1e9, &rope->beta_fast, e)) < 0 ||
	    (r = config_double(s, "beta_slow", 1, 1e9, &rope->beta_slow, e)) < 0 ||
	    (r = json_get_bool(s->obj, s->path, "truncate", JSON_OPTIONAL, E_BAD_CHECKPOINT, &rope->truncate,
			       e)) < 0)
		return r;
	return magnitude_read(s, rope, e);
}

/* All four keys are required: transformers has no values for missing ones. */
static int
llama3_read(const struct config_scope *s, struct rope *rope, struct err *e)
{
	static const char *const keys[] = {"factor", "low_freq_factor", "high_freq_factor",
					   "original_max_position_embeddings"};
	size_t i;
	int r;

	for (i = 0; i < ARRAY_LEN(keys); i++)
		if (!json_object_get(s->obj, keys[i]))
			return config_fail(s, keys[i], E_BAD_CHECKPOINT, e, "is missing");
	if ((r = config_double(s, "factor", 1, 1e6, &rope->factor, e)) < 0 ||
	    (r = config_double(s, "high_freq_factor", 1, 1e9, &rope->beta_fast, e)) < 0 ||
	    (r = config_double(s, "low_freq_factor", 1, 1e9, &rope->beta_slow, e)) < 0)
		return r;
	rope->llama3 = true;
	return rope->beta_fast > rope->beta_slow ? 0
						 : config_fail(s, "high_freq_factor", E_BAD_CHECKPOINT, e,
							       "must be above low_freq_factor");
}

/* The kind has two keys; the newer one counts. */
static int
kind_read(const struct config_scope *s, const char **ret, struct err *e)
{
	static const char *const kinds[] = {"default", "yarn", "llama3", NULL};
	const char *const key = json_object_get(s->obj, "rope_type") ? "rope_type" : "type";
	int r;

	*ret = kinds[0];
	r = config_one_of(s, key, kinds, e);
	return r < 0 ? r : json_get_str(s->obj, s->path, key, JSON_OPTIONAL, E_BAD_CHECKPOINT, ret, e);
}

int
rope_read(const struct config_scope *text, struct rope *rope, struct config_scope *ret_obj, struct err *e)
{
	const char *kind = NULL;
	int r;

	if ((r = config_rope_scope(text, ret_obj, e)) < 0 ||
	    (r = config_double(text, "rope_theta", rope->theta, 1e12, &rope->theta, e)) < 0 || !ret_obj->obj)
		return r;
	rope->factor = 0;
	rope->llama3 = false;
	rope->trained = 0;
	rope->magnitude = 1;
	if ((r = kind_read(ret_obj, &kind, e)) < 0 ||
	    (r = config_double(ret_obj, "rope_theta", rope->theta, 1e12, &rope->theta, e)) < 0 ||
	    (r = json_get_int(ret_obj->obj, ret_obj->path, "original_max_position_embeddings", JSON_OPTIONAL,
			      1, POSITIONS_MAX, E_BAD_CHECKPOINT, &rope->trained, e)) < 0)
		return r;
	if (str_eq(kind, "llama3"))
		return llama3_read(ret_obj, rope, e);
	return str_eq(kind, "yarn") ? yarn_read(ret_obj, rope, e) : 0;
}

/* The number of the frequency that turns `turns` times within the trained length; it need not be whole. */
static double
frequency_of(const struct rope *rope, int64_t d, double turns)
{
	return (double)d * log((double)rope->trained / (turns * 2 * acos(-1))) / (2 * log(rope->theta));
}

/* How much of frequency k stays as it was: 1 for fast ones, 0 for slow ones. */
static float
kept(const struct rope *rope, int64_t d, int64_t k)
{
	double low = frequency_of(rope, d, rope->beta_fast), high = frequency_of(rope, d, rope->beta_slow);
	float ramp;

	if (rope->truncate) {
		low = floor(low);
		high = ceil(high);
	}
	low = MAX(low, 0.0);
	high = MIN(high, (double)(d - 1));
	if (low == high)
		high += 0.001;
	ramp = ((float)k - (float)low) / (float)(high - low);
	return 1 - MIN(MAX(ramp, 0.0f), 1.0f);
}

/* The same for llama3, whose limits are rotations within the trained length: as many as it is long in wavelengths. */
static float
kept_llama3(const struct rope *rope, float frequency)
{
	const double turns = (double)rope->trained * (double)frequency / (2 * acos(-1));

	if (turns < rope->beta_slow)
		return 0;
	return turns > rope->beta_fast
		       ? 1
		       : (float)((turns - rope->beta_slow) / (rope->beta_fast - rope->beta_slow));
}

struct ir_value *
rope_inv_freq(struct trace *t, const struct rope *rope, int64_t d)
{
	_cleanup_free_ float *table = calloc((size_t)d / 2, sizeof(*table));
	float fast, stays;
	int64_t k;

	if (!table) {
		tr_fail(t, E_NO_MEMORY, "memory ran out");
		return tr_f32(t, 0);
	}
	for (k = 0; k < d / 2; k++) {
		table[k] = fast = blk_frequency(rope->theta, d, k);
		if (rope->factor > 0) {
			stays = rope->llama3 ? kept_llama3(rope, fast) : kept(rope, d, k);
			table[k] = fast / (float)rope->factor * (1 - stays) + fast * stays;
		}
	}
	return tr_table(t, "rope.inv_freq", shape_of(1, n(d / 2)), table);
}
