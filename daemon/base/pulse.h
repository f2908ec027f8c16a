/*
 * A counter that shows whether a long computation still makes progress.
 *
 * Call pulse() after each piece of work: a block read, hashed or written, a node of a graph. A thread that watches the
 * counter notices an endless loop or a call that hangs, because the counter stops.
 *
 * A step that cannot be split, such as one matrix product or an fsync, announces how long it may take:
 *
 *	pulse_allow(600);
 *	product();
 *	pulse_allow(0);
 */
#ifndef BASE_PULSE_H
#define BASE_PULSE_H

#include "util.h"

void pulse(void);

/* Count the next `seconds` as progress. 0 ends that time early. Both also count as a pulse. */
void pulse_allow(unsigned seconds);

/* Whether there was a pulse since the last call, or the allowed time still runs. Use it from one thread only. */
bool pulse_felt(void);

#endif
