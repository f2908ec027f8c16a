/*
 * Each crash point of an attempt: the state on disk as a daemon that died there leaves it, then
 * recovery, twice.
 */
#include "queue.h"

static struct recover_report report;

/* Recovers as a daemon does at its start. */
static void
recover_twice(struct recover_report want)
{
	static const struct recover_report nothing = {.finished = 0};

	queue_reopen();
	assert_int_equal(recover_run(store, state_dir, /*deaths_max=*/20, T0, &report, &err), 0);
	assert_memory_equal(&report, &want, sizeof(want));
	queue_reopen();
	assert_int_equal(recover_run(store, state_dir, /*deaths_max=*/20, T0, &report, &err), 0);
	assert_memory_equal(&report, &nothing, sizeof(nothing));
}

/* Adds a job and claims it, as if its worker ran. */
static int64_t
running(struct job *ret)
{
	int64_t id = queue_add();

	assert_int_equal(job_claim(store, T0, ret, &err), 1);
	assert_true(ret->id == id);
	return id;
}

/* Does step 1 of publish_job() only: step 2 fails because no staging folder exists. */
static void
result_kept(const struct job *job)
{
	const struct job_stage stage = {.name = (char *)(uintptr_t) "export", .seconds = 3};
	json_t *result = queue_result();

	assert_int_equal(publish_job(store, state_dir, job->id, job->nonce, T0,
				     &(struct publication){
					     .result = result, .stages = &stage, .n_stages = 1, .recipe = ""},
				     NULL),
			 E_NOT_FOUND);
	json_decref(result);
}

static void
assert_done(int64_t id)
{
	struct artifact_list files = ARTIFACT_LIST_INIT;
	struct job job = {.id = 0};
	uint64_t size;
	json_t *j;
	int fd;

	assert_int_equal(store_job_get(store, id, &job, &err), 0);
	assert_int_equal(job.state, JOB_DONE);
	assert_int_equal(job.n_stages, 1);
	j = job_json(&job);
	assert_string_equal(json_string_value(json_object_get(json_object_get(j, "result"), "architecture")),
			    "colqwen2");
	json_decref(j);
	job_release(&job);
	assert_int_equal(store_file_list(store, id, &files, &err), 0);
	assert_int_equal(files.n, 2);
	assert_string_equal(files.files[1].name, "text.onnx");
	assert_string_equal(files.files[1].sha256, SHA256_OF_ABC);
	artifact_list_release(&files);
	assert_int_equal(artifact_open_file(state_dir, id, "text.onnx", &fd, &size, &err), 0);
	(void)close(fd);
}

static void
assert_queued_again(int64_t id)
{
	struct artifact_list files = ARTIFACT_LIST_INIT;
	struct job job = {.id = 0};

	assert_int_equal(store_job_get(store, id, &job, &err), 0);
	assert_int_equal(job.state, JOB_QUEUED);
	assert_int_equal(job.attempts_max - job.attempt, spec_fields[SPEC_FIELD_ATTEMPTS].initial);
	assert_true(job.result == NULL && job.reason == NULL);
	job_release(&job);
	assert_int_equal(store_file_list(store, id, &files, &err), 0);
	assert_int_equal(files.n, 0);
	assert_false(state_has("artifacts/%" PRId64, id));
	assert_int_equal(job_claim(store, T0, &job, &err), 1);
	assert_true(job.id == id);
	job_release(&job);
}

TEST_WITH(test_nothing, queue_setup, queue_teardown)
{
	(void)queue_add();
	recover_twice((struct recover_report){.finished = 0});
	assert_string_equal(queue_state(1), "queued");
}

TEST_WITH(test_before_staging, queue_setup, queue_teardown)
{
	struct job job = {.id = 0};
	int64_t id = running(&job);

	recover_twice((struct recover_report){.requeued = 1});
	assert_queued_again(id);
	job_release(&job);
}

TEST_WITH(test_while_the_worker_writes, queue_setup, queue_teardown)
{
	struct job job = {.id = 0};
	int64_t id = running(&job);

	assert_int_equal(worker_fill(id, 1), 0); /* the files are complete, but the worker sent no result */
	recover_twice((struct recover_report){.requeued = 1, .staging_removed = 1});
	assert_false(state_has("staging/%" PRId64 ".1", id));
	assert_queued_again(id);
	job_release(&job);
}

TEST_WITH(test_before_the_rename, queue_setup, queue_teardown)
{
	struct job job = {.id = 0};
	int64_t id = running(&job);

	result_kept(&job);
	assert_int_equal(worker_fill(id, 1), 0);
	recover_twice((struct recover_report){.finished = 1});
	assert_done(id);
	job_release(&job);
}

TEST_WITH(test_after_the_rename, queue_setup, queue_teardown)
{
	struct artifact_list files = ARTIFACT_LIST_INIT;
	struct job job = {.id = 0};
	int64_t id = running(&job);

	result_kept(&job);
	assert_int_equal(worker_fill(id, 1), 0);
	assert_int_equal(artifact_publish(state_dir, id, 1, /*shared=*/false, &files, &err), 0);
	artifact_list_release(&files);
	recover_twice((struct recover_report){.finished = 1});
	assert_done(id);
	job_release(&job);
}

TEST_WITH(test_after_the_end, queue_setup, queue_teardown)
{
	const struct job_stage stage = {.name = (char *)(uintptr_t) "export", .seconds = 3};
	struct job job = {.id = 0};
	int64_t id = running(&job);
	json_t *result = queue_result();

	assert_int_equal(worker_fill(id, 1), 0);
	assert_int_equal(publish_job(store, state_dir, id, job.nonce, T0,
				     &(struct publication){
					     .result = result, .stages = &stage, .n_stages = 1, .recipe = ""},
				     &err),
			 0);
	recover_twice((struct recover_report){.finished = 0});
	assert_done(id);
	json_decref(result);
	job_release(&job);
}

/* The result is stored in the queue, but its files are missing or changed. */
TEST_WITH(test_result_without_files, queue_setup, queue_teardown)
{
	struct job job = {.id = 0};
	int64_t id = running(&job);

	result_kept(&job);
	recover_twice((struct recover_report){.requeued = 1});
	assert_queued_again(id);
	job_release(&job);
}

TEST_WITH(test_result_with_torn_files, queue_setup, queue_teardown)
{
	struct job job = {.id = 0};
	int64_t id = running(&job);
	_cleanup_free_ char *dir = NULL;

	result_kept(&job);
	assert_int_equal(worker_fill(id, 1), 0);
	dir = str_printf("%s/staging/%" PRId64 ".1", state_dir, id);
	assert_int_equal(file_put(dir, "text.onnx", "ab"), 0);
	recover_twice((struct recover_report){.requeued = 1, .staging_removed = 1});
	assert_queued_again(id);
	job_release(&job);
}

/* A publication fails after its rename, and the attempt is recorded as failed. */
TEST_WITH(test_artifact_of_a_failed_attempt, queue_setup, queue_teardown)
{
	const struct err why = {.code = E_NO_SPACE, .msg = "full"};
	struct artifact_list files = ARTIFACT_LIST_INIT;
	struct job job = {.id = 0};
	int64_t id = running(&job);

	result_kept(&job);
	assert_int_equal(worker_fill(id, 1), 0);
	assert_int_equal(artifact_publish(state_dir, id, 1, /*shared=*/false, &files, &err), 0);
	artifact_list_release(&files);
	assert_int_equal(job_fail(store, id, job.nonce, T0, &why, NULL, 0, &err), 0);
	recover_twice((struct recover_report){.artifacts_removed = 1});
	assert_string_equal(queue_state(id), "failed");
	assert_false(state_has("artifacts/%" PRId64, id));
	job_release(&job);
}

TEST_WITH(test_cancel_was_asked_for, queue_setup, queue_teardown)
{
	struct job job = {.id = 0};
	int64_t id = running(&job);
	enum job_state now;

	assert_int_equal(job_cancel(store, id, T0, &now, &err), 0);
	assert_int_equal(worker_fill(id, 1), 0);
	recover_twice((struct recover_report){.cancelled = 1, .staging_removed = 1});
	assert_string_equal(queue_state(id), "cancelled");
	job_release(&job);
}

/* If the database is lost, the artifacts stay and new jobs do not get their ids. */
TEST_WITH(test_artifacts_without_jobs, queue_setup, queue_teardown)
{
	_cleanup_free_ char *a = str_printf("%s/artifacts/3", state_dir),
			    *b = str_printf("%s/artifacts/03", state_dir),
			    *c = str_printf("%s/lost/3.1", state_dir);

	assert_int_equal(fs_mkdir(a, 0700, &err), 0);
	assert_int_equal(fs_mkdir(b, 0700, &err), 0);
	assert_int_equal(fs_mkdir(c, 0700, &err), 0);
	recover_twice((struct recover_report){.artifacts_lost = 2});
	assert_true(state_has("lost/3.2"));
	assert_true(state_has("lost/03.1"));
	assert_false(state_has("artifacts/3"));
}

TEST_WITH(test_many, queue_setup, queue_teardown)
{
	struct job job = {.id = 0};
	int i;

	for (i = 0; i < 20; i++) {
		(void)running(&job);
		job_release(&job);
	}
	recover_twice((struct recover_report){.requeued = 20});
}

/* The limit of deaths is a count of its own. A restart does not use up one of the job's attempts. */
TEST_WITH(test_too_many_deaths, queue_setup, queue_teardown)
{
	struct job job = {.id = 0};
	int64_t id = running(&job);

	assert_int_equal(recover_run(store, state_dir, /*deaths_max=*/2, T0, &report, &err), 0);
	assert_int_equal(report.requeued, 1);
	job_release(&job);
	assert_int_equal(job_claim(store, T0, &job, &err), 1);
	job_release(&job);
	assert_int_equal(recover_run(store, state_dir, /*deaths_max=*/2, T0, &report, &err), 0);
	assert_int_equal(report.requeued, 0);
	assert_int_equal(report.failed, 1);
	assert_int_equal(store_job_get(store, id, &job, &err), 0);
	assert_int_equal(job.state, JOB_FAILED);
	assert_string_equal(job.reason, "worker_crashed");
	assert_string_equal(job.message, "the daemon died 2 times under this job");
	job_release(&job);
}

/* A job that repeatedly kills the daemon fails even if it has a result: publishing may be what kills the daemon. */
TEST_WITH(test_too_many_deaths_while_publishing, queue_setup, queue_teardown)
{
	struct job job = {.id = 0};
	int64_t id = running(&job);

	result_kept(&job);
	assert_int_equal(worker_fill(id, 1), 0);
	job_release(&job);
	assert_int_equal(recover_run(store, state_dir, /*deaths_max=*/1, T0, &report, &err), 0);
	assert_int_equal(report.finished, 0);
	assert_int_equal(report.failed, 1);
	assert_string_equal(queue_state(id), "failed");
	assert_false(state_has("artifacts/%" PRId64, id));
}

int
main(void)
{
	return tests_run("recover", NULL, NULL);
}
