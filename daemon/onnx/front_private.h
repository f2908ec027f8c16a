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

/*
 * PREPARE_NAFLEX: front_size_emit() gives the size of a picture in its own shape; *ret_large is whether it is large, int64
 * scalar, and the result its tiles (1 and 1 if it is not).
 */
struct front_size front_naflex_tiles(struct emit *em, const struct prepare *p, struct front_size in,
				     const char **ret_large);

/* The parts of a PREPARE_NAFLEX picture. Numbers are int64 [1]. */
struct front_naflex {
	const char *tiles; /* uint8 [rows*tile, cols*tile, 3]; of one tile if the picture is not large */
	const char *whole; /* uint8 [height, width, 3] in its own shape */
	const char *large; /* 1 if the picture is large, else 0 */
	const char *rows, *cols;             /* tiles */
	const char *count;                   /* how many of them count: all or none */
	const char *whole_rows, *whole_cols; /* patches */
	const char *wholes;                  /* 1 if the one in its own shape counts, else 0 */
};

void front_naflex_make(struct emit *em, const struct prepare *p, struct front_size in,
		       struct front_naflex *ret);

/* Emit pixel_values and spatial_shapes; the third gives the ids in place of `{image}`, int64 [n]. */
void front_naflex_pixels(struct emit *em, const struct prepare *p, const struct front_naflex *f);
void front_naflex_shapes(struct emit *em, const struct prepare *p, const struct front_naflex *f);
const char *front_naflex_ids(struct emit *em, const struct document *d, const struct front_naflex *f);

/*
 * Patches of uint8 [rows*down*patch, cols*across*patch, 3], where a tile has sides of `down` x `across` patches:
 * [rows*cols, down*across, patch*patch, 3]. `sizes` are rows, down, cols and across, int64 [1]; `name` is the scope.
 */
const char *front_patches(struct emit *em, const char *name, const struct prepare *p, const char *image,
			  const char *sizes[4]);

/* Normalises uint8 [..., 3]; float32. */
const char *front_colours_last(struct emit *em, const struct prepare *p, const char *x);

/* A PREPARE_PADDED picture. */
struct front_padded {
	const char *levels;      /* uint8 [rows*patch, cols*patch, 3] */
	const char *rows, *cols; /* patches; int64 [1] */
};

void front_padded_make(struct emit *em, const struct prepare *p, struct front_size in,
		       struct front_padded *ret);

/* Emit pixel_values; the second gives the ids in place of `{image}`, int64 [n]. */
void front_padded_pixels(struct emit *em, const struct prepare *p, const struct front_padded *f);
const char *front_padded_ids(struct emit *em, const struct document *d, const struct front_padded *f);

/* uint8 [height, width, 3] from one size to the other. `name` is the scope. */
const char *front_resize(struct emit *em, const char *name, const char *image, enum resize_filter filter,
			 struct front_size from, struct front_size to);

#endif
