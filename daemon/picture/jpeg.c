#include <stdio.h>

#include <jpeglib.h>
#include <setjmp.h>

#include "format.h"

/*
 * Everything that one call owns. libjpeg leaves its functions by longjmp, so nothing that must be released is
 * in a local variable.
 */
struct reading {
	struct jpeg_error_mgr errors; /* first: libjpeg gives back a pointer to it */
	struct jpeg_decompress_struct jpeg;
	struct picture *picture;
	struct err *e;
	int r;
	jmp_buf jump;
};

static void
on_error(j_common_ptr jpeg)
{
	struct reading *rd = (struct reading *)(void *)jpeg->err;
	char words[JMSG_LENGTH_MAX];

	jpeg->err->format_message(jpeg, words);
	rd->r = err_set(rd->e, E_BAD_REQUEST, "damaged JPEG: %s", words);
	longjmp(rd->jump, 1);
}

/* Level -1 is a warning about damaged data, which libjpeg would fill with grey. */
static void
on_message(j_common_ptr jpeg, int level)
{
	if (level < 0)
		on_error(jpeg);
}

static void
read_rows(struct reading *rd)
{
	struct jpeg_decompress_struct *j = &rd->jpeg;
	JSAMPROW row;

	while (j->output_scanline < j->output_height) {
		row = picture_row(rd->picture, j->output_scanline);
		(void)jpeg_read_scanlines(j, &row, 1);
	}
	(void)jpeg_finish_decompress(j);
}

static void
read_all(struct reading *rd, const unsigned char *data, size_t len)
{
	struct jpeg_decompress_struct *j = &rd->jpeg;

	if (setjmp(rd->jump))
		return;
	jpeg_create_decompress(j);
	jpeg_mem_src(j, data, len);
	(void)jpeg_read_header(j, TRUE);
	if (j->num_components == 4) {
		rd->r = err_set(rd->e, E_BAD_REQUEST,
				"a JPEG of four colours (CMYK) is not read; convert it to RGB");
		return;
	}
	rd->r = picture_alloc(rd->picture, j->image_height, j->image_width, rd->e);
	if (rd->r < 0)
		return;
	j->out_color_space = JCS_RGB;
	(void)jpeg_start_decompress(j);
	read_rows(rd);
}

int
picture_jpeg(const unsigned char *data, size_t len, struct picture *ret, struct err *e)
{
	struct reading rd = {.picture = ret, .e = e};

	rd.jpeg.err = jpeg_std_error(&rd.errors);
	rd.errors.error_exit = on_error;
	rd.errors.emit_message = on_message;
	read_all(&rd, data, len);
	jpeg_destroy_decompress(&rd.jpeg);
	return rd.r;
}
