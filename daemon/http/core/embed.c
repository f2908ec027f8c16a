#include "embed.h"

#include "etag.h"
#include "reply.h"

/* Computes the ETag: the sha256 of the file, in quotes. */
static int
etag_make(struct embed *f, struct err *e)
{
	_cleanup_(sha256_free) struct sha256 *hash = NULL;
	char hex[SHA256_HEX_LEN + 1];
	int r;

	r = sha256_new(&hash, e);
	if (r < 0)
		return r;
	sha256_add(hash, f->data, (size_t)(f->end - f->data));
	sha256_finish(hash, hex);
	(void)snprintf(f->etag, sizeof(f->etag), "\"%s\"", hex);
	return 0;
}

int
reply_embedded(struct request *q, struct embed *f, struct err *e)
{
	const char *const asked = MHD_lookup_connection_value(q->conn, MHD_HEADER_KIND, "If-None-Match");
	const size_t len = (size_t)(f->end - f->data);
	int r;

	r = *f->etag ? 0 : etag_make(f, e);
	if (r < 0)
		return r;
	if (etag_listed(asked, f->etag))
		r = reply_empty(q, MHD_HTTP_NOT_MODIFIED, e);
	else
		r = reply_set_take(q, MHD_HTTP_OK,
				   MHD_create_response_from_buffer(len, (void *)(uintptr_t)f->data,
								   MHD_RESPMEM_PERSISTENT),
				   f->type, e);
	reply_header(q, "ETag", f->etag);
	reply_header(q, "Cache-Control",
		     "no-cache"); /* a cache may keep it, but must revalidate it each time */
	return r;
}
