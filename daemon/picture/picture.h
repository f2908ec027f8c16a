/*
 * A picture as bytes: rows from top to bottom, pixels from left to right, and red, green, blue for each
 * pixel.
 */
#ifndef PICTURE_PICTURE_H
#define PICTURE_PICTURE_H

#include "base/err.h"

#define PICTURE_FILE_MAX (256 << 20) /* bytes of a file */
#define PICTURE_PIXELS_MAX 100000000 /* of a picture: 300 MB */

struct picture {
	unsigned char *rgb; /* [height, width, 3] */
	int64_t height, width;
};

/* clang-format off */
#define PICTURE_INIT { .rgb = NULL }
/* clang-format on */

/*
 * Reads a PNG or JPEG file; the first bytes decide which. E_BAD_REQUEST names the file and the problem:
 * another format, a damaged or truncated file, too many pixels, an unsupported kind (CMYK).
 */
int picture_open(const char *path, struct picture *ret, struct err *e);

/* The same from the content of a file; `what` names it in errors. */
int picture_parse(const unsigned char *data, size_t len, const char *what, struct picture *ret,
		  struct err *e);

void picture_release(struct picture *p);

#endif
