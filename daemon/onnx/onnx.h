/*
 * Writes graphs as ONNX files (opset 17). The graphs share their weights in files beside them, or each file
 * contains its own.
 *
 *	onnx_export_new ; onnx_export_meta ... ; onnx_export_add ... ; onnx_export_write
 *
 * onnx_export_add() lowers at once, so the graph may be freed afterwards. The checkpoint must live until
 * onnx_export_write() has streamed its weights. Sizes that vary between calls are named dims of the inputs
 * and outputs.
 */
#ifndef ONNX_ONNX_H
#define ONNX_ONNX_H

#include "base/buf.h"
#include "base/sha256.h"

#define ONNX_DATA_FILE "model.onnx_data" /* weights that graphs share */

struct ir_graph;
struct onnx_export;
struct document;
struct rounding;
struct target;

/* How weights are stored, except those that float16 nodes use. */
enum onnx_store {
#define STORE(sym, ...) STORE_##sym,
#include "stores.def"
#undef STORE
	STORE_MAX
};

struct onnx_options {
	bool half; /* weights and computation in float16, except for the ops that graph/ops.def calls wide;
                    * inputs stay float32 */
	const char *output;   /* name of each graph's embeddings; NULL: their name in the trace */
	bool output_half;     /* the outputs are float16 */
	bool embed;           /* weights inside each file; E_TOO_LARGE when a file would exceed 2 GiB */
	const char *own_data; /* each graph has its own weights, in a file named after the graph with this
                           * suffix; NULL: shared weights */
	bool optional_images; /* a call may leave out inputs whose first size is the number of images, or of
                               * the patches of all images: it then has no images */
	unsigned extras;      /* EXTRA_*: outputs beside the embeddings (extra.h) */
	int64_t image_token;  /* for EXTRA_IMAGE_TOKEN */
	uint64_t shard_max;   /* maximum bytes of a file of weights; 0: one file of any size */
	enum onnx_store store;
	const struct rounding
		*rounding;           /* rounding.h: weights in 8 bits, which `store` is not for; NULL: none */
	const struct target *target; /* target.h; NULL: target_portable */
};

struct onnx_op_count {
	const char *type; /* "MatMul" */
	size_t n;
};

struct onnx_graph_info {
	const char *name; /* of the graph */
	const char *file;
	size_t nodes;                   /* including nodes in branches */
	const struct onnx_op_count *op; /* by type, most frequent first */
	size_t n_op;
	uint64_t bytes;        /* bytes of the file itself, without external weights */
	int runtime;           /* the oldest ONNX Runtime that runs it (release.h) */
	uint64_t weight_bytes; /* bytes of the weights it uses; graphs share them */
};

struct onnx_file {
	char *name;
	uint64_t size;
	char sha256[SHA256_HEX_LEN + 1];
};

/* The bytes written so far, their total, and the current weight. */
typedef void (*onnx_progress_fn)(void *userdata, uint64_t done, uint64_t total, const char *name);

int onnx_export_new(const char *dir, const struct onnx_options *o, struct onnx_export **ret, struct err *e);
void onnx_export_free(struct onnx_export **ex);

/* Adds a metadata property to the graphs added after this. */
int onnx_export_meta(struct onnx_export *ex, const char *key, const char *value, struct err *e);

/*
 * Puts `front` before the next graph that is added (front.h): the file then takes a picture instead of the
 * graph's inputs. A graph without an output then gives these inputs. `front` must live until
 * onnx_export_add().
 */
void onnx_export_front(struct onnx_export *ex, const struct document *front);

/* `file` is a plain name such as "text.onnx". */
int onnx_export_add(struct onnx_export *ex, const struct ir_graph *g, const char *file, struct err *e);

/*
 * Writes the weights beside the graphs first, then the graphs, and fsyncs each file. Replaces files with
 * these names.
 */
int onnx_export_write(struct onnx_export *ex, onnx_progress_fn progress, void *userdata, struct err *e);

size_t onnx_export_graph_count(const struct onnx_export *ex);
const struct onnx_graph_info *onnx_export_graph(const struct onnx_export *ex, size_t i);

/* The files that onnx_export_write() made. */
size_t onnx_export_file_count(const struct onnx_export *ex);
const struct onnx_file *onnx_export_file(const struct onnx_export *ex, size_t i);

/*
 * Prints an ONNX file as text, one line per node, with the number of nodes of each type at the end:
 *
 *	lm.00.mlp.gate = MatMul(lm.00.mlp.norm, lm.layers.0.mlp.gate_proj.weight.T)
 *
 * The file may be hostile; E_BAD_ONNX when it is damaged.
 */
int onnx_dump(const char *path, struct buf *ret, struct err *e);

#endif
