/*
 * The weights of graphs, in files beside them or inside an ONNX file.
 *
 *	extdata_new ; extdata_add ... ; extdata_write for each file
 *	extdata_new ; extdata_embed ; extdata_embed_add ... ; extdata_write
 *
 * Beside the graphs, each tensor is stored once for each form that is used, at an offset that is a multiple
 * of EXTDATA_ALIGN, in the order of the first extdata_add(). Inside an ONNX file, tensors lie where the
 * format puts them. extdata_write() reads and writes weights piece by piece, so memory does not grow with
 * the model.
 */
#ifndef ONNX_EXTDATA_H
#define ONNX_EXTDATA_H

#include "checkpoint/checkpoint.h"
#include "graph/graph.h"
#include "base/buf.h"
#include "base/sha256.h"
#include "onnx.h"

#define EXTDATA_ALIGN 4096
#define EXTDATA_HEAD_MAX 4096 /* bytes before an embedded tensor */
#define EXTDATA_NAME_LEN 64

struct rounded;

/* How a tensor is stored. */
struct extdata_form {
	enum elem dtype;               /* ELEM_F32, ELEM_F16, ELEM_BF16, or ELEM_I8 with `rounded` */
	enum ir_transform transform;   /* only for ELEM_F32 */
	int64_t rows, cols;            /* stored transposed, as [cols, rows]; 0, 0: in its own order */
	const struct rounded *rounded; /* rounding.h: the scales and factors of ELEM_I8 */
	const float *
		floats; /* these instead of the weight's numbers, as ELEM_F32; they outlive extdata_write() */
	size_t n_floats;
};

struct extdata_place {
	size_t file;
	uint64_t offset;
	uint64_t len;
};

/* One stored tensor. */
struct extdata_item {
	const struct weight *weight;
	struct extdata_form form;
	struct extdata_place place;
	size_t head, head_len; /* the bytes before it, in extdata.heads */
	size_t pad;            /* zeros after it */
};

struct extdata {
	struct extdata_item *item; /* file by file, sorted by position */
	size_t n, cap;
	char name[EXTDATA_NAME_LEN]; /* name of the first file */
	uint64_t file_max;           /* bytes of a file; 0: no limit */
	uint64_t *file;              /* length of each */
	size_t n_file;               /* 0 before the first tensor */
	const void *prefix;          /* beginning of a file with embedded tensors; else NULL */
	size_t prefix_len;
	struct buf heads;
};

/* Files of at most file_max bytes; 0: one file of any size. `name` is the name of the first file. */
int extdata_new(const char *name, uint64_t file_max, struct extdata **ret, struct err *e);
void extdata_free(struct extdata **x);

/*
 * Tells where the tensor will lie in that form. The weight must outlive extdata_write(). A tensor is never
 * split: E_TOO_LARGE names one that does not fit into a file.
 */
int extdata_add(struct extdata *x, const struct weight *w, const struct extdata_form *form,
		struct extdata_place *ret, struct err *e);

/* Elements and bytes of the tensor in that form. */
uint64_t extdata_form_count(const struct weight *w, const struct extdata_form *form);
uint64_t extdata_form_len(const struct weight *w, const struct extdata_form *form);

/* Makes one file that begins with `prefix`, which must outlive extdata_write(). */
int extdata_embed(struct extdata *x, const void *prefix, size_t len, struct err *e);

/* Adds the next bytes of that file: those at `head`, at most EXTDATA_HEAD_MAX, then the tensor. */
int extdata_embed_add(struct extdata *x, const struct weight *w, const struct extdata_form *form,
		      const void *head, size_t head_len, struct err *e);

uint64_t extdata_len(const struct extdata *x); /* of all files */

/* The file's name; files after the first have _1, _2, ... in it. */
const char *extdata_file_name(const struct extdata *x, size_t file, char name[EXTDATA_NAME_LEN]);

/*
 * Writes one of the files, fsyncs it, and computes its hash. E_NO_SPACE before the first byte is written,
 * where the file system can tell; E_UNSUPPORTED_MODEL names a weight that does not fit its type. After a
 * failure the file does not exist.
 */
int extdata_write(const struct extdata *x, size_t file, const char *path, onnx_progress_fn progress,
		  void *userdata, char ret_sha256[SHA256_HEX_LEN + 1], struct err *e);

#endif
