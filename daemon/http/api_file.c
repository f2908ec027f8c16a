/* The routes of an artifact's files. The queue says whether there is an artifact; the files alone do not. */
#include "api.h"

#include <inttypes.h>

#include "base/str.h"

/* Without files for a job that is not done. */
static int
files_load(struct request *q, struct artifact_list *ret, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	int r;

	r = store_job_get(q->server->spec.store, q->id, &job, e);
	if (r < 0)
		return r;
	return store_file_list(q->server->spec.store, q->id, ret, e);
}

int
api_file_list(struct request *q, struct err *e)
{
	_cleanup_(artifact_list_release) struct artifact_list list = ARTIFACT_LIST_INIT;
	const struct artifact_file *f;
	json_t *files;
	int r;

	r = files_load(q, &list, e);
	if (r < 0)
		return r;
	files = json_array();
	for (f = list.files; f < list.files + list.n; f++)
		(void)json_array_append_new(files, json_pack("{s:s, s:I, s:s}", "name", f->name, "size",
							     (json_int_t)f->size, "sha256", f->sha256));
	if (json_array_size(files) != list.n) {
		json_decref(files);
		return err_set(e, E_NO_MEMORY, "memory ran out");
	}
	return reply_json_take(q, MHD_HTTP_OK, json_pack("{s:o}", "files", files), e);
}

static const struct artifact_file *
file_find(const struct artifact_list *list, const char *name)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (str_eq(list->files[i].name, name))
			return &list->files[i];
	return NULL;
}

int
api_file_get(struct request *q, struct err *e)
{
	_cleanup_(artifact_list_release) struct artifact_list list = ARTIFACT_LIST_INIT;
	uint64_t size;
	int fd, r;

	r = files_load(q, &list, e);
	if (r < 0)
		return r;
	if (!file_find(&list, q->name))
		return err_set(e, E_NOT_FOUND, "job %" PRId64 " has no file '%s'", q->id, q->name);
	r = artifact_open_file(q->server->spec.state_dir, q->id, q->name, &fd, &size, e);
	if (r < 0)
		return r;
	return reply_file_take(q, fd, size, str_ends(q->name, ".json") ? "application/json" : "application/octet-stream",
			       e);
}

int
api_parity_get(struct request *q, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	uint64_t size;
	int fd, r;

	r = store_job_get(q->server->spec.store, q->id, &job, e);
	if (r < 0)
		return r;
	/* A job that was tried again may have one of an earlier try. */
	if (job.state != JOB_DONE && !(job.reason && str_eq(job.reason, err_name(E_PARITY))))
		return err_set(e, E_NOT_FOUND, "job %" PRId64 " has no parity report", q->id);
	r = artifact_open_report(q->server->spec.state_dir, q->id, &fd, &size, e);
	if (r < 0)
		return r;
	return reply_file_take(q, fd, size, "application/json", e);
}
