/*
 * Nodes that come before a graph so that it takes a picture: they make the graph's inputs from its pixels.
 *
 *	image uint8 [height, width, 3] -> input_ids, attention_mask, pixel_values,
 *	                                  image_grid_thw (of patches), image_sizes (of whole pictures), pixel_attention_mask (of tiles)
 *
 * Resizing and normalising give the same bits as picture/prepare.h, because float64 sums of integer weights
 * and grey levels are exact in any order. The graph computes the resize weights from the two sizes, so a
 * picture may have any size. In each pass, several neighbouring output samples are one matrix product with
 * the band of inputs that they need. A picture without pixels, or with a shape that the processor refuses,
 * makes the call fail.
 */
#ifndef ONNX_FRONT_H
#define ONNX_FRONT_H

#include "document/document.h"
#include "graph/graph.h"

#define FRONT_INPUT "image"

/* The picture as the graph declares it. */
struct ir_value front_input(void);

struct emit;

/* Makes the inputs of em's graph, but for those that the caller gives. E_EXPORT for an input that cannot be made from a picture. */
void front_emit(struct emit *em, const struct document *f);

#endif
