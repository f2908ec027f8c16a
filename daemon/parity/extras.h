/*
 * Outputs of a graph beside its embeddings, checked against the embeddings of the same run:
 *
 *	*_bits           uint8 [.., dim / 8]: bit 7 - i % 8 of byte i / 8 is 1 if element i is above 0
 *	*_int8, *_scale  int8 [.., dim] and float32 [.., 1]: int8 * scale is within half a scale of each element, and the largest
 *	                 magnitude is 127 scales
 *	is_image_token   bool, the shape of in.input_ids: the tokens where it holds have one id, and no other token has it
 *
 * Other outputs are ignored.
 */
#ifndef PARITY_EXTRAS_H
#define PARITY_EXTRAS_H

#include "cases.h"
#include "ort.h"

/* Whether the graph has such an output. */
bool extras_any(const struct ort_session *s);

/* `out` has all outputs of the session, the embeddings first. E_PARITY names the first output that is wrong. */
int extras_check(const struct parity_case *c, const struct ort_session *s, const struct ort_tensor *out,
		 struct err *e);

#endif
