/*
 * The dashboard. It is served from here and asks here alone, and the browser is told so: a
 * string from a job that found its way into the markup would still load and run nothing.
 */
#include "api.h"
#include "embed.h"

static const char policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
	"require-trusted-types-for 'script'; trusted-types 'none'";

static int
page_reply(struct request *q, enum embed which, struct err *e)
{
	int r = reply_embedded(q, which, e);

	reply_header(q, "Content-Security-Policy", policy);
	reply_header(q, "Referrer-Policy", "no-referrer");
	reply_header(q, "Cross-Origin-Resource-Policy", "same-origin");
	return r;
}

int
api_page_get(struct request *q, struct err *e)
{
	return page_reply(q, EMBED_PAGE, e);
}

int
api_page_file_get(struct request *q, struct err *e)
{
	enum embed which;

	if (!embed_find("daemon/http/page/", q->name, &which))
		return err_set(e, E_NOT_FOUND, "the page has no file '%s'", q->name);
	return page_reply(q, which, e);
}
