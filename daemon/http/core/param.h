/* Query parameters that are whole numbers. */
#ifndef HTTP_CORE_PARAM_H
#define HTTP_CORE_PARAM_H

#include "request.h"

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
