/* How each kind of field is read from JSON and printed as JSON. */
#ifndef SPEC_KIND_H
#define SPEC_KIND_H

#include "base/json.h"
#include "field.h"

#define SPEC_FIELD_LEN 96     /* room for the name of a field in an error */
#define SPEC_LABEL_LEN_MAX 64 /* characters of a label's name, and of its value */

/*
 * Reads a field into its member of struct spec. Without a value (`v` is NULL, or null where that says the same) the
 * member becomes the default of the row. `name` is the field's name in errors; a field with members leaves the name
 * of the wrong one there ("reference[2]"). What was allocated before an error is the member's too.
 */
int spec_kind_parse(const struct spec_field *f, const json_t *v, void *ret, char name[SPEC_FIELD_LEN],
		    struct err *e);

/* `key` is the text before the value: a comma and the name in quotes. Prints nothing for a member that is left out. */
void spec_kind_print(const struct spec_field *f, const void *member, const char *key, struct buf *b);

/* A SWITCH is printed by its owner where it is on and has fields. */
void spec_kind_release(const struct spec_field *f, void *member);

bool spec_kind_takes_null(enum spec_kind kind);

#endif
