/* The graphs that a model can have. */
#ifndef SPEC_VARIANT_H
#define SPEC_VARIANT_H

#include "base/err.h"

enum variant {
#define VARIANT(sym, ...) VARIANT_##sym,
#include "variants.def"
#undef VARIANT
	VARIANT_MAX
};

const char *variant_name(enum variant v);
const char *variant_file(enum variant v);
bool variant_takes(enum variant v, bool images); /* rows with images, or without */
bool variant_takes_picture(enum variant v);      /* uint8 [height, width, 3], of one page */

/* The error for an unknown name has the given code and lists the known names. */
int variant_from_str(const char *name, int code, enum variant *ret, struct err *e);

#endif
