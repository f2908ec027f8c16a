/* GET /v1/artifacts: the artifacts that are stored, newest job first, in pages. */
#include "api_private.h"

#include <inttypes.h>

#include "base/str.h"
#include "http/core/param.h"

/* Bytes of a listed artifact as JSON, without its model. */
#define ARTIFACT_BYTES 150

/* A page of artifacts. One more is read than is shown, to know whether another page follows. */
struct page {
	json_t *artifacts;
	size_t limit;
	size_t bytes;
	int64_t last;
	bool more;
};

static int
page_add(const struct stored_artifact *a, void *arg, struct err *e)
{
	struct page *p = arg;
	char published[32];

	if (json_array_size(p->artifacts) == p->limit || p->bytes >= PAGE_BYTES_MAX) {
		p->more = true;
		return 0;
	}
	p->last = a->job;
	p->bytes += strlen(a->model) + ARTIFACT_BYTES;
	if (json_array_append_new(p->artifacts,
				  json_pack("{s:I, s:s, s:s, s:I, s:I}", "job", (json_int_t)a->job, "model",
					    a->model, "published",
					    str_time(a->published, published, sizeof(published)), "files",
					    (json_int_t)a->files, "bytes", (json_int_t)a->bytes)) < 0)
		return err_no_memory(e);
	return 0;
}

int
api_artifact_list(struct request *q, struct err *e)
{
	uint64_t limit = PAGE_LIMIT_DEFAULT, cursor = INT64_MAX;
	const struct param params[] = {{"limit", 1, PAGE_LIMIT_MAX, &limit},
				       {"cursor", 0, PAGE_CURSOR_MAX, &cursor}};
	struct page p = {.artifacts = NULL};
	char next[24];
	int r;

	r = params_get(q, params, ARRAY_LEN(params), e);
	if (r < 0)
		return r;
	p.limit = (size_t)limit;
	p.artifacts = json_array();
	r = store_artifact_list(api_of(q)->spec.store, (int64_t)MIN(cursor, (uint64_t)INT64_MAX),
				(int)limit + 1, page_add, &p, e);
	if (r < 0) {
		json_decref(p.artifacts);
		return r;
	}
	(void)snprintf(next, sizeof(next), "%" PRId64, p.last);
	return reply_json_take(
		q, MHD_HTTP_OK,
		json_pack("{s:o, s:s?}", "artifacts", p.artifacts, "next", p.more ? next : NULL), e);
}
