#include "embed.h"

#include "base/sha256.h"
#include "base/str.h"
#include "reply.h"

/* The assembler reads the files: no copy of them in C is made, or kept in step. */
/* clang-format off */
#define EMBED(sym, path, type)                                                                               \
	__asm__(".pushsection .rodata\n"                                                                     \
		".global embed_" #sym ", embed_" #sym "_end\n"                                               \
		"embed_" #sym ":\n"                                                                          \
		".incbin \"" EMBED_TOP "/" path "\"\n"                                                       \
		"embed_" #sym "_end:\n"                                                                      \
		".popsection\n");                                                                            \
	extern const char embed_##sym[], embed_##sym##_end[];
/* clang-format on */
#include "embedded.def"
#undef EMBED

static const struct {
	const char *data;
	const char *end;
	const char *type;
	const char *path;
} rows[] = {
#define EMBED(sym, path, type) {embed_##sym, embed_##sym##_end, type, path},
#include "embedded.def"
#undef EMBED
};

#define ETAG_LEN (SHA256_HEX_LEN + 2)

/* The hash in quotes; made once, for the files do not change under us. */
static int
etag_get(enum embed which, const char **ret, struct err *e)
{
	static char etags[EMBED_MAX][ETAG_LEN + 1];
	_cleanup_(sha256_free) struct sha256 *hash = NULL;
	char hex[SHA256_HEX_LEN + 1];
	int r;

	if (!*etags[which]) {
		r = sha256_new(&hash, e);
		if (r < 0)
			return r;
		sha256_add(hash, rows[which].data, (size_t)(rows[which].end - rows[which].data));
		sha256_finish(hash, hex);
		(void)snprintf(etags[which], sizeof(etags[which]), "\"%s\"", hex);
	}
	*ret = etags[which];
	return 0;
}

bool
etag_listed(const char *if_none_match, const char *etag)
{
	const size_t len = strlen(etag);
	const char *p = if_none_match;

	if (!p)
		return false;
	if (str_eq(p, "*"))
		return true;
	while (*p) {
		p += strspn(p, " \t,");
		if (str_starts(p, "W/"))
			p += 2;
		if (strncmp(p, etag, len) == 0 && (p[len] == '\0' || strchr(" \t,", p[len])))
			return true;
		p += strcspn(p, ",");
	}
	return false;
}

bool
embed_find(const char *folder, const char *name, enum embed *ret)
{
	size_t i;

	for (i = 0; i < EMBED_MAX; i++)
		if (str_starts(rows[i].path, folder) && str_eq(rows[i].path + strlen(folder), name)) {
			*ret = (enum embed)i;
			return true;
		}
	return false;
}

int
reply_embedded(struct request *q, enum embed which, struct err *e)
{
	const char *const asked = MHD_lookup_connection_value(q->conn, MHD_HEADER_KIND, "If-None-Match");
	const size_t len = (size_t)(rows[which].end - rows[which].data);
	const char *etag;
	int r;

	r = etag_get(which, &etag, e);
	if (r < 0)
		return r;
	if (etag_listed(asked, etag))
		r = reply_empty(q, MHD_HTTP_NOT_MODIFIED, e);
	else
		r = reply_set_take(q, MHD_HTTP_OK,
				   MHD_create_response_from_buffer(len, (void *)(uintptr_t)rows[which].data,
								   MHD_RESPMEM_PERSISTENT),
				   rows[which].type, e);
	reply_header(q, "ETag", etag);
	reply_header(q, "Cache-Control", "no-cache"); /* may be kept, and is asked for again each time */
	return r;
}
