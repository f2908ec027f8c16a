/*
 * A confined process cannot open the closed paths. It can open every other path, and the paths below a closed one
 * that are listed as open.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "tmpdir.h"
#include "worker/confine.h"

#define EXIT_NO_LANDLOCK 77

static char top[4096];

static const char *
at(const char *name)
{
	static char path[4][4200];
	static unsigned i;

	i = (i + 1) % ARRAY_LEN(path);
	(void)snprintf(path[i], sizeof(path[i]), "%s/%s", top, name);
	return path[i];
}

/* Opens the path; returns 0 or the errno. */
static int
try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	(void)close(fd);
	return 0;
}

#define MUST(condition)                                                                                     \
	do {                                                                                                \
		if (!(condition)) {                                                                         \
			(void)fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #condition, strerror(errno)); \
			_exit(1);                                                                           \
		}                                                                                           \
	} while (0)

static void
confined(void)
{
	static const char *const shut[] = {"state/queue.db", "credentials/tokens", "state/staging/2.1/x",
					   "link"};
	char parent[64];
	size_t i;

	for (i = 0; i < ARRAY_LEN(shut); i++) {
		MUST(try_open(at(shut[i]), O_RDONLY) == EACCES);
		MUST(try_open(at(shut[i]), O_WRONLY) == EACCES);
	}
	MUST(truncate(at("state/queue.db"), 0) < 0 && errno == EACCES);
	MUST(rename(at("state/queue.db"), at("models/mine")) < 0);
	MUST(link(at("state/queue.db"), at("models/mine")) < 0);
	MUST(unlink(at("state/queue.db")) < 0);
	MUST(try_open(at("state/queue.db-wal"), O_RDWR | O_CREAT) == EACCES);
	MUST(try_open(at("credentials"), O_RDONLY | O_DIRECTORY) == EACCES);

	(void)snprintf(parent, sizeof(parent), "/proc/%d/mem", (int)getppid());
	MUST(try_open(parent, O_RDONLY) == EACCES);
	(void)snprintf(parent, sizeof(parent), "/proc/%d/environ", (int)getppid());
	MUST(geteuid() == 0 || try_open(parent, O_RDONLY) == EACCES); /* this one needs only CAP_PERFMON */
	(void)snprintf(parent, sizeof(parent), "/proc/%d/root", (int)getppid());
	MUST(try_open(parent, O_RDONLY | O_DIRECTORY) == EACCES);

	MUST(try_open(at("models/x"), O_RDONLY) == 0);
	MUST(try_open(at("state/models/x"), O_RDONLY) == 0);
	MUST(try_open(at("state/staging/1.1/new"), O_RDWR | O_CREAT) == 0);
	MUST(rename(at("state/staging/1.1/new"), at("state/staging/1.1/newer")) == 0);
	MUST(mkdir(at("state/staging/1.1/dir"), 0700) == 0);
	MUST(try_open("/proc/self/status", O_RDONLY) == 0);
	MUST(try_open("/dev/null", O_RDWR) == 0);
	MUST(system("cat /dev/null") == 0);
	MUST(system("cat \"$STATE/queue.db\" 2> /dev/null") != 0);
	_exit(0);
}

TEST_WITH(test_closed_paths, tmpdir_setup, tmpdir_teardown)
{
	char *closed[] = {NULL, NULL, NULL, NULL, NULL};
	const char *open[] = {NULL};
	struct confine_spec spec = {.closed = closed, .n_closed = 5, .open = open, .n_open = 1};
	struct err e = ERR_INIT;
	int status;
	pid_t pid;

	(void)snprintf(top, sizeof(top), "%s", (const char *)*state);
	assert_int_equal(fs_mkdir_p(at("state/staging/1.1"), 0700, NULL), 0);
	assert_int_equal(fs_mkdir_p(at("state/staging/2.1"), 0700, NULL), 0);
	assert_int_equal(fs_mkdir_p(at("state/models"), 0700, NULL), 0);
	assert_int_equal(fs_mkdir_p(at("models"), 0700, NULL), 0);
	assert_int_equal(fs_mkdir_p(at("credentials"), 0700, NULL), 0);
	tmpdir_write(top, "state/queue.db", "q", 1);
	tmpdir_write(top, "state/staging/2.1/x", "x", 1);
	tmpdir_write(top, "state/models/x", "x", 1);
	tmpdir_write(top, "models/x", "x", 1);
	tmpdir_write(top, "credentials/tokens", "t", 1);
	assert_int_equal(symlink("credentials/tokens", at("link")), 0);
	assert_int_equal(symlink("state", at("alias")), 0);
	assert_int_equal(setenv("STATE", at("state"), 1), 0);
	closed[0] = fs_join(top, "alias/queue.db");
	closed[1] = fs_join(top, "state/queue.db-wal"); /* does not exist yet */
	closed[2] = fs_join(top, "state/staging");
	closed[3] = fs_join(top, "credentials");
	closed[4] = fs_join(top, "nowhere/at/all");
	open[0] = fs_join(top, "state/staging/1.1");

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (confine(&spec, &e) < 0) {
			(void)fprintf(stderr, "%s\n", e.msg);
			_exit(strstr(e.msg, "no Landlock") ? EXIT_NO_LANDLOCK : 1);
		}
		confined();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (pid = 0; pid < 5; pid++)
		free(closed[pid]);
	free((void *)(uintptr_t)open[0]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_LANDLOCK)
		skip();
	assert_int_equal(status, 0);
}

TEST(test_nothing_closed_is_nothing_confined)
{
	const struct confine_spec spec = {.closed = NULL};

	assert_int_equal(confine(&spec, NULL), 0);
	assert_int_equal(try_open("/etc/passwd", O_RDONLY), 0);
}

int
main(void)
{
	return tests_run("confine", NULL, NULL);
}
