#include "tasks.h"

#include <stdarg.h>

#include "checkpoint/adapter.h"

#define WEIGHT_NAME_MAX 160

void
tasks_begin(struct trace *t, int64_t count, struct tasks *ret)
{
	struct ir_value *x, *low, *high, *wrong;

	*ret = (struct tasks){.n_mask = 0};
	x = tr_input(t, MANIFEST_TASK_INPUT, ELEM_I64, shape_of(1, sym(SYM_BATCH)));
	tr_from_caller(t, x);
	tr_scope(t, MANIFEST_TASK_INPUT);
	low = tr_less(t, x, tr_i64(t, 0));
	high = tr_less(t, tr_i64(t, count - 1), x);
	wrong = tr_or(t, low, high);
	x = tr_name(t, tr_check(t, x, wrong), "must_be_one_of_the_artifact");
	ret->row = tr_reshape(t, x, shape_of(3, sym(SYM_BATCH), n(1), n(1)));
}

/* The task of each rank: a constant, int64 [ranks]. */
static struct ir_value *
owner_table(struct trace *t, const struct stack *s, int64_t ranks)
{
	_cleanup_free_ int64_t *owner = calloc((size_t)ranks, sizeof(*owner));
	int64_t at = 0, k;
	size_t i;

	if (!owner) {
		tr_fail(t, E_NO_MEMORY, "memory ran out");
		return tr_i64(t, 0);
	}
	for (i = 0; i < s->n; i++)
		for (k = 0; k < s->part[i].tensor->shape[0]; k++)
			owner[at++] = s->part[i].task;
	return tr_table_i64(t, "task.of_rank", shape_of(1, n(ranks)), owner);
}

/* bool [batch, 1, ranks]: the rank is of the row's task. Weights whose ranks are divided alike share it. */
static struct ir_value *
own_ranks(struct trace *t, struct tasks *tasks, const struct stack *s, int64_t ranks)
{
	struct ir_value *owner = owner_table(t, s, ranks);
	int i;

	for (i = 0; i < tasks->n_mask; i++)
		if (tasks->mask[i].owner == owner)
			return tasks->mask[i].own;
	if (i == TASKS_MASKS_MAX) {
		tr_fail(t, E_UNSUPPORTED_MODEL,
			"the adapters divide their ranks among the tasks in more than %d ways",
			TASKS_MASKS_MAX);
		return owner;
	}
	tasks->n_mask++;
	tasks->mask[i].owner = owner;
	tasks->mask[i].own = tr_name(t, tr_equal(t, tasks->row, owner), "own");
	return tasks->mask[i].own;
}

/* The product of x with the factors of the row's task; NULL: the weight `base` has no factors. */
static struct ir_value *
change(struct trace *t, struct tasks *tasks, struct ir_value *x, int64_t out, const char *name,
       const char *base)
{
	const struct weight *factor = tr_weight_find(t, ADAPTER_FACTOR_FORMAT, (int)strlen(base), base, 'A');
	struct ir_value *own, *a, *b, *z;
	int64_t ranks;

	if (!factor)
		return NULL;
	ranks = factor->tensor->shape[0];
	own = own_ranks(t, tasks, factor->stack, ranks);
	a = tr_weight(t, shape_of(2, n(ranks), last_axis(x)), ADAPTER_FACTOR_FORMAT, (int)strlen(base), base,
		      'A');
	z = tr_name(t, tr_linear(t, x, a, NULL), "%s.a", name); /* [batch, sequence, ranks] */
	z = tr_where(t, own, z, tr_f32(t, 0));
	z = tr_name(t, z, "%s.own", name);
	b = tr_weight(t, shape_of(2, n(out), n(ranks)), ADAPTER_FACTOR_FORMAT, (int)strlen(base), base, 'B');
	return tr_name(t, tr_linear(t, z, b, NULL), "%s.change", name);
}

struct ir_value *
tasks_linear(struct trace *t, struct tasks *tasks, struct ir_value *x, int64_t out, enum blk_bias bias,
	     const char *name, const char *fmt, ...)
{
	char base[WEIGHT_NAME_MAX];
	struct ir_value *more, *y;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(base, sizeof(base), fmt, ap);
	va_end(ap);
	more = tasks ? change(t, tasks, x, out, name, base) : NULL;
	y = blk_linear(t, x, out, bias, more ? "base" : name, "%s", base);
	return more ? tr_name(t, tr_add(t, y, more), "%s", name) : y;
}
