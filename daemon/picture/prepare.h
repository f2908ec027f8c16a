/*
 * From a picture to the pixels that a model takes, as its processor does it: resize, normalise, cut.
 *
 *	prepare_read ; prepare_run for each picture ; prepared_release
 *
 * This is the reference that the graphs preprocess.onnx and page.onnx are held against; they do the same with ONNX's ops.
 */
#ifndef PICTURE_PREPARE_H
#define PICTURE_PREPARE_H

#include "base/json.h"
#include "resize.h"

/* What a processor does with the size of a picture. */
enum prepare_rule {
	PREPARE_NONE,    /* a model whose pictures are not prepared here */
	PREPARE_PATCHES, /* about its own size, in whole tokens of merge x merge patches; Qwen's processors */
	PREPARE_FIXED,   /* stretched to one size; SigLIP's */
	PREPARE_TILES,   /* enlarged, cut into square tiles, and all of it as one more tile; Idefics3's */
};

struct prepare {
	enum prepare_rule rule;
	enum resize_filter filter;
	enum resize_library library;
	float mean[3], std[3]; /* of red, green and blue, in grey levels */
	/* PREPARE_PATCHES */
	int64_t patch;                  /* pixels a side */
	int64_t merge;                  /* patches a side of a token */
	int64_t frames;                 /* how often a patch is repeated, for models that also see films */
	int64_t pixels_min, pixels_max; /* of the resized picture */
	/* PREPARE_FIXED */
	int64_t height, width;
	/* PREPARE_TILES */
	int64_t longest; /* side of the enlarged picture */
	int64_t tile;    /* side of a tile */
};

#define PREPARE_RATIO_MAX 200 /* PREPARE_PATCHES: the longer side by the shorter */

/* What comes out: rows x cols patches of one picture, or tiles, of which there may be one more; else 1 x 1. */
struct prepared {
	int64_t rows, cols;
	int rank;
	int64_t dim[4]; /* [patches, numbers of a patch], or [pictures, 3, height, width] */
	float *pixels;
};

/* clang-format off */
#define PREPARED_INIT { .pixels = NULL }
/* clang-format on */

void prepared_release(struct prepared *p);

/*
 * From preprocessor_config.json, or from the object `image_processor` of processor_config.json; `what` names it in
 * errors. E_BAD_CHECKPOINT for a key that is missing or out of range, E_UNSUPPORTED_MODEL for a step that is not
 * written here.
 */
int prepare_read(const json_t *j, const char *what, enum prepare_rule rule, struct prepare *ret,
		 struct err *e);

/*
 * The size that a picture gets before it is cut; for tiles, that of all tiles but the last. E_BAD_REQUEST for a shape
 * that the processor refuses.
 */
int prepare_size(const struct prepare *p, int64_t height, int64_t width, int64_t *ret_height,
		 int64_t *ret_width, struct err *e);

/* The caller releases *ret. */
int prepare_run(const struct prepare *p, const struct picture *in, struct prepared *ret, struct err *e);

#endif
