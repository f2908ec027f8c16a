#include <string.h>

#include "base/fs.h"
#include "format.h"

static const struct {
	const char *begin; /* first bytes of a file */
	size_t len;
	int (*read)(const unsigned char *data, size_t len, struct picture *ret, struct err *e);
} formats[] = {
	{"\x89PNG\r\n\x1a\n", 8, picture_png},
	{"\xff\xd8\xff", 3, picture_jpeg},
};

int
picture_alloc(struct picture *p, uint64_t height, uint64_t width, struct err *e)
{
	if (height == 0 || width == 0)
		return err_set(e, E_BAD_REQUEST, "the picture has no pixels");
	if (height > PICTURE_PIXELS_MAX / width)
		return err_set(e, E_BAD_REQUEST, "%llu x %llu pixels are more than the %d that are read",
			       (unsigned long long)width, (unsigned long long)height, PICTURE_PIXELS_MAX);
	p->rgb = malloc(height * width * 3);
	if (!p->rgb)
		return err_no_memory(e);
	p->height = (int64_t)height;
	p->width = (int64_t)width;
	return 0;
}

void
picture_release(struct picture *p)
{
	free(p->rgb);
	*p = (struct picture)PICTURE_INIT;
}

int
picture_parse(const unsigned char *data, size_t len, const char *what, struct picture *ret, struct err *e)
{
	struct picture p = PICTURE_INIT;
	size_t i;
	int r;

	for (i = 0; i < ARRAY_LEN(formats); i++)
		if (len >= formats[i].len && memcmp(data, formats[i].begin, formats[i].len) == 0)
			break;
	if (i == ARRAY_LEN(formats))
		return err_set(e, E_BAD_REQUEST, "'%s' is not a PNG or JPEG file", what);
	r = formats[i].read(data, len, &p, e);
	if (r < 0) {
		picture_release(&p);
		return err_context(e, "'%s'", what);
	}
	*ret = p;
	return 0;
}

int
picture_open(const char *path, struct picture *ret, struct err *e)
{
	_cleanup_free_ char *data = NULL;
	size_t len;
	int r;

	r = fs_read(path, PICTURE_FILE_MAX, E_BAD_REQUEST, &data, &len, e);
	return r < 0 ? r : picture_parse((const unsigned char *)data, len, path, ret, e);
}
