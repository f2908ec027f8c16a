#include "width.h"

#include <inttypes.h>

int
widths_read(const struct config_scope *s, const char *key, int64_t whole, struct widths *ret, struct err *e)
{
	const json_t *list = NULL, *v;
	size_t i;
	int r;

	r = json_get_array(s->obj, s->path, key, JSON_OPTIONAL, E_BAD_CHECKPOINT, &list, e);
	if (r < 0)
		return r;
	ret->key = key;
	json_array_foreach(list, i, v) {
		if (!json_is_integer(v) || json_integer_value(v) < 1 || ret->n == WIDTHS_MAX)
			return config_fail(s, key, E_BAD_CHECKPOINT, e,
					   "must be at most %d whole numbers above 0", WIDTHS_MAX);
		if (json_integer_value(v) <= whole)
			ret->at[ret->n++] = json_integer_value(v);
	}
	return 0;
}

bool
width_allowed(const struct widths *w, int64_t dim, int64_t whole)
{
	size_t i;

	if (dim == whole || (w->any && dim < whole))
		return true;
	for (i = 0; i < w->n; i++)
		if (w->at[i] == dim)
			return true;
	return false;
}

static int
refuse(const struct widths *w, int64_t dim, int64_t whole, struct err *e)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	size_t i;
	int r;

	if (w->any)
		return err_set(e, E_BAD_REQUEST,
			       "dim must be from 1 to %" PRId64 " for this checkpoint, not %" PRId64, whole,
			       dim);
	if (!w->n)
		return err_set(e, E_BAD_REQUEST,
			       "dim %" PRId64 ": this checkpoint's embeddings have %" PRId64
			       " numbers, and nothing in its config.json says that they may be cut: leave "
			       "dim out",
			       dim, whole);
	for (i = 0; i < w->n; i++)
		buf_printf(&b, "%s%" PRId64, i ? ", " : "", w->at[i]);
	r = buf_failed(&b, e);
	if (r < 0)
		return r;
	return w->key ? err_set(e, E_BAD_REQUEST,
				"dim must be one of %s, which %s in config.json lists, not %" PRId64, b.data,
				w->key, dim)
		      : err_set(e, E_BAD_REQUEST, "dim must be one of %s for this checkpoint, not %" PRId64,
				b.data, dim);
}

int
width_choose(const struct model_found *as, const struct widths *w, int64_t whole, int64_t *dim, struct err *e)
{
	if (!as->dim)
		return 0;
	if (!width_allowed(w, as->dim, whole))
		return refuse(w, as->dim, whole, e);
	*dim = as->dim;
	return 0;
}
