/*
 * What comes before a graph so that it takes a picture: nodes that make the graph's inputs from its pixels.
 *
 *	image uint8 [height, width, 3] -> input_ids, attention_mask, pixel_values,
 *	                                  image_grid_thw (of patches), pixel_attention_mask (of tiles)
 *
 * Resizing and normalising are those of picture/prepare.h, bit for bit: sums of whole weights and grey levels in float64
 * are exact, whatever their order. The graph makes the weights from the two sizes, so that a picture may have any; in each
 * pass some neighbouring samples are one matrix product with the band of inputs that they need. A picture without pixels or of a shape that the processor refuses makes the call
 * fail.
 */
#ifndef ONNX_FRONT_H
#define ONNX_FRONT_H

#include "graph/graph.h"
#include "picture/prepare.h"

/* PREPARE_TILES: the ids around the image tokens of each tile. */
struct onnx_front_tiles {
	int64_t begin;        /* before each tile, and at the end */
	const int64_t *place; /* [side, side]: after it, by row and column */
	int64_t side;
	int64_t whole;             /* the same of the tile that shows all of the picture */
	const int64_t *row, *last; /* after a row of tiles, and after the last one */
	size_t n_row, n_last;
};

struct onnx_front {
	struct prepare prepare;
	/* The document prompt: ids before and after the image tokens. */
	const int64_t *before, *after;
	size_t n_before, n_after;
	int64_t image_token;
	int64_t image_tokens; /* of a picture or a tile; PREPARE_PATCHES has one for each merge x merge patches instead */
	struct onnx_front_tiles tiles;
};

#define FRONT_INPUT "image"

/* The picture as the graph declares it. */
struct ir_value front_input(void);

struct emit;

/* Makes the inputs of em's graph. E_EXPORT for one that no picture gives. */
void front_emit(struct emit *em, const struct onnx_front *f);

#endif
