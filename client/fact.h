/* Facts of a document on stdout, a line each: its name, then its value. */
#ifndef CLIENT_FACT_H
#define CLIENT_FACT_H

#include "base/json.h"

void fact_print(const char *name, const char *value);

/* Lists with commas, objects as "name=value". What is null, empty or absent is no fact. */
void fact_member(const json_t *obj, const char *key);

#endif
