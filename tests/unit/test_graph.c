#include "test.h"

#include "base/str.h"
#include "graph/graph.h"

static struct dim
sym(enum symbol s)
{
	return dim_symbol(s);
}

static struct dim
k(int64_t n)
{
	return dim_const(n);
}

TEST(test_dims)
{
	struct dim d = dim_mul(dim_div(sym(SYM_PATCHES), 4), sym(SYM_IMAGES));
	struct sizes s = {{0}};
	char text[128];

	s.of[SYM_PATCHES] = 24;
	s.of[SYM_IMAGES] = 5;
	assert_int_equal(dim_eval(d, &s), 30);
	assert_string_equal(dim_str(d, text, sizeof(text)), "images*patches/4");
	assert_true(dim_eq(dim_mul(d, k(4)), dim_mul(sym(SYM_IMAGES), sym(SYM_PATCHES))));
	assert_false(dim_is_const(d));
	assert_true(dim_is_one(dim_div(k(3), 3)));
	s.of[SYM_PATCHES] = 22; /* not divisible by 4, neither with 3 nor with 5 images */
	assert_int_equal(dim_eval(dim_div(sym(SYM_PATCHES), 4), &s), -1);
	s.of[SYM_PATCHES] = INT64_MAX / 2;
	assert_int_equal(dim_eval(d, &s), -1);
}

TEST(test_shape_text)
{
	struct shape s = shape_of(3, sym(SYM_BATCH), dim_mul(k(2), sym(SYM_SEQUENCE)), k(64));
	char text[128];

	assert_string_equal(shape_str(&s, text, sizeof(text)), "[batch, 2*sequence, 64]");
	assert_true(dim_eq(shape_count(&s), dim_mul(dim_mul(sym(SYM_BATCH), sym(SYM_SEQUENCE)), k(128))));
}

/* Infers the shape of one op's result: the shape as text, or the error. */
struct infer_case {
	enum ir_op op;
	struct {
		enum elem elem;
		struct shape shape;
	} in[4];
	int n_in;
	struct ir_attr attr;
	const char *want;
};

#define B sym(SYM_BATCH)
#define S sym(SYM_SEQUENCE)
/* clang-format off */
#define F(...) {ELEM_F32, shape_of(__VA_ARGS__)}
#define I(...) {ELEM_I64, shape_of(__VA_ARGS__)}
#define T(...) {ELEM_BOOL, shape_of(__VA_ARGS__)}
/* clang-format on */

static void
infer_test(const struct infer_case *c)
{
	struct ir_value v[4];
	struct ir_node n = {.op = c->op, .n_in = c->n_in, .attr = c->attr};
	struct err e = ERR_INIT;
	struct shape shape;
	enum elem elem;
	char got[1100], text[256];
	int i;

	for (i = 0; i < c->n_in; i++) {
		v[i] = (struct ir_value){.elem = c->in[i].elem, .shape = c->in[i].shape, .name = "x"};
		n.in[i] = &v[i];
	}
	if (infer_node(&n, &elem, &shape, &e) == 0)
		(void)snprintf(got, sizeof(got), "%s %s", elem_word(elem),
			       shape_str(&shape, text, sizeof(text)));
	else
		(void)snprintf(got, sizeof(got), "%s", e.msg);
	if (!strstr(got, c->want))
		fail_msg("%s: '%s' instead of '%s'", ir_op_info(c->op)->name, got, c->want);
}

TEST(test_infer)
{
	/* clang-format off */
	const struct infer_case cases[] = {
		{OP_LINEAR, {F(3, B, S, k(64)), F(2, k(96), k(64))}, 2, {0}, "f32 [batch, sequence, 96]"},
		{OP_LINEAR, {F(3, B, S, k(64)), F(2, k(96), k(63))}, 2, {0}, "the last axis must be the weight's second"},
		{OP_LINEAR, {F(2, B, k(64)), F(2, k(96), k(64)), F(1, k(95))}, 3, {0}, "the bias must have"},
		{OP_GATHER, {F(2, k(320), k(64)), I(2, B, S)}, 2, {0}, "f32 [batch, sequence, 64]"},
		{OP_GATHER, {F(2, k(320), k(64)), F(2, B, S)}, 2, {0}, "takes a table and whole numbers"},
#define HEADS(h) F(4, B, S, k(h), k(16))
		{OP_ROPE, {HEADS(4), F(3, S, k(1), k(8)), F(3, S, k(1), k(8))}, 3, {0}, "f32 [batch, sequence, 4, 16]"},
		{OP_ROPE, {HEADS(4), F(4, B, S, k(1), k(3)), F(4, B, S, k(1), k(3))}, 3, {0}, "f32 [batch, sequence, 4, 16]"},
		{OP_ROPE, {HEADS(4), F(3, S, k(1), k(9)), F(3, S, k(1), k(9))}, 3, {0}, "[.., tokens, 1, pairs]"},
		{OP_ROPE, {HEADS(4), F(3, k(1), S, k(8)), F(3, k(1), S, k(8))}, 3, {0}, "[.., tokens, 1, pairs]"},
		{OP_ATTENTION, {HEADS(4), HEADS(2), HEADS(2)}, 3, {0}, "f32 [batch, sequence, 4, 16]"},
		{OP_ATTENTION, {HEADS(4), HEADS(2), HEADS(2)}, 3, {.i = IR_MASK_CAUSAL}, "a causal one takes a mask"},
		{OP_ATTENTION, {HEADS(4), HEADS(3), HEADS(3)}, 3, {0}, "must divide"},
		{OP_ATTENTION, {HEADS(4), HEADS(2), HEADS(2), T(2, B, S)}, 4, {.i = IR_MASK_CAUSAL}, "f32 [batch, sequence, 4, 16]"},
		{OP_ATTENTION, {HEADS(4), HEADS(2), HEADS(2), T(3, B, S, S)}, 4, {0}, "f32 [batch, sequence, 4, 16]"},
		{OP_ATTENTION, {HEADS(4), HEADS(2), HEADS(2), T(3, B, S, S)}, 4, {.i = IR_MASK_CAUSAL}, "the mask must be bools"},
		{OP_ATTENTION, {HEADS(4), HEADS(2), HEADS(2), I(2, B, S)}, 4, {0}, "the mask must be bools"},
		{OP_ATTENTION, {HEADS(4), HEADS(2), HEADS(2), T(2, S, B)}, 4, {0}, "the mask must be bools"},
		{OP_ADD, {F(3, B, S, k(8)), F(1, k(8))}, 2, {0}, "f32 [batch, sequence, 8]"},
		{OP_ADD, {F(3, B, k(1), k(8)), F(2, S, k(8))}, 2, {0}, "f32 [batch, sequence, 8]"},
		{OP_ADD, {F(2, B, S), F(2, S, B)}, 2, {0}, "do not broadcast"},
		{OP_ADD, {F(1, B), I(1, B)}, 2, {0}, "element types differ"},
		{OP_EQUAL, {I(2, B, S), I(0)}, 2, {0}, "bool [batch, sequence]"},
		{OP_WHERE, {T(2, B, S), I(0), I(2, B, S)}, 3, {0}, "i64 [batch, sequence]"},
		{OP_WHERE, {I(2, B, S), I(0), I(2, B, S)}, 3, {0}, "takes a condition of bools"},
		{OP_RESHAPE, {F(3, B, S, k(64))}, 1, {.shape = shape_of(4, B, S, k(4), k(16))}, "f32 [batch, sequence, 4, 16]"},
		{OP_RESHAPE, {F(3, B, S, k(64))}, 1, {.shape = shape_of(3, k(2), k(7), k(64))}, "number of elements differs"},
		{OP_TRANSPOSE, {F(3, B, S, k(8))}, 1, {.perm = {2, 0, 1}}, "f32 [8, batch, sequence]"},
		{OP_TRANSPOSE, {F(3, B, S, k(8))}, 1, {.perm = {2, 0, 2}}, "not a permutation"},
		{OP_CONCAT, {F(2, B, k(3)), F(2, B, k(5))}, 2, {.axis = 1}, "f32 [batch, 8]"},
		{OP_CONCAT, {F(2, B, k(3)), F(2, S, k(5))}, 2, {.axis = 1}, "differ in another axis"},
		{OP_CONCAT, {F(2, B, k(3)), F(2, B, k(3))}, 2, {.axis = 0}, "no constant size"},
		{OP_SLICE, {F(2, B, k(9))}, 1, {.axis = 1, .begin = 3, .end = 9}, "f32 [batch, 6]"},
		{OP_SLICE, {F(2, B, k(9))}, 1, {.axis = 1, .begin = 3, .end = 10}, "not within the axis"},
		{OP_IOTA, {{0}}, 0, {.shape = shape_of(1, S)}, "i64 [sequence]"},
		{OP_SIZE, {{0}}, 0, {.shape = shape_of(1, S)}, "i64 []"},
		{OP_SUM, {I(2, B, S)}, 1, {.axis = 0}, "i64 [sequence]"},
		{OP_SUM, {I(2, B, S)}, 1, {.axis = 2}, "axis does not exist"},
		{OP_ANY, {T(2, B, S)}, 1, {0}, "bool []"},
		{OP_CAST, {I(2, B, S)}, 1, {.elem = ELEM_F32}, "f32 [batch, sequence]"},
		{OP_SILU, {F(1, B), F(1, B)}, 2, {0}, "takes 1 to 1 inputs, not 2"},
	};
	/* clang-format on */
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++)
		infer_test(&cases[i]);
}

/* x -> silu -> output; each test plants one mistake in it. */
struct tiny {
	struct ir_graph *g;
	struct ir_value *x, *y;
	struct ir_node *n;
};

static void
tiny_make(struct tiny *t)
{
	const struct shape s = shape_of(2, B, S);
	struct err e = ERR_INIT;

	assert_int_equal(graph_new("tiny", &t->g, &e), 0);
	t->x = graph_value_add(t->g, IR_INPUT, ELEM_F32, &s, "x");
	t->n = graph_node_add(t->g, &t->g->block, OP_SILU, &t->x, 1, NULL);
	t->y = graph_value_add(t->g, IR_RESULT, ELEM_F32, &s, "y");
	t->n->out = t->y;
	t->n->name = t->y->name;
	t->y->node = t->n;
	t->g->output = t->y;
}

TEST(test_check)
{
	const struct shape strange = shape_of(1, sym(SYM_IMAGES));
	struct err e = ERR_INIT;
	struct tiny t;

	tiny_make(&t);
	assert_int_equal(graph_check(t.g, &e), 0);
	t.y->name = "x";
	assert_int_equal(graph_check(t.g, &e), E_INTERNAL);
	assert_error(&e, E_INTERNAL, "two values are named 'x'");
	t.y->name = "y";
	t.y->shape = strange;
	err_clear(&e);
	(void)graph_check(t.g, &e);
	assert_error(&e, E_INTERNAL, "the size 'images', which no input has");
	t.y->shape = t.x->shape;
	t.n->in[0] = t.y;
	err_clear(&e);
	(void)graph_check(t.g, &e);
	assert_error(&e, E_INTERNAL, "'y' uses 'y' before it is made");
	t.n->in[0] = t.x;
	(void)graph_value_add(t.g, IR_CONST, ELEM_F32, &strange, "lonely");
	err_clear(&e);
	(void)graph_check(t.g, &e);
	assert_error(&e, E_INTERNAL, "'lonely' is made and never used");
	graph_free(&t.g);
}

/* x -> silu -> y, which is the first output; silu -> z, the one beside it. */
TEST(test_outputs)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	struct ir_node *n;
	struct tiny t;

	tiny_make(&t);
	n = graph_node_add(t.g, &t.g->block, OP_SILU, &t.x, 1, NULL);
	n->out = graph_value_add(t.g, IR_RESULT, ELEM_F32, &t.x->shape, "z");
	n->out->node = n;
	n->name = n->out->name;
	t.g->beside[t.g->n_beside++] = n->out;
	assert_int_equal(graph_check(t.g, &e), 0);
	assert_ptr_equal(graph_output(t.g, 0), t.y);
	assert_ptr_equal(graph_output(t.g, 1), n->out);
	assert_null(graph_output(t.g, 2));
	graph_dump(t.g, &b);
	assert_non_null(
		strstr(b.data, "output y    f32 [batch, sequence]\noutput z    f32 [batch, sequence]\n"));
	n->out->shape = shape_of(1, sym(SYM_IMAGES));
	(void)graph_check(t.g, &e);
	assert_error(&e, E_INTERNAL, "the output 'z' has the size 'images', which no input has");
	n->out->shape = t.x->shape;
	t.g->beside[0] = t.x;
	err_clear(&e);
	(void)graph_check(t.g, &e);
	assert_error(&e, E_INTERNAL, "no node makes the output 'x'");
	t.g->beside[0] = t.y;
	err_clear(&e);
	(void)graph_check(t.g, &e);
	assert_error(&e, E_INTERNAL, "the output 'y' is listed twice");
	t.g->n_beside = 0;
	err_clear(&e);
	(void)graph_check(t.g, &e);
	assert_error(&e, E_INTERNAL, "'z' is made and never used");
	graph_free(&t.g);
}

TEST(test_dump)
{
	struct buf b = BUF_INIT;
	struct tiny t;

	tiny_make(&t);
	graph_dump(t.g, &b);
	assert_string_equal(b.data, "graph tiny\n"
				    "input x    f32 [batch, sequence]\n"
				    "y = silu(x)    f32 [batch, sequence]\n"
				    "output y    f32 [batch, sequence]\n");
	buf_release(&b);
	graph_free(&t.g);
}

int
main(void)
{
	return tests_run("graph", NULL, NULL);
}
