/*
 * The inputs of an image graph for one page.
 */
#ifndef DOCUMENT_INPUTS_H
#define DOCUMENT_INPUTS_H

#include "base/elem.h"
#include "document.h"

#define DOCUMENT_INPUT_RANK 5

struct document_input {
	const char *name;
	enum elem elem;
	int rank;
	int64_t dim[DOCUMENT_INPUT_RANK];
	void *data; /* row-major */
	size_t len; /* bytes */
};

enum { DOCUMENT_INPUT_MAX = 4 };

/*
 * input_ids, attention_mask, pixel_values, and image_grid_thw (of patches), image_sizes (of whole pictures),
 * pixel_attention_mask (of tiles) or spatial_shapes (of naflex).
 */
struct document_inputs {
	struct document_input input[DOCUMENT_INPUT_MAX];
	int n;
};

/* clang-format off */
#define DOCUMENT_INPUTS_INIT { .n = 0 }
/* clang-format on */

void document_inputs_release(struct document_inputs *in);

/* The caller releases *ret. E_BAD_REQUEST for a picture of a shape that the processor refuses. */
int document_inputs_make(const struct document *d, const struct picture *picture, struct document_inputs *ret,
			 struct err *e);

const struct document_input *document_input_find(const struct document_inputs *in, const char *name);

#endif
