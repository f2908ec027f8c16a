#include "release.h"

#include "base/str.h"

const char *
release_str(int release, char buf[RELEASE_LEN])
{
	if (release % 100)
		(void)snprintf(buf, RELEASE_LEN, "1.%d.%d", release / 100, release % 100);
	else
		(void)snprintf(buf, RELEASE_LEN, "1.%d", release / 100);
	return buf;
}

int
release_parse(const char *text)
{
	long minor, patch = 0;
	char *p;

	if (!str_starts(text, "1."))
		return 0;
	minor = strtol(text + 2, &p, 10);
	if (*p == '.')
		patch = strtol(p + 1, NULL, 10);
	if (minor < 0 || minor > 9999 || patch < 0 || patch > 99)
		return 0;
	return RELEASE((int)minor, (int)patch);
}
