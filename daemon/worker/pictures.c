#include "pictures.h"

#include <math.h>

#include "base/rng.h"

#define PIXELS_MAX 4000000 /* in the largest picture: a case also holds its pixels as float32 */

static const struct {
	const char *name;
	int64_t height, width; /* 0: 1.5 times the largest size that the processor keeps */
} rows[] = {
	{"picture-dot", 5, 7},     /* below the minimum size */
	{"picture-wide", 13, 171}, /* extreme shapes */
	{"picture-tall", 190, 11}, {"picture-page", 185, 135}, {"picture-large", 0, 0},
};

enum { PAGE = 3, LARGE = 4 };

size_t
pictures_count(void)
{
	return ARRAY_LEN(rows);
}

const char *
pictures_name(size_t i)
{
	return rows[i].name;
}

bool
pictures_embedded(size_t i, const struct prepare *p)
{
	/* With a fixed size all pictures take equally long. */
	return p->rule == PREPARE_FIXED || p->rule == PREPARE_TILES ? i == PAGE : i != LARGE;
}

static void
size_get(size_t i, const struct prepare *p, int64_t *ret_height, int64_t *ret_width)
{
	const double longest = (double)p->longest,
		     kept = p->rule == PREPARE_FIXED ? (double)(p->height * p->width)
			    : p->rule == PREPARE_TILES || p->rule == PREPARE_WHOLE ? longest * longest
			    : p->rule == PREPARE_PADDED ? MIN(longest * longest, (double)p->pixels_max)
							: (double)p->pixels_max;
	const double pixels = MIN(kept * 1.5, PIXELS_MAX);

	*ret_height = rows[i].height ? rows[i].height : (int64_t)sqrt(pixels * 4 / 3) + 1;
	*ret_width = rows[i].width ? rows[i].width : (int64_t)sqrt(pixels * 3 / 4) + 1;
}

/* The upper half is noise, which reveals any wrong weight; the lower half is white with dots, like a page. */
int
pictures_make(size_t i, const struct prepare *p, uint64_t seed, struct picture *ret, struct err *e)
{
	struct rng rng = {seed};
	int64_t height, width, k;

	size_get(i, p, &height, &width);
	ret->rgb = malloc((size_t)(height * width * 3));
	if (!ret->rgb)
		return err_no_memory(e);
	ret->height = height;
	ret->width = width;
	for (k = 0; k < height * width * 3; k++)
		ret->rgb[k] = k < height / 2 * width * 3 || rng_below(&rng, 9) == 0
				      ? (unsigned char)rng_u64(&rng)
				      : 250;
	return 0;
}
