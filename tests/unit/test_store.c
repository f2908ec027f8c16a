#include "queue.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "queue/lock.h"

TEST_WITH(test_persists, queue_setup, queue_teardown)
{
	const struct job_stage stages[] = {
		{.name = (char *)(uintptr_t) "resolve", .seconds = 0.25, .peak_anon_bytes = 1},
		{.name = (char *)(uintptr_t) "trace", .seconds = 2, .peak_anon_bytes = INT64_MAX},
	};
	struct spec spec = SPEC_INIT;
	char field[SPEC_FIELD_LEN];
	struct job job = {.id = 0};
	int64_t id = queue_add();
	json_t *j;

	assert_int_equal(job_claim(store, T0 + 1, &job, &err), 1);
	assert_int_equal(store_stages_set(store, id, 1, stages, 1, &err), 0);
	assert_int_equal(store_stages_set(store, id, 1, stages, 2, &err), 0);
	job_release(&job);
	queue_reopen();
	assert_int_equal(store_job_get(store, id, &job, &err), 0);
	assert_int_equal(job.state, JOB_RUNNING);
	assert_true(job.created == T0 && job.started == T0 + 1 && job.ended == 0);
	assert_int_equal(job.attempt, 1);
	assert_int_equal(job.attempts_max, spec_fields[SPEC_FIELD_ATTEMPTS].initial);
	assert_int_equal(job.n_stages, 2);
	assert_string_equal(job.stages[1].name, "trace");
	assert_true(job.stages[0].seconds == 0.25 && job.stages[1].peak_anon_bytes == INT64_MAX);
	j = json_loads(job.spec, 0, NULL);
	assert_int_equal(spec_from_json(j, &spec, field, &err), 0);
	json_decref(j);
	assert_string_equal(spec.model, "/srv/model");
	spec_release(&spec);
	job_release(&job);
	assert_int_equal(store_job_get(store, id + 1, &job, &err), E_NOT_FOUND);
	assert_error(&err, E_NOT_FOUND, "job 2 does not exist");
}

TEST_WITH(test_claim_order, queue_setup, queue_teardown)
{
	const struct err why = {.code = E_IO, .msg = "disk"};
	struct job job = {.id = 0};
	int64_t a = queue_add(), b = queue_add(), c = queue_add(), n[JOB_STATE_MAX];

	assert_int_equal(job_claim(store, T0, &job, &err), 1);
	assert_true(job.id == a);
	assert_int_equal(job_fail(store, a, job.nonce, T0, &why, NULL, 0, &err), 0);
	job_release(&job);
	assert_int_equal(job_claim(store, T0, &job, &err), 1); /* a waits for its retry */
	assert_true(job.id == b);
	job_release(&job);
	assert_int_equal(job_claim(store, T0 + 5000, &job, &err), 1); /* a is the oldest queued job again */
	assert_true(job.id == a && job.attempt == 2 && job.reason == NULL);
	job_release(&job);
	assert_int_equal(job_claim(store, T0 + 5000, &job, &err), 1);
	assert_true(job.id == c);
	job_release(&job);
	assert_int_equal(job_claim(store, T0 + 5000, &job, &err), 0);
	assert_int_equal(store_counts(store, n, &err), 0);
	assert_true(n[JOB_RUNNING] == 3 && n[JOB_QUEUED] == 0);
}

TEST_WITH(test_batch, queue_setup, queue_teardown)
{
	int64_t id, first, i;

	assert_int_equal(store_begin(store, &err), 0);
	first = queue_add();
	for (i = 1; i < 64; i++)
		assert_true(queue_add() == first + i);
	assert_int_equal(store_commit(store, &err), 0);
	queue_reopen();
	assert_string_equal(queue_state(first + 63), "queued");

	assert_int_equal(store_begin(store, &err), 0);
	id = queue_add();
	store_rollback(store);
	assert_null(queue_state(id));

	/* A call that fails undoes its own changes, but not those of its batch. */
	assert_int_equal(store_begin(store, &err), 0);
	id = queue_add();
	assert_int_equal(job_apply(store, id, JOB_EVENT_REQUEUE, &(struct job_change){.now = T0}, NULL),
			 E_CONFLICT);
	assert_int_equal(store_commit(store, &err), 0);
	assert_string_equal(queue_state(id), "queued");
}

static int
key_find(const char *model, const char *owner, const char *key, int64_t *ret)
{
	_cleanup_(spec_release) struct spec spec = SPEC_INIT;
	json_auto_t *j = json_pack("{s:s}", "model", model);
	char field[SPEC_FIELD_LEN], sha256[SHA256_HEX_LEN + 1];
	const struct store_submission sub = {
		.spec = &spec, .owner = owner, .key = key, .sha256 = sha256, .now = T0};
	struct job job = {.id = 0};
	int r;

	assert_int_equal(spec_from_json(j, &spec, field, &err), 0);
	assert_int_equal(spec_sha256(&spec, sha256, &err), 0);
	r = store_key_find(store, &sub, ret, &err);
	if (r == 0 && store_job_add(store, &sub, &job, &err) == 0)
		*ret = job.id;
	job_release(&job);
	return r;
}

TEST_WITH(test_keys, queue_setup, queue_teardown)
{
	int64_t a = 0, b = 0, again = 0;

	assert_int_equal(store_begin(store, &err), 0);
	assert_int_equal(key_find("/m", "ci", "k", &a), 0);
	assert_int_equal(key_find("/m", "ci", "k", &again), 1); /* in one batch too */
	assert_int_equal(store_commit(store, &err), 0);
	assert_int_equal(again, a);
	queue_reopen();
	assert_int_equal(key_find("/m", "ci", "k", &again), 1);
	assert_int_equal(again, a);
	assert_int_equal(key_find("/m", "", "k", &b), 0); /* the same key of another owner */
	assert_int_not_equal(b, a);
	assert_int_equal(key_find("/n", "ci", "k", &b), E_KEY_REUSED);
	assert_error(&err, E_KEY_REUSED, "made job 1, which has other options");
	err_clear(&err);
	assert_int_equal(queue_add(), 3); /* a submission without a key finds no earlier job */
	assert_int_equal(queue_add(), 4);
}

TEST_WITH(test_remove, queue_setup, queue_teardown)
{
	enum job_state now;
	int64_t a = queue_add(), b = queue_add(), n[JOB_STATE_MAX];

	assert_int_equal(job_cancel(store, a, T0, &now, &err), 0);
	assert_int_equal(store_job_remove(store, a, &err), 0);
	assert_null(queue_state(a));
	assert_int_equal(store_counts(store, n, &err), 0);
	assert_true(n[JOB_CANCELLED] == 0 && n[JOB_QUEUED] == 1);
	assert_int_equal(store_job_remove(store, b, &err), E_CONFLICT);
	assert_error(&err, E_CONFLICT, "job 2 is queued: only an ended job");
	err_clear(&err);
	assert_int_equal(store_job_remove(store, a, &err), E_NOT_FOUND);
	err_clear(&err);
	assert_true(queue_add() > b); /* a deleted job's id is not used again */
}

TEST_WITH(test_one_process, queue_setup, queue_teardown)
{
	struct store *second = NULL;
	char words[64];

	assert_int_equal(store_open(state_dir, &second, &err), E_BUSY);
	(void)snprintf(words, sizeof(words), "is in use by process %ld", (long)getpid());
	assert_error(&err, E_BUSY, words);
	assert_null(second);
}

static void
file_poke(const char *name, off_t at, const void *data, size_t len)
{
	_cleanup_free_ char *path = fs_join(state_dir, name);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, at), len);
}

TEST_WITH(test_newer_version, queue_setup, queue_teardown)
{
	const unsigned char version[4] = {0, 0, 0, 99}; /* at byte 60 of the file, big-endian */

	store_close(&store);
	file_poke("queue.db", 60, version, sizeof(version));
	assert_int_equal(store_open(state_dir, &store, &err), E_BAD_DATABASE);
	assert_error(&err, E_BAD_DATABASE, "has version 99, and this program knows versions up to 3");
	assert_null(store);
}

TEST_WITH(test_not_ours, queue_setup, queue_teardown)
{
	const unsigned char version[4] = {0, 0, 0, 0};

	store_close(&store);
	file_poke("queue.db", 60, version, sizeof(version));
	assert_int_equal(store_open(state_dir, &store, &err), E_BAD_DATABASE);
	assert_error(&err, E_BAD_DATABASE, "not one of colconv");
	err_clear(&err);
	file_poke("queue.db", 0, "not a database, ", 16);
	assert_int_equal(store_open(state_dir, &store, &err), E_BAD_DATABASE);
	assert_error(&err, E_BAD_DATABASE, "file is not a database");
}

TEST_WITH(test_damaged, queue_setup, queue_teardown)
{
	char junk[4096];
	int i;

	assert_int_equal(store_begin(store, &err), 0);
	for (i = 0; i < 200; i++)
		(void)queue_add();
	assert_int_equal(store_commit(store, &err), 0);
	store_close(&store);
	memset(junk, 0x5a, sizeof(junk));
	file_poke("queue.db", 8 * 4096, junk, sizeof(junk));
	file_poke("lock", 0, "1\n", 2); /* the file exists but is not locked: the last stop was unclean */
	assert_int_equal(store_open(state_dir, &store, &err), E_BAD_DATABASE);
	assert_error(&err, E_BAD_DATABASE, "quick_check");
	err_clear(&err);
	/* The next start checks the database again. */
	assert_int_equal(store_open(state_dir, &store, &err), E_BAD_DATABASE);
}

/* A daemon was killed between fork and exec of a worker: the child still has the descriptor of the lock. */
TEST_WITH(test_lock_of_a_holder_that_died, queue_setup, queue_teardown)
{
	bool unclean;
	pid_t pid;
	int fd;

	store_close(&store);
	assert_int_equal(lock_take(state_dir, &fd, &unclean, &err), 0);
	pid = fork();
	if (pid == 0) {
		(void)usleep(50000);
		_exit(0);
	}
	assert_int_equal(close(fd), 0);
	assert_int_equal(lock_take(state_dir, &fd, &unclean, &err), 0);
	assert_true(unclean);
	assert_int_equal(close(fd), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int
main(void)
{
	return tests_run("store", NULL, NULL);
}
