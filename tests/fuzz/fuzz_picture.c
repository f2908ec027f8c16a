/* A PNG or JPEG file. An accepted picture has exactly the number of bytes that its size requires. */
#include "fuzz.h"

#include "picture/picture.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(picture_release) struct picture p = PICTURE_INIT;
	struct err e = ERR_INIT;
	unsigned sum = 0;
	int64_t i;

	if (picture_parse(data, len, "input", &p, &e) < 0) {
		assert((e.code == E_BAD_REQUEST || e.code == E_NO_MEMORY) && e.msg[0] && !p.rgb);
		return 0;
	}
	assert(p.height > 0 && p.width > 0 && p.height <= PICTURE_PIXELS_MAX / p.width);
	for (i = 0; i < p.height * p.width * 3; i++)
		sum += p.rgb[i];
	assert(sum <= 255u * (unsigned)(p.height * p.width * 3));
	return 0;
}
