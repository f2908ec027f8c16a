/* Parameters of a query that are whole numbers. */
#ifndef HTTP_CORE_PARAM_H
#define HTTP_CORE_PARAM_H

#include "request.h"

struct param {
	const char *name;
	uint64_t min;
	uint64_t max;
	uint64_t *value; /* left as it is when the parameter is not there */
};

/*
 * E_BAD_REQUEST, and q->field names it, for a value out of its range, a parameter that is none of these, or one
 * that is there more than once. At most 32.
 */
int params_get(struct request *q, const struct param *params, size_t n, struct err *e);

#endif
