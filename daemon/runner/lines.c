#include "lines.h"

#include <inttypes.h>

#include "base/str.h"

static void
dropped_tell(struct lines *l, lines_fn fn, void *arg)
{
	char notice[64];

	if (l->dropped == 0)
		return;
	(void)snprintf(notice, sizeof(notice), "(%" PRIu64 " lines dropped)", l->dropped);
	l->dropped = 0;
	fn(arg, notice);
}

static void
line_end(struct lines *l, int64_t now_ms, lines_fn fn, void *arg)
{
	if (l->len == 0)
		return;
	l->text[l->len] = '\0';
	str_clean(l->text);
	l->len = 0;
	if (l->second != now_ms / 1000) {
		l->second = now_ms / 1000;
		l->passed = 0;
		dropped_tell(l, fn, arg);
	}
	if (l->passed == LINES_PER_SECOND) {
		l->dropped++;
		return;
	}
	l->passed++;
	fn(arg, l->text);
}

void
lines_add(struct lines *l, const char *data, size_t len, int64_t now_ms, lines_fn fn, void *arg)
{
	const char *nl;
	size_t n, room;

	while (len) {
		nl = memchr(data, '\n', len);
		n = nl ? (size_t)(nl - data) : len;
		room = LINES_LEN_MAX - l->len;
		memcpy(l->text + l->len, data, MIN(n, room));
		l->len += MIN(n, room);
		if (nl) {
			line_end(l, now_ms, fn, arg);
			n++;
		}
		data += n;
		len -= n;
	}
}

void
lines_end(struct lines *l, int64_t now_ms, lines_fn fn, void *arg)
{
	line_end(l, now_ms, fn, arg);
	dropped_tell(l, fn, arg);
}
