/*
 * pixels PICTURE > RGB: "HEIGHT WIDTH\n", then the pixels of a PNG or JPEG file. For the tests.
 */
#include <inttypes.h>
#include <stdio.h>

#include "picture/picture.h"

int
main(int argc, char **argv)
{
	_cleanup_(picture_release) struct picture p = PICTURE_INIT;
	struct err e = ERR_INIT;
	int r = argc == 2 ? picture_open(argv[1], &p, &e)
			  : err_set(&e, E_USAGE, "usage: pixels PICTURE > RGB");

	if (r == 0) {
		(void)printf("%" PRId64 " %" PRId64 "\n", p.height, p.width);
		(void)fwrite(p.rgb, 3, (size_t)(p.height * p.width), stdout);
	} else {
		(void)fprintf(stderr, "pixels: %s\n", e.msg);
	}
	return err_exit_status(r);
}
