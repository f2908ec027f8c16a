/*
 * One reader per file format, for picture.c.
 */
#ifndef PICTURE_FORMAT_H
#define PICTURE_FORMAT_H

#include "picture.h"

/* Each reads all of `data` into `ret`, whose memory comes from picture_alloc(). */
int picture_png(const unsigned char *data, size_t len, struct picture *ret, struct err *e);
int picture_jpeg(const unsigned char *data, size_t len, struct picture *ret, struct err *e);

/* Checks the size and makes room for the pixels. */
int picture_alloc(struct picture *p, uint64_t height, uint64_t width, struct err *e);

/* Row `y`. */
static inline unsigned char *
picture_row(const struct picture *p, int64_t y)
{
	return p->rgb + y * p->width * 3;
}

#endif
