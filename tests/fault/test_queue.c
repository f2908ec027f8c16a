/*
 * The store and the artifacts while the disk fails: the nth call that writes gives an error once, or the
 * disk is full from then on, or the process dies in the middle of it. Then the disk works again, and these
 * must hold: no accepted job is lost, no incomplete artifact is visible, no files are left over, and every
 * job can still be done. The functions below replace the C library's for this program and its libraries,
 * including SQLite.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../unit/version1.h"

enum mode { MODE_COUNT, MODE_ERROR, MODE_FULL, MODE_KILL };

static struct {
	bool armed;
	enum mode mode;
	int calls;
	int at;
} fault;

/* 0: continue; else the errno to fail with. */
static int
fault_next(void)
{
	if (!fault.armed)
		return 0;
	fault.calls++;
	if (fault.mode == MODE_COUNT || fault.calls < fault.at ||
	    (fault.mode == MODE_ERROR && fault.calls > fault.at))
		return 0;
	if (fault.mode == MODE_KILL)
		_exit(0);
	return fault.mode == MODE_FULL ? ENOSPC : EIO;
}

#define FAULTY(call)                             \
	do {                                     \
		const int errnum = fault_next(); \
		if (errnum) {                    \
			errno = errnum;          \
			return -1;               \
		}                                \
		return (call);                   \
	} while (0)

/* A process that dies in a write has written half of it. */
static size_t
fault_len(size_t len)
{
	return fault.armed && fault.mode == MODE_KILL && fault.calls + 1 == fault.at ? len / 2 : 0;
}

ssize_t
write(int fd, const void *data, size_t len)
{
	if (fault_len(len))
		(void)syscall(SYS_write, fd, data, fault_len(len));
	FAULTY(syscall(SYS_write, fd, data, len));
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	if (fault_len(len))
		(void)syscall(SYS_pwrite64, fd, data, fault_len(len), at);
	FAULTY(syscall(SYS_pwrite64, fd, data, len, at));
}

/* No machine loses power in this test, so a successful sync has nothing to do. */
int
fsync(int fd)
{
	(void)fd;
	FAULTY(0);
}

int
fdatasync(int fd)
{
	(void)fd;
	FAULTY(0);
}

int
rename(const char *from, const char *to)
{
	FAULTY((int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int
mkdir(const char *path, mode_t mode)
{
	FAULTY((int)syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

int
unlinkat(int fd, const char *path, int flags)
{
	FAULTY((int)syscall(SYS_unlinkat, fd, path, flags));
}

/* What clients were told, in memory that outlives the process. */
static struct told {
	int64_t accepted[4];
	int n_accepted;
	int64_t done;
	int64_t cancelled;
} * told;

static void
accept_one(void)
{
	int64_t id = queue_add();

	if (id)
		told->accepted[told->n_accepted++] = id;
}

static void
accept_two(void)
{
	int64_t a, b;

	if (store_begin(store, NULL) < 0)
		return;
	a = queue_add();
	b = queue_add();
	if (store_commit(store, NULL) < 0 || !a || !b)
		return;
	told->accepted[told->n_accepted++] = a;
	told->accepted[told->n_accepted++] = b;
}

/* Runs an attempt as a runner does, with a worker that may fail too. */
static void
run_one(void)
{
	struct err why = {.code = 0};
	struct job job = {.id = 0};
	json_t *result = queue_result();

	if (job_claim(store, T0, &job, NULL) == 1) {
		err_clear(&err);
		if (worker_fill(job.id, job.attempt) < 0)
			why = err;
		else
			(void)publish_job(store, state_dir, job.id, job.nonce, T0,
					  &(struct publication){.result = result, .recipe = ""}, &why);
		if (why.code == 0)
			told->done = job.id;
		else if (!store_broken(store) &&
			 job_fail(store, job.id, job.nonce, T0, &why, NULL, 0, NULL) == 0)
			(void)artifact_discard(state_dir, job.id, job.attempt, NULL);
	}
	json_decref(result);
	job_release(&job);
}

static void
cancel_one(void)
{
	struct err why = {.code = E_CANCELLED, .msg = "cancelled"};
	struct job job = {.id = 0};
	enum job_state now;

	if (job_claim(store, T0, &job, NULL) != 1)
		return;
	if (job_cancel(store, job.id, T0, &now, NULL) == 0 &&
	    job_fail(store, job.id, job.nonce, T0, &why, NULL, 0, NULL) == 0)
		told->cancelled = job.id;
	job_release(&job);
}

static void
scenario(void)
{
	struct recover_report report;

	if (store_open(state_dir, &store, NULL) == 0 && artifact_init(state_dir, NULL) == 0 &&
	    recover_run(store, state_dir, /*deaths_max=*/20, T0, &report, NULL) == 0) {
		accept_one();
		accept_two();
		run_one();
		cancel_one();
		accept_one();
	}
	store_close(&store);
}

static int
state_check(const struct job *job, void *arg, struct err *e)
{
	struct artifact_list files = ARTIFACT_LIST_INIT;
	uint64_t size = 0;
	int fd = -1;

	(void)arg;
	assert_int_not_equal(job->state, JOB_RUNNING);
	assert_false(state_has("staging/%" PRId64 ".%d", job->id, job->attempt));
	assert_int_equal(store_file_list(store, job->id, &files, e), 0);
	assert_int_equal(files.n, job->state == JOB_DONE ? 2 : 0);
	artifact_list_release(&files);
	if (job->state == JOB_DONE) {
		assert_int_equal(artifact_open_file(state_dir, job->id, "text.onnx", &fd, &size, e), 0);
		(void)close(fd);
		assert_true(size == 3);
	} else {
		assert_false(state_has("artifacts/%" PRId64, job->id));
	}
	return 0;
}

/* On a disk that works. */
static void
check(void)
{
	struct recover_report report;
	int64_t next;
	int i;

	err_clear(&err);
	queue_open();
	assert_int_equal(artifact_init(state_dir, &err), 0);
	assert_int_equal(recover_run(store, state_dir, /*deaths_max=*/20, T0, &report, &err), 0);
	for (i = 0; i < told->n_accepted; i++)
		assert_non_null(queue_state(told->accepted[i]));
	if (told->done)
		assert_string_equal(queue_state(told->done), "done");
	if (told->cancelled)
		assert_string_equal(queue_state(told->cancelled), "cancelled");
	assert_int_equal(list_jobs(store, &(struct list_filter){.model = NULL}, INT64_MAX, 100, state_check,
				   NULL, &next, &err),
			 0);

	/* The queue goes on. */
	for (;;) {
		struct job job = {.id = 0};
		json_t *result;

		if (job_claim(store, T0 + 100000, &job, &err) == 0)
			break;
		result = queue_result();
		assert_int_equal(worker_fill(job.id, job.attempt), 0);
		assert_int_equal(publish_job(store, state_dir, job.id, job.nonce, T0,
					     &(struct publication){.result = result, .recipe = ""}, &err),
				 0);
		json_decref(result);
		job_release(&job);
	}
	assert_int_equal(list_jobs(store, &(struct list_filter){.model = NULL}, INT64_MAX, 100, state_check,
				   NULL, &next, &err),
			 0);
}

/* Runs in its own process, which the fault ends. */
static void
die_in(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		fn();
		_exit(1);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The number of calls that could fail. */
static int
one_run(enum mode mode, int at)
{
	(void)snprintf(state_dir, sizeof(state_dir), "/tmp/colconv-test.XXXXXX");
	assert_non_null(mkdtemp(state_dir));
	memset(told, 0, sizeof(*told));
	fault.mode = mode;
	fault.at = at;
	fault.calls = 0;
	fault.armed = true;
	if (mode == MODE_KILL)
		die_in(scenario);
	else
		scenario();
	fault.armed = false;
	check();
	assert_int_equal(queue_teardown(NULL), 0);
	return fault.calls;
}

static void
every_call(enum mode mode)
{
	int n = one_run(MODE_COUNT, 0), at;

	assert_int_equal(told->n_accepted, 4);
	assert_true(told->done && told->cancelled);
	for (at = 1; at <= n; at++)
		(void)one_run(mode, at);
}

TEST(test_error)
{
	every_call(MODE_ERROR);
}

TEST(test_full)
{
	every_call(MODE_FULL);
}

TEST(test_kill)
{
	every_call(MODE_KILL);
}

/* On a disk that works: the old queue, or the new one with the copy of the old. */
static void
migration_check(void)
{
	int64_t version = database_run("queue.db", "PRAGMA user_version");
	int64_t n[JOB_STATE_MAX];
	unsigned i;

	assert_true(version == 1 || version == 3);
	assert_int_equal(database_run("queue.db", "SELECT count(*) FROM job"), VERSION1_JOBS);
	err_clear(&err);
	queue_open();
	assert_int_equal(store_counts(store, n, &err), 0);
	for (i = 0; i < JOB_STATE_MAX; i++)
		assert_int_equal(n[i], 1);
	store_close(&store);
	assert_int_equal(database_run("queue.db.1", "PRAGMA user_version"), 1);
	assert_int_equal(database_run("queue.db.1", "SELECT count(*) FROM history"), 5);
	assert_false(state_has("queue.db.1.tmp"));
}

static void
migrate(void)
{
	int r = store_open(state_dir, &store, &err);

	assert_true(r == 0 || (!store && err.code == r));
	store_close(&store);
}

/* The number of calls that could fail. */
static int
one_migration(enum mode mode, int at)
{
	(void)snprintf(state_dir, sizeof(state_dir), "/tmp/colconv-test.XXXXXX");
	assert_non_null(mkdtemp(state_dir));
	version1_make();
	fault.mode = mode;
	fault.at = at;
	fault.calls = 0;
	fault.armed = true;
	if (mode == MODE_KILL)
		die_in(migrate);
	else
		migrate();
	fault.armed = false;
	migration_check();
	assert_int_equal(queue_teardown(NULL), 0);
	return fault.calls;
}

TEST(test_migration)
{
	static const enum mode modes[] = {MODE_ERROR, MODE_FULL, MODE_KILL};
	int n = one_migration(MODE_COUNT, 0), at;
	size_t i;

	for (i = 0; i < ARRAY_LEN(modes); i++)
		for (at = 1; at <= n; at++)
			(void)one_migration(modes[i], at);
}

/*
 * A batch that is larger than SQLite's cache writes before its commit. On a full disk the batch is lost at
 * that moment, and later calls in it must not become separate transactions.
 */
TEST_WITH(test_lost_batch, queue_setup, queue_teardown)
{
	char model[SPEC_PATH_MAX + 1];
	int64_t n[JOB_STATE_MAX];
	int i, added = 0;

	memset(model, 'm', sizeof(model));
	model[0] = '/';
	model[sizeof(model) - 1] = '\0';
	fault.mode = MODE_FULL;
	fault.at = 1;
	fault.calls = 0;
	fault.armed = true;
	assert_int_equal(store_begin(store, &err), 0);
	for (i = 0; i < 1000; i++)
		added += queue_add_model(model) != 0;
	assert_in_range(added, 1, 999);
	assert_error(&err, E_NO_SPACE, "full");
	fault.armed = false;
	assert_int_equal(queue_add(), 0); /* there is space again, but the batch is lost */
	err_clear(&err);
	assert_int_equal(store_commit(store, &err), E_NO_SPACE);
	assert_error(&err, E_NO_SPACE, "an earlier error undid the batch");
	err_clear(&err);
	assert_false(store_broken(store));
	assert_int_equal(store_counts(store, n, &err), 0);
	assert_true(n[JOB_QUEUED] == 0);
	assert_true(queue_add() > 0);
}

/* After a failed fsync the content of the disk is unknown: only a new start may continue. */
TEST_WITH(test_broken, queue_setup, queue_teardown)
{
	int64_t id;

	fault.mode = MODE_ERROR;
	fault.calls = 0;
	fault.at = 3; /* two writes of the log, then its fsync */
	fault.armed = true;
	assert_int_equal(queue_add(), 0);
	fault.armed = false;
	assert_error(&err, E_IO, "disk I/O error");
	assert_true(store_broken(store));
	err_clear(&err);
	assert_int_equal(queue_add(), 0);
	assert_error(&err, E_IO, "stopped after an earlier error");
	err_clear(&err);
	queue_reopen();
	id = queue_add();
	assert_string_equal(queue_state(id), "queued");
}

int
main(void)
{
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED)
		return 1;
	return tests_run("queue faults", NULL, NULL);
}
