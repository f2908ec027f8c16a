/*
 * The sign of life of a process that works for hours: the work itself gives it.
 *
 * Each piece of work calls pulse() when it is done: a block that was read, hashed or written, a
 * node of a graph. Whoever watches reads the count and sees a loop that does not end, or a call
 * that does not come back, by a count that stands still.
 *
 * What cannot be cut into pieces, such as one matrix product or an fsync of what the disk has yet to
 * write, says beforehand how long it may take:
 *
 *	pulse_allow(600);
 *	product();
 *	pulse_allow(0);
 */
#ifndef BASE_PULSE_H
#define BASE_PULSE_H

#include "util.h"

void pulse(void);

/* From now until the next pulse_allow(): so many seconds count as alive. 0 ends it, and is a pulse. */
void pulse_allow(unsigned seconds);

/* Something was done since the last call, or the time that was allowed has not passed. For one caller. */
bool pulse_felt(void);

#endif
