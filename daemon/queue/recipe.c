#include "recipe.h"

#include "base/str.h"
#include "db.h"

void
recipes_release(struct recipes *r)
{
	while (r->n)
		free(r->recipe[--r->n]);
}

int
recipes_list(struct store *s, const char *model, struct recipes *ret, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_RECIPES);
	int r;

	ret->n = 0;
	db_bind_str(st, 1, model);
	db_bind_int(st, 2, RECIPES_MAX);
	while ((r = db_step(s, st, e)) == 1) {
		ret->recipe[ret->n] = strdup(db_column_str(st, 0));
		ret->job[ret->n] = sqlite3_column_int64(st, 1);
		if (!ret->recipe[ret->n])
			return err_no_memory(e);
		ret->n++;
	}
	return r;
}

int64_t
recipes_find(const struct recipes *r, const char *recipe)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (str_eq(r->recipe[i], recipe))
			return r->job[i];
	return 0;
}
