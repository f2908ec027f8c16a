/* Parameters of a query that are whole numbers. */
#ifndef HTTP_PARAM_H
#define HTTP_PARAM_H

#include "request.h"

/* Of lists: jobs, events or artifacts in a page, and what of a cursor is read; a number of 19 digits may be above any id. */
#define PAGE_LIMIT_DEFAULT 50
#define PAGE_LIMIT_MAX 1000
#define PAGE_CURSOR_MAX UINT64_C(9999999999999999999)

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
