/*
 * Parses untrusted JSON with jansson: refuses duplicate keys and deep nesting. Getters report errors with the name of
 * the field.
 *
 * Getters take the path of the object ("" for the top) to name a field in full:
 * "vision_config.depth must be a whole number". An absent or null member leaves *ret
 * as it was, unless the getter is told that the member is required.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

#include "buf.h"
#include "err.h"

struct folder;

#define JSON_DEPTH_MAX 32
#define JSON_ANSWER_VALUES_MAX (1u << 19)

enum json_need { JSON_OPTIONAL, JSON_REQUIRED };

/* Parses one document; `what` names it in errors of the given code. An integer beyond int64 is read as a real. */
int json_parse(const char *text, size_t len, const char *what, int code, json_t **ret, struct err *e);

/*
 * The same for an answer from a server that may be hostile. It allows at most JSON_ANSWER_VALUES_MAX values, because
 * the parsed tree takes up to 100 bytes for each byte of text.
 */
int json_parse_answer(const char *text, size_t len, const char *what, int code, json_t **ret, struct err *e);

/* Reads and parses a file of at most `max` bytes. */
int json_read(const char *path, uint64_t max, int code, json_t **ret, struct err *e);

/* The same for a file of an untrusted folder. */
int json_read_in(struct folder *f, const char *name, uint64_t max, int code, json_t **ret, struct err *e);

/* A string in quotes, of valid UTF-8; NULL is null. */
void json_print_str(struct buf *b, const char *s);

/* A finite number, with enough digits to read back the same value. */
void json_print_real(struct buf *b, double v);

/*
 * The document as a string that the caller frees, or NULL when memory ran out; flags as for json_dumps(). Use it instead of json_dumps(), which can
 * print an empty name for a member and report success when memory runs out.
 */
char *json_text(const json_t *j, size_t flags);

/* Return `j`, or release it and return NULL when one of its parts was lost (`failed` is not 0). */
json_t *json_whole(json_t *j, int failed);

/* Write a document to a file, indented, with fs_write_file(). */
int json_write(const char *path, const json_t *j, struct err *e);

/* Convert a number without a fraction, in any notation: 2, 2.0, 2e0. E_USAGE for other values and numbers out of range. */
int json_to_int(const json_t *v, int64_t *ret, struct err *e);

int json_get_int(const json_t *obj, const char *path, const char *key, enum json_need need, int64_t min,
		 int64_t max, int code, int64_t *ret, struct err *e);
int json_get_double(const json_t *obj, const char *path, const char *key, enum json_need need, int code,
		    double *ret, struct err *e); /* whole numbers too */
int json_get_bool(const json_t *obj, const char *path, const char *key, enum json_need need, int code,
		  bool *ret, struct err *e);
int json_get_str(const json_t *obj, const char *path, const char *key, enum json_need need, int code,
		 const char **ret, struct err *e); /* borrowed from obj */
int json_get_obj(const json_t *obj, const char *path, const char *key, enum json_need need, int code,
		 const json_t **ret, struct err *e); /* borrowed from obj */
int json_get_array(const json_t *obj, const char *path, const char *key, enum json_need need, int code,
		   const json_t **ret, struct err *e); /* borrowed from obj */

#endif
