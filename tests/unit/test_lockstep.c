/* Graphs that are computed together give the same results as each alone, whether their nodes share weights or not. */
#include "test.h"

#include "base/str.h"
#include "model/model.h"
#include "trace/lockstep.h"

#define WIDTH 64 /* of the tiny ColQwen2 */
#define ROWS_MAX 8

static struct checkpoint *ck;
static float data[ROWS_MAX * WIDTH];

/* One matrix product with the weights of a layer. */
static void
graph_make(int layer, struct ir_graph **ret)
{
	const struct sizes sizes = {.of = {[SYM_BATCH] = 2, [SYM_SEQUENCE] = 7}};
	_cleanup_(trace_free) struct trace *t = NULL;
	struct err e = ERR_INIT;
	struct ir_value *x, *w, *b;

	(void)trace_new("text", ck, &sizes, &t, &e);
	assert_no_error(&e);
	x = tr_input(t, "x", ELEM_F32,
		     shape_of(3, dim_symbol(SYM_BATCH), dim_symbol(SYM_SEQUENCE), dim_const(WIDTH)));
	w = tr_weight(t, shape_of(2, dim_const(WIDTH), dim_const(WIDTH)),
		      "lm.layers.%d.self_attn.q_proj.weight", layer);
	b = tr_weight(t, shape_of(1, dim_const(WIDTH)), "lm.layers.%d.self_attn.q_proj.bias", layer);
	(void)trace_finish(t, tr_linear(t, x, w, b), "y", ret, &e);
	assert_no_error(&e);
}

static struct eval *
eval_make(const struct ir_graph *g, int64_t rows)
{
	const struct sizes sizes = {.of = {[SYM_BATCH] = 1, [SYM_SEQUENCE] = rows}};
	struct err e = ERR_INIT;
	struct eval *ev = NULL;
	size_t i;

	(void)eval_new(g, TT_CPU, &sizes, &ev, &e);
	for (i = 0; i < g->n_value; i++)
		if (g->value[i]->kind == IR_INPUT)
			(void)eval_feed(ev, g->value[i], data, &e);
	assert_no_error(&e);
	return ev;
}

TEST(test_each_has_its_own_weights)
{
	static const int layer[] = {0, 1, 0};
	static const int64_t rows[] = {3, 5, 8};
	struct ir_graph *g[3] = {NULL};
	struct eval *ev[3], *alone;
	float want[ROWS_MAX * WIDTH], got[ROWS_MAX * WIDTH];
	struct err e = ERR_INIT;
	size_t i, k, len, which;

	for (i = 0; i < 3; i++) {
		graph_make(layer[i], &g[i]);
		ev[i] = eval_make(g[i], rows[i]);
	}
	assert_int_equal(lockstep_run(ev, 3, NULL, NULL, &which, &e), 0);
	for (i = 0; i < 3; i++) {
		alone = eval_make(g[i], rows[i]);
		len = (size_t)rows[i] * WIDTH;
		assert_int_equal(eval_run(alone, &e), 0);
		(void)eval_read(alone, g[i]->output, want, len * sizeof(*want), &e);
		(void)eval_read(ev[i], g[i]->output, got, len * sizeof(*got), &e);
		assert_no_error(&e);
		for (k = 0; k < len; k++)
			assert_near(got[k], want[k], 1e-5);
		eval_free(&alone);
		eval_free(&ev[i]);
		graph_free(&g[i]);
	}
}

static int
setup(void **state)
{
	const char *top = getenv("COLCONV_SOURCE");
	_cleanup_free_ char *path = str_printf("%s/tests/golden/colqwen2-tiny", top ? top : ".");
	_cleanup_free_ void *config = NULL;
	struct model_found found;
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	(void)checkpoint_open(path, NULL, &ck, &e);
	assert_no_error(&e);
	(void)model_find(checkpoint_config(ck), HEAD_AUTO, &found, &e);
	config = calloc(1, found.model->config_size);
	(void)model_config_read(&found, ck, config, &e);
	assert_no_error(&e);
	for (i = 0; i < ARRAY_LEN(data); i++)
		data[i] = (float)(i % 17) / 8 - 1;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	checkpoint_free(&ck);
	return 0;
}

int
main(void)
{
	return tests_run("lockstep", setup, teardown);
}
