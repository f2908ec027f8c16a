/*
 * ONNX Runtime on the CPU, opened at run time.
 *
 *	ort_open ; ort_session_new ; ort_run ... ; ort_session_free ; ort_close
 *
 * The runtime is loaded once per process, so it has no object of its own. A graph may be hostile: whatever
 * the runtime reports about it becomes E_BAD_ONNX with the runtime's message.
 */
#ifndef PARITY_ORT_H
#define PARITY_ORT_H

#include "base/elem.h"
#include "base/err.h"

#define ORT_RANK_MAX 8

/* What a graph declares for an input. */
struct ort_input {
	char *name;
	enum elem type; /* ELEM_MAX: a type that we do not support */
	int rank;
	int64_t shape[ORT_RANK_MAX]; /* -1: any */
};

struct ort_tensor {
	enum elem type;
	int rank;
	int64_t shape[ORT_RANK_MAX];
	void *data; /* on the heap, aligned for its type */
	size_t len; /* bytes */
};

struct ort_session; /* a loaded graph */

/*
 * Loads the library: `path`, else the one in COLCONV_ORT_LIBRARY, else the first that loads from runtime/
 * beside this program, from ../lib/colconv/ relative to it, or from the system. E_NO_RUNTIME lists every
 * place that was tried.
 */
int ort_open(const char *path, struct err *e);
void ort_close(void);          /* after the last session was freed */
const char *ort_version(void); /* "1.30.0" */

int ort_session_new(const char *path, int threads, struct ort_session **ret, struct err *e);
void ort_session_free(struct ort_session **s);
size_t ort_input_count(const struct ort_session *s);
const struct ort_input *ort_input_get(const struct ort_session *s, size_t i);

/* What cases call the input; the runtime's own name stays known. */
int ort_input_rename(struct ort_session *s, size_t i, const char *name, struct err *e);

/* Makes that output the first one; or the only one. */
void ort_output_first(struct ort_session *s, size_t i);
void ort_output_only(struct ort_session *s, size_t i);

/*
 * `in` has a tensor for every input, in their order. *ret is the graph's first output, converted from
 * float16 to float32 if necessary; the caller releases it.
 */
int ort_run(struct ort_session *s, const struct ort_tensor *in, struct ort_tensor *ret, struct err *e);

/* The same for all outputs: `ret` has room for ort_output_count() tensors. Whole numbers stay int64. */
size_t ort_output_count(const struct ort_session *s);
const char *ort_output_name(const struct ort_session *s, size_t i);
int ort_run_all(struct ort_session *s, const struct ort_tensor *in, struct ort_tensor *ret, struct err *e);

void ort_tensor_release(struct ort_tensor *t);

#endif
