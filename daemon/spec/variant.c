#include "variant.h"

#include "base/str.h"

static const struct {
	const char *name;
	const char *file;
	bool text, images;
} rows[] = {
#define VARIANT(sym, name, file, text, images) {name, file, text, images},
#include "variants.def"
#undef VARIANT
};

const char *
variant_name(enum variant v)
{
	return rows[v].name;
}

const char *
variant_file(enum variant v)
{
	return rows[v].file;
}

bool
variant_takes(enum variant v, bool images)
{
	return images ? rows[v].images : rows[v].text;
}

int
variant_from_str(const char *name, int code, enum variant *ret, struct err *e)
{
	int v;

	for (v = 0; v < VARIANT_MAX; v++)
		if (str_eq(rows[v].name, name)) {
			*ret = (enum variant)v;
			return 0;
		}
	return err_set(e, code, "a graph must be text, image or unified, not '%s'", name);
}
