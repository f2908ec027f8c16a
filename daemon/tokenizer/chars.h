/*
 * Classes of characters, like `\w` and `\s` in a Unicode regular expression.
 */
#ifndef TOKENIZER_CHARS_H
#define TOKENIZER_CHARS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the text, which is valid UTF-8, ends or begins with a word character. */
bool chars_word_ends(const char *text, size_t len);
bool chars_word_begins(const char *text, size_t len);

/* Where the white space at the end of the text begins; `len` when there is none. */
size_t chars_space_before(const char *text, size_t len);

/* Bytes of the white space at the beginning of the text. */
size_t chars_space_length(const char *text, size_t len);

#endif
