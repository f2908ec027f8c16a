/* Prints facts of a document on stdout, a line each: the name, then the value. */
#ifndef CLIENT_FACT_H
#define CLIENT_FACT_H

#include "base/buf.h"
#include "base/json.h"

void fact_print(const char *name, const char *value);

/* Prints an array as "text, image", an object as "who=me, team=search", anything else as JSON. */
void fact_value_add(struct buf *b, const json_t *v);

/* Prints nothing for a value that is null, empty or absent. */
void fact_member(const json_t *obj, const char *key);

#endif
