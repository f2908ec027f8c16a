/*
 * The options of a job, in two forms: a JSON object, which the API takes, the queue stores and a worker
 * receives, and this struct. Both are made from fields.def, which has one row per option.
 *
 * This file needs no database: the client and the worker link it too.
 */
#ifndef SPEC_SPEC_H
#define SPEC_SPEC_H

#include "base/json.h"
#include "base/sha256.h"
#include "field.h"
#include "head.h"
#include "kind.h"
#include "profile.h"
#include "variant.h"

struct spec_paths {
	char **item;
	size_t n;
};

#define SPEC_TYPE_SOURCE char *
#define SPEC_TYPE_TEXT char *
#define SPEC_TYPE_WORD enum spec_word
#define SPEC_TYPE_WORDS unsigned
#define SPEC_TYPE_WHOLE int64_t
#define SPEC_TYPE_NUMBER double
#define SPEC_TYPE_SIZE int64_t
#define SPEC_TYPE_SECONDS int64_t
#define SPEC_TYPE_SWITCH bool
#define SPEC_TYPE_PATHS struct spec_paths
#define SPEC_TYPE_LABELS json_t *

/* A member of each field, of the type that the comment of its kind says (field.h). */
struct spec {
#define FIELD(use, kind, sym, key, ...) SPEC_TYPE_##kind key;
#include "fields.def"
};

/* clang-format off */
#define SPEC_INIT { .model = NULL }
/* clang-format on */

void spec_release(struct spec *spec);

/*
 * Checks everything that can be checked without opening a file. On E_BAD_REQUEST `field` names the wrong
 * field ("parity.max_abs", "reference[2]"; "" for an error of the whole object).
 */
int spec_from_json(const json_t *j, struct spec *ret, char field[SPEC_FIELD_LEN], struct err *e);

/* The same for a JSON text; `what` names the text in syntax errors, which have the given code. */
int spec_from_text(const char *text, const char *what, int code, struct spec *ret, struct err *e);

/*
 * Prints the spec as JSON with every default filled in; spec_from_json() reads it back. Equal specs give
 * equal texts, however they were written.
 */
void spec_print(const struct spec *spec, struct buf *b);

/* The same without the options that only say what the daemon does with the job. */
void spec_print_conversion(const struct spec *spec, struct buf *b);

/* The SHA-256 of the text of spec_print(). Two specs with the same text are the same job. */
int spec_sha256(const struct spec *spec, char ret[SHA256_HEX_LEN + 1], struct err *e);

/* Whether a model or base is a Hub repository, not a folder. */
json_t *spec_artifact_to_json(const struct spec *spec);

/* A model or base is a repository of the Hub, not a folder. */
bool spec_is_repo(const char *source);

const struct profile *spec_profile(const struct spec *spec);
enum head spec_head(const struct spec *spec);

#endif
