/*
 * Kinds of characters, as `\w` and `\s` of a Unicode regular expression have them.
 */
#ifndef TOKENIZER_CHARS_H
#define TOKENIZER_CHARS_H

#include <stdbool.h>
#include <stddef.h>

/* The text, valid UTF-8, ends with or begins with a word's character. */
bool chars_word_ends(const char *text, size_t len);
bool chars_word_begins(const char *text, size_t len);

/* Where the white space at the end of the text begins; `len` when there is none. */
size_t chars_space_before(const char *text, size_t len);

/* Bytes of the white space at the beginning of the text. */
size_t chars_space_length(const char *text, size_t len);

#endif
