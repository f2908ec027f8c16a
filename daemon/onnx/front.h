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

#include "document/document.h"
#include "graph/graph.h"

#define FRONT_INPUT "image"

/* The picture as the graph declares it. */
struct ir_value front_input(void);

struct emit;

/* Makes the inputs of em's graph. E_EXPORT for one that no picture gives. */
void front_emit(struct emit *em, const struct document *f);

#endif
