/* From a method and a path to the function that answers (routes.def). */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "base/err.h"

struct request;

/* Sets a reply or leaves the request pending (request.h); an error becomes the reply. */
typedef int (*route_fn)(struct request *q, struct err *e);

/* What a caller must be allowed to do; each allows what those before it do. */
enum scope { SCOPE_NONE, SCOPE_READ, SCOPE_SUBMIT, SCOPE_ADMIN };

enum takes { TAKES_NOTHING, TAKES_QUERY, TAKES_BODY };

struct route {
	const char *method;
	const char *path;
	route_fn fn;
	enum takes takes;
	enum scope scope;
};

/* What stood for {id} and {name}. */
struct route_args {
	int64_t id;
	const char *name; /* within the path that was matched */
};

enum {
#define ROUTE(method, path, fn, ...) ROUTE_##fn,
#include "routes.def"
#undef ROUTE
	ROUTE_MAX
};

extern const struct route routes[ROUTE_MAX];

#define ROUTE_ALLOW_LEN 32

/*
 * NULL with E_NOT_FOUND, or with E_METHOD and the methods that the path takes in `allow`
 * (as the header Allow has them).
 */
const struct route *route_find(const char *method, const char *path, struct route_args *ret,
			       char allow[ROUTE_ALLOW_LEN], struct err *e);

#define ROUTE(method, path, fn, ...) int fn(struct request *q, struct err *e);
#include "routes.def"
#undef ROUTE

#endif
