#include "scan.h"

#include "base/json.h"
#include "base/str.h"

void
scan_init(struct scan *s, const void *text, size_t len, const char *what, int code)
{
	*s = (struct scan){.text = text, .at = text, .end = (const unsigned char *)text + len};
	s->what = what;
	s->code = code;
}

static int
fail(const struct scan *s, const char *wrong, struct err *e)
{
	const unsigned char *p, *line = s->text;
	size_t n = 1;

	for (p = s->text; p < s->at; p++) {
		if (*p == '\n') {
			line = p + 1;
			n++;
		}
	}
	return err_set(e, s->code, "%s: line %zu, column %zu: %s", s->what, n, (size_t)(s->at - line) + 1,
		       wrong);
}

static void
space_skip(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
		s->at++;
}

int
scan_peek(struct scan *s)
{
	space_skip(s);
	return s->at < s->end ? *s->at : 0;
}

static int
expect(struct scan *s, char c, struct err *e)
{
	const char wrong[] = {'\'', c, '\'', ' ', 'e', 'x', 'p', 'e', 'c', 't', 'e', 'd', '\0'};

	if (scan_peek(s) != c)
		return fail(s, wrong, e);
	s->at++;
	return 0;
}

int
scan_open(struct scan *s, char bracket, struct err *e)
{
	int r = expect(s, bracket, e);

	s->fresh = true;
	return r;
}

/* Steps to the next member: 1, or 0 after the closing bracket. */
static int
member_next(struct scan *s, char closing, struct err *e)
{
	const bool fresh = s->fresh;
	int r;

	s->fresh = false;
	if (scan_peek(s) == closing) {
		s->at++;
		return 0;
	}
	r = fresh ? 0 : expect(s, ',', e);
	return r < 0 ? r : 1;
}

int
scan_key(struct scan *s, char *key, size_t cap, size_t *ret_len, struct err *e)
{
	int r = member_next(s, '}', e);

	if (r <= 0)
		return r;
	if ((r = scan_str(s, key, cap, ret_len, e)) < 0 || (r = expect(s, ':', e)) < 0)
		return r;
	return 1;
}

int
scan_element(struct scan *s, struct err *e)
{
	return member_next(s, ']', e);
}

/* Reads the four digits after \u; -1 when they are missing. */
static int32_t
hex4(const struct scan *s)
{
	int32_t v = 0;
	int i, c;

	if (s->end - s->at < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		c = s->at[i];
		if (c >= '0' && c <= '9')
			c -= '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			c = (c | 0x20) - 'a' + 10;
		else
			return -1;
		v = v << 4 | c;
	}
	return v;
}

/*
 * Reads the character of \uXXXX, or of two such escapes when it needs more than 16 bits. -1: not a character.
 */
static int32_t
codepoint(struct scan *s)
{
	int32_t v = hex4(s), low;

	if (v < 0xd800 || v > 0xdfff) {
		s->at += v < 0 ? 0 : 4;
		return v;
	}
	s->at += 4;
	if (v > 0xdbff || s->end - s->at < 6 || s->at[0] != '\\' || s->at[1] != 'u')
		return -1;
	s->at += 2;
	low = hex4(s);
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	s->at += 4;
	return 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
}

static size_t
utf8_put(int32_t v, char out[4])
{
	if (v < 0x80) {
		out[0] = (char)v;
		return 1;
	}
	if (v < 0x800) {
		out[0] = (char)(0xc0 | v >> 6);
		out[1] = (char)(0x80 | (v & 0x3f));
		return 2;
	}
	if (v < 0x10000) {
		out[0] = (char)(0xe0 | v >> 12);
		out[1] = (char)(0x80 | (v >> 6 & 0x3f));
		out[2] = (char)(0x80 | (v & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | v >> 18);
	out[1] = (char)(0x80 | (v >> 12 & 0x3f));
	out[2] = (char)(0x80 | (v >> 6 & 0x3f));
	out[3] = (char)(0x80 | (v & 0x3f));
	return 4;
}

/*
 * Reads the rest of an escape, after the backslash. Returns the number of bytes that it stands for; 0:
 * invalid.
 */
static size_t
escape_read(struct scan *s, char out[4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	int32_t v;

	if (s->at == s->end || !*s->at)
		return 0;
	at = strchr(from, *s->at);
	if (at) {
		s->at++;
		out[0] = to[at - from];
		return 1;
	}
	if (*s->at++ != 'u')
		return 0;
	v = codepoint(s);
	return v > 0 ? utf8_put(v, out) : 0;
}

int
scan_str(struct scan *s, char *ret, size_t cap, size_t *ret_len, struct err *e)
{
	char bytes[4];
	size_t n, len = 0;
	int r;

	r = expect(s, '"', e);
	if (r < 0)
		return r;
	for (;;) {
		if (s->at == s->end)
			return fail(s, "a string has no end", e);
		if (*s->at == '"')
			break;
		if (*s->at == '\\') {
			s->at++;
			n = escape_read(s, bytes);
			if (!n)
				return fail(s, "wrong escape in a string", e);
		} else {
			n = str_utf8_len((const char *)s->at, (size_t)(s->end - s->at));
			if (!n || *s->at < ' ')
				return fail(s, "a string holds a control character or is not UTF-8", e);
			memcpy(bytes, s->at, n);
			s->at += n;
		}
		if (len + n < cap)
			memcpy(ret + len, bytes, n);
		len += n;
	}
	s->at++;
	ret[MIN(len, cap - 1)] = '\0';
	*ret_len = len;
	return 0;
}

static bool
digits_skip(struct scan *s)
{
	const unsigned char *from = s->at;

	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return s->at > from;
}

/* Skips a fraction, an exponent, both or none. False: begun but invalid. */
static bool
fraction_skip(struct scan *s)
{
	if (s->at < s->end && *s->at == '.') {
		s->at++;
		if (!digits_skip(s))
			return false;
	}
	if (s->at < s->end && (*s->at | 0x20) == 'e') {
		s->at++;
		if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
			s->at++;
		return digits_skip(s);
	}
	return true;
}

int
scan_int(struct scan *s, int64_t *ret, struct err *e)
{
	const unsigned char *digits, *p;
	const bool negative = scan_peek(s) == '-';
	int64_t v = 0;

	s->at += negative;
	digits = s->at;
	if (!digits_skip(s) || (*digits == '0' && s->at - digits > 1))
		return fail(s, "a value expected", e);
	p = s->at;
	if (!fraction_skip(s))
		return fail(s, "wrong number", e);
	if (s->at > p)
		return 0;
	/* Adds up negative numbers, because INT64_MIN has no positive counterpart. */
	for (p = digits; p < s->at; p++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, *p - '0', &v))
			return fail(s, "too large a number", e);
	if (!negative && v == INT64_MIN)
		return fail(s, "too large a number", e);
	*ret = negative ? v : -v;
	return 1;
}

static int
word_skip(struct scan *s, const char *word, struct err *e)
{
	const size_t len = strlen(word);

	if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
		return fail(s, "a value expected", e);
	s->at += len;
	return 0;
}

/*
 * Skips a string that the caller does not need. Here a lone half of a surrogate pair and \u0000 are allowed.
 */
static int
string_skip(struct scan *s, struct err *e)
{
	size_t n;
	int r;

	r = expect(s, '"', e);
	for (; r == 0; s->at += n) {
		if (s->at == s->end)
			return fail(s, "a string has no end", e);
		if (*s->at == '"') {
			s->at++;
			break;
		}
		if (*s->at != '\\') {
			n = str_utf8_len((const char *)s->at, (size_t)(s->end - s->at));
			if (!n || *s->at < ' ')
				return fail(s, "a string holds a control character or is not UTF-8", e);
			continue;
		}
		s->at++;
		if (s->at == s->end || !*s->at || !strchr("\"\\/bfnrtu", *s->at))
			return fail(s, "wrong escape in a string", e);
		n = *s->at++ == 'u' ? 4 : 0;
		if (n && hex4(s) < 0)
			return fail(s, "wrong escape in a string", e);
	}
	return r;
}

/* Skips a number of any length: Python writes integers of 31 digits. */
static int
number_skip(struct scan *s, struct err *e)
{
	const unsigned char *digits;

	s->at += s->at < s->end && *s->at == '-';
	digits = s->at;
	if (!digits_skip(s) || (*digits == '0' && s->at - digits > 1))
		return fail(s, "a value expected", e);
	return fraction_skip(s) ? 0 : fail(s, "wrong number", e);
}

/* Skips a member's key and its colon: 1, or 0 at the end of the object. */
static int
key_skip(struct scan *s, struct err *e)
{
	int r = member_next(s, '}', e);

	if (r <= 0)
		return r;
	return (r = string_skip(s, e)) < 0 || (r = expect(s, ':', e)) < 0 ? r : 1;
}

static int
value_skip(struct scan *s, int depth, struct err *e)
{
	const int c = scan_peek(s);
	int r;

	if (c == '"')
		return string_skip(s, e);
	if (c == 't' || c == 'f' || c == 'n')
		return word_skip(s, c == 't' ? "true" : c == 'f' ? "false" : "null", e);
	if (c != '{' && c != '[')
		return number_skip(s, e);
	if (depth == JSON_DEPTH_MAX)
		return fail(s, "nested too deeply", e);
	r = scan_open(s, (char)c, e);
	while (r == 0) {
		r = c == '{' ? key_skip(s, e) : scan_element(s, e);
		if (r <= 0)
			return r;
		r = value_skip(s, depth + 1, e);
	}
	return r;
}

int
scan_skip(struct scan *s, struct err *e)
{
	return value_skip(s, 0, e);
}

int
scan_end(struct scan *s, struct err *e)
{
	return scan_peek(s) || s->at < s->end ? fail(s, "the text should end here", e) : 0;
}
