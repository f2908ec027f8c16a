#include "profile.h"

#include "base/str.h"

static const struct profile profiles[] = {
#define PROFILE(sym, name, library, output, output_half, one_model, folder, own_data, suffix, optional, \
		family_file)                                                                            \
	{name, library, output, output_half, one_model, folder, own_data, suffix, optional, family_file},
#include "profiles.def"
#undef PROFILE
};

bool
profile_one_output(const struct profile *p)
{
	return p->one_model || p->own_data || p->output_half;
}

const struct profile *
profile_find(const char *name)
{
	return FIND_ROW(profiles, ARRAY_LEN(profiles), name, name);
}
