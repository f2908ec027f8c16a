/* Finds the row of a family's prompts for a version of a library. */
#include "base/str.h"
#include "model.h"

/* "0.3.11": takes one number and the dot behind it. A version that ends goes on with zeros. */
static unsigned long
number_take(const char **s)
{
	unsigned long n;
	char *end;

	if (**s < '0' || **s > '9')
		return 0;
	n = strtoul(*s, &end, 10);
	*s = *end == '.' ? end + 1 : end;
	return n;
}

/* Compares only as many numbers as `bound` has: 5.15.3 equals 5.15. */
static int
version_cmp(const char *version, const char *bound)
{
	unsigned long a, b;

	while (*bound >= '0' && *bound <= '9') {
		a = number_take(&version);
		b = number_take(&bound);
		if (a != b)
			return a < b ? -1 : 1;
	}
	return 0;
}

bool
model_prompt_holds(const struct model_prompt *p, const char *version)
{
	static const char up_to[] = "up to ", to[] = " to ";
	const char *end;

	if (str_starts(p->versions, up_to))
		return version_cmp(version, p->versions + strlen(up_to)) <= 0;
	end = strstr(p->versions, to);
	if (end)
		return version_cmp(version, p->versions) >= 0 && version_cmp(version, end + strlen(to)) <= 0;
	return str_eq(p->versions, "all") || version_cmp(version, p->versions) >= 0;
}

bool
model_prompt_is_end(const struct model_prompt *p)
{
	return !p->versions;
}

const struct model_prompt *
model_prompt_find(const struct model *m, const char *library, const char *version)
{
	const struct model_prompt *p;

	for (p = m->prompts; p && !model_prompt_is_end(p); p++)
		if (str_eq(library_name(p->library), library) && (!version || model_prompt_holds(p, version)))
			return p;
	return NULL;
}
