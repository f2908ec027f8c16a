#include "routes.h"

const struct route routes[ROUTE_MAX] = {
#define ROUTE(method, path, fn, takes, scope) {#method, path, fn, TAKES_##takes, SCOPE_##scope},
#include "routes.def"
#undef ROUTE
};
