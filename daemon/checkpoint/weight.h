/*
 * A weight of a checkpoint, and how its elements are read.
 *
 * A weight is a view of a mapped tensor. With an adapter it may have a delta too; the merged weight is then
 * computed in float32 whenever a part of it is read, and is never kept. A weight may also be a stack of tensors,
 * which are put together whenever a part of it is read.
 */
#ifndef CHECKPOINT_WEIGHT_H
#define CHECKPOINT_WEIGHT_H

#include "safetensors.h"

struct weight {
	const char *name;               /* canonical */
	const struct st_tensor *tensor; /* dtype, shape, bytes; tensor->name is the name on disk */
	const struct st_file *file;
	struct delta *delta; /* NULL: the tensor is the weight */
	struct stack *stack; /* NULL: likewise */
};

/* Matrices one behind the other along an axis, 0 or 1, each multiplied by its scale; equal along the other axis. */
struct stack {
	int axis;
	size_t n;
	struct stack_part {
		const struct st_tensor *tensor;
		float scale;
		int64_t task; /* of the adapter whose factor it is */
	} * part;
	struct st_tensor whole; /* the weight's `tensor`: float32 without data */
};

/* How peft changes the base when it loads an adapter, before it adds the adapter. */
enum weight_init {
	WEIGHT_INIT_NONE,
	WEIGHT_INIT_PISSA, /* subtracts the part of W that its `rank` largest singular values make */
	WEIGHT_INIT_OLORA, /* subtracts scale * Q R of the first `rank` columns of Q and rows of R, where W = Q R */
};

/*
 * The product scale * B A of a [rank, in] and b [out, rank]. Kernels with more axes are treated as matrices.
 */
struct factors {
	const struct st_tensor *a, *b; /* NULL: nothing to add */
	float scale;
};

/* An embedding row that an adapter replaces. */
struct token_row {
	int64_t token;
	size_t source; /* row of delta.rows */
};

/*
 * An adapter's changes to a weight W [out, in]. First it adds two products of factors: what was trained,
 * and what the init subtracts. Then a magnitude (DoRA) scales each row of the sum to a given length. For an
 * embedding [words, dim] the product is added transposed. A delta without factors holds a bias to add
 * (scale * bias), or rows that it replaces.
 */
struct delta {
	struct factors learned, initial;
	const struct st_tensor *magnitude; /* [out]; NULL: none */
	const struct st_tensor *bias;      /* as many elements as the weight; its factor is learned.scale */
	const struct st_tensor *rows;      /* [tokens, dim] */
	struct token_row *token;           /* one for each of rows, ascending */
	enum weight_init init;             /* weight_init_apply() fills `initial` before the first read */
	struct st_tensor initial_tensors[2];
	float *initial_data;
	bool embedding;
	float *row_scale; /* [out], only with a magnitude; computed at the first read */
};

/*
 * Finds the part that an init subtracts from the matrix w [rows, cols], as the product of b [rows, rank]
 * and a [rank, cols]. E_UNSUPPORTED_MODEL when the matrix does not determine it uniquely.
 */
typedef int (*weight_init_fn)(enum weight_init init, const float *w, size_t rows, size_t cols, size_t rank,
			      float *ret_b, float *ret_a, struct err *e);

int weight_init_apply(const struct weight *w, weight_init_fn find, struct err *e);

/*
 * Reads elements [first, first + n) of the weight in row-major order. They are rounded once, to ELEM_F32,
 * ELEM_F16 or ELEM_BF16. Any number of threads may read at the same time.
 */
int weight_read(const struct weight *w, enum elem to, size_t first, size_t n, void *ret, struct err *e);

/*
 * Reads the block of rows x cols elements at (row, col) of a weight with `width` columns, transposed:
 * ret[c * rows + r].
 */
int weight_read_transposed(const struct weight *w, enum elem to, size_t width, size_t row, size_t col,
			   size_t rows, size_t cols, void *ret, struct err *e);

/*
 * Always fails: says why elements of a weight that was read as `to` are not finite. E_BAD_CHECKPOINT names
 * the tensor that holds NaN or infinities and counts them; E_UNSUPPORTED_MODEL: they are too large for the
 * type.
 */
int weight_blame(const struct weight *w, enum elem to, struct err *e);

void delta_free(struct delta **d);

/* For weight.c: weight_read() and weight_read_transposed() of a stack. */
void stack_read(const struct stack *s, enum elem to, size_t first, size_t n, void *ret);
void stack_read_transposed(const struct stack *s, enum elem to, size_t row, size_t col, size_t rows,
			   size_t cols, void *ret);
void stack_free(struct stack **s);

/* Makes the weight's stack of n parts, all zeros, and its `tensor` of [rows, cols]; `name` must outlive the weight. */
int stack_new(struct weight *w, int axis, size_t n, int64_t rows, int64_t cols, const char *name,
	      struct err *e);

#endif
