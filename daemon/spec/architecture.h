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

/* Why it has not all graphs; NULL: there is nothing to say. */
const char *architecture_lacking(const struct architecture *a);

/* E_UNSUPPORTED_MODEL for the first of `variants`, bits 1u << VARIANT_*, that it lacks. */
int architecture_variants_check(const struct architecture *a, unsigned variants, struct err *e);

#endif
