/*
 * Which jobs and artifacts the limits and requests remove, in which order, and the state after a crash between the
 * steps.
 */
#include "queue.h"

#include "queue/retention.h"

#define BYTES (3 + (int64_t)sizeof(MANIFEST) - 1)
#define MANIFEST "{\"files\": [{\"name\": \"text.onnx\", \"size\": 3, \"sha256\": \"" SHA256_OF_ABC "\"}]}"
#define HOUR INT64_C(3600000)

static struct removal what;

static int
teardown(void **state)
{
	removal_release(&what);
	return queue_teardown(state);
}

/* A done job whose artifact was published so many hours after T0; `from`: with the files of that job, 0: with its own. */
static int64_t
done_from(int hour, int64_t from)
{
	struct job job = {.id = 0};
	json_t *result = queue_result();
	int64_t id = queue_add();

	assert_int_equal(job_claim(store, T0, &job, &err), 1);
	assert_true(job.id == id);
	assert_int_equal(from ? artifact_share(state_dir, from, id, 1, &err) : worker_fill(id, 1), 0);
	assert_int_equal(publish_job(store, state_dir, id, job.nonce, T0 + hour * HOUR,
				     &(struct publication){.result = result, .recipe = "r", .made_by = from},
				     &err),
			 0);
	json_decref(result);
	job_release(&job);
	return id;
}

static int64_t
done(int hour)
{
	return done_from(hour, 0);
}

static int64_t
cancelled(void)
{
	enum job_state now;
	int64_t id = queue_add();

	assert_int_equal(job_cancel(store, id, T0, &now, &err), 0);
	return id;
}

static void
select_by(struct retention keep, int hour, int64_t max)
{
	removal_release(&what);
	assert_int_equal(retention_select(store, &keep, T0 + hour * HOUR, max, &what, &err), 0);
}

static void
assert_ids(const struct removal_ids *l, size_t n, ...)
{
	va_list ap;
	size_t i;

	assert_int_equal(l->n, n);
	va_start(ap, n);
	for (i = 0; i < n; i++)
		assert_int_equal(l->ids[i], va_arg(ap, int));
	va_end(ap);
}

/* `copies`: how often the disk has the files of an artifact. */
static void
assert_stored_copies(int64_t artifacts, int64_t copies)
{
	struct stored stored;

	assert_int_equal(store_stored(store, &stored, &err), 0);
	assert_int_equal(stored.artifacts, artifacts);
	assert_int_equal(stored.bytes, copies * BYTES);
}

static void
assert_stored(int64_t artifacts)
{
	assert_stored_copies(artifacts, artifacts);
}

TEST_WITH(test_limits, queue_setup, teardown)
{
	struct retention keep = RETENTION_INIT;
	int i;

	for (i = 0; i < 5; i++)
		(void)done(i);
	assert_stored(5);
	select_by(keep, 100, 100);
	assert_ids(&what.artifacts, 0);

	keep.artifacts = 3;
	select_by(keep, 100, 100);
	assert_ids(&what.artifacts, 2, 1, 2);
	assert_int_equal(what.bytes, 2 * BYTES);
	select_by(keep, 100, /*max=*/1);
	assert_ids(&what.artifacts, 1, 1);
	keep.artifacts = 0;
	select_by(keep, 100, 100);
	assert_ids(&what.artifacts, 5, 1, 2, 3, 4, 5);

	keep = (struct retention)RETENTION_INIT;
	keep.bytes = 3 * BYTES - 1;
	select_by(keep, 100, 100);
	assert_ids(&what.artifacts, 3, 1, 2, 3);
	keep.bytes = 5 * BYTES;
	select_by(keep, 100, 100);
	assert_ids(&what.artifacts, 0);
	keep.bytes = 1; /* the newest artifact stays */
	select_by(keep, 100, 100);
	assert_ids(&what.artifacts, 4, 1, 2, 3, 4);
	keep.bytes = 0;
	select_by(keep, 100, 100);
	assert_int_equal(what.artifacts.n, 5);

	keep = (struct retention)RETENTION_INIT;
	keep.seconds = 2 * 3600;
	select_by(keep, 4, 100);
	assert_ids(&what.artifacts, 3, 1, 2, 3);
	select_by(keep, 1, 100);
	assert_ids(&what.artifacts, 0);
	keep.seconds = 0;
	select_by(keep, 4, 100);
	assert_int_equal(what.artifacts.n, 5);
	assert_int_equal(what.jobs.n, 0);
}

/* Files that several jobs share are counted once, and freed with the last of them. */
TEST_WITH(test_shared, queue_setup, teardown)
{
	struct retention keep = {
		.artifacts = 3, .bytes = RETENTION_ALL, .seconds = RETENTION_ALL, .jobs = RETENTION_ALL};
	int i;

	(void)done(0);
	(void)done(1);
	(void)done_from(2, 1);
	(void)done_from(3, 1);
	assert_stored_copies(4, 2);
	select_by(keep, 100, 100);
	assert_ids(&what.artifacts, 1, 1);
	assert_int_equal(what.bytes, 0);
	keep.artifacts = 1;
	select_by(keep, 100, 100);
	assert_ids(&what.artifacts, 3, 1, 2, 3);
	assert_int_equal(what.bytes, BYTES);
	keep.artifacts = 0;
	select_by(keep, 100, 100);
	assert_int_equal(what.artifacts.n, 4);
	assert_int_equal(what.bytes, 2 * BYTES);

	/* A limit of bytes goes by what the disk has: two of the older ones must go before it has less. */
	keep = (struct retention)RETENTION_INIT;
	keep.bytes = BYTES;
	select_by(keep, 100, 100);
	assert_ids(&what.artifacts, 2, 1, 2);

	for (i = 1; i <= 4; i++) {
		removal_release(&what);
		assert_int_equal(retention_select_artifact(store, i, &what, &err), 0);
		assert_int_equal(what.bytes, i == 2 || i == 4 ? BYTES : 0);
		assert_int_equal(removal_run(store, state_dir, &what, T0, &err), 0);
		assert_stored_copies(4 - i, i == 1 ? 2 : i < 4 ? 1 : 0);
	}
}

/* Whole jobs that share files: the totals follow. */
TEST_WITH(test_shared_jobs, queue_setup, teardown)
{
	(void)done(0);
	(void)done_from(1, 1);
	assert_int_equal(retention_select_job(store, 1, &what, &err), 0);
	assert_int_equal(what.bytes, 0);
	assert_int_equal(removal_run(store, state_dir, &what, T0, &err), 0);
	assert_stored(1);
	(void)done_from(2, 2);
	assert_stored_copies(2, 1);
}

/* The oldest artifact is the one published first, whatever the job's number. */
TEST_WITH(test_order, queue_setup, teardown)
{
	struct retention keep = RETENTION_INIT;

	(void)done(2);
	(void)done(0);
	(void)done(1);
	keep.artifacts = 0;
	select_by(keep, 3, 100);
	assert_ids(&what.artifacts, 3, 2, 3, 1);
}

TEST_WITH(test_jobs, queue_setup, teardown)
{
	struct retention keep = RETENTION_INIT;
	struct job running = {.id = 0};

	(void)done(0); /* 1 */
	(void)cancelled();
	(void)queue_add(); /* 3 */
	assert_int_equal(job_claim(store, T0, &running, &err), 1);
	job_release(&running);
	(void)queue_add(); /* 4 */
	(void)cancelled(); /* 5 */
	(void)cancelled();
	keep.jobs = 2;
	select_by(keep, 1, 100);
	assert_ids(&what.jobs, 2, 1, 2);
	assert_ids(&what.artifacts, 1, 1);
	select_by(keep, 1, /*max=*/1);
	assert_ids(&what.jobs, 1, 1);
	keep.artifacts = 0; /* two limits select this job, and it is listed once */
	select_by(keep, 1, 100);
	assert_ids(&what.artifacts, 1, 1);
	assert_int_equal(what.bytes, BYTES);

	assert_int_equal(removal_run(store, state_dir, &what, T0, &err), 0);
	assert_null(queue_state(1));
	assert_null(queue_state(2));
	assert_string_equal(queue_state(3), "running");
	assert_string_equal(queue_state(5), "cancelled");
	assert_stored(0);
	select_by(keep, 1, 100);
	assert_int_equal(what.jobs.n + what.artifacts.n, 0);
}

TEST_WITH(test_artifact, queue_setup, teardown)
{
	struct artifact_list files = ARTIFACT_LIST_INIT;
	struct job job = {.id = 0};
	int64_t id = done(0), other = cancelled();
	uint64_t size;
	int fd;

	assert_int_equal(retention_select_artifact(store, 99, &what, &err), E_NOT_FOUND);
	err_clear(&err);
	assert_int_equal(retention_select_artifact(store, other, &what, &err), E_CONFLICT);
	assert_error(&err, E_CONFLICT, "job 2 is cancelled: it has no artifact");
	err_clear(&err);
	assert_int_equal(retention_select_artifact(store, id, &what, &err), 0);
	assert_ids(&what.artifacts, 1, 1);
	assert_int_equal(removal_run(store, state_dir, &what, T0 + 5, &err), 0);
	assert_int_equal(store_job_get(store, id, &job, &err), 0);
	assert_true(job.state == JOB_DONE && job.result);
	assert_int_equal(job.artifact.removed, T0 + 5);
	assert_int_equal(job.artifact.files, 2);
	assert_int_equal(job.artifact.bytes, BYTES);
	job_release(&job);
	assert_int_equal(store_file_list(store, id, &files, &err), 0);
	assert_int_equal(files.n, 0);
	assert_int_equal(artifact_open_file(state_dir, id, "text.onnx", &fd, &size, NULL), E_NOT_FOUND);
	assert_stored(0);

	removal_release(&what);
	assert_int_equal(retention_select_artifact(store, id, &what, &err),
			 0); /* a second call has nothing to do */
	assert_int_equal(what.artifacts.n, 0);
}

TEST_WITH(test_job, queue_setup, teardown)
{
	const struct err why = {.code = E_PARITY, .msg = "far"};
	struct job job = {.id = 0};
	int64_t id, queued;

	id = queue_add();
	assert_int_equal(job_claim(store, T0, &job, &err), 1);
	assert_int_equal(retention_select_job(store, id, &what, &err), E_CONFLICT);
	assert_error(&err, E_CONFLICT, "job 1 is running");
	err_clear(&err);
	assert_int_equal(worker_fill(id, 1), 0);
	{
		_cleanup_free_ char *dir = str_printf("%s/staging/%" PRId64 ".1", state_dir, id);

		assert_int_equal(file_put(dir, "parity.json", "{}"), 0);
	}
	assert_int_equal(artifact_keep_report(state_dir, id, 1, &err), 0);
	assert_int_equal(job_fail(store, id, job.nonce, T0, &why, NULL, 0, &err), 0);
	job_release(&job);
	assert_true(state_has("failed/%" PRId64, id));
	queued = queue_add();
	assert_int_equal(retention_select_job(store, queued, &what, &err), E_CONFLICT);
	err_clear(&err);
	assert_int_equal(retention_select_job(store, 99, &what, &err), E_NOT_FOUND);
	err_clear(&err);

	assert_int_equal(retention_select_job(store, id, &what, &err), 0);
	assert_int_equal(removal_run(store, state_dir, &what, T0, &err), 0);
	assert_false(state_has("failed/%" PRId64, id));
	assert_null(queue_state(id));
	assert_string_equal(queue_state(queued), "queued");
}

/* As after a crash: forgets what is in memory, then does what a start does. */
static void
restart(int removed)
{
	struct recover_report report;

	queue_reopen();
	assert_int_equal(artifact_init(state_dir, &err), 0);
	assert_int_equal(recover_run(store, state_dir, /*deaths_max=*/20, T0, &report, &err), 0);
	assert_int_equal(report.artifacts_removed, removed);
	assert_int_equal(report.artifacts_lost, 0);
	while (artifact_trash_step(state_dir, &err) == 1)
		;
	assert_no_error(&err);
	assert_false(state_has("artifacts/1"));
	assert_false(state_has("trash/1.1"));
	assert_stored(0);
}

/* Step 2 fails because trash/ is not a folder. */
static void
stop_after_step_1(int64_t id, bool job)
{
	_cleanup_free_ char *trash = fs_join(state_dir, "trash");

	assert_int_equal(fs_remove(trash, &err), 0);
	assert_int_equal(file_put(state_dir, "trash", ""), 0);
	assert_int_equal(job ? retention_select_job(store, id, &what, &err)
			     : retention_select_artifact(store, id, &what, &err),
			 0);
	assert_int_equal(removal_run(store, state_dir, &what, T0, NULL), E_IO);
	assert_true(state_has("artifacts/%" PRId64, id));
	assert_int_equal(fs_remove(trash, &err), 0);
}

TEST_WITH(test_crash_after_step_1, queue_setup, teardown)
{
	int64_t id = done(0);

	stop_after_step_1(id, /*job=*/false);
	restart(1);
	assert_string_equal(queue_state(id), "done");
}

TEST_WITH(test_crash_after_step_1_of_a_job, queue_setup, teardown)
{
	int64_t id = done(0);

	stop_after_step_1(id, /*job=*/true);
	restart(1);
	assert_string_equal(queue_state(id), "done"); /* no event told that the artifact was removed */
}

/* The same request again, without a restart. */
TEST_WITH(test_again_after_step_1, queue_setup, teardown)
{
	int64_t id = done(0);

	stop_after_step_1(id, /*job=*/true);
	assert_int_equal(artifact_init(state_dir, &err), 0);
	removal_release(&what);
	assert_int_equal(retention_select_job(store, id, &what, &err), 0);
	assert_int_equal(what.artifacts.n, 0);
	assert_int_equal(removal_run(store, state_dir, &what, T0, &err), 0);
	assert_null(queue_state(id));
	restart(0);
}

TEST_WITH(test_crash_after_step_2, queue_setup, teardown)
{
	int64_t id = done(0);

	assert_int_equal(retention_select_artifact(store, id, &what, &err), 0);
	assert_int_equal(removal_run(store, state_dir, &what, T0, &err), 0);
	assert_true(state_has("trash/1.1"));
	restart(0);
	assert_string_equal(queue_state(id), "done");
}

TEST_WITH(test_crash_after_step_3, queue_setup, teardown)
{
	int64_t id = done(0);

	assert_int_equal(retention_select_job(store, id, &what, &err), 0);
	assert_int_equal(removal_run(store, state_dir, &what, T0, &err), 0);
	restart(0);
	assert_null(queue_state(id));
}

static int
note(const struct stored_artifact *a, void *arg, struct err *e)
{
	struct removal_ids *l = arg;

	(void)e;
	assert_non_null(a->model);
	assert_int_equal(a->files, 2);
	assert_int_equal(a->bytes, BYTES);
	l->ids[l->n++] = a->job;
	return 0;
}

TEST_WITH(test_list, queue_setup, teardown)
{
	int64_t ids[8];
	struct removal_ids l = {.ids = ids};
	int i;

	for (i = 0; i < 4; i++)
		(void)done(i);
	assert_int_equal(retention_select_artifact(store, 3, &what, &err), 0);
	assert_int_equal(removal_run(store, state_dir, &what, T0, &err), 0);
	assert_int_equal(store_artifact_list(store, INT64_MAX, 2, note, &l, &err), 0);
	assert_ids(&l, 2, 4, 2);
	l.n = 0;
	assert_int_equal(store_artifact_list(store, 2, 2, note, &l, &err), 0);
	assert_ids(&l, 1, 1);
}

int
main(void)
{
	return tests_run("retention", NULL, NULL);
}
