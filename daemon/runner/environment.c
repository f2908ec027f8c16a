#include "environment.h"

#include "base/str.h"

static const char *const passes[] = {
#define ENVIRONMENT(name, ...) name,
#include "environment.def"
#undef ENVIRONMENT
};

bool
environment_passes(const char *variable)
{
	const size_t len = strcspn(variable, "=");
	size_t i, n;

	for (i = 0; i < ARRAY_LEN(passes); i++) {
		n = strcspn(passes[i], "*");
		if (strncmp(passes[i], variable, n) == 0 && (passes[i][n] == '*' || n == len))
			return true;
	}
	return false;
}
