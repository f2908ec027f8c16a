/*
 * The dashboard. Its files come from this server and its scripts ask only this server; the policy
 * makes the browser enforce both. Even if text from a job became markup, it could load and run nothing.
 */
#include "page.h"

#include "base/str.h"
#include "http/core/embed.h"
#include "http/core/reply.h"

#define FOLDER "daemon/http/page/web/"

static const char policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
	"require-trusted-types-for 'script'; trusted-types 'none'";

#define PAGE_FILE(sym, name, type) EMBED_BYTES(PAGE_##sym, FOLDER name)
#include "page.def"
#undef PAGE_FILE

enum file {
#define PAGE_FILE(sym, name, type) FILE_##sym,
#include "page.def"
#undef PAGE_FILE
	FILE_MAX
};

static struct embed files[FILE_MAX] = {
#define PAGE_FILE(sym, name, type) EMBED_ROW(PAGE_##sym, name, type),
#include "page.def"
#undef PAGE_FILE
};

static int
file_reply(struct request *q, struct embed *f, struct err *e)
{
	int r = reply_embedded(q, f, e);

	reply_header(q, "Content-Security-Policy", policy);
	reply_header(q, "Referrer-Policy", "no-referrer");
	reply_header(q, "Cross-Origin-Resource-Policy", "same-origin");
	return r;
}

int
page_get(struct request *q, struct err *e)
{
	return file_reply(q, &files[FILE_INDEX], e);
}

int
page_file_get(struct request *q, struct err *e)
{
	struct embed *f = FIND_ROW(files, FILE_MAX, name, q->name);

	if (f)
		return file_reply(q, f, e);
	return err_set(e, E_NOT_FOUND, "the page has no file '%s'", q->name);
}
