#include "architecture.h"

enum {
#define VARIANT(sym, ...) sym = 1 << VARIANT_##sym,
#include "variants.def"
#undef VARIANT
};

const struct architecture architectures[] = {
#define ARCHITECTURE(family, title, variants) {#family, title, variants},
#include "architectures.def"
#undef ARCHITECTURE
};

static const char *const lacking[ARCHITECTURE_MAX] = {
#define LACKING(family, reason) [ARCHITECTURE_##family] = (reason),
#include "lacking.def"
#undef LACKING
};

const char *
architecture_lacking(const struct architecture *a)
{
	return lacking[a - architectures];
}

int
architecture_variants_check(const struct architecture *a, unsigned variants, struct err *e)
{
	const char *why = architecture_lacking(a);
	unsigned v;

	for (v = 0; v < VARIANT_MAX; v++)
		if (variants & ~a->variants & 1u << v)
			return err_set(e, E_UNSUPPORTED_MODEL, "%s has no graph '%s'%s%s", a->title,
				       variant_name((enum variant)v), why ? ": " : "", why ? why : "");
	return 0;
}
