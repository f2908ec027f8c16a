#include "reply.h"

#include <inttypes.h>

#include "base/str.h"
#include "etag.h"
#include "range.h"
#include "server_private.h"

#define RETRY_AFTER "5" /* s, when a limit is reached */

/* Answers up to this size are always given, whatever the budget of answers is. */
#define ANSWER_SMALL (32u << 10)

int
reply_set_take(struct request *q, unsigned status, struct MHD_Response *response, const char *type,
	       struct err *e)
{
	assert(!q->reply);
	if (!response)
		return err_no_memory(e);
	q->reply = response;
	q->status = status;
	if (type)
		reply_header(q, "Content-Type", type);
	reply_header(q, "X-Content-Type-Options", "nosniff");
	return 0;
}

/* The text of an answer while its client reads it. */
struct answer {
	struct server *server;
	size_t len;
	char *text;
};

static void
answer_free(void *arg)
{
	struct answer *a = arg;

	a->server->answers -= a->len;
	free(a->text);
	free(a);
}

/* Owns the text and counts it in the budget of answers. NULL when memory ran out. */
static struct MHD_Response *
large_response_take(struct server *s, char *text, size_t len)
{
	struct answer *a = malloc(sizeof(*a));
	struct MHD_Response *response;

	if (!a) {
		free(text);
		return NULL;
	}
	*a = (struct answer){.server = s, .len = len, .text = text};
	s->answers += len;
	response = MHD_create_response_from_buffer_with_free_callback_cls(len, text, answer_free, a);
	if (!response)
		answer_free(a);
	return response;
}

/*
 * Takes `text`. E_BUSY for a large answer to a GET when the budget of answers is used up. A POST or DELETE
 * always gets its answer: the change was made already.
 */
static int
text_take(struct request *q, unsigned status, char *text, size_t len, const char *type, struct err *e)
{
	struct MHD_Response *response = NULL;
	struct server *s = q->server;

	if (text && len > ANSWER_SMALL && str_eq(q->method, "GET") &&
	    s->answers + len > s->spec.answers_max) {
		free(text);
		return err_set(e, E_BUSY,
			       "%" PRIu64 " bytes of answers wait for their readers; try again soon",
			       s->answers);
	}
	if (text && len > ANSWER_SMALL) {
		response = large_response_take(s, text, len);
	} else if (text) {
		response = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
		if (!response)
			free(text);
	}
	return reply_set_take(q, status, response, type, e);
}

static int
reply_text(struct request *q, unsigned status, json_t *j, const char *type, struct err *e)
{
	char *text = json_text(j, REPLY_JSON);

	return text_take(q, status, text, text ? strlen(text) : 0, type, e);
}

int
reply_json_take(struct request *q, unsigned status, json_t *j, struct err *e)
{
	int r = reply_text(q, status, j, "application/json", e);

	json_decref(j);
	if (r == 0)
		reply_header(q, "Cache-Control", "no-store");
	return r;
}

int
reply_text_take(struct request *q, unsigned status, struct buf *b, const char *type, struct err *e)
{
	const size_t len = b->len;
	int r = text_take(q, status, buf_take(b), len, type, e);

	reply_header(q, "Cache-Control", "no-store");
	return r;
}

int
reply_empty(struct request *q, unsigned status, struct err *e)
{
	return reply_set_take(q, status, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT),
			      /*type=*/NULL, e);
}

void
reply_error(struct request *q, const struct err *why)
{
	const int status = err_http_status(why->code);
	json_t *j;

	j = json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", "about:blank", "title",
		      MHD_get_reason_phrase_for((unsigned)status), "status", status, "code",
		      err_name(why->code), "detail", why->msg);
	str_clean(q->field); /* text from the caller, which may be cut in the middle of a character */
	if (*q->field)
		(void)json_object_set_new(j, "field", json_string(q->field));
	(void)reply_text(q, (unsigned)status, j, "application/problem+json", NULL);
	json_decref(j);
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		reply_header(q, "Retry-After", RETRY_AFTER);
}

static const char *
header_get(const struct request *q, const char *name)
{
	return MHD_lookup_connection_value(q->conn, MHD_HEADER_KIND, name);
}

/*
 * Range counts for GET only. With If-Range it counts only while the file is still the one that the client has
 * a part of.
 */
static enum range
range_wanted(const struct request *q, uint64_t size, const char *etag, uint64_t *ret_first, uint64_t *ret_len)
{
	const char *if_range = header_get(q, "If-Range");

	if (str_eq(q->method, "HEAD") || (if_range && !str_eq(if_range, etag)))
		return RANGE_WHOLE;
	return range_parse(header_get(q, "Range"), size, ret_first, ret_len);
}

static int
range_refuse(struct request *q, uint64_t size)
{
	struct err why = ERR_INIT;
	char text[64];

	(void)snprintf(q->field, sizeof(q->field), "Range");
	(void)err_set(&why, E_BAD_RANGE, "the file has %" PRIu64 " bytes", size);
	(void)snprintf(text, sizeof(text), "bytes */%" PRIu64, size);
	reply_error(q, &why);
	reply_header(q, "Content-Range", text);
	return 0;
}

static int
part_take(struct request *q, int fd, unsigned status, uint64_t first, uint64_t len, const char *type,
	  struct err *e)
{
	struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(len, fd, first);

	if (!response)
		(void)close(fd);
	return reply_set_take(q, status, response, type, e);
}

static int
content_take(struct request *q, int fd, uint64_t size, const char *etag, const char *type, struct err *e)
{
	uint64_t first, len;
	char text[96];
	int r;

	switch (range_wanted(q, size, etag, &first, &len)) {
	case RANGE_OUTSIDE:
		(void)close(fd);
		return range_refuse(q, size);
	case RANGE_PART:
		r = part_take(q, fd, MHD_HTTP_PARTIAL_CONTENT, first, len, type, e);
		(void)snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first,
			       first + len - 1, size);
		reply_header(q, "Content-Range", text);
		return r;
	default:
		return part_take(q, fd, MHD_HTTP_OK, 0, size, type, e);
	}
}

int
reply_file_take(struct request *q, int fd, uint64_t size, const char *etag, const char *type, struct err *e)
{
	int r;

	if (etag_listed(header_get(q, "If-None-Match"), etag)) {
		(void)close(fd);
		r = reply_empty(q, MHD_HTTP_NOT_MODIFIED, e);
	} else {
		r = content_take(q, fd, size, etag, type, e);
	}
	reply_header(q, "ETag", etag);
	reply_header(q, "Accept-Ranges", "bytes");
	reply_header(q, "Cache-Control", "no-cache"); /* caches must revalidate it each time */
	return r;
}

int
reply_reader_take(struct request *q, uint64_t len, size_t block, MHD_ContentReaderCallback read, void *arg,
		  MHD_ContentReaderFreeCallback done, const char *type, struct err *e)
{
	static char nothing[1];
	struct MHD_Response *response = NULL;
	int r;

	const bool empty = str_eq(q->method, "HEAD") && len == MHD_SIZE_UNKNOWN;

	if (!empty)
		response = MHD_create_response_from_callback(len, block, read, arg, done);
	if (!response)
		done(arg);
	if (empty)
		response = MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
	r = reply_set_take(q, MHD_HTTP_OK, response, type, e);
	reply_header(q, "Cache-Control", "no-store");
	return r;
}

void
reply_header(struct request *q, const char *name, const char *value)
{
	if (q->reply)
		(void)MHD_add_response_header(q->reply, name, value);
}
