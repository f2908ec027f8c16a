#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <time.h>

#include "fs.h"
#include "str.h"

/* The kernel sets file times from a clock with ticks of at most 10 ms. */
#define TICKS_MAX 20
#define TICK_NS 1000000L

/* The state of a file when it was first opened. */
struct stamp {
	char *name;
	struct stat st;
};

struct folder {
	char *path;
	char *within; /* path of the folder below the boundary; "." when they are the same */
	int boundary; /* an O_PATH descriptor; no name may lead out of this folder */
	uid_t owner;  /* of the folder */
	struct stamp *stamps;
	size_t n;
};

static void
folder_freep(struct folder **f)
{
	folder_free(f);
}

/* Open the folder below the first root that contains it. */
static int
rooted_open(const char *path, struct folder_roots roots, int code, int *ret_fd, struct err *e)
{
	const int flags = O_PATH | O_DIRECTORY;
	struct err why = ERR_INIT;
	size_t i;

	if (roots.n == 0) {
		*ret_fd = open(path, flags | O_CLOEXEC);
		if (*ret_fd < 0 && (errno == ENOENT || errno == ENOTDIR))
			return err_set(e, code, "'%s' is not a folder", path);
		return *ret_fd < 0 ? err_errno(e, code, errno, "cannot open the folder '%s'", path) : 0;
	}
	for (i = 0; i < roots.n; i++) {
		const char *rest = fs_below(roots.dir[i], path);

		/* A link that leads out of one root may lead into another root. */
		if (rest && fs_open_beneath(roots.dir[i], rest, flags, code, ret_fd, &why) == 0)
			return 0;
	}
	if (why.code == 0)
		(void)err_set(&why, E_NOT_ALLOWED, "'%s' lies outside the folders that jobs may read", path);
	return err_set(e, why.code, "%s", why.msg);
}

/* The length of REPO in "REPO/snapshots/COMMIT" or "REPO/snapshots/COMMIT/FOLDER" where REPO is a repository in a cache of the Hub; 0: it is not. */
static size_t
repo_len(const char *path)
{
	static const char between[] = "/snapshots/";
	const char *end = NULL, *at = path, *name, *slash;

	while ((at = strstr(at, between)))
		end = at++;
	if (!end)
		return 0;
	slash = strchr(end + strlen(between), '/');
	if (slash && strchr(slash + 1, '/'))
		return 0;
	for (name = end; name > path && name[-1] != '/'; name--)
		;
	return str_starts(name, "models--") ? (size_t)(end - path) : 0;
}

/* Moves the boundary of a snapshot to its repository: 1, or 0 when `path` is not one or leads outside the roots. */
static int
boundary_try(struct folder *f, const char *path, struct folder_roots roots, struct err *e)
{
	const size_t len = repo_len(path);
	_cleanup_close_ int repo = -1, again = -1;
	_cleanup_free_ char *top = NULL, *within = NULL;
	struct stat a, b;

	if (!len)
		return 0;
	top = strndup(path, len);
	within = strdup(path + len + 1);
	if (!top || !within)
		return err_no_memory(e);
	if (rooted_open(top, roots, E_IO, &repo, NULL) < 0 ||
	    fs_open_beneath_fd(repo, top, within, O_PATH | O_DIRECTORY, E_IO, &again, NULL) < 0 ||
	    fstat(again, &a) < 0 || fstat(f->boundary, &b) < 0 || a.st_dev != b.st_dev ||
	    a.st_ino != b.st_ino)
		return 0;
	(void)close(f->boundary);
	f->boundary = TAKE_FD(repo);
	free(f->within);
	f->within = TAKE(within);
	return 1;
}

/* Try the path as given, then the path without links. */
static int
boundary_widen(struct folder *f, struct folder_roots roots, struct err *e)
{
	char link[64], real[PATH_MAX];
	ssize_t n;
	int r;

	r = boundary_try(f, f->path, roots, e);
	if (r != 0)
		return MIN(r, 0);
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", f->boundary);
	n = readlink(link, real, sizeof(real) - 1);
	real[MAX(n, 0)] = '\0';
	return MIN(boundary_try(f, real, roots, e), 0);
}

/* Copies a path without slashes at its end, so that its last part is the folder's name. */
static char *
path_copy(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	return strndup(path, len);
}

int
folder_open(const char *path, struct folder_roots roots, int code, struct folder **ret, struct err *e)
{
	_cleanup_(folder_freep) struct folder *f = calloc(1, sizeof(*f));
	struct stat st;
	int r;

	if (!f)
		return err_no_memory(e);
	f->boundary = -1;
	f->path = path_copy(path);
	f->within = strdup(".");
	if (!f->path || !f->within)
		return err_no_memory(e);
	r = rooted_open(path, roots, code, &f->boundary, e);
	if (r < 0)
		return r;
	if (fstat(f->boundary, &st) < 0)
		return err_errno(e, code, errno, "cannot stat the folder '%s'", path);
	f->owner = st.st_uid;
	r = boundary_widen(f, roots, e);
	if (r == 0)
		*ret = TAKE(f);
	return r;
}

void
folder_free(struct folder **pf)
{
	struct folder *f = *pf;

	if (!f)
		return;
	if (f->boundary >= 0)
		(void)close(f->boundary);
	while (f->n)
		free(f->stamps[--f->n].name);
	free(f->stamps);
	free(f->within);
	free(f->path);
	free(f);
	*pf = NULL;
}

const char *
folder_path(const struct folder *f)
{
	return f->path;
}

bool
folder_has(const struct folder *f, const char *name)
{
	_cleanup_free_ char *path = fs_join(f->within, name);
	struct stat st;

	return path && fstatat(f->boundary, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int
folder_each(const struct folder *f, size_t max, void (*fn)(void *arg, const char *name), void *arg)
{
	const int fd = openat(f->boundary, f->within, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;
	size_t n = 0;

	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return 1;
	}
	while ((d = readdir(dir)) && n < max)
		if (!str_eq(d->d_name, ".") && !str_eq(d->d_name, "..")) {
			fn(arg, d->d_name);
			n++;
		}
	(void)closedir(dir);
	return d != NULL;
}

static bool
time_eq(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Describes the difference between two states of a file; NULL when they are equal. */
static const char *
stamp_differs(const struct stat *was, const struct stat *is)
{
	if (is->st_dev != was->st_dev || is->st_ino != was->st_ino)
		return "another file has its name";
	if (is->st_size != was->st_size)
		return "it has another size";
	if (!time_eq(is->st_mtim, was->st_mtim))
		return "it was written to";
	return time_eq(is->st_ctim, was->st_ctim) ? NULL : "its owner, mode, links or times were set";
}

static int
changed(const struct folder *f, const char *name, const char *how, struct err *e)
{
	return err_set(
		e, E_SOURCE_CHANGED,
		"'%s/%s' changed while it was converted: %s; start again when no other program writes to it",
		f->path, name, how);
}

/*
 * A second write in the same tick of the clock would not change the file's times. So wait until the tick of the last
 * change is over before recording them.
 */
static int
settled_stat(int fd, struct stat *st)
{
	const struct timespec tick = {.tv_nsec = TICK_NS};
	struct timespec now;
	int i;

	for (i = 0; i < TICKS_MAX; i++) {
		if (fstat(fd, st) < 0)
			return -1;
		(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
		if (st->st_ctim.tv_sec != now.tv_sec || st->st_ctim.tv_nsec < now.tv_nsec)
			return 0;
		(void)nanosleep(&tick, NULL);
	}
	return 0;
}

static int
stamp_add(struct folder *f, const char *name, const struct stat *st, struct err *e)
{
	struct stamp *stamps;
	const char *how;
	size_t i;

	for (i = 0; i < f->n; i++)
		if (str_eq(f->stamps[i].name, name)) {
			how = stamp_differs(&f->stamps[i].st, st);
			return how ? changed(f, name, how, e) : 0;
		}
	stamps = realloc(f->stamps, (f->n + 1) * sizeof(*stamps));
	if (!stamps)
		return err_no_memory(e);
	f->stamps = stamps;
	stamps[f->n] = (struct stamp){.name = strdup(name), .st = *st};
	if (!stamps[f->n].name)
		return err_no_memory(e);
	f->n++;
	return 0;
}

static int
beneath_open(const struct folder *f, const char *name, int flags, int code, int *ret_fd, struct err *e)
{
	_cleanup_free_ char *path = fs_join(f->within, name);
	struct err why = ERR_INIT;
	int r;

	if (!path)
		return err_no_memory(e);
	r = fs_open_beneath_fd(f->boundary, f->path, path, flags, code, ret_fd, &why);
	if (r == E_NOT_ALLOWED)
		return err_set(e, r,
			       "'%s/%s' is a link that leads out of its folder, which is never followed; put "
			       "the file itself there",
			       f->path, name);
	if (r < 0 && folder_has(f, name))
		return err_set(e, r, "%s", why.msg);
	return r < 0 ? err_set(e, r, "'%s/%s' does not exist", f->path, name) : 0;
}

int
folder_open_file(struct folder *f, const char *name, int code, int *ret_fd, uint64_t *ret_len, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	/* Without blocking: a FIFO must not hang us before we see its type. */
	r = beneath_open(f, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, code, &fd, e);
	if (r < 0)
		return r;
	if (settled_stat(fd, &st) < 0)
		return err_errno(e, code, errno, "cannot stat '%s/%s'", f->path, name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, code, "'%s/%s' is not a regular file", f->path, name);
	if (st.st_nlink > 1 && st.st_uid != f->owner)
		return err_set(
			e, E_NOT_ALLOWED,
			"'%s/%s' is a hard link to a file of another owner, which is never read; put a "
			"copy there",
			f->path, name);
	r = stamp_add(f, name, &st, e);
	if (r < 0)
		return r;
	*ret_len = (uint64_t)st.st_size;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int
folder_read(struct folder *f, const char *name, uint64_t max, int code, char **ret, size_t *ret_len,
	    struct err *e)
{
	_cleanup_free_ char *path = fs_join(f->path, name);
	_cleanup_close_ int fd = -1;
	uint64_t len;
	int r;

	if (!path)
		return err_no_memory(e);
	r = folder_open_file(f, name, code, &fd, &len, e);
	return r < 0 ? r : fs_read_fd(fd, len, max, path, code, ret, ret_len, e);
}

size_t
folder_opened_count(const struct folder *f)
{
	return f->n;
}

const char *
folder_opened(const struct folder *f, size_t i)
{
	return f->stamps[i].name;
}

int
folder_check(const struct folder *f, struct err *e)
{
	const char *how;
	struct stat st;
	size_t i;

	for (i = 0; i < f->n; i++) {
		const struct stamp *s = &f->stamps[i];
		_cleanup_close_ int fd = -1;

		if (beneath_open(f, s->name, O_PATH, E_SOURCE_CHANGED, &fd, NULL) < 0 || fstat(fd, &st) < 0)
			return changed(f, s->name, "it is gone", e);
		how = stamp_differs(&s->st, &st);
		if (how)
			return changed(f, s->name, how, e);
	}
	return 0;
}
