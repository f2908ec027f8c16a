#include "base/str.h"
#include "checkpoint/config.h"
#include "model.h"

static const struct model *const models[] = {
#define ARCHITECTURE(family, ...) &model_##family,
#include "spec/architectures.def"
#undef ARCHITECTURE
};

int
model_find(const struct checkpoint *ck, const struct model **ret, struct err *e)
{
	const char *family = config_family(checkpoint_config(ck), e);
	size_t i;

	if (!family)
		return e->code;
	for (i = 0; i < ARRAY_LEN(models); i++)
		if (str_eq(models[i]->arch->family, family)) {
			*ret = models[i];
			return 0;
		}
	return err_set(e, E_UNSUPPORTED_MODEL, "checkpoints of the family '%s' are not converted yet",
		       family);
}

bool
plan_has_images(const struct case_plan *p)
{
	int i;

	for (i = 0; i < p->n_rows; i++)
		if (p->row[i].n_images)
			return true;
	return false;
}
