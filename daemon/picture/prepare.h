/*
 * Makes the pixels that a model takes from a picture, as its processor does: resize, normalise, cut.
 *
 *	prepare_read ; prepare_run for each picture ; prepared_release
 *
 * This code is the reference for the graphs preprocess.onnx and page.onnx, which do the same with ONNX ops.
 */
#ifndef PICTURE_PREPARE_H
#define PICTURE_PREPARE_H

#include "base/json.h"
#include "resize.h"

/* How a processor changes the size of a picture. */
enum prepare_rule {
	PREPARE_NONE,    /* a model whose pictures are not prepared here */
	PREPARE_PATCHES, /* about the original size, rounded to whole tokens of merge x merge patches;
                          * Qwen's processors */
	PREPARE_FIXED,   /* stretched to a fixed size; SigLIP's */
	PREPARE_WHOLE, /* about the original size, rounded up to whole tokens, smaller if a side is too long; Pixtral's */
	PREPARE_TILES,  /* enlarged and cut into square tiles, plus one tile that shows the whole picture;
                          * Idefics3's */
	PREPARE_NAFLEX, /* a large picture stretched to whole square tiles and cut, plus one in about its own
                          * shape; a smaller one in its own shape alone; LFM2's */
	PREPARE_PADDED, /* in its own size unless that is beyond limits, and filled up with black to whole
                          * patches on the right and below; NeoMME's */
};

struct prepare {
	enum prepare_rule rule;
	enum resize_filter filter;
	enum resize_library library;
	float mean[3], std[3]; /* of red, green and blue, in grey levels */
	/* PREPARE_PATCHES; PREPARE_WHOLE has the first two */
	int64_t patch;                  /* pixels a side */
	int64_t merge;                  /* patches a side of a token */
	int64_t frames;                 /* how often a patch is repeated, in models that also take videos */
	int64_t pixels_min, pixels_max; /* of the resized picture; PREPARE_NAFLEX: of that in its own shape.
                                         * PREPARE_PADDED: without the black; 0 and PREPARE_NO_LIMIT: any */
	/* PREPARE_FIXED */
	int64_t height, width;
	/*
	 * PREPARE_TILES: the longer side of the enlarged picture. PREPARE_WHOLE: the limit of the picture's sides; PREPARE_PADDED:
	 * likewise, or PREPARE_NO_LIMIT.
	 */
	int64_t longest;
	int64_t tile; /* PREPARE_TILES: side of a tile */
	/* PREPARE_NAFLEX, which has patch, merge and tile too */
	int64_t tiles_min, tiles_max; /* of a large picture; 1 and 1: none is cut */
	double tolerance;             /* a picture is large above pixels_max times this */
	bool whole;                   /* a large picture also has the one in its own shape */
	int64_t patches;              /* of each tile, padding included */
};

#define PREPARE_NO_LIMIT ((int64_t)1 << 50) /* more than any picture has */

#define PREPARE_RATIO_MAX 200 /* PREPARE_PATCHES: maximum of longer side / shorter side */

/*
 * The result: rows x cols patches of a picture (PREPARE_PADDED: with the black; PREPARE_WHOLE: tokens), or rows x cols tiles
 * and possibly one more (PREPARE_NAFLEX: none for a picture that is not large); otherwise 1 x 1.
 */
struct prepared {
	int64_t rows, cols;
	int64_t whole_rows,
		whole_cols; /* PREPARE_NAFLEX: patches of the last one, in its own shape; 0: none */
	int rank;
	int64_t dim
		[4]; /* [patches, numbers of a patch], [tiles, patches, numbers of a patch], or [pictures, 3, height, width] */
	float *pixels;
};

/* clang-format off */
#define PREPARED_INIT { .pixels = NULL }
/* clang-format on */

void prepared_release(struct prepared *p);

/*
 * Reads preprocessor_config.json, or the object `image_processor` of processor_config.json; `what` names it
 * in errors. E_BAD_CHECKPOINT for a key that is missing or out of range, E_UNSUPPORTED_MODEL for a step
 * that is not supported.
 */
int prepare_read(const json_t *j, const char *what, enum prepare_rule rule, struct prepare *ret,
		 struct err *e);

/* PREPARE_WHOLE: the side of a token, from processor_config.json. The processor has values of its own for missing keys. */
int prepare_token_read(const json_t *j, const char *what, struct prepare *p, struct err *e);

/*
 * The size of a picture before it is cut; for tiles, the size of all tiles except the last. PREPARE_NAFLEX: the size in its
 * own shape. E_BAD_REQUEST
 * for a shape that the processor refuses.
 */
int prepare_size(const struct prepare *p, int64_t height, int64_t width, int64_t *ret_height,
		 int64_t *ret_width, struct err *e);

/*
 * What the model gets for a grey level from 0 to 255 of a colour. Pixtral's processor rounds it to bfloat16.
 */
float prepare_level(const struct prepare *p, int colour, int level);

/* The caller releases *ret. */
int prepare_run(const struct prepare *p, const struct picture *in, struct prepared *ret, struct err *e);

#endif
