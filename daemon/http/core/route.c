#include "route.h"

#include "base/fs.h"
#include "base/str.h"

/* {id} matches up to the next slash. {name} matches the rest of the path, which may lead into folders and not out of them. */
static bool
path_match(const char *pattern, const char *path, struct route_args *ret)
{
	char id[20];
	uint64_t v;
	size_t n;

	while (*pattern) {
		if (*pattern != '{') {
			if (*pattern++ != *path++)
				return false;
		} else if (str_starts(pattern, "{id}")) {
			n = strcspn(path, "/");
			if (n == 0 || n >= sizeof(id) || *path == '0')
				return false;
			(void)snprintf(id, sizeof(id), "%.*s", (int)n, path);
			if (str_to_u64(id, 1, INT64_MAX, "id", &v, NULL) < 0)
				return false;
			ret->id = (int64_t)v;
			pattern += strlen("{id}");
			path += n;
		} else { /* {name} */
			ret->name = path;
			return fs_path_ok(path);
		}
	}
	return *path == '\0';
}

static void
allow_add(char allow[ROUTE_ALLOW_LEN], const char *method)
{
	const size_t len = strlen(allow);

	(void)snprintf(allow + len, ROUTE_ALLOW_LEN - len, "%s%s%s", len ? ", " : "", method,
		       str_eq(method, "GET") ? ", HEAD" : "");
}

const struct route *
route_find(const struct route_table *table, const char *method, const char *path, struct route_args *ret,
	   char allow[ROUTE_ALLOW_LEN], struct err *e)
{
	const char *const wanted = str_eq(method, "HEAD") ? "GET" : method;
	const struct route *r;

	*allow = '\0';
	for (r = table->rows; r < table->rows + table->n; r++) {
		if (!path_match(r->path, path, ret))
			continue;
		if (str_eq(r->method, wanted))
			return r;
		allow_add(allow, r->method);
	}
	if (*allow)
		(void)err_set(e, E_METHOD, "'%.200s' does not allow the method %.20s", path, method);
	else
		(void)err_set(e, E_NOT_FOUND, "no resource at '%.200s'", path);
	return NULL;
}
