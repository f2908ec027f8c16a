#include "base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_add(struct buf *b, const void *data, size_t len)
{
	const unsigned char *s = data;
	char *out = buf_reserve(b, DIV_ROUND_UP(len, 3) * 4);
	size_t i, n;
	uint32_t v;

	if (!out)
		return;
	for (i = 0; i < len; i += 3, out += 4) {
		n = MIN(len - i, 3);
		v = (uint32_t)s[i] << 16 | (n > 1 ? (uint32_t)s[i + 1] << 8 : 0) | (n > 2 ? s[i + 2] : 0);
		out[0] = digits[v >> 18];
		out[1] = digits[v >> 12 & 63];
		out[2] = n > 1 ? digits[v >> 6 & 63] : '=';
		out[3] = n > 2 ? digits[v & 63] : '=';
		b->len += 4;
	}
	*out = '\0';
}

bool
base64_decode(const char *text, struct buf *ret)
{
	const size_t len = strlen(text);
	unsigned char *out = buf_reserve(ret, len / 4 * 3);
	const char *digit;
	size_t i, pad = 0;
	uint32_t v = 0;

	if (!out || len % 4)
		return false;
	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	for (i = 0; i < len; i++) {
		digit = i < len - pad ? strchr(digits, text[i]) : digits;
		if (!digit)
			return false;
		v = v << 6 | (uint32_t)(digit - digits);
		if (i % 4 != 3)
			continue;
		*out++ = (unsigned char)(v >> 16);
		*out++ = (unsigned char)(v >> 8);
		*out++ = (unsigned char)v;
		v = 0;
	}
	ret->len += len / 4 * 3 - pad;
	ret->data[ret->len] = '\0';
	return true;
}
