#include "input_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/util.h"

static const struct {
	const char *name, *other;
} rows[] = {
#define INPUT_NAME(name, other) {name, other},
#include "input_names.def"
#undef INPUT_NAME
};

/* Compares letters and digits alone. */
static bool
is_alike(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (*a && !isalnum((unsigned char)*a))
			a++;
		while (*b && !isalnum((unsigned char)*b))
			b++;
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (!*a)
			return true;
	}
}

const char *
input_name_find(const char *name)
{
	const char *scope;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (is_alike(name, rows[i].name) || is_alike(name, rows[i].other))
			return rows[i].name;
	scope = strpbrk(name, "/.:");
	return scope ? input_name_find(scope + 1) : NULL;
}
