/* Facts of a document on stdout, a line each: its name, then its value. */
#ifndef CLIENT_FACT_H
#define CLIENT_FACT_H

#include "base/buf.h"
#include "base/json.h"

void fact_print(const char *name, const char *value);

/* "text, image" of an array, "who=me, team=search" of an object, the rest as JSON has it. */
void fact_value_add(struct buf *b, const json_t *v);

/* What is null, empty or absent is no fact. */
void fact_member(const json_t *obj, const char *key);

#endif
