/* What an operator looks at: what is stored, what can be asked for, where workers run, how the daemon is. */
#include "api_private.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/statvfs.h>

#include "base/fs.h"
#include "base/str.h"
#include "config.h"
#include "http/core/param.h"
#include "queue/event.h"
#include "queue/reserve.h"
#include "spec/architecture.h"

/* Of an artifact in a list, without its model. */
#define ARTIFACT_BYTES 150

/* A page of artifacts: one more is asked for than is shown, to know whether another page follows. */
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

static json_t *
variants_to_json(unsigned variants)
{
	json_t *j = json_array();
	unsigned v;

	for (v = 0; v < VARIANT_MAX; v++)
		if (variants & 1u << v)
			(void)json_array_append_new(j, json_string(variant_name((enum variant)v)));
	return j;
}

/* The words of each field that has any. */
static json_t *
options_to_json(void)
{
	const struct spec_field *f;
	enum spec_word first, end;
	json_t *j = json_object(), *words;
	unsigned w;

	for (f = spec_fields; f < spec_fields + SPEC_FIELD_MAX; f++) {
		spec_words(f, &first, &end);
		if (first == end)
			continue;
		words = json_array();
		for (w = first; w < end; w++)
			(void)json_array_append_new(words, json_string(spec_word(w)));
		(void)json_object_set_new(j, f->key, words);
	}
	return j;
}

int
api_model_list(struct request *q, struct err *e)
{
	json_t *models = json_array();
	size_t i;

	for (i = 0; i < ARRAY_LEN(architectures); i++)
		(void)json_array_append_new(models, json_pack("{s:s, s:s, s:o}", "architecture",
							      architectures[i].family, "name",
							      architectures[i].title, "variants",
							      variants_to_json(architectures[i].variants)));
	return reply_json_take(q, MHD_HTTP_OK,
			       json_pack("{s:o, s:o}", "models", models, "options", options_to_json()), e);
}

static json_t *
runner_to_json(const struct runners *all, const struct runner *runner)
{
	json_t *command = json_array(), *environment = json_array(), *jobs = json_array();
	const struct run *run;
	char **w;

	for (w = runner->prefix; *w; w++)
		(void)json_array_append_new(command, json_string(*w));
	for (w = runner->env; *w; w++) /* a value may be a secret */
		(void)json_array_append_new(environment, json_stringn(*w, strcspn(*w, "=")));
	LIST_FOREACH(run, &all->runs, entry)
		if (run->runner == runner)
			(void)json_array_append_new(jobs, json_integer(run->job));
	return json_pack("{s:s, s:i, s:i, s:o, s:o, s:o}", "name", runner->name, "slots", (int)runner->slots,
			 "busy", (int)runner->busy, "command", command, "environment", environment, "jobs",
			 jobs);
}

int
api_runner_list(struct request *q, struct err *e)
{
	const struct runners *all = api_of(q)->spec.runners;
	json_t *j = json_array();
	size_t i;

	for (i = 0; i < all->n; i++)
		(void)json_array_append_new(j, runner_to_json(all, &all->rows[i]));
	return reply_json_take(q, MHD_HTTP_OK, json_pack("{s:o}", "runners", j), e);
}

int
api_config_get(struct request *q, struct err *e)
{
	return reply_json_take(q, MHD_HTTP_OK, api_of(q)->spec.config(api_of(q)->spec.arg), e);
}

static void
slots_count(const struct runners *all, int *ret_busy, int *ret_total)
{
	size_t i;

	*ret_busy = *ret_total = 0;
	for (i = 0; i < all->n; i++) {
		*ret_busy += (int)all->rows[i].busy;
		*ret_total += (int)all->rows[i].slots;
	}
}

/* Of the database, with what is not in its main file yet. Its files are looked at from outside: see
 * queue/store.h. */
static int64_t
queue_bytes(const char *state_dir)
{
	static const char *const names[] = {"queue.db", "queue.db-wal"};
	int64_t bytes = 0;
	struct stat st;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_free_ char *path = fs_join(state_dir, names[i]);

		if (path && stat(path, &st) == 0)
			bytes += st.st_size;
	}
	return bytes;
}

int
api_disk_get(const struct api *a, struct disk *ret, struct err *e)
{
	struct statvfs vfs;

	if (statvfs(a->spec.state_dir, &vfs) < 0)
		return err_errno(e, E_IO, errno, "cannot ask for the free space of '%s'", a->spec.state_dir);
	ret->free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	ret->total_bytes = (uint64_t)vfs.f_blocks * vfs.f_frsize;
	ret->queue_bytes = queue_bytes(a->spec.state_dir);
	return store_stored(a->spec.store, &ret->stored, e);
}

static json_t *
disk_to_json(const struct disk *d)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "artifacts", (json_int_t)d->stored.artifacts,
			 "artifact_bytes", (json_int_t)d->stored.bytes, "queue_bytes",
			 (json_int_t)d->queue_bytes, "free_bytes", (json_int_t)d->free_bytes, "total_bytes",
			 (json_int_t)d->total_bytes);
}

/* E_BUSY says why jobs are not taken or not run. */
static int
ready(const struct api *a, uint64_t free_bytes, struct err *e)
{
	int busy, slots;

	slots_count(a->spec.runners, &busy, &slots);
	if (a->stopping)
		return err_set(e, E_BUSY, "the daemon is stopping");
	if (store_broken(a->spec.store))
		return err_set(e, E_BUSY, "the queue is not usable; see the daemon's log");
	if (slots == 0)
		return err_set(e, E_BUSY, "no runner has a slot");
	if (free_bytes < RESERVE_FREE_MIN)
		return err_set(e, E_BUSY, "the disk of '%s' is full", a->spec.state_dir);
	return 0;
}

bool
api_is_ready(const struct api *a, uint64_t free_bytes)
{
	return ready(a, free_bytes, NULL) == 0;
}

int
api_ready_get(struct request *q, struct err *e)
{
	uint64_t free_bytes = 0;
	int r;

	r = fs_free_bytes(api_of(q)->spec.state_dir, &free_bytes, e);
	if (r == 0)
		r = ready(api_of(q), free_bytes, e);
	return r < 0 ? r : reply_json_take(q, MHD_HTTP_OK, json_pack("{s:s}", "status", "ready"), e);
}

static json_t *
counts_to_json(const int64_t counts[JOB_STATE_MAX])
{
	json_t *j = json_object();
	int state;

	for (state = 0; state < JOB_STATE_MAX; state++)
		(void)json_object_set_new(j, job_state_to_str((enum job_state)state),
					  json_integer(counts[state]));
	return j;
}

int
api_status_get(struct request *q, struct err *e)
{
	const struct api *a = api_of(q);
	int64_t counts[JOB_STATE_MAX], event;
	char started[32];
	int r, busy, slots;
	struct disk disk;

	r = store_counts(a->spec.store, counts, e);
	if (r == 0)
		r = event_newest(a->spec.store, &event, e);
	if (r == 0)
		r = api_disk_get(a, &disk, e);
	if (r < 0)
		return r;
	slots_count(a->spec.runners, &busy, &slots);
	return reply_json_take(q, MHD_HTTP_OK,
			       json_pack("{s:s, s:s, s:b, s:b, s:o, s:{s:i, s:i}, s:o, s:I}", "version",
					 PACKAGE_VERSION, "started",
					 str_time(a->started, started, sizeof(started)), "ready",
					 (int)api_is_ready(a, disk.free_bytes), "stopping", (int)a->stopping,
					 "jobs", counts_to_json(counts), "slots", "busy", busy, "total",
					 slots, "disk", disk_to_json(&disk), "event", (json_int_t)event),
			       e);
}
