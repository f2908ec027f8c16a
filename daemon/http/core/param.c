#include "param.h"

#include "base/str.h"

struct each {
	struct request *q;
	param_fn fn;
	void *arg;
	struct err e;
};

static enum MHD_Result
each_take(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len, const char *value,
	  size_t len)
{
	struct each *x = arg;
	int r;

	(void)kind;
	(void)name_len;
	if (value && strlen(value) != len)
		r = err_set(&x->e, E_BAD_REQUEST, "%.64s must not contain a NUL", name);
	else
		r = x->fn(x->arg, name, value ? value : "", &x->e);
	if (r == 0)
		return MHD_YES;
	(void)snprintf(x->q->field, sizeof(x->q->field), "%s", name);
	return MHD_NO; /* stop the iteration */
}

int
params_each(struct request *q, param_fn fn, void *arg, struct err *e)
{
	struct each x = {.q = q, .fn = fn, .arg = arg, .e = ERR_INIT};

	(void)MHD_get_connection_values_n(q->conn, MHD_GET_ARGUMENT_KIND, each_take, &x);
	if (x.e.code == 0)
		return 0;
	return err_set(e, x.e.code == E_USAGE ? E_BAD_REQUEST : x.e.code, "%s", x.e.msg);
}

struct numbers {
	const struct param *params;
	size_t n;
	uint32_t seen; /* bits of parameters */
};

static int
number_take(void *arg, const char *name, const char *value, struct err *e)
{
	struct numbers *x = arg;
	const struct param *p = FIND_ROW(x->params, x->n, name, name);
	uint32_t bit;

	if (!p)
		return err_set(e, E_BAD_REQUEST, "unknown parameter '%.64s'", name);
	bit = UINT32_C(1) << (p - x->params);
	if (x->seen & bit)
		return err_set(e, E_BAD_REQUEST, "%s is repeated", name);
	x->seen |= bit;
	return str_to_u64(value, p->min, p->max, name, p->value, e);
}

int
params_get(struct request *q, const struct param *params, size_t n, struct err *e)
{
	struct numbers x = {.params = params, .n = n};

	return params_each(q, number_take, &x, e);
}
