/*
 * What the daemon knows of one model: a published repository, a class or a family, from the answer of GET /v1/models.
 */
#ifndef CLIENT_KNOWN_H
#define CLIENT_KNOWN_H

#include "base/err.h"
#include "base/json.h"

/*
 * *ret, for the caller to free, has those rows of `repositories` that `name` means: OWNER/NAME, NAME alone, a class, or
 * a family by its architecture or title. Letters match in any case. E_USAGE when there is none, with names that are near.
 */
int known_find(const json_t *reply, const char *name, json_t **ret, struct err *e);

/* Prints one row as facts, several as a line each. */
void known_print(const json_t *rows);

#endif
