/* How each kind of field is read from JSON and printed as JSON. */
#ifndef SPEC_KIND_H
#define SPEC_KIND_H

#include "base/json.h"
#include "field.h"

#define SPEC_FIELD_LEN 96     /* room for the name of a field in an error */
#define SPEC_LABEL_LEN_MAX 64 /* characters of a label's name, and of its value */

/*
 * Reads a field into its member of struct spec. Without a value (`v` is NULL, or is null where null means
 * the same) the member becomes the row's default. `name` is the field's name in errors; for a field with
 * several members it is set to the wrong one ("reference[2]"). After an error the member still owns what
 * was allocated.
 */
int spec_kind_parse(const struct spec_field *f, const json_t *v, void *ret, char name[SPEC_FIELD_LEN],
		    struct err *e);

/*
 * `key` is the text before the value: a comma and the name in quotes. Prints nothing for a value that the
 * JSON leaves out.
 */
void spec_kind_print(const struct spec_field *f, const void *member, const char *key, struct buf *b);

/* A SWITCH is printed by its owner when it is on and has fields. */
void spec_kind_release(const struct spec_field *f, void *member);

bool spec_kind_takes_null(enum spec_kind kind);

#endif
