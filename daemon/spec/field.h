/*
 * The rows of fields.def as a table, for code that treats all options of a job alike.
 */
#ifndef SPEC_FIELD_H
#define SPEC_FIELD_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

#define SPEC_PATH_MAX 4096 /* characters of a path */

enum spec_kind {
	SPEC_KIND_SOURCE,  /* char *: absolute path of a folder, or a repository of the Hub; NULL is null */
	SPEC_KIND_TEXT,    /* char *: a string without control characters; NULL is left out */
	SPEC_KIND_WORD,    /* enum spec_word: one of its words */
	SPEC_KIND_WORDS,   /* unsigned: a set of its words, bit 0 for the first; never empty */
	SPEC_KIND_WHOLE,   /* int64_t */
	SPEC_KIND_NUMBER,  /* double: finite */
	SPEC_KIND_SIZE,    /* int64_t: bytes, or a string such as "2GB"; 0 is left out */
	SPEC_KIND_SECONDS, /* int64_t; 0 is null */
	SPEC_KIND_SWITCH,  /* bool: true or false; or an object with the fields whose parent it is, which
                           * means true */
	SPEC_KIND_PATHS,   /* struct spec_paths: absolute paths of files */
	SPEC_KIND_LABELS,  /* json_t *: an object of short strings */
	SPEC_KIND_MAX
};

enum spec_use {
	SPEC_USE_MODEL,
	SPEC_USE_SOURCE,
	SPEC_USE_ARTIFACT,
	SPEC_USE_CHECK,
	SPEC_USE_QUEUE,
};

enum spec_field_id {
#define FIELD(use, kind, sym, ...) SPEC_FIELD_##sym,
#include "fields.def"
	SPEC_FIELD_MAX,
	SPEC_FIELD_JOB = SPEC_FIELD_MAX, /* the parent of most fields: the job itself */
};

enum spec_word {
#define WORD(field, sym, word) SPEC_##field##_##sym,
#include "fields.def"
	SPEC_WORD_MAX
};

struct spec;

/* `given`: the job has the field. When it does not, the rule may set a default. */
typedef int spec_rule_fn(struct spec *spec, bool given, struct err *e);

struct spec_field {
	enum spec_use use;
	enum spec_kind kind;
	const char *key;
	enum spec_field_id parent;
	int64_t least, most, initial;
	size_t offset; /* of its member in struct spec */
	spec_rule_fn *rule;
	const char *option; /* NULL: colconvctl has none */
	const char *value;  /* NULL: the option takes none */
	const char *help;
};

extern const struct spec_field spec_fields[SPEC_FIELD_MAX];

/*
 * Steps through the members of the job's object, or of a switch's object: the fields whose parent is
 * `parent`. NULL after the last.
 */
const struct spec_field *spec_field_next(const struct spec_field *f, enum spec_field_id parent);
const struct spec_field *spec_field_find(const char *key, enum spec_field_id parent);

static inline enum spec_field_id
spec_field_id(const struct spec_field *f)
{
	return (enum spec_field_id)(f - spec_fields);
}

const char *spec_word(enum spec_word word);

/* The words of a field are consecutive: from *ret_first, the default, up to but excluding *ret_end. */
void spec_words(const struct spec_field *f, enum spec_word *ret_first, enum spec_word *ret_end);

/* An array of those of its words that a set has, by number from 0; -1 is all. The caller frees it. */
json_t *spec_words_to_json(const struct spec_field *f, int64_t set);

/* E_BAD_REQUEST lists the allowed words; `name` is the field's name in the message. */
int spec_word_from_str(const struct spec_field *f, const char *name, const char *word, enum spec_word *ret,
		       struct err *e);

/* Prints the help of a field's option, with its words, range and default. */
void spec_field_help(const struct spec_field *f, struct buf *b);

#endif
