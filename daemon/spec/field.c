#include "field.h"

#include <inttypes.h>

#include "base/str.h"
#include "rule.h"
#include "spec.h"

/* clang-format off */
const struct spec_field spec_fields[SPEC_FIELD_MAX] = {
#define FIELD(use_, kind_, sym, key_, parent_, least_, most_, initial_, fn, option_, value_, help_) \
	[SPEC_FIELD_##sym] = {                                                                         \
		.use = SPEC_USE_##use_,                                                                \
		.kind = SPEC_KIND_##kind_,                                                             \
		.key = #key_,                                                                          \
		.parent = SPEC_FIELD_##parent_,                                                        \
		.least = least_,                                                                       \
		.most = most_,                                                                         \
		.initial = initial_,                                                                   \
		.offset = offsetof(struct spec, key_),                                                 \
		.rule = rule_##fn,                                                                     \
		.option = option_,                                                                     \
		.value = value_,                                                                       \
		.help = help_,                                                                         \
	},
#include "fields.def"
};
/* clang-format on */

static const struct {
	enum spec_field_id field;
	const char *word;
} words[SPEC_WORD_MAX] = {
#define WORD(field, sym, word) {SPEC_FIELD_##field, word},
#include "fields.def"
};

const struct spec_field *
spec_field_next(const struct spec_field *f, enum spec_field_id parent)
{
	for (f = f ? f + 1 : spec_fields; f < spec_fields + SPEC_FIELD_MAX; f++)
		if (f->parent == parent)
			return f;
	return NULL;
}

const struct spec_field *
spec_field_find(const char *key, enum spec_field_id parent)
{
	const struct spec_field *f = NULL;

	while ((f = spec_field_next(f, parent)) && !str_eq(f->key, key))
		;
	return f;
}

const char *
spec_word(enum spec_word word)
{
	return words[word].word;
}

void
spec_words(const struct spec_field *f, enum spec_word *ret_first, enum spec_word *ret_end)
{
	unsigned w = 0;

	while (w < SPEC_WORD_MAX && words[w].field != spec_field_id(f))
		w++;
	*ret_first = w;
	while (w < SPEC_WORD_MAX && words[w].field == spec_field_id(f))
		w++;
	*ret_end = w;
}

json_t *
spec_words_to_json(const struct spec_field *f, int64_t set)
{
	enum spec_word first, end;
	json_t *j = json_array();
	unsigned w;

	spec_words(f, &first, &end);
	for (w = first; w < end; w++)
		if (set & INT64_C(1) << (w - first))
			(void)json_array_append_new(j, json_string(spec_word(w)));
	return j;
}

static void
words_print(const struct spec_field *f, struct buf *b)
{
	enum spec_word first, end;
	unsigned w;

	spec_words(f, &first, &end);
	for (w = first; w < end; w++)
		buf_printf(b, "%s%s", w > first ? ", " : "", words[w].word);
}

/* Prints the default of a WORDS field as the option takes it: " (text,image)". */
static void
set_print(const struct spec_field *f, enum spec_word first, struct buf *b)
{
	const char *before = " (";
	unsigned i;

	for (i = 0; f->initial >> i; i++)
		if (f->initial >> i & 1) {
			buf_printf(b, "%s%s", before, words[first + i].word);
			before = ",";
		}
	buf_puts(b, ")");
}

int
spec_word_from_str(const struct spec_field *f, const char *name, const char *word, enum spec_word *ret,
		   struct err *e)
{
	_cleanup_(buf_release) struct buf allowed = BUF_INIT;
	enum spec_word first, end;
	unsigned w;

	spec_words(f, &first, &end);
	for (w = first; w < end; w++)
		if (str_eq(words[w].word, word)) {
			*ret = w;
			return 0;
		}
	words_print(f, &allowed);
	if (allowed.failed)
		return err_no_memory(e);
	return err_set(e, E_BAD_REQUEST, "%s must be one of %s, not '%.64s'", name, allowed.data, word);
}

void
spec_field_help(const struct spec_field *f, struct buf *b)
{
	enum spec_word first, end;

	if (f->kind == SPEC_KIND_SWITCH && f->initial)
		buf_puts(b, "do not ");
	buf_puts(b, f->help);
	spec_words(f, &first, &end);
	if (first < end) {
		buf_puts(b, ": ");
		words_print(f, b);
	}
	if (f->kind == SPEC_KIND_WORD)
		buf_printf(b, " (%s)", words[first].word);
	if (f->kind == SPEC_KIND_WORDS)
		set_print(f, first, b);
	if (f->kind == SPEC_KIND_WHOLE && f->most < INT64_MAX)
		buf_printf(b, "; from %" PRId64 " to %" PRId64, f->least, f->most);
	if (f->kind == SPEC_KIND_WHOLE)
		buf_printf(b, " (%" PRId64 ")", f->initial);
}
