/*
 * Graphs of any origin: their inputs get the names that cases have, and the outputs to compare are chosen.
 */
#ifndef PARITY_NAMES_H
#define PARITY_NAMES_H

#include "ort.h"

struct names {
	/* "GRAPH_NAME=NAME" each: what the user says */
	const char *const *inputs;
	size_t n_inputs;
	const char *
		output; /* this one alone; NULL: all, the first being the first one that is called an embedding */
};

/* E_USAGE for a name that the user gave and the graph does not have. */
int names_apply(const struct names *n, struct ort_session *s, struct err *e);

#endif
