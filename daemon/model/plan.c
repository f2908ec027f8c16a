#include "plan.h"

static const struct plan plans[] = {
#define PLAN(name, kind, right, rows, ...) {name, PLAN_##kind, right, rows, {__VA_ARGS__}},
#include "plans.def"
#undef PLAN
};

size_t
plan_count(void)
{
	return ARRAY_LEN(plans);
}

const struct plan *
plan_get(size_t i)
{
	return &plans[i];
}

bool
plan_has_images(const struct plan *p)
{
	return plan_image_count(p) > 0;
}

int64_t
plan_image_count(const struct plan *p)
{
	int64_t n = 0;
	int i;

	for (i = 0; i < p->n_rows; i++)
		n += p->row[i].n_images;
	return n;
}
