/* GET /v1/status, /readyz and /v1/config: how the daemon is, and its settings. */
#include "api_private.h"

#include <errno.h>
#include <sys/statvfs.h>

#include "base/fs.h"
#include "base/str.h"
#include "config.h"
#include "queue/event.h"
#include "queue/reserve.h"

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

/* Size of the database with its write-ahead log. Opens no file of the database: see queue/store.h. */
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

/* E_BUSY with the reason why jobs are not accepted or do not run. */
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
