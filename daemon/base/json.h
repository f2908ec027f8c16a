/*
 * JSON from outside: jansson's parser with duplicate keys refused and the nesting
 * capped, and getters whose errors name the field.
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

/* Parses one document; `what` names it in errors of the given code. */
int json_parse(const char *text, size_t len, const char *what, int code, json_t **ret, struct err *e);

/*
 * The same for an answer of a peer that may be hostile: of at most JSON_ANSWER_VALUES_MAX values, since the tree of a
 * document takes up to 100 bytes for each of its own.
 */
int json_parse_answer(const char *text, size_t len, const char *what, int code, json_t **ret, struct err *e);

/* Reads and parses a file of at most `max` bytes. */
int json_read(const char *path, uint64_t max, int code, json_t **ret, struct err *e);

/* The same of a folder that somebody else filled. */
int json_read_in(struct folder *f, const char *name, uint64_t max, int code, json_t **ret, struct err *e);

/* A string in quotes, of valid UTF-8; NULL is null. */
void json_print_str(struct buf *b, const char *s);

/* A finite number, in digits that read back as the same one. */
void json_print_real(struct buf *b, double v);

/*
 * The document as a string that the caller frees, or NULL when memory ran out; flags as for json_dumps(). That
 * function itself loses the name of a member, and reports success, when memory runs out in the wrong moment.
 */
char *json_text(const json_t *j, size_t flags);

/* Writes it indented, by fs_write_file. */
int json_write(const char *path, const json_t *j, struct err *e);

/* A number without a fraction, however it is written: 2, 2.0, 2e0. E_USAGE for what is none, or is too large. */
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
