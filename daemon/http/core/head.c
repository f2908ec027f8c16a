#include "head.h"

#include <strings.h>

#include "base/str.h"

struct reading {
	struct head head;
	const char *length;
	const char *encoding;
	const char *range, *if_range, *last_event; /* repetition is checked here; others read the values */
	uintptr_t next;                            /* where the next line must begin */
	size_t len;                                /* of the headers so far */
	bool plain;                                /* each line so far begins where the one before it ends */
	const char *told;                          /* end of the last name or value reported */
	size_t head_size;
	struct err e;
};

static bool
is_token(const char *s, size_t len)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";
	size_t i;
	char c;

	for (i = 0; i < len; i++) {
		c = s[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c && strchr(marks, c))))
			return false;
	}
	return len > 0;
}

/* True for text without NUL, CR and LF. */
static bool
is_text(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
			return false;
	return true;
}

/* Headers that change how the request is handled must not be repeated. */
static const char **
value_of(struct reading *r, const char *key)
{
	const struct {
		const char *name;
		const char **value;
	} known[] = {
		{"Host", &r->head.host},
		{"Content-Length", &r->length},
		{"Transfer-Encoding", &r->encoding},
		{"Authorization", &r->head.authorization},
		{"Origin", &r->head.origin},
		{"Sec-Fetch-Site", &r->head.site},
		{"Range", &r->range},
		{"If-Range", &r->if_range},
		{"Last-Event-ID", &r->last_event},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(known); i++)
		if (strcasecmp(known[i].name, key) == 0)
			return known[i].value;
	return NULL;
}

/* Check where each name and value lies. The library parses in place, so they still lie where they arrived. */
static void
line_follow(struct reading *r, uintptr_t key, size_t key_len, uintptr_t value, size_t value_len)
{
	r->plain &= key == r->next && value == key + key_len + strlen(": ");
	r->next = value + value_len + strlen("\r\n");
	r->len += key_len + strlen(": ") + value_len + strlen("\r\n");
}

/*
 * True when only the characters `marks` lie between the last piece and this one, with at most `nuls` NULs:
 * the number that the library writes to terminate its pieces. Also true when the piece lies elsewhere in
 * memory, as a line does that the library joined from two folded ones. (A NUL before a bare LF looks like the
 * end of a line: such text is cut.)
 */
static bool
nothing_untold(struct reading *r, const char *piece, size_t len, const char *marks, unsigned nuls)
{
	const char *p = r->told;
	unsigned n = 0;

	if ((uintptr_t)piece >= (uintptr_t)p && (uintptr_t)piece - (uintptr_t)p < r->head_size)
		for (; p < piece; p++) {
			n += !*p;
			if (n > nuls || (*p && !strchr(marks, *p)))
				return false;
		}
	r->told = piece + len;
	return true;
}

static int
untold(struct err *e)
{
	return err_set(
		e, E_BAD_REQUEST,
		"the first line and the headers must not hold a NUL or a line other than 'NAME: VALUE'");
}

static int
line_check(struct reading *r, const struct head_line *line, struct err *e)
{
	r->told = line->method;
	if (!nothing_untold(r, line->method, strlen(line->method), "", 0) ||
	    !nothing_untold(r, line->uri, line->uri_len, " ", 1) ||
	    !nothing_untold(r, line->version, strlen(line->version), " ", 1))
		return untold(e);
	return 0;
}

static enum MHD_Result
header_add(void *arg, enum MHD_ValueKind kind, const char *key, size_t key_len, const char *value,
	   size_t value_len)
{
	struct reading *r = arg;
	const char **known;

	(void)kind;
	line_follow(r, (uintptr_t)key, key_len, (uintptr_t)value, value_len);
	if (!nothing_untold(r, key, key_len, "\r\n \t", 2) ||
	    (value && !nothing_untold(r, value, value_len, ": \t", 1)))
		(void)untold(&r->e);
	if (!is_token(key, key_len)) {
		(void)err_set(&r->e, E_BAD_REQUEST, "'%.100s' is not a header name", key);
		return MHD_NO;
	}
	if (!is_text(value ? value : "", value ? value_len : 0)) {
		(void)err_set(&r->e, E_BAD_REQUEST, "header '%.100s' holds a control character", key);
		return MHD_NO;
	}
	if (strcasecmp(key, "Content-Encoding") == 0)
		(void)err_set(&r->e, E_BAD_REQUEST, "Content-Encoding is not supported");
	known = value_of(r, key);
	if (known && *known)
		(void)err_set(&r->e, E_BAD_REQUEST, "header '%.100s' is repeated", key);
	if (known)
		*known = value ? value : "";
	return MHD_YES;
}

int
head_read(struct MHD_Connection *conn, const struct head_line *line, struct head *ret, struct err *e)
{
	const size_t line_len = strlen(line->method) + 1 + line->uri_len + 1 + strlen(line->version);
	const size_t size =
		MHD_get_connection_info(conn, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
	struct reading r = {
		.next = (uintptr_t)line->version + strlen(line->version) + strlen("\r\n"),
		.plain = true,
		.head_size = size,
	};

	(void)line_check(&r, line, &r.e);
	(void)MHD_get_connection_values_n(conn, MHD_HEADER_KIND, header_add, &r);
	if (!nothing_untold(&r, line->method + size, 0, "\r\n \t", 4))
		(void)untold(&r.e);
	if (!r.head.host)
		(void)err_set(&r.e, E_BAD_REQUEST, "exactly one Host header is needed");
	if (r.length && r.encoding)
		(void)err_set(&r.e, E_BAD_REQUEST, "Content-Length and Transfer-Encoding exclude each other");
	if (r.length && (!*r.length || strspn(r.length, "0123456789") != strlen(r.length)))
		(void)err_set(&r.e, E_BAD_REQUEST, "Content-Length must be a whole number");
	if (r.encoding && strcasecmp(r.encoding, "chunked") != 0)
		(void)err_set(&r.e, E_BAD_REQUEST, "Transfer-Encoding must be chunked");
	if (r.e.code)
		return err_set(e, r.e.code, "%s", r.e.msg);
	r.head.chunked = r.encoding != NULL;
	r.head.plain = r.plain && size == line_len + strlen("\r\n") + r.len + strlen("\r\n");
	*ret = r.head;
	return 0;
}
