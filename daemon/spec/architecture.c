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
