/*
 * libtorch behind a C ABI: functions take and return plain types, and never throw.
 *
 * A tensor lives on one of three devices. On the meta device it has a shape but no bytes, and each function
 * below computes only the shape of its result: so a model of any size can be traced quickly.
 *
 * Only functions that exist in libtorch 1.13 and all later versions are used.
 */
#ifndef TORCH_SHIM_H
#define TORCH_SHIM_H

#ifdef __cplusplus
extern "C" {
#endif

#include "base/elem.h"
#include "base/err.h"

#define TT_RANK_MAX 8
#define TT_IN_MAX 5

struct tt; /* a tensor */

enum tt_device { TT_CPU, TT_CUDA, TT_META };

struct tt_shape {
	int rank;
	int64_t dim[TT_RANK_MAX];
};

/* Inputs and attributes of one op of graph/ops.def, symbols replaced by numbers. */
struct tt_args {
	int n_in;
	const struct tt *in[TT_IN_MAX];
	double f;
	int64_t i;
	int axis;
	int64_t begin, end;
	enum elem dtype;
	enum tt_device device;
	int perm[TT_RANK_MAX];
	struct tt_shape shape;
};

/* Floating point inputs are converted to float32 before the op. */
#define OP(sym, name, ...) int tt_##name(const struct tt_args *a, struct tt **ret, struct err *e);
#define OP_CONTROL(...)
#include "graph/ops.def"
#undef OP

/*
 * Makes a tensor over `data`. On TT_CPU the elements are not copied, so the caller must keep `data` until tt_free(); for
 * TT_CUDA they are copied, for TT_META `data` is not read.
 */
int tt_over(enum elem dtype, const struct tt_shape *shape, const void *data, enum tt_device device,
	    struct tt **ret, struct err *e);

/* The same over memory from malloc(), which the tensor owns from now on. It is freed on failure too. */
int tt_over_take(enum elem dtype, const struct tt_shape *shape, void *data, enum tt_device device,
		 struct tt **ret, struct err *e);
void tt_free(struct tt **t);

struct tt_shape tt_shape_get(const struct tt *t);

/* Copies the elements, row-major and in the tensor's own type. `len` must be their exact size in bytes. */
int tt_read(const struct tt *t, void *ret, size_t len, struct err *e);

/* Converts floating point elements to float32, in place of *t. Others, and those that are, stay as they are. */
int tt_convert(struct tt **t, struct err *e);

/*
 * The op `linear` on n inputs with the same weight, and bias if it is not NULL, as one matrix product over the rows of
 * all. The results share one block of memory, which is freed with the last of them.
 */
int tt_linear_rows(const struct tt *const *x, size_t n, const struct tt *weight, const struct tt *bias,
		   struct tt **ret, struct err *e);

/* x + 1 in float32. */
int tt_plus_one(const struct tt *t, struct tt **ret, struct err *e);

/*
 * Finds a part of the matrix w [rows, cols]: the part made by its `rank` largest singular values, or the
 * part made by the first `rank` columns and rows of its Q R decomposition. The result is b [rows, rank]
 * times a [rank, cols]. E_UNSUPPORTED_MODEL when w does not determine it uniquely.
 */
int tt_factors_svd(const float *w, int64_t rows, int64_t cols, int64_t rank, float *ret_b, float *ret_a,
		   struct err *e);
int tt_factors_qr(const float *w, int64_t rows, int64_t cols, int64_t rank, float *ret_b, float *ret_a,
		  struct err *e);

/* A GPU that this libtorch can use. The first call turns TF32 off: it keeps 10 bits of a number's 23. */
bool tt_cuda_available(void);
const char *tt_version(void); /* "1.13.1", the libtorch that this was built with */

#ifdef __cplusplus
}
#endif

#endif
