/*
 * The limit of memory, in a folder that looks like a control group: where the memory controller is
 * not delegated, no other test comes by. What groups do besides is in tests/api/test_runners.py.
 */
#include "test.h"

#include <inttypes.h>
#include <signal.h>

#include "runner/child.h"
#include "tmpdir.h"

#define NONCE "0123456789abcdef0123456789abcdef"
#define LIMIT 1000000

static void
leaf_make(const char *dir, char **ret_leaf)
{
	*ret_leaf = str_printf("%s/attempt-" NONCE, dir);
	assert_int_equal(fs_mkdir(*ret_leaf, 0755, NULL), 0);
	tmpdir_write(*ret_leaf, "memory.max", "max\n", 4);
	tmpdir_write(*ret_leaf, "memory.oom.group", "0\n", 2);
	tmpdir_write(*ret_leaf, "cgroup.procs", "", 0);
}

static void
events_write(const char *leaf, unsigned oom_kills)
{
	_cleanup_free_ char *text =
		str_printf("low 0\nhigh 0\nmax 12\noom 1\noom_kill %u\noom_group_kill 1\n", oom_kills);

	tmpdir_write(leaf, "memory.events", text, strlen(text));
}

static void
assert_file(const char *leaf, const char *name, const char *want)
{
	_cleanup_free_ char *path = fs_join(leaf, name), *text = NULL;
	size_t len;

	assert_int_equal(fs_read(path, 100, E_IO, &text, &len, NULL), 0);
	assert_string_equal(text, want);
}

TEST_WITH(test_limit, tmpdir_setup, tmpdir_teardown)
{
	const struct cgroup c = {.dir = *state, .memory = true};
	_cleanup_free_ char *leaf = NULL, *added = NULL;
	struct err e = ERR_INIT;

	leaf_make(*state, &leaf);
	assert_int_equal(cgroup_add(&c, NONCE, LIMIT, &added, &e), 0);
	assert_string_equal(added, leaf);
	assert_file(leaf, "memory.max", "1000000");
	assert_file(leaf, "memory.oom.group", "1\n"); /* a group's file is not shortened by a write */
}

TEST_WITH(test_oom_kills, tmpdir_setup, tmpdir_teardown)
{
	_cleanup_free_ char *leaf = NULL;

	leaf_make(*state, &leaf);
	assert_true(cgroup_oom_kills(NULL) == 0);
	assert_true(cgroup_oom_kills(leaf) == 0); /* the file is missing */
	events_write(leaf, 3);
	assert_true(cgroup_oom_kills(leaf) == 3);
}

TEST_WITH(test_no_controller, tmpdir_setup, tmpdir_teardown)
{
	const struct cgroup c = {.dir = *state, .memory = true}, none = {.dir = NULL};
	_cleanup_free_ char *leaf = NULL, *path = str_printf("%s/attempt-other", (char *)*state);
	struct err e = ERR_INIT;

	assert_int_equal(cgroup_add(&none, "other", LIMIT, &leaf, &e), 0);
	assert_null(leaf);
	assert_int_equal(cgroup_add(&c, "other", LIMIT, &leaf, &e), E_IO);
	assert_error(&e, E_IO, "memory.max");
	assert_false(fs_exists(path));
	assert_true(cgroup_remove(NULL));
}

static struct err why;

static void
on_log(void *arg, const char *line)
{
	(void)arg;
	(void)line;
}

static void
on_ended(void *arg, const struct child_end *end)
{
	why = end->why;
	loop_stop(arg);
}

/* A worker is killed, and its control group says why. */
TEST_WITH(test_words_of_the_limit, tmpdir_setup, tmpdir_teardown)
{
	static const struct child_ops ops = {.log = on_log, .ended = on_ended};
	char nonce[] = NONCE, sh[] = "/bin/sh", minus_c[] = "-c", kill[] = "echo too much >&2; kill -9 $$";
	char *prefix[] = {sh, minus_c, kill, NULL};
	const struct cgroup c = {.dir = *state, .memory = true};
	_cleanup_free_ char *leaf = NULL;
	Colconv__Job job = COLCONV__JOB__INIT;
	struct child_spec spec = {
		.prefix = prefix,
		.program = "worker",
		.job = &job,
		.cgroup = &c,
		.memory_max = LIMIT,
		.start_ms = 60000,
		.silence_ms = 60000,
		.timeout_ms = 60000,
	};
	struct child *child = NULL;
	struct loop *l = NULL;
	struct err e = ERR_INIT;

	leaf_make(*state, &leaf);
	events_write(leaf, 1);
	job.nonce = nonce;
	assert_int_equal(loop_new(&l, &e), 0);
	assert_int_equal(child_new(l, &spec, &ops, l, &child, &e), 0);
	assert_int_equal(loop_run(l, &e), 0);
	assert_error(&why, E_WORKER_KILLED,
		     "memory limit of 1000000 bytes (setting worker_memory_max); it last wrote: too much");
	assert_file(leaf, "cgroup.procs", "0"); /* the child moved itself into the group */
	child_free(&child);
	loop_free(&l);
}

/* If a worker cannot be started, its group is removed. */
TEST_WITH(test_no_worker_no_group, tmpdir_setup, tmpdir_teardown)
{
	static const struct child_ops ops = {.log = on_log, .ended = on_ended};
	char nonce[] = "beef";
	const struct cgroup c = {.dir = *state};
	_cleanup_free_ char *leaf = str_printf("%s/attempt-beef", (char *)*state);
	Colconv__Job job = COLCONV__JOB__INIT;
	struct child_spec spec = {.program = "/no/such/worker", .job = &job, .cgroup = &c};
	struct child *child = NULL;
	struct loop *l = NULL;
	struct err e = ERR_INIT;

	job.nonce = nonce;
	assert_int_equal(loop_new(&l, &e), 0);
	assert_int_equal(child_new(l, &spec, &ops, l, &child, &e), E_IO);
	assert_false(fs_exists(leaf));
	loop_free(&l);
}

int
main(void)
{
	(void)signal(SIGPIPE,
		     SIG_IGN); /* the daemon ignores it too: a worker may end before it reads its job */
	return tests_run("cgroup", NULL, NULL);
}
