#include "text.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "base/str.h"

static bool
starts_char(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

void
text_add(struct buf *b, const char *s, size_t len)
{
	uint32_t c;
	size_t n;

	for (; len; s += n, len -= n) {
		n = str_utf8_len(s, len);
		if (n == 0) {
			buf_printf(b, "\\x%02x", (unsigned char)*s);
			n = 1;
			continue;
		}
		c = str_utf8_decode(s, n);
		if (str_char_visible(c))
			buf_add(b, s, n);
		else if (c < 0x80)
			buf_printf(b, "\\x%02x", c);
		else
			buf_printf(b, "\\u%04x", c);
	}
}

void
text_copy(char *ret, size_t len, const char *s)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	size_t n;

	text_add(&b, s, strlen(s));
	n = b.failed ? 0 : MIN(b.len, len - 1);
	while (n && n < b.len && !starts_char(b.data[n]))
		n--;
	if (n)
		memcpy(ret, b.data, n);
	ret[n] = '\0';
}

void
text_print(FILE *f, const char *s)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;

	text_add(&b, s, strlen(s));
	if (b.len && !b.failed)
		(void)fwrite(b.data, 1, b.len, f);
}

/* Number of bytes at the end of `data` that may be the start of an incomplete character. */
static size_t
unfinished_len(const char *data, size_t len)
{
	size_t n;

	for (n = 1; n <= MIN(len, 3u); n++) {
		const unsigned char c = (unsigned char)data[len - n];

		if (c >= 0xc0)
			return n < (c >= 0xf0 ? 4u : c >= 0xe0 ? 3u : 2u) ? n : 0;
		if (c < 0x80)
			return 0;
	}
	return 0;
}

static void
lines_add(struct buf *b, const char *data, size_t len)
{
	size_t n;

	for (; len; data += n, len -= n) {
		for (n = 0; n < len && data[n] != '\n' && data[n] != '\t'; n++)
			;
		text_add(b, data, n);
		if (n < len)
			buf_add(b, &data[n++], 1);
	}
}

static int
out_write(const struct text_stream *t, const char *data, size_t len, struct err *e)
{
	return len && fwrite(data, 1, len, t->out) != len
		       ? err_errno(e, E_IO, errno, "cannot write to the standard output")
		       : 0;
}

int
text_stream_add(struct text_stream *t, const char *data, size_t len, struct err *e)
{
	_cleanup_(buf_release) struct buf raw = BUF_INIT, clean = BUF_INIT;
	size_t left;

	if (!isatty(fileno(t->out)))
		return out_write(t, data, len, e);
	buf_add(&raw, t->held, t->held_len);
	buf_add(&raw, data, len);
	if (buf_failed(&raw, e) < 0)
		return e->code;
	left = raw.len ? unfinished_len(raw.data, raw.len) : 0;
	lines_add(&clean, raw.data, raw.len - left);
	t->held_len = left;
	if (left)
		memcpy(t->held, raw.data + raw.len - left, left);
	return buf_failed(&clean, e) < 0 ? e->code : out_write(t, clean.data, clean.len, e);
}

int
text_stream_end(struct text_stream *t, struct err *e)
{
	_cleanup_(buf_release) struct buf clean = BUF_INIT;

	text_add(&clean, t->held, t->held_len);
	t->held_len = 0;
	return buf_failed(&clean, e) < 0 ? e->code : out_write(t, clean.data, clean.len, e);
}

size_t
text_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += starts_char(*s);
	return n;
}

const char *
text_tail(const char *s, size_t width)
{
	size_t skip = text_width(s);

	for (skip = skip > width ? skip - width : 0; skip; skip--)
		while (!starts_char(*++s))
			;
	return s;
}

size_t
text_head_len(const char *s, size_t width)
{
	size_t i;

	for (i = 0; s[i]; i++)
		if (starts_char(s[i]) && width-- == 0)
			break;
	return i;
}

static struct winsize
window(FILE *f)
{
	struct winsize w = {.ws_col = 0};

	if (isatty(fileno(f)) && (ioctl(fileno(f), TIOCGWINSZ, &w) < 0 || !w.ws_col || !w.ws_row))
		w = (struct winsize){.ws_col = w.ws_col ? w.ws_col : 80, .ws_row = w.ws_row ? w.ws_row : 24};
	return w;
}

unsigned
text_columns(FILE *f)
{
	return window(f).ws_col;
}

unsigned
text_rows(FILE *f)
{
	return window(f).ws_row;
}
