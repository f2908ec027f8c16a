/*
 * Random values, fast: SplitMix64 of a counter gives four 16-bit integers at a time, which
 * scale to a uniform distribution of the wanted mean and standard deviation.
 */
#include <math.h>

#include "mkcheckpoint.h"

static uint64_t
mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

struct mkc_fill
mkc_fill(uint64_t seed, const char *name, enum mkc_kind kind, uint64_t fan_in)
{
	const double std[] = {[MKC_LINEAR] = 1.5 / sqrt((double)fan_in),
			      [MKC_EMBED] = 1,
			      [MKC_NORM] = 0.2,
			      [MKC_SMALL] = 0.2};
	struct mkc_fill f = {.key = mix(seed),
			     .mean = kind == MKC_NORM,
			     .scale = (float)(std[kind] * sqrt(3) / 32768),
			     .rows = 1,
			     .cols = 1};

	while (*name)
		f.key = mix(f.key + (unsigned char)*name++);
	return f;
}

static bool
name_has(const char *name, const char *const *parts)
{
	while (*parts && !strstr(name, *parts))
		parts++;
	return *parts != NULL;
}

void
mkc_fill_outliers(struct mkc_fill *f, const struct mkc_tensor *t, float size)
{
	static const char *const layers[] = {".layers.", ".blocks.", NULL};
	static const char *const norms[] = {"input_layernorm.", "post_attention_layernorm.", "norm1.",
					    "norm2.", NULL};
	static const char *const behind[] = {"q_proj.weight",    "k_proj.weight",    "v_proj.weight",
					     "gate_proj.weight", "up_proj.weight",   "qkv.weight",
					     "fc1.weight",       "down_proj.weight", NULL};

	if (!name_has(t->name, layers))
		return;
	f->width = t->rank > 1 ? t->values / (uint64_t)t->shape[0] : 1;
	if (name_has(t->name, norms) || strstr(t->name, "up_proj."))
		f->rows = size;
	if (t->rank > 1 && name_has(t->name, behind))
		f->cols = 1 / size;
}

static float
outlier_factor(const struct mkc_fill *f, uint64_t at)
{
	const uint64_t row = at / f->width, col = at % f->width;

	return (mix(row) % 300 ? 1 : f->rows) * (mix(col) % 300 ? 1 : f->cols);
}

static uint32_t
float_bits(float v)
{
	uint32_t u;

	memcpy(&u, &v, sizeof(u));
	return u;
}

static uint16_t
bf16_from_float(float v)
{
	uint32_t u = float_bits(v);

	return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

/* Adding 2^-24 * 2^23 lines a small number's bits up with those of a subnormal half, rounded to even. */
static uint16_t
fp16_from_float(float v)
{
	uint32_t u = float_bits(v), sign = u >> 16 & 0x8000;

	u &= 0x7fffffff;
	if (u < 0x38800000)
		return (uint16_t)(sign | (float_bits(fabsf(v) + 0.5f) - 0x3f000000));
	return (uint16_t)(sign | (u - 0x38000000 + 0xfff + (u >> 13 & 1)) >> 13);
}

/* Four values of one counter. */
static void
quad(const struct mkc_fill *f, uint64_t counter, float ret[4])
{
	uint64_t bits = mix(f->key + counter * 0x9e3779b97f4a7c15u);
	int i;

	for (i = 0; i < 4; i++)
		ret[i] = f->mean + f->scale * ((float)(int16_t)(bits >> 16 * i) + 0.5f);
	for (i = 0; f->width && i < 4; i++)
		ret[i] *= outlier_factor(f, 4 * counter + (uint64_t)i);
}

#define FILL(type, convert)                                 \
	do {                                                \
		type *out = ret;                            \
		for (i = 0; i + 4 <= count; i += 4) {       \
			quad(f, (at + i) / 4, v);           \
			for (k = 0; k < 4; k++)             \
				out[i + k] = convert(v[k]); \
		}                                           \
		if (i < count)                              \
			quad(f, (at + i) / 4, v);           \
		for (k = 0; i < count; i++, k++)            \
			out[i] = convert(v[k]);             \
	} while (0)

void
mkc_fill_block(const struct mkc_fill *f, enum elem dtype, uint64_t at, uint64_t count, void *ret)
{
	uint64_t i;
	float v[4];
	int k;

	assert(at % 4 == 0);
	if (dtype == ELEM_BF16)
		FILL(uint16_t, bf16_from_float);
	else if (dtype == ELEM_F16)
		FILL(uint16_t, fp16_from_float);
	else
		FILL(float, (float));
}
