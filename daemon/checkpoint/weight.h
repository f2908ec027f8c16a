/*
 * A weight of a checkpoint, and how its elements are read.
 *
 * A weight is a view of a mapped tensor. Under an adapter it has a delta too, and what is read
 * is the merged weight, computed in float32 when it is read: nobody holds a merged matrix.
 */
#ifndef CHECKPOINT_WEIGHT_H
#define CHECKPOINT_WEIGHT_H

#include "safetensors.h"

struct weight {
	const char *name;               /* canonical */
	const struct st_tensor *tensor; /* dtype, shape, bytes; tensor->name is the name on disk */
	const struct st_file *file;
	struct delta *delta; /* NULL: the tensor is the weight */
};

/* What peft does to the base when it loads an adapter, before the adapter is added. */
enum weight_init {
	WEIGHT_INIT_NONE,
	WEIGHT_INIT_PISSA, /* takes the part of W off that its `rank` largest singular values make */
	WEIGHT_INIT_OLORA, /* takes off scale * Q R, the first `rank` columns and rows of W = Q R */
};

/* scale * B A: a of [rank, in], b of [out, rank]; of a kernel with more axes both are taken as matrices. */
struct factors {
	const struct st_tensor *a, *b; /* NULL: nothing to add */
	float scale;
};

/* A row of an embedding that an adapter replaces. */
struct token_row {
	int64_t token;
	size_t source; /* row of delta.rows */
};

/*
 * What an adapter does to a weight W of [out, in]: it adds two products of factors, what was trained and what
 * the init takes off. With a magnitude (DoRA) each row of the sum gets the length that the magnitude says. Of an
 * embedding [words, dim] the product is added transposed. Instead of these there may be a bias to add
 * (scale * bias), or rows that are replaced.
 */
struct delta {
	struct factors learned, initial;
	const struct st_tensor *magnitude; /* [out]; NULL: none */
	const struct st_tensor *bias;      /* of as many elements as the weight; scaled as learned */
	const struct st_tensor *rows;      /* [tokens, dim] */
	struct token_row *token;           /* one for each of rows, ascending */
	enum weight_init init;             /* weight_init_apply() makes `initial`, before anything is read */
	struct st_tensor initial_tensors[2];
	float *initial_data;
	bool embedding;
	float *row_scale; /* [out], with a magnitude only; made when it is first wanted */
};

/*
 * Finds what an init takes off: b of [rows, rank] and a of [rank, cols], whose product is the part of the matrix w
 * of [rows, cols]. E_UNSUPPORTED_MODEL when the matrix does not determine it.
 */
typedef int (*weight_init_fn)(enum weight_init init, const float *w, size_t rows, size_t cols, size_t rank,
			      float *ret_b, float *ret_a, struct err *e);

int weight_init_apply(const struct weight *w, weight_init_fn find, struct err *e);

/*
 * Elements [first, first + n) of the weight, in its own order, as numbers of a type (ELEM_F32, ELEM_F16,
 * ELEM_BF16) to which they are rounded once. Any number of threads may read.
 */
int weight_read(const struct weight *w, enum elem to, size_t first, size_t n, void *ret, struct err *e);

/*
 * Of a weight of `width` columns the block of rows x cols elements at (row, col), transposed:
 * ret[c * rows + r].
 */
int weight_read_transposed(const struct weight *w, enum elem to, size_t width, size_t row, size_t col,
			   size_t rows, size_t cols, void *ret, struct err *e);

/*
 * Says why elements of a weight that was read as `to` are not finite, always an error: E_BAD_CHECKPOINT names the
 * tensor that holds NaN or infinity and counts them; E_UNSUPPORTED_MODEL: they are too large for the type.
 */
int weight_blame(const struct weight *w, enum elem to, struct err *e);

void delta_free(struct delta **d);

#endif
