#include <png.h>
#include <string.h>

#include "format.h"

/*
 * Everything that one call owns. libpng leaves its functions by longjmp, so nothing that must be released is
 * in a local variable.
 */
struct reading {
	const unsigned char *data;
	size_t len, at;
	struct picture *picture;
	struct err *e;
	int r;
	png_structp png;
	png_infop info;
};

static void
on_error(png_structp png, png_const_charp words)
{
	struct reading *rd = png_get_error_ptr(png);

	rd->r = err_set(rd->e, E_BAD_REQUEST, "damaged PNG: %s", words);
	png_longjmp(png, 1);
}

static void
on_warning(png_structp png, png_const_charp words)
{
	(void)png;
	(void)words;
}

static void
on_read(png_structp png, png_bytep to, png_size_t n)
{
	struct reading *rd = png_get_io_ptr(png);

	if (n > rd->len - rd->at)
		png_error(png, "the file ends too early");
	memcpy(to, rd->data + rd->at, n);
	rd->at += n;
}

/* Converts everything to 8 bits of red, green and blue; transparency is dropped. */
static void
to_rgb(struct reading *rd)
{
	png_set_expand(rd->png);
	png_set_strip_16(rd->png);
	png_set_gray_to_rgb(rd->png);
	png_set_strip_alpha(rd->png);
}

static void
read_rows(struct reading *rd)
{
	int pass, passes = png_set_interlace_handling(rd->png);
	int64_t y;

	png_read_update_info(rd->png, rd->info);
	if (png_get_rowbytes(rd->png, rd->info) != (size_t)rd->picture->width * 3)
		png_error(rd->png, "its rows are of another kind");
	for (pass = 0; pass < passes; pass++)
		for (y = 0; y < rd->picture->height; y++)
			png_read_row(rd->png, picture_row(rd->picture, y), NULL);
	png_read_end(rd->png, NULL);
}

static void
read_all(struct reading *rd)
{
	if (setjmp(png_jmpbuf(rd->png)))
		return;
	png_set_read_fn(rd->png, rd, on_read);
	png_set_user_limits(rd->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* picture_alloc() has the limit */
	png_read_info(rd->png, rd->info);
	rd->r = picture_alloc(rd->picture, png_get_image_height(rd->png, rd->info),
			      png_get_image_width(rd->png, rd->info), rd->e);
	if (rd->r < 0)
		return;
	to_rgb(rd);
	read_rows(rd);
}

int
picture_png(const unsigned char *data, size_t len, struct picture *ret, struct err *e)
{
	struct reading rd = {.data = data, .len = len, .picture = ret, .e = e};

	rd.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &rd, on_error, on_warning);
	rd.info = rd.png ? png_create_info_struct(rd.png) : NULL;
	if (rd.info)
		read_all(&rd);
	else
		rd.r = err_no_memory(e);
	png_destroy_read_struct(&rd.png, &rd.info, NULL);
	return rd.r;
}
