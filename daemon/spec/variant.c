#include "variant.h"

#include "base/buf.h"
#include "base/str.h"

static const struct {
	const char *name;
	const char *file;
	bool text, images, picture;
} rows[] = {
#define VARIANT(sym, name, file, text, images, picture) {name, file, text, images, picture},
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

bool
variant_takes_picture(enum variant v)
{
	return rows[v].picture;
}

int
variant_from_str(const char *name, int code, enum variant *ret, struct err *e)
{
	_cleanup_(buf_release) struct buf names = BUF_INIT;
	int v;

	for (v = 0; v < VARIANT_MAX; v++)
		if (str_eq(rows[v].name, name)) {
			*ret = (enum variant)v;
			return 0;
		}
	for (v = 0; v < VARIANT_MAX; v++)
		buf_printf(&names, "%s%s", v ? ", " : "", rows[v].name);
	v = buf_failed(&names, e);
	return v < 0 ? v : err_set(e, code, "unknown graph '%s'; graphs are %s", name, names.data);
}
