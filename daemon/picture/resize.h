/*
 * Resizing of 8-bit pictures, bit for bit as the processors' libraries do it on a CPU.
 *
 * Two passes, horizontal then vertical. Each output sample is a weighted sum of the input samples below the filter, which
 * grows with the reduction (antialias); the weights are whole numbers of some bits, and each pass rounds its
 * result to a grey level. Rounding once at the end instead changes a quarter of the samples of a noisy picture.
 */
#ifndef PICTURE_RESIZE_H
#define PICTURE_RESIZE_H

#include "picture.h"

enum resize_filter {
	RESIZE_BICUBIC, /* a = -0.5 */
	RESIZE_LANCZOS, /* three lobes */
};

/* The libraries differ in the bits of a weight alone. */
enum resize_library {
	RESIZE_TORCH, /* torchvision, which transformers 5 takes: as many as keep the weights of a pass below 2^15 */
	RESIZE_PILLOW, /* Pillow before 13: 22 */
};

#define RESIZE_BITS_MAX 22
#define RESIZE_WEIGHT_MAX 32768 /* of RESIZE_TORCH */

/* `in` at height x width; the caller releases *ret. The sizes are those of a picture (picture_alloc). */
int resize(const struct picture *in, int64_t height, int64_t width, enum resize_filter filter,
	   enum resize_library library, struct picture *ret, struct err *e);

#endif
