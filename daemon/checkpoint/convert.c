#include "convert.h"

/* Blocks of a fixed size let the compiler use vectors at any level of optimisation. */
#define BLOCK 32

/* Side of a tile that is transposed within the first-level cache. */
#define TILE 64

typedef void (*convert_fn)(const unsigned char *src, size_t n, float *dst);

static inline float
float_of_bits(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

static inline float
float_of_BF16(uint16_t h)
{
	return float_of_bits((uint32_t)h << 16);
}

/*
 * The exponent is moved by a multiplication with 2^112, which is exact for subnormals as well;
 * infinities and NaNs (exponent 31) then get float32's highest exponent.
 */
static inline float
float_of_F16(uint16_t h)
{
	uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13;
	uint32_t special = (h & 0x7c00) == 0x7c00 ? 0x7f800000 : 0;
	float scaled = float_of_bits(magnitude) * 0x1p112f;
	uint32_t bits;

	memcpy(&bits, &scaled, sizeof(bits));
	return float_of_bits(bits | special | (uint32_t)(h & 0x8000) << 16);
}

static inline float
float_of_F64(double d)
{
	return (float)d;
}

#define CONVERT(sym, type)                                                        \
	static void convert_##sym(const unsigned char *src, size_t n, float *dst) \
	{                                                                         \
		type in[BLOCK];                                                   \
		size_t i, k;                                                      \
                                                                                  \
		for (i = 0; i + BLOCK <= n; i += BLOCK) {                         \
			memcpy(in, src + i * sizeof(type), sizeof(in));           \
			for (k = 0; k < BLOCK; k++)                               \
				dst[i + k] = float_of_##sym(in[k]);               \
		}                                                                 \
		memcpy(in, src + i * sizeof(type), (n - i) * sizeof(type));       \
		for (k = 0; k < n - i; k++)                                       \
			dst[i + k] = float_of_##sym(in[k]);                       \
	}

CONVERT(BF16, uint16_t)
CONVERT(F16, uint16_t)
CONVERT(F64, double)

static void
convert_F32(const unsigned char *src, size_t n, float *dst)
{
	memcpy(dst, src, n * sizeof(*dst));
}

static const convert_fn converters[ST_DTYPE_MAX] = {
	[ST_F32] = convert_F32,
	[ST_F16] = convert_F16,
	[ST_BF16] = convert_BF16,
	[ST_F64] = convert_F64,
};

bool
convert_can(enum st_dtype d)
{
	return converters[d] != NULL;
}

void
convert_f32(enum st_dtype d, const unsigned char *src, size_t n, float *dst)
{
	converters[d](src, n, dst);
}

static void
tile_transpose(const unsigned char *src, size_t src_stride, size_t src_size, size_t rows, size_t cols,
	       convert_fn convert, float *dst, size_t dst_stride)
{
	float tile[TILE][TILE];
	size_t r, c;

	for (r = 0; r < rows; r++)
		convert(src + r * src_stride * src_size, cols, tile[r]);
	for (c = 0; c < cols; c++)
		for (r = 0; r < rows; r++)
			dst[c * dst_stride + r] = tile[r][c];
}

void
convert_f32_transposed(enum st_dtype d, const unsigned char *src, size_t stride, size_t rows, size_t cols,
		       float *dst)
{
	size_t size = st_dtype_size(d), r, c;

	for (r = 0; r < rows; r += TILE)
		for (c = 0; c < cols; c += TILE)
			tile_transpose(src + (r * stride + c) * size, stride, size, MIN(TILE, rows - r),
				       MIN(TILE, cols - c), converters[d], dst + c * rows + r, rows);
}
