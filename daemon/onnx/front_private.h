/* Shared by the files front*.c. */
#ifndef ONNX_FRONT_PRIVATE_H
#define ONNX_FRONT_PRIVATE_H

#include "emit_private.h"
#include "front.h"

/* The sides of a picture: int64 scalars at run time. */
struct front_size {
	const char *height, *width;
};

/* Makes "NAME/..." the prefix of the nodes that follow. */
void front_scope(struct emit *em, const char *name);

const char *front_f64(struct emit *em, double x);
const char *front_cast(struct emit *em, const char *suffix, const char *x, enum elem elem);

/*
 * The size to which the processor resizes a picture of that size: float64 arithmetic in the processor's
 * order.
 */
struct front_size front_size_emit(struct emit *em, const struct prepare *p, struct front_size in);

/*
 * PREPARE_TILES: the size after the first resize, and the size after the second, which follows from the
 * first.
 */
struct front_size front_size_enlarged(struct emit *em, const struct prepare *p, struct front_size in);
struct front_size front_size_tiles(struct emit *em, const struct prepare *p, struct front_size enlarged);

/* uint8 [height, width, 3] from one size to the other. `name` is the scope. */
const char *front_resize(struct emit *em, const char *name, const char *image, enum resize_filter filter,
			 struct front_size from, struct front_size to);

#endif
