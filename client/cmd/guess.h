/* Finds the word that a mistyped one was probably meant to be. */
#ifndef CLIENT_GUESS_H
#define CLIENT_GUESS_H

#include "base/err.h"

struct guess {
	const char *typed;
	size_t len;       /* length of the typed word */
	const char *word; /* the nearest word so far; NULL: none is near enough */
	unsigned far;
};

/* Considers a candidate. */
void guess_try(struct guess *g, const char *word);

#endif
