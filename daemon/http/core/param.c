#include "param.h"

#include "base/str.h"

struct query {
	struct request *q;
	const struct param *params;
	size_t n;
	uint32_t seen; /* bits of parameters */
	struct err e;
};

static enum MHD_Result
param_take(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct query *y = arg;
	const struct param *p;

	(void)kind;
	for (p = y->params; p < y->params + y->n; p++)
		if (str_eq(p->name, key))
			break;
	if (p == y->params + y->n)
		(void)err_set(&y->e, E_BAD_REQUEST, "unknown parameter '%.64s'", key);
	else if (y->seen & UINT32_C(1) << (p - y->params))
		(void)err_set(&y->e, E_BAD_REQUEST, "%s is repeated", key);
	else
		(void)str_to_u64(value ? value : "", p->min, p->max, key, p->value, &y->e);
	if (y->e.code == 0) {
		y->seen |= UINT32_C(1) << (p - y->params);
		return MHD_YES;
	}
	(void)snprintf(y->q->field, sizeof(y->q->field), "%s", key);
	return MHD_NO; /* stop the iteration */
}

int
params_get(struct request *q, const struct param *params, size_t n, struct err *e)
{
	struct query y = {.q = q, .params = params, .n = n};

	(void)MHD_get_connection_values(q->conn, MHD_GET_ARGUMENT_KIND, param_take, &y);
	return y.e.code ? err_set(e, E_BAD_REQUEST, "%s", y.e.msg) : 0;
}
