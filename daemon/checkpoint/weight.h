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

/*
 * What LoRA adds to a weight W of [out, in]: W + scale * B A, and with a magnitude (DoRA) each row
 * of that brought to the length that the magnitude says. Of an embedding [words, dim] it is
 * scale * (B A)^T. A delta of a bias has only B, of as many elements.
 */
struct delta {
	const struct st_tensor *a;         /* [rank, in]; of an embedding [rank, words] */
	const struct st_tensor *b;         /* [out, rank]; of an embedding [dim, rank] */
	const struct st_tensor *magnitude; /* [out]; NULL: none */
	float scale;
	bool embedding;
	float *row_scale; /* [out], with a magnitude only; made when it is first wanted */
};

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
