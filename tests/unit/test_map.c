/*
 * Mapped files, also files that are truncated while they are mapped: the read ends in an error that names the
 * file.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/map.h"
#include "tmpdir.h"

#define PAGE 4096

static void
file_make(const char *dir, const char *name, size_t len)
{
	_cleanup_free_ char *bytes = malloc(len + 1);

	assert_non_null(bytes);
	memset(bytes, 'x', len);
	tmpdir_write(dir, name, bytes, len);
}

TEST(test_open)
{
	_cleanup_free_ char *path = fs_join(*state, "open");
	struct map m = {.data = NULL};
	struct err e = ERR_INIT;

	assert_int_equal(map_fd(&m), -1);
	tmpdir_write(*state, "open", "hello", 5);
	assert_int_equal(map_open(path, E_BAD_CHECKPOINT, &m, &e), 0);
	assert_int_equal(m.len, 5);
	assert_memory_equal(m.data, "hello", 5);
	assert_true(map_fd(&m) >= 0);
	map_close(&m);
	assert_null(m.data);
	assert_int_equal(map_fd(&m), -1);
	map_close(&m);
}

/* The bytes are those of the file that was opened, even if another file takes its name. */
TEST(test_another_file_takes_the_name)
{
	_cleanup_free_ char *path = fs_join(*state, "name"), *other = fs_join(*state, "other");
	struct map m = {.data = NULL};
	char at_fd[3];

	tmpdir_write(*state, "name", "old", 3);
	tmpdir_write(*state, "other", "new", 3);
	assert_int_equal(map_open(path, E_IO, &m, NULL), 0);
	assert_int_equal(rename(other, path), 0);
	assert_memory_equal(m.data, "old", 3);
	assert_int_equal(pread(map_fd(&m), at_fd, 3, 0), 3);
	assert_memory_equal(at_fd, "old", 3);
	map_close(&m);
}

TEST(test_an_empty_file)
{
	_cleanup_free_ char *path = fs_join(*state, "empty");
	struct map m = {.data = NULL};

	tmpdir_write(*state, "empty", "", 0);
	assert_int_equal(map_open(path, E_IO, &m, NULL), 0);
	assert_null(m.data);
	assert_int_equal(m.len, 0);
	map_close(&m);
}

TEST(test_not_a_file)
{
	_cleanup_free_ char *missing = fs_join(*state, "missing");
	struct map m = {.data = NULL};
	struct err e = ERR_INIT;

	assert_int_equal(map_open(missing, E_BAD_CHECKPOINT, &m, &e), E_BAD_CHECKPOINT);
	assert_error(&e, E_BAD_CHECKPOINT, "missing");
	err_clear(&e);
	assert_int_equal(map_open(*state, E_BAD_CHECKPOINT, &m, &e), E_BAD_CHECKPOINT);
	assert_null(m.range);
}

/* The map closes the descriptor even if mapping fails. */
TEST(test_a_failure_closes_the_descriptor)
{
	_cleanup_free_ char *path = fs_join(*state, "write-only");
	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct map m = {.data = NULL};
	struct err e = ERR_INIT;

	assert_true(fd >= 0);
	assert_int_equal(map_fd_take(fd, PAGE, path, E_IO, &m, &e), E_IO);
	assert_error(&e, E_IO, "write-only");
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
}

static const char *to_file;

static void
lost(const struct err *e)
{
	(void)!fs_write_new(to_file, e->msg, strlen(e->msg), NULL);
}

/* Reads a byte in a child; returns its wait status. */
static int
read_in_child(const volatile unsigned char *at)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		map_catch(lost);
		(void)*at;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

TEST(test_a_file_that_is_cut)
{
	_cleanup_free_ char *path = fs_join(*state, "cut"), *other = fs_join(*state, "whole");
	_cleanup_free_ char *message = fs_join(*state, "message"), *said = NULL;
	struct map m = {.data = NULL}, whole = {.data = NULL};
	int status;
	size_t len;

	file_make(*state, "cut", 3 * PAGE - 7);
	file_make(*state, "whole", PAGE);
	to_file = message;
	assert_int_equal(map_open(path, E_IO, &m, NULL), 0);
	assert_int_equal(map_open(other, E_IO, &whole, NULL), 0);
	assert_int_equal(truncate(path, PAGE), 0);

	status = read_in_child(m.data); /* this page is within the file */
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = read_in_child(m.data + 2 * PAGE);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), err_exit_status(E_SOURCE_CHANGED));
	assert_int_equal(fs_read(message, 1000, E_IO, &said, &len, NULL), 0);
	assert_non_null(strstr(said, path));
	assert_non_null(strstr(said, "was cut from 12281 to 4096 bytes"));
	map_close(&whole);
	map_close(&m);
}

/* Reading from a mapping that is closed or not ours is a bug of ours, so the signal must end the process. */
TEST(test_a_mapping_of_others)
{
	_cleanup_free_ char *path = fs_join(*state, "others"), *message = fs_join(*state, "nothing-said");
	struct map m = {.data = NULL};
	void *p;
	int status;

	file_make(*state, "others", 2 * PAGE);
	to_file = message;
	assert_int_equal(map_open(path, E_IO, &m, NULL), 0);
	p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, map_fd(&m), 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	map_close(&m);
	assert_int_equal(truncate(path, 0), 0);
	status = read_in_child(p);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
	assert_false(fs_exists(message));
	assert_int_equal(munmap(p, 2 * PAGE), 0);
}

int
main(void)
{
	return tests_run("map", tmpdir_setup, tmpdir_teardown);
}
