/* The architectures that colconv converts: their names, titles and graphs. */
#ifndef SPEC_ARCHITECTURE_H
#define SPEC_ARCHITECTURE_H

#include "variant.h"

enum {
#define ARCHITECTURE(family, ...) ARCHITECTURE_##family,
#include "architectures.def"
#undef ARCHITECTURE
	ARCHITECTURE_MAX
};

struct architecture {
	const char *family;
	const char *title;
	unsigned variants; /* bits 1u << VARIANT_* */
};

extern const struct architecture architectures[ARCHITECTURE_MAX];

#endif
