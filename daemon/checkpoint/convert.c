#include "convert.h"

/* Blocks of a fixed size let the compiler use vectors at any level of optimisation. */
#define BLOCK 32

/* Side of a tile; a tile is transposed within the first-level cache. */
#define TILE 64

/* Floats in the buffer for a conversion from one 16-bit type to another. */
#define FLOATS 512

typedef void (*widen_fn)(const unsigned char *src, size_t n, float *dst);
typedef void (*narrow_fn)(const float *src, size_t n, uint16_t *dst);

static inline float
float_of_bits(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

static inline uint32_t
bits_of_float(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	return bits;
}

static inline float
float_of_BF16(uint16_t h)
{
	return float_of_bits((uint32_t)h << 16);
}

/*
 * A multiplication by 2^112 corrects the exponent, and is exact for subnormals too. Infinities and NaNs
 * (exponent 31) then get the highest exponent of float32.
 */
static inline float
float_of_F16(uint16_t h)
{
	uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13;
	uint32_t special = (h & 0x7c00) == 0x7c00 ? 0x7f800000 : 0;
	uint32_t bits = bits_of_float(float_of_bits(magnitude) * 0x1p112f);

	return float_of_bits(bits | special | (uint32_t)(h & 0x8000) << 16);
}

static inline float
float_of_F64(double d)
{
	return (float)d;
}

static inline uint16_t
BF16_of_float(float f)
{
	uint32_t bits = bits_of_float(f);
	uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16, nan = bits >> 16 | 0x40;

	return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded);
}

/*
 * Computes three cases and selects one with masks, since compilers do not turn branches into vectors. A normal
 * result: move the exponent by 112 and round the mantissa; a carry may reach infinity. A subnormal result: the low
 * bits after 0.5 is added. Everything larger: infinity or NaN.
 */
static inline uint16_t
F16_of_float(float f)
{
	uint32_t bits = bits_of_float(f), a = bits & 0x7fffffff;
	uint32_t normal = (a - 0x38000000 + 0xfff + (a >> 13 & 1)) >> 13;
	uint32_t subnormal = bits_of_float(float_of_bits(a) + 0.5f) - bits_of_float(0.5f);
	uint32_t special = a > 0x7f800000 ? 0x7e00 : 0x7c00;
	uint32_t small = -(uint32_t)(a < 0x38800000), large = -(uint32_t)(a >= 0x47800000);

	return (uint16_t)((subnormal & small) | (special & large) | (normal & ~small & ~large) |
			  (bits >> 16 & 0x8000));
}

#define WIDEN(sym, type)                                                        \
	static void widen_##sym(const unsigned char *src, size_t n, float *dst) \
	{                                                                       \
		type in[BLOCK];                                                 \
		size_t i, k;                                                    \
                                                                                \
		for (i = 0; i + BLOCK <= n; i += BLOCK) {                       \
			memcpy(in, src + i * sizeof(type), sizeof(in));         \
			for (k = 0; k < BLOCK; k++)                             \
				dst[i + k] = float_of_##sym(in[k]);             \
		}                                                               \
		memcpy(in, src + i * sizeof(type), (n - i) * sizeof(type));     \
		for (k = 0; k < n - i; k++)                                     \
			dst[i + k] = float_of_##sym(in[k]);                     \
	}

WIDEN(BF16, uint16_t)
WIDEN(F16, uint16_t)
WIDEN(F64, double)

static void
widen_F32(const unsigned char *src, size_t n, float *dst)
{
	memcpy(dst, src, n * sizeof(*dst));
}

#define NARROW(sym)                                                         \
	static void narrow_##sym(const float *src, size_t n, uint16_t *dst) \
	{                                                                   \
		size_t i, k;                                                \
                                                                            \
		for (i = 0; i + BLOCK <= n; i += BLOCK)                     \
			for (k = 0; k < BLOCK; k++)                         \
				dst[i + k] = sym##_of_float(src[i + k]);    \
		for (; i < n; i++)                                          \
			dst[i] = sym##_of_float(src[i]);                    \
	}

NARROW(BF16)
NARROW(F16)

static const widen_fn wideners[ELEM_MAX] = {
	[ELEM_F32] = widen_F32,
	[ELEM_F16] = widen_F16,
	[ELEM_BF16] = widen_BF16,
	[ELEM_F64] = widen_F64,
};

static const narrow_fn narrowers[ELEM_MAX] = {
	[ELEM_F16] = narrow_F16,
	[ELEM_BF16] = narrow_BF16,
};

bool
convert_can(enum elem from)
{
	return wideners[from] != NULL;
}

void
convert(enum elem from, enum elem to, const unsigned char *src, size_t n, void *dst)
{
	size_t size = elem_size(from), i, k;
	float floats[FLOATS];

	if (from == to) {
		memcpy(dst, src, n * size);
	} else if (to == ELEM_F32) {
		wideners[from](src, n, dst);
	} else {
		for (i = 0; i < n; i += k) {
			k = MIN(FLOATS, n - i);
			wideners[from](src + i * size, k, floats);
			narrowers[to](floats, k, (uint16_t *)dst + i);
		}
	}
}

#define TRANSPOSE(type)                                                                     \
	static void transpose_##type(const type *tile, size_t rows, size_t cols, type *dst, \
				     size_t dst_stride)                                     \
	{                                                                                   \
		size_t r, c;                                                                \
                                                                                            \
		for (c = 0; c < cols; c++)                                                  \
			for (r = 0; r < rows; r++)                                          \
				dst[c * dst_stride + r] = tile[r * TILE + c];               \
	}

TRANSPOSE(float)
TRANSPOSE(uint16_t)

void
convert_transposed(enum elem from, enum elem to, const unsigned char *src, size_t stride, size_t rows,
		   size_t cols, void *dst)
{
	const size_t from_size = elem_size(from), to_size = elem_size(to);
	union {
		float f[TILE * TILE];
		uint16_t h[TILE * TILE];
	} tile;
	size_t r, c, k, tile_rows, tile_cols;

	for (r = 0; r < rows; r += TILE)
		for (c = 0; c < cols; c += TILE) {
			tile_rows = MIN(TILE, rows - r);
			tile_cols = MIN(TILE, cols - c);
			for (k = 0; k < tile_rows; k++)
				convert(from, to, src + ((r + k) * stride + c) * from_size, tile_cols,
					(char *)&tile + k * TILE * to_size);
			if (to == ELEM_F32)
				transpose_float(tile.f, tile_rows, tile_cols, (float *)dst + c * rows + r,
						rows);
			else
				transpose_uint16_t(tile.h, tile_rows, tile_cols,
						   (uint16_t *)dst + c * rows + r, rows);
		}
}

/* An infinity or NaN has all bits of its exponent set. A count fits the elements' own type within a block. */
#define COUNT_BAD(type)                                                               \
	_wide_ static size_t count_bad_##type(const type *v, size_t n, type exponent) \
	{                                                                             \
		size_t i, k, count = 0;                                               \
		type in_block;                                                        \
                                                                                      \
		for (i = 0; i + BLOCK <= n; i += BLOCK) {                             \
			in_block = 0;                                                 \
			for (k = 0; k < BLOCK; k++)                                   \
				in_block += (v[i + k] & exponent) == exponent;        \
			count += in_block;                                            \
		}                                                                     \
		for (; i < n; i++)                                                    \
			count += (v[i] & exponent) == exponent;                       \
		return count;                                                         \
	}

COUNT_BAD(uint16_t)
COUNT_BAD(uint32_t)

size_t
convert_count_bad(enum elem d, const void *data, size_t n)
{
	if (d == ELEM_F32)
		return count_bad_uint32_t(data, n, 0x7f800000);
	return count_bad_uint16_t(data, n, d == ELEM_F16 ? 0x7c00 : 0x7f80);
}
