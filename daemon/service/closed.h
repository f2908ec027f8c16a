/* The daemon's own files, which its workers must not read or write although they run as the same user. */
#ifndef SERVICE_CLOSED_H
#define SERVICE_CLOSED_H

#include "base/err.h"

#define CLOSED_MAX 8

struct closed {
	char *path[CLOSED_MAX];
	size_t n;
};

/* `tokens` is the setting; "" when there is none. Release it on failure too. */
int closed_find(const char *state_dir, const char *tokens, struct closed *ret, struct err *e);
void closed_release(struct closed *c);

#endif
