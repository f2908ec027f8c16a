/*
 * The routes of an artifact's files. The queue decides whether a job has an artifact; files on the disk alone
 * do not.
 */
#include "api_private.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/str.h"
#include "http/core/param.h"
#include "tar.h"

/* Finds the job and opens its artifact. E_GONE when the artifact was removed. The caller releases `job`. */
static int
job_load(struct request *q, struct job *ret, struct err *e)
{
	int r = store_job_get(api_of(q)->spec.store, q->id, ret, e);

	if (r == 0 && ret->artifact.removed)
		r = err_set(e, E_GONE, "the artifact of job %" PRId64 " was removed", q->id);
	return r;
}

/* The only parameter is as=tar. */
static int
form_take(void *arg, const char *name, const char *value, struct err *e)
{
	bool *tar = arg;

	if (!str_eq(name, "as"))
		return err_set(e, E_BAD_REQUEST, "unknown parameter '%.64s'", name);
	if (*tar)
		return err_set(e, E_BAD_REQUEST, "as is repeated");
	if (!str_eq(value, "tar"))
		return err_set(e, E_BAD_REQUEST, "as must be tar");
	*tar = true;
	return 0;
}

static int
tar_get(struct request *q, struct err *e)
{
	_cleanup_(artifact_list_release) struct artifact_list list = ARTIFACT_LIST_INIT;
	_cleanup_(job_release) struct job job = {.id = 0};
	int r = job_load(q, &job, e);

	if (r == 0 && job.state != JOB_DONE)
		r = err_set(e, E_NOT_FOUND, "job %" PRId64 " is %s and has no artifact", q->id,
			    job_state_to_str(job.state));
	if (r == 0)
		r = store_file_list(api_of(q)->spec.store, q->id, &list, e);
	return r < 0 ? r : api_tar_reply(q, &job, &list, e);
}

int
api_file_list(struct request *q, struct err *e)
{
	_cleanup_(artifact_list_release) struct artifact_list list = ARTIFACT_LIST_INIT;
	_cleanup_(job_release) struct job job = {.id = 0};
	const struct artifact_file *f;
	bool tar = false;
	json_t *files;
	int r;

	r = params_each(q, form_take, &tar, e);
	if (r < 0)
		return r;
	if (tar)
		return tar_get(q, e);
	r = store_job_get(api_of(q)->spec.store, q->id, &job, e);
	if (r == 0)
		r = store_file_list(api_of(q)->spec.store, q->id, &list,
				    e); /* a job that is not done has none */
	if (r < 0)
		return r;
	files = json_array();
	for (f = list.files; f < list.files + list.n; f++)
		(void)json_array_append_new(files, json_pack("{s:s, s:I, s:s}", "name", f->name, "size",
							     (json_int_t)f->size, "sha256", f->sha256));
	if (json_array_size(files) != list.n) {
		json_decref(files);
		return err_no_memory(e);
	}
	return reply_json_take(q, MHD_HTTP_OK, json_pack("{s:o}", "files", files), e);
}

int
api_file_get(struct request *q, struct err *e)
{
	_cleanup_(artifact_list_release) struct artifact_list list = ARTIFACT_LIST_INIT;
	_cleanup_(job_release) struct job job = {.id = 0};
	const struct artifact_file *f;
	char etag[SHA256_HEX_LEN + 3];
	uint64_t size;
	int fd, r;

	r = job_load(q, &job, e);
	if (r == 0)
		r = store_file_list(api_of(q)->spec.store, q->id, &list, e);
	if (r < 0)
		return r;
	f = FIND_ROW(list.files, list.n, name, q->name);
	if (!f)
		return err_set(e, E_NOT_FOUND, "job %" PRId64 " has no file '%s'", q->id, q->name);
	r = artifact_open_file(api_of(q)->spec.state_dir, q->id, q->name, &fd, &size, e);
	if (r < 0)
		return r;
	if (size != f->size) {
		(void)close(fd);
		return err_set(e, E_MISMATCH,
			       "'%s' of job %" PRId64 " has %" PRIu64
			       " bytes, and was published with %" PRIu64,
			       q->name, q->id, size, f->size);
	}
	(void)snprintf(etag, sizeof(etag), "\"%s\"", f->sha256);
	return reply_file_take(q, fd, size, etag,
			       str_ends(q->name, ".json") ? "application/json" : "application/octet-stream",
			       e);
}

/* The ETag of a file whose hash is not stored, from its time and size: a replaced file has another time. */
static int
etag_of(int fd, char *ret, size_t len, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(e, E_IO, errno, "cannot stat the parity report");
	(void)snprintf(ret, len, "\"%llx-%llx.%lx\"", (unsigned long long)st.st_size,
		       (unsigned long long)st.st_mtim.tv_sec, (unsigned long)st.st_mtim.tv_nsec);
	return 0;
}

int
api_parity_get(struct request *q, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	char etag[64];
	uint64_t size;
	int fd, r;

	r = store_job_get(api_of(q)->spec.store, q->id, &job, e);
	if (r < 0)
		return r;
	/* A retried job may still have the report of an earlier attempt. */
	if (job.state != JOB_DONE && !(job.reason && str_eq(job.reason, err_name(E_PARITY))))
		return err_set(e, E_NOT_FOUND, "job %" PRId64 " has no parity report", q->id);
	r = artifact_open_report(api_of(q)->spec.state_dir, q->id, &fd, &size, e);
	if (r < 0)
		return r;
	r = etag_of(fd, etag, sizeof(etag), e);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	return reply_file_take(q, fd, size, etag, "application/json", e);
}
