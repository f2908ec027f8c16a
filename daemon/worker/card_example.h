/*
 * The example in the card: a Python program that embeds a query and, where the artifact can take them,
 * pages, and prints their scores. In the card it is a block that begins with "```python".
 */
#ifndef WORKER_CARD_EXAMPLE_H
#define WORKER_CARD_EXAMPLE_H

#include "base/buf.h"
#include "stages.h"

void card_example_put(struct buf *b, const struct conversion *c, const json_t *facts);

#endif
