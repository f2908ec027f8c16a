/* The parameters of a query: each of them, or those that are whole numbers. */
#ifndef HTTP_CORE_PARAM_H
#define HTTP_CORE_PARAM_H

#include "request.h"

/* Takes a parameter; without "=" its value is "". Both strings last until the request ends. */
typedef int (*param_fn)(void *arg, const char *name, const char *value, struct err *e);

/*
 * Calls `fn` for each parameter in order. The first error ends this and is returned, with the parameter's name in
 * q->field; E_USAGE becomes E_BAD_REQUEST.
 */
int params_each(struct request *q, param_fn fn, void *arg, struct err *e);

struct param {
	const char *name;
	uint64_t min;
	uint64_t max;
	uint64_t *value; /* unchanged when the parameter is missing */
};

/*
 * Reads at most 32 parameters. E_BAD_REQUEST, with the parameter's name in q->field, for a value out of its
 * range, an unknown parameter, or a repeated one.
 */
int params_get(struct request *q, const struct param *params, size_t n, struct err *e);

#endif
