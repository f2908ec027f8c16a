/* Conversions whose weights are stored in 8 bits: which they are, what was seen of their inputs, and which stay in float16. */
#ifndef WORKER_ROUNDED_H
#define WORKER_ROUNDED_H

#include "onnx/rounding.h"
#include "stages.h"

/* Makes c->rounding of the traced graphs, where the job asks for such weights. */
int rounded_begin(struct conversion *c, struct err *e);

/* Keeps more matrices in float16, because parity failed. False: no more may be kept, so that failure is final. */
bool rounded_keep_more(struct conversion *c);

/*
 * {"matrices", "smoothed", "kept": [{"weight", "bytes", "error"}], "bytes", "bytes_kept", "rounds"}, for the manifest:
 * `error` is the estimated relative error in 8 bits, `bytes` what the rounded weights take and
 * `bytes_kept` what those in float16 do. JSON null: no weight is rounded. NULL: no memory.
 */
json_t *rounded_to_json(const struct conversion *c);

#endif
