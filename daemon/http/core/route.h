/*
 * Finds the handler for a method and a path.
 *
 * The table belongs to the caller, for example http/api/routes.def; core knows no handler by name.
 */
#ifndef HTTP_CORE_ROUTE_H
#define HTTP_CORE_ROUTE_H

#include "base/err.h"

struct request;

/* Sets a reply or leaves the request pending (request.h); an error becomes the reply. */
typedef int (*route_fn)(struct request *q, struct err *e);

/* The permission that a route needs. Each scope includes the ones before it. */
enum scope { SCOPE_NONE, SCOPE_READ, SCOPE_SUBMIT, SCOPE_ADMIN };

enum takes { TAKES_NOTHING, TAKES_QUERY, TAKES_BODY };

struct route {
	const char *method;
	const char *path; /* {id} matches the number of a job, {name} a plain file name at the end */
	route_fn fn;
	enum takes takes;
	enum scope scope;
};

struct route_table {
	const struct route *rows;
	size_t n;
};

/* The text that {id} and {name} matched. */
struct route_args {
	int64_t id;
	const char *name; /* points into the path */
};

#define ROUTE_ALLOW_LEN 32

/*
 * Returns NULL with E_NOT_FOUND, or NULL with E_METHOD and the path's methods in `allow`, in the form of the
 * header Allow. HEAD finds the row of GET.
 */
const struct route *route_find(const struct route_table *table, const char *method, const char *path,
			       struct route_args *ret, char allow[ROUTE_ALLOW_LEN], struct err *e);

#endif
