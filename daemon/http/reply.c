#include "reply.h"

#include "base/str.h"

#define RETRY_AFTER "5" /* s, when a limit is reached */

int
reply_set_take(struct request *q, unsigned status, struct MHD_Response *response, const char *type, struct err *e)
{
	assert(!q->reply);
	if (!response)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	q->reply = response;
	q->status = status;
	if (type)
		reply_header(q, "Content-Type", type);
	reply_header(q, "X-Content-Type-Options", "nosniff");
	return 0;
}

static int
reply_text(struct request *q, unsigned status, json_t *j, const char *type, struct err *e)
{
	char *text = json_dumps(j, REPLY_JSON);
	struct MHD_Response *response;

	if (!text)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(text);
	return reply_set_take(q, status, response, type, e);
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
reply_text_take(struct request *q, struct buf *b, const char *type, struct err *e)
{
	const size_t len = b->len;
	char *text = buf_take(b);
	struct MHD_Response *response = NULL;
	int r;

	if (text)
		response = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(text);
	r = reply_set_take(q, MHD_HTTP_OK, response, type, e);
	reply_header(q, "Cache-Control", "no-store");
	return r;
}

int
reply_empty(struct request *q, unsigned status, struct err *e)
{
	return reply_set_take(q, status, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT),
			      /*type=*/ NULL, e);
}

void
reply_error(struct request *q, const struct err *why)
{
	const int status = err_http_status(why->code);
	json_t *j;

	j = json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", "about:blank", "title",
		      MHD_get_reason_phrase_for((unsigned)status), "status", status, "code", err_name(why->code), "detail",
		      why->msg);
	if (*q->field)
		(void)json_object_set_new(j, "field", json_string(q->field));
	(void)reply_text(q, (unsigned)status, j, "application/problem+json", NULL);
	json_decref(j);
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		reply_header(q, "Retry-After", RETRY_AFTER);
}

int
reply_file_take(struct request *q, int fd, uint64_t size, const char *type, struct err *e)
{
	struct MHD_Response *response = MHD_create_response_from_fd64(size, fd);

	if (!response)
		(void)close(fd);
	return reply_set_take(q, MHD_HTTP_OK, response, type, e);
}

int
reply_reader_take(struct request *q, size_t block, MHD_ContentReaderCallback read, void *arg,
		  MHD_ContentReaderFreeCallback done, const char *type, struct err *e)
{
	static char nothing[1];
	struct MHD_Response *response = NULL;
	int r;

	if (!str_eq(q->method, "HEAD"))
		response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, block, read, arg, done);
	if (!response)
		done(arg);
	if (str_eq(q->method, "HEAD"))
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
