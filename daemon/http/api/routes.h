/* The rows of routes.def, and their handlers. */
#ifndef HTTP_API_ROUTES_H
#define HTTP_API_ROUTES_H

#include "http/core/route.h"

enum {
#define ROUTE(method, path, fn, ...) ROUTE_##fn,
#include "routes.def"
#undef ROUTE
	ROUTE_MAX
};

extern const struct route routes[ROUTE_MAX];

#define ROUTE(method, path, fn, ...) int fn(struct request *q, struct err *e);
#include "routes.def"
#undef ROUTE

#endif
