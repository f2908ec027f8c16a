/*
 * The card's example: a Python program that embeds queries, and pages where the artifact can take them, and prints their
 * scores. It stands in the card as a block that begins with "```python".
 */
#ifndef WORKER_CARD_EXAMPLE_H
#define WORKER_CARD_EXAMPLE_H

#include "base/buf.h"
#include "stages.h"

void card_example_put(struct buf *b, const struct conversion *c, const json_t *facts);

#endif
