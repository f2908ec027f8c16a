/*
 * Strings: numbers from text with their whole range checked, formatted copies, and
 * the text forms of sizes and times that people read.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>

#include "err.h"

static inline bool
str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* The first row whose member is the string, or NULL: FIND_ROW(list->files, list->n, name, "config.json"). */
/* clang-format off */
#define FIND_ROW(rows, n, member, string) __extension__({                                                \
		__typeof__(&(rows)[0]) rows_ = (rows), found_ = NULL;                                    \
		for (size_t at_ = 0; at_ < (size_t)(n) && !found_; at_++)                                \
			found_ = str_eq(rows_[at_].member, string) ? &rows_[at_] : NULL;                 \
		found_;                                                                                  \
	})
/* clang-format on */

bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* Removes white space at both ends, in place. Returns the first remaining character. */
char *str_trim(char *s);

/* A formatted copy on the heap, or NULL when memory ran out. */
char *str_printf(const char *fmt, ...) _printf_(1, 2);
char *str_vprintf(const char *fmt, va_list ap) _printf_(1, 0);

/* Decimal digits only, the whole string, within the range. `what` names the value in the error (E_USAGE). */
int str_to_u64(const char *s, uint64_t min, uint64_t max, const char *what, uint64_t *ret, struct err *e);

/* The same for a finite decimal number such as -0.5 or 2e-3. `max` may be INFINITY. */
int str_to_double(const char *s, double min, double max, const char *what, double *ret, struct err *e);

/* "500", "64KiB", "2GB", "1.5GiB": decimal (k, M, G, T) and binary (Ki, Mi, Gi, Ti) units, B optional. */
int str_to_bytes(const char *s, const char *what, uint64_t *ret, struct err *e);

/* "4.12 GB" and the like into `buf`, which is returned. */
const char *str_bytes(uint64_t n, char *buf, size_t len);

/* RFC 3339 in UTC with milliseconds, from milliseconds since 1970: "2026-01-31T08:00:00.123Z". */
const char *str_time(int64_t ms, char *buf, size_t len);

/*
 * Length of the UTF-8 sequence at `s`, which has `len` > 0 bytes; 0 for NUL and for invalid or incomplete
 * sequences.
 */
size_t str_utf8_len(const char *s, size_t len);

/* Valid UTF-8 with no NUL in `len` bytes: no overlong forms, no surrogates. */
bool str_is_utf8(const char *s, size_t len);

/* The character of a sequence whose length str_utf8_len() gave. */
uint32_t str_utf8_decode(const char *s, size_t n);

/*
 * Whether a character may be shown unchanged to a person: in a log, a journal or a terminal. All text from
 * outside is checked with this function. Not visible are
 *
 *	C0 and C1 controls, DEL      command a terminal: U+0000-001F, U+007F-009F
 *	line separators              end a line for some programs: U+2028, U+2029
 *	direction marks              reorder the text around them: U+061C, U+200E, U+200F, U+202A-202E,
 *	                             U+2066-206F
 *	annotation marks             hide the text between them: U+FFF9-FFFB
 */
bool str_char_visible(uint32_t c);

/* Valid UTF-8 in `len` bytes, of visible characters only. */
bool str_is_visible(const char *s, size_t len);

/*
 * Makes text from outside safe to show in one line: each byte that is not part of a visible character becomes
 * '?'.
 */
void str_clean(char *s);

/* The same for several lines: '\n' stays. */
void str_clean_lines(char *s);

#endif
