#include "target.h"

static const lower_fn lowerings[] = {
#define OP(sym, name, ...) lower_##name,
#include "graph/ops.def"
#undef OP
};

_Static_assert(ARRAY_LEN(lowerings) == OP_COUNT, "a lowering for each op");

static const struct target_import portable_imports[] = {{"", 17}, {0}};
static const struct target_override portable_overrides[] = {{0}};

const struct target target_portable = {
	.name = "portable",
	.ir_version = 8,
	.imports = portable_imports,
	.overrides = portable_overrides,
};

static const struct target_import ort_imports[] = {{"", 17}, {"com.microsoft", 1}, {0}};

const struct target target_ort = {
	.name = "ort",
	.ir_version = 8,
	.imports = ort_imports,
	.overrides = ort_overrides,
};

lower_fn
target_lowering(const struct target *t, enum ir_op op)
{
	const struct target_override *o;

	for (o = t->overrides; o->lower; o++)
		if (o->op == op)
			return o->lower;
	return lowerings[op];
}
