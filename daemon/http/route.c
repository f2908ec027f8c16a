#include "route.h"

#include "base/fs.h"
#include "base/str.h"

static const struct route routes[] = {
#define ROUTE(method, path, fn, body) {#method, path, fn, body},
#include "routes.def"
#undef ROUTE
};

/* One segment at a time; the last argument of a path takes the rest, which fs_name_ok() keeps to one segment. */
static bool
path_match(const char *pattern, const char *path, struct route_args *ret)
{
	char id[20];
	uint64_t v;
	size_t n;

	while (*pattern) {
		if (str_starts(pattern, "{id}")) {
			n = strcspn(path, "/");
			if (n == 0 || n >= sizeof(id) || *path == '0')
				return false;
			(void)snprintf(id, sizeof(id), "%.*s", (int)n, path);
			if (str_to_u64(id, 1, INT64_MAX, "id", &v, NULL) < 0)
				return false;
			ret->id = (int64_t)v;
			pattern += strlen("{id}");
			path += n;
		} else if (str_eq(pattern, "{name}")) {
			ret->name = path;
			return fs_name_ok(path);
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return *path == '\0';
}

const struct route *
route_find(const char *method, const char *path, struct route_args *ret, char allow[32], struct err *e)
{
	const bool head = str_eq(method, "HEAD");
	const struct route *r;
	bool get = false, post = false;

	for (r = routes; r < routes + ARRAY_LEN(routes); r++) {
		if (!path_match(r->path, path, ret))
			continue;
		if (str_eq(r->method, head ? "GET" : method))
			return r;
		get = get || str_eq(r->method, "GET");
		post = post || str_eq(r->method, "POST");
	}
	if (!get && !post)
		(void)err_set(e, E_NOT_FOUND, "there is nothing at '%.200s'", path);
	else
		(void)err_set(e, E_METHOD, "'%.200s' does not take %.20s", path, method);
	(void)snprintf(allow, 32, "%s%s%s", get ? "GET, HEAD" : "", get && post ? ", " : "", post ? "POST" : "");
	return NULL;
}
