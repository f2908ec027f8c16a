/*
 * Building blocks that the model files share: short names for shapes, linears found by the name of their
 * weight, attention heads, rotary tables.
 */
#ifndef MODEL_BLOCKS_H
#define MODEL_BLOCKS_H

#include "trace/trace.h"

/* n(64) is the constant size 64, sym(SYM_BATCH) the size `batch`, axis(x, 1) the size of x's axis 1. */
static inline struct dim
n(int64_t k)
{
	return dim_const(k);
}

static inline struct dim
sym(enum symbol s)
{
	return dim_symbol(s);
}

static inline struct dim
axis(const struct ir_value *v, int i)
{
	return v->shape.dim[i];
}

/* The size of the last axis; 1 for the placeholder that a failed trace returns. */
static inline struct dim
last_axis(const struct ir_value *v)
{
	return v->shape.rank ? axis(v, v->shape.rank - 1) : n(1);
}

enum blk_bias { BLK_NO_BIAS, BLK_BIAS };

/* x W^T + b with the weights NAME.weight [out, last axis of x] and NAME.bias [out]; the result is called `name`. */
struct ir_value *blk_linear(struct trace *t, struct ir_value *x, int64_t out, enum blk_bias bias,
			    const char *name, const char *fmt, ...) _printf_(6, 7);

struct ir_value *blk_layer_norm(struct trace *t, struct ir_value *x, double eps, const char *fmt, ...)
	_printf_(4, 5);

/*
 * Cuts images [images, channels, height, width] into squares of `side` pixels, row by row, each a row of (channel, y, x):
 * [images, height/side*width/side, channels*side*side].
 */
struct ir_value *blk_patches(struct trace *t, struct ir_value *pixels, int64_t side);

/* [b, s, heads*d] -> [b, s, heads, d], and back. */
struct ir_value *blk_heads(struct trace *t, struct ir_value *x, int64_t heads);
struct ir_value *blk_heads_merge(struct trace *t, struct ir_value *x);

/* theta^(-2k/d), in float32 as the originals compute it. */
float blk_frequency(double theta, int64_t d, int64_t k);

/* The same for k = begin..end-1, as a table [end - begin]. */
struct ir_value *blk_inv_freq(struct trace *t, const char *name, double theta, int64_t d, int64_t begin,
			      int64_t end);

/* Position x frequency: int64 [...], float [k] -> float [..., k]. */
struct ir_value *blk_angles(struct trace *t, struct ir_value *positions, struct ir_value *inv_freq);

/* input_ids and attention_mask, int64 [batch, sequence]. */
struct blk_text {
	struct ir_value *ids;
	struct ir_value *mask;     /* as fed: int64 */
	struct ir_value *unmasked; /* bool */
};

struct blk_text blk_text_inputs(struct trace *t);

/*
 * Sets *dim, the width of the embeddings, to the number of rows of the projection. On entry *dim is the width that config.json
 * states (0: none), which must agree. E_BAD_CHECKPOINT when there is no projection: such a checkpoint is not a retriever.
 * Without a checkpoint (NULL) *dim stays.
 */
int blk_projection_rows(const struct checkpoint *ck, int64_t *dim, struct err *e);

/*
 * The retrieval head: projection, unit length, padded rows zeroed. x [batch, sequence, hidden]. `eps` is added to the length that a
 * vector is divided by.
 */
struct ir_value *blk_head(struct trace *t, struct ir_value *x, const struct blk_text *in, int64_t dim,
			  enum blk_bias bias, double eps);

/*
 * x / max(|x|, floor) over the last axis. Originals that call torch's normalize() have the floor 1e-12, so that zeros stay
 * zeros; with the floor 0, for those that divide by the length itself, zeros become NaN.
 */
#define BLK_FLOOR 1e-12
struct ir_value *blk_normalize(struct trace *t, struct ir_value *x, double floor);

/* The last steps of that head: z [batch, sequence, dim] scaled to unit length, padded rows zeroed. */
struct ir_value *blk_unit(struct trace *t, struct ir_value *z, const struct blk_text *in, double floor);

/*
 * Replaces rows of `x` [batch, sequence, hidden] where `is_image` [batch, sequence] is true: the k-th image
 * token of the whole batch, in row-major order, gets the row of `features` [rows, hidden] whose number is
 * in `index` [batch*sequence].
 */
struct ir_value *blk_scatter(struct trace *t, struct ir_value *x, struct ir_value *is_image,
			     struct ir_value *features, struct ir_value *index);

/* Counts the true elements of flag [batch, sequence] in row-major order, from 0: int64 [batch*sequence], >= 0. */
struct ir_value *blk_running(struct trace *t, struct ir_value *flag);

/*
 * Finds the image of each image token in the batch, and the token's number within that image: both int64
 * [batch*sequence]. `tokens` int64 [images] is the number of tokens of each image, in order; the batch must
 * have exactly as many image tokens as the sum.
 */
void blk_tokens_place(struct trace *t, struct ir_value *is_image, struct ir_value *tokens,
		      struct ir_value **ret_image, struct ir_value **ret_place);

/*
 * The keys that each query sees through a window: those that are at most `reach` tokens away, counting padding in between, and
 * unmasked. bool [batch, sequence] -> [batch, sequence, sequence], the keys of each query.
 */
struct ir_value *blk_window(struct trace *t, struct ir_value *unmasked, int64_t reach);

/* Adds an axis of size 1 at position `at`. */
struct ir_value *blk_unsqueeze(struct trace *t, struct ir_value *x, int at);

#endif
