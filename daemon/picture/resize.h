/*
 * Resizes 8-bit pictures with the same bits as the processors' libraries on a CPU.
 *
 * Two passes, horizontal then vertical. Each output sample is a weighted sum of the input samples that the
 * filter covers; the filter grows with the reduction (antialiasing). The weights are integers with a fixed
 * number of bits, and each pass rounds its result to a grey level. Rounding only once at the end would
 * change a quarter of the samples of a noisy picture.
 */
#ifndef PICTURE_RESIZE_H
#define PICTURE_RESIZE_H

#include "picture.h"

enum resize_filter {
	RESIZE_BILINEAR,
	RESIZE_BICUBIC, /* a = -0.5 */
	RESIZE_LANCZOS, /* three lobes */
};

/* The libraries differ only in the number of bits of a weight. */
enum resize_library {
	RESIZE_TORCH,  /* torchvision, which transformers 5 uses: as many bits as keep the weights of a pass
                       * below 2^15 */
	RESIZE_PILLOW, /* Pillow before 13: 22 bits */
};

#define RESIZE_BITS_MAX 22
#define RESIZE_WEIGHT_MAX 32768 /* of RESIZE_TORCH */

/* `in` at height x width; the caller releases *ret. The sizes are those of a picture (picture_alloc). */
int resize(const struct picture *in, int64_t height, int64_t width, enum resize_filter filter,
	   enum resize_library library, struct picture *ret, struct err *e);

#endif
