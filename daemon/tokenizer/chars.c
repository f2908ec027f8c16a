#include "chars.h"

#include <utf8proc.h>

/* The last character that begins before `len`. */
static size_t
char_before(const char *text, size_t len)
{
	size_t at = len - 1;

	while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
		at--;
	return at;
}

static utf8proc_ssize_t
char_at(const char *text, size_t len, utf8proc_int32_t *c)
{
	return utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, c);
}

/* Unicode's White_Space: the separators, and the white space of ASCII and Latin-1. */
static bool
is_space(utf8proc_int32_t c)
{
	switch (utf8proc_category(c)) {
	case UTF8PROC_CATEGORY_ZS:
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP:
		return true;
	default:
		return (c >= 9 && c <= 13) || c == 0x85;
	}
}

/* Letters, marks, decimal digits and connectors such as '_'. */
static bool
is_word(utf8proc_int32_t c)
{
	switch (utf8proc_category(c)) {
	case UTF8PROC_CATEGORY_LU:
	case UTF8PROC_CATEGORY_LL:
	case UTF8PROC_CATEGORY_LT:
	case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_LO:
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_MC:
	case UTF8PROC_CATEGORY_ME:
	case UTF8PROC_CATEGORY_ND:
	case UTF8PROC_CATEGORY_NL:
	case UTF8PROC_CATEGORY_PC:
		return true;
	default:
		return c == 0x200c || c == 0x200d; /* joiners */
	}
}

bool
chars_word_begins(const char *text, size_t len)
{
	utf8proc_int32_t c;

	return len > 0 && char_at(text, len, &c) > 0 && is_word(c);
}

bool
chars_word_ends(const char *text, size_t len)
{
	size_t at = len > 0 ? char_before(text, len) : 0;

	return len > 0 && chars_word_begins(text + at, len - at);
}

size_t
chars_space_before(const char *text, size_t len)
{
	utf8proc_int32_t c;
	size_t at;

	while (len > 0) {
		at = char_before(text, len);
		if (char_at(text + at, len - at, &c) <= 0 || !is_space(c))
			break;
		len = at;
	}
	return len;
}

size_t
chars_space_length(const char *text, size_t len)
{
	utf8proc_ssize_t k;
	utf8proc_int32_t c;
	size_t at = 0;

	while (at < len && (k = char_at(text + at, len - at, &c)) > 0 && is_space(c))
		at += (size_t)k;
	return at;
}
