#include "etag.h"

#include "base/str.h"

bool
etag_listed(const char *if_none_match, const char *etag)
{
	const size_t len = strlen(etag);
	const char *p = if_none_match;

	if (!p)
		return false;
	if (str_eq(p, "*"))
		return true;
	while (*p) {
		p += strspn(p, " \t,");
		if (str_starts(p, "W/"))
			p += 2;
		if (strncmp(p, etag, len) == 0 && (p[len] == '\0' || strchr(" \t,", p[len])))
			return true;
		p += strcspn(p, ",");
	}
	return false;
}
