/*
 * The weights of a job's graphs, in one file beside them.
 *
 *	extdata_new ; extdata_add ... ; extdata_write
 *
 * Each distinct tensor and form of it is stored once, as float32, at an offset that is a
 * multiple of EXTDATA_ALIGN, in the order of the first extdata_add(). Nothing is read
 * before extdata_write(), which streams: memory does not grow with the model.
 */
#ifndef ONNX_EXTDATA_H
#define ONNX_EXTDATA_H

#include "checkpoint/checkpoint.h"
#include "graph/graph.h"
#include "base/sha256.h"
#include "onnx.h"

#define EXTDATA_ALIGN 4096

/* How a tensor is stored. */
struct extdata_form {
	enum ir_transform transform;
	int64_t rows, cols; /* stored transposed: as [cols, rows]; 0, 0: in its own order */
};

struct extdata_place {
	uint64_t offset;
	uint64_t len;
};

struct extdata;

int extdata_new(struct extdata **ret, struct err *e);
void extdata_free(struct extdata **x);

/* Where the tensor will lie in that form. The weight must outlive extdata_write(). */
int extdata_add(struct extdata *x, const struct weight *w, const struct extdata_form *form,
		struct extdata_place *ret, struct err *e);

uint64_t extdata_len(const struct extdata *x); /* bytes of the file */

/*
 * Makes the file, fsynced, and its hash. E_NO_SPACE comes before the first byte is written where
 * the file system can tell. After a failure there is no file.
 */
int extdata_write(const struct extdata *x, const char *path, onnx_progress_fn progress, void *userdata,
		  char ret_sha256[SHA256_HEX_LEN + 1], struct err *e);

#endif
