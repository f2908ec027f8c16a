#include "str.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>

bool
str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool
str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

char *
str_vprintf(const char *fmt, va_list ap)
{
	char *s;

	return vasprintf(&s, fmt, ap) < 0 ? NULL : s;
}

char *
str_trim(char *s)
{
	static const char spaces[] = " \t\r\n\f\v";
	size_t n;

	s += strspn(s, spaces);
	for (n = strlen(s); n && strchr(spaces, s[n - 1]); n--)
		;
	s[n] = '\0';
	return s;
}

char *
str_printf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = str_vprintf(fmt, ap);
	va_end(ap);
	return s;
}

int
str_to_u64(const char *s, uint64_t min, uint64_t max, const char *what, uint64_t *ret, struct err *e)
{
	unsigned long long v;
	char *end;

	if (*s < '0' || *s > '9')
		return err_set(e, E_USAGE, "%s must be a whole number, not '%s'", what, s);
	errno = 0;
	v = strtoull(s, &end, 10);
	if (*end)
		return err_set(e, E_USAGE, "%s must be a whole number, not '%s'", what, s);
	if (errno || v < min || v > max)
		return err_set(e, E_USAGE, "%s must be from %" PRIu64 " to %" PRIu64 ", not '%s'", what, min,
			       max, s);
	*ret = v;
	return 0;
}

/* A decimal number such as 12, 1.5 or 2e-3 at `s`; strtod() alone would take a sign, spaces, hexadecimal and "inf". */
static bool
decimal_take(const char *s, double *ret, const char **ret_end)
{
	static const char digits[] = "0123456789";
	size_t n = strspn(s, digits), sign;
	char *end;

	if (n == 0 && (s[0] != '.' || !strspn(s + 1, digits)))
		return false;
	if (s[n] == '.')
		n += 1 + strspn(s + n + 1, digits);
	if (s[n] == 'e' || s[n] == 'E') {
		sign = s[n + 1] == '-' || s[n + 1] == '+';
		if (strspn(s + n + 1 + sign, digits))
			n += 1 + sign + strspn(s + n + 1 + sign, digits);
	}
	*ret = strtod(s, &end);
	*ret_end = s + n;
	return end == *ret_end && isfinite(*ret);
}

int
str_to_double(const char *s, double min, double max, const char *what, double *ret, struct err *e)
{
	const bool negative = *s == '-';
	const char *end;
	double v;

	if (!decimal_take(s + negative, &v, &end) || *end)
		return err_set(e, E_USAGE, "%s must be a number, not '%s'", what, s);
	v = negative ? -v : v;
	if (v < min && isinf(max))
		return err_set(e, E_USAGE, "%s must be at least %g, not '%s'", what, min, s);
	if (v < min || v > max)
		return err_set(e, E_USAGE, "%s must be from %g to %g, not '%s'", what, min, max, s);
	*ret = v;
	return 0;
}

int
str_to_bytes(const char *s, const char *what, uint64_t *ret, struct err *e)
{
	static const char units[] = "kMGT";
	const char *u, *end;
	double v, base = 1000, mul = 1;
	int i;

	if (!decimal_take(s, &v, &end))
		goto bad;
	if (*end == ' ' && end[1])
		end++;
	if (*end && *end != 'B') {
		u = strchr(units, *end == 'K' ? 'k' : *end);
		if (!u)
			goto bad;
		if (*++end == 'i') {
			base = 1024;
			end++;
		}
		for (i = 0; i <= u - units; i++)
			mul *= base;
	}
	if (*end == 'B')
		end++;
	if (*end || v * mul > 9e18)
		goto bad;
	*ret = (uint64_t)(v * mul);
	return 0;
bad:
	return err_set(e, E_USAGE, "%s must be a size such as 500MB or 2GiB, not '%s'", what, s);
}

const char *
str_bytes(uint64_t n, char *buf, size_t len)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	double v = (double)n;
	size_t u = 0;

	while (v >= 999.5 && u + 1 < ARRAY_LEN(units)) {
		v /= 1000;
		u++;
	}
	(void)snprintf(buf, len,
		       u == 0    ? "%.0f %s"
		       : v < 10  ? "%.2f %s"
		       : v < 100 ? "%.1f %s"
				 : "%.0f %s",
		       v, units[u]);
	return buf;
}

const char *
str_time(int64_t ms, char *buf, size_t len)
{
	const int64_t rest = (ms % 1000 + 1000) % 1000; /* rounds down before 1970 too */
	time_t t = (time_t)((ms - rest) / 1000);
	struct tm tm;
	size_t n;

	if (!gmtime_r(&t, &tm) || (n = strftime(buf, len, "%Y-%m-%dT%H:%M:%S", &tm)) == 0) {
		if (len)
			buf[0] = '\0';
		return buf;
	}
	(void)snprintf(buf + n, len - n, ".%03dZ", (int)rest);
	return buf;
}

/* By RFC 3629 and table 3-7 of the Unicode standard. */
size_t
str_utf8_len(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned char lo = 0x80, hi = 0xbf;
	size_t n, i;

	if (s[0] < 0x80)
		return s[0] != 0;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (n > len)
		return 0;
	if (s[0] == 0xe0)
		lo = 0xa0;
	else if (s[0] == 0xed)
		hi = 0x9f;
	else if (s[0] == 0xf0)
		lo = 0x90;
	else if (s[0] == 0xf4)
		hi = 0x8f;
	if (s[1] < lo || s[1] > hi)
		return 0;
	for (i = 2; i < n; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return n;
}

bool
str_is_utf8(const char *s, size_t len)
{
	size_t n;

	while (len) {
		n = str_utf8_len(s, len);
		if (n == 0)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

uint32_t
str_utf8_decode(const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t c = n == 1 ? s[0] : s[0] & (0xffu >> (n + 1));
	size_t i;

	for (i = 1; i < n; i++)
		c = c << 6 | (s[i] & 0x3f);
	return c;
}

bool
str_char_visible(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{0, 0x1f},        {0x7f, 0x9f},     {0x061c, 0x061c}, {0x200e, 0x200f},
		{0x2028, 0x202e}, {0x2066, 0x206f}, {0xfff9, 0xfffb},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(hidden); i++)
		if (c >= hidden[i].first && c <= hidden[i].last)
			return false;
	return true;
}

/* Length of the visible character at `s`; 0 when the bytes are not a visible character. */
static size_t
visible_len(const char *s, size_t len)
{
	const size_t n = str_utf8_len(s, len);

	return n && str_char_visible(str_utf8_decode(s, n)) ? n : 0;
}

bool
str_is_visible(const char *s, size_t len)
{
	size_t n;

	for (; len; s += n, len -= n) {
		n = visible_len(s, len);
		if (n == 0)
			return false;
	}
	return true;
}

static void
clean(char *s, char keep)
{
	size_t len = strlen(s), n;

	for (; len; s += n, len -= n) {
		n = *s == keep ? 1 : visible_len(s, len);
		if (n == 0) {
			*s = '?';
			n = 1;
		}
	}
}

void
str_clean(char *s)
{
	clean(s, /*keep=*/'\0');
}

void
str_clean_lines(char *s)
{
	clean(s, '\n');
}
