/* The word that a mistyped one was perhaps meant to be. */
#ifndef CLIENT_GUESS_H
#define CLIENT_GUESS_H

#include "base/err.h"

struct guess {
	const char *typed;
	size_t len;       /* of what was typed */
	const char *word; /* the nearest so far; NULL: none is near */
	unsigned far;
};

/* One that it may have been. */
void guess_try(struct guess *g, const char *word);

#endif
