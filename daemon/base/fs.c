#include "fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include "pulse.h"
#include "str.h"

#define SYNC_STEP (64u << 20)
#define SYNC_SECONDS 600 /* allowed for the rest of an fsync after its bytes are written */

int
fs_open_file(const char *path, int code, int *ret_fd, uint64_t *ret_len, struct err *e)
{
	/* Without blocking: a FIFO must not hang us before we see its type. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return err_errno(e, code, errno, "cannot open '%s'", path);
	if (fstat(fd, &st) < 0)
		return err_errno(e, code, errno, "cannot stat '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, code, "'%s' is not a regular file", path);
	*ret_len = (uint64_t)st.st_size;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int
fs_read(const char *path, uint64_t max, int code, char **ret, size_t *ret_len, struct err *e)
{
	_cleanup_close_ int fd = -1;
	uint64_t len;
	int r;

	r = fs_open_file(path, code, &fd, &len, e);
	return r < 0 ? r : fs_read_fd(fd, len, max, path, code, ret, ret_len, e);
}

int
fs_read_fd(int fd, uint64_t len, uint64_t max, const char *path, int code, char **ret, size_t *ret_len,
	   struct err *e)
{
	_cleanup_free_ char *data = NULL;
	size_t n = 0;
	ssize_t k;

	if (len > max)
		return err_set(e, code, "'%s' has %llu bytes, more than the %llu allowed", path,
			       (unsigned long long)len, (unsigned long long)max);
	data = malloc(len + 1);
	if (!data)
		return err_set(e, E_NO_MEMORY, "memory ran out reading '%s'", path);
	while (n < len) {
		k = read(fd, data + n, len - n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_errno(e, E_IO, errno, "cannot read '%s'", path);
		if (k == 0)
			break;
		n += (size_t)k;
	}
	data[n] = '\0';
	*ret = TAKE(data);
	*ret_len = n;
	return 0;
}

int
fs_write_all(int fd, const void *data, size_t len, const char *path, struct err *e)
{
	const char *p = data;
	ssize_t k;

	while (len) {
		k = write(fd, p, len);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_errno(e, E_IO, errno, "cannot write '%s'", path);
		p += k;
		len -= (size_t)k;
	}
	return 0;
}

int
fs_sync_file(int fd, uint64_t len, const char *path, struct err *e)
{
	uint64_t at;
	int r;

	/* Start writing all of it before the first wait. On a file system that cannot do this, fsync()
	 * does all the work. */
	for (at = 0; at < len; at += SYNC_STEP) {
		(void)sync_file_range(fd, (off_t)at, SYNC_STEP, SYNC_FILE_RANGE_WRITE);
		pulse();
	}
	for (at = 0; at < len; at += SYNC_STEP) {
		(void)sync_file_range(fd, (off_t)at, SYNC_STEP,
				      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
					      SYNC_FILE_RANGE_WAIT_AFTER);
		pulse();
	}
	pulse_allow(SYNC_SECONDS);
	r = fsync(fd) < 0 ? err_errno(e, E_IO, errno, "cannot fsync '%s'", path) : 0;
	pulse_allow(0);
	return r;
}

static int
parent_sync(const char *path, struct err *e)
{
	_cleanup_free_ char *dir = strdup(path);
	char *slash;

	if (!dir)
		return err_no_memory(e);
	slash = strrchr(dir, '/');
	if (!slash)
		return fs_sync_dir(".", e);
	slash[slash == dir] = '\0';
	return fs_sync_dir(dir, e);
}

int
fs_write_file(const char *path, const void *data, size_t len, struct err *e)
{
	_cleanup_free_ char *tmp = str_printf("%s.tmp%ld", path, (long)getpid());
	_cleanup_close_ int fd = -1;
	int r;

	if (!tmp)
		return err_no_memory(e);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return err_errno(e, E_IO, errno, "cannot create '%s'", tmp);
	r = fs_write_all(fd, data, len, tmp, e);
	if (r == 0 && fsync(fd) < 0)
		r = err_errno(e, E_IO, errno, "cannot fsync '%s'", tmp);
	if (r == 0)
		r = fs_rename(tmp, path, e);
	if (r < 0)
		(void)unlink(tmp);
	return r;
}

int
fs_write_new(const char *path, const void *data, size_t len, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	int r;

	if (fd < 0)
		return err_errno(e, E_IO, errno, "cannot create '%s'", path);
	r = fs_write_all(fd, data, len, path, e);
	if (r == 0 && fsync(fd) < 0)
		r = err_errno(e, E_IO, errno, "cannot fsync '%s'", path);
	if (r < 0)
		(void)unlink(path);
	return r;
}

int
fs_mkdir(const char *path, mode_t mode, struct err *e)
{
	if (mkdir(path, mode) == 0)
		return parent_sync(path, e);
	if (errno == EEXIST && fs_is_dir(path))
		return 0;
	return err_errno(e, E_IO, errno, "cannot make the folder '%s'", path);
}

int
fs_mkdir_p(const char *path, mode_t mode, struct err *e)
{
	_cleanup_free_ char *copy = strdup(path);
	char *p;
	int r;

	if (!copy)
		return err_no_memory(e);
	for (p = copy + 1; *copy && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		r = fs_is_dir(copy) ? 0 : fs_mkdir(copy, mode, e);
		if (r < 0)
			return r;
		*p = '/';
	}
	return fs_mkdir(path, mode, e);
}

int
fs_sync_dir(const char *path, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, E_IO, errno, "cannot open the folder '%s'", path);
	if (fsync(fd) < 0)
		return err_errno(e, E_IO, errno, "cannot fsync the folder '%s'", path);
	return 0;
}

static void
closedirp(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

static bool
dot_name(const char *name)
{
	return str_eq(name, ".") || str_eq(name, "..");
}

int
fs_sync_tree(const char *path, struct err *e)
{
	_cleanup_(closedirp) DIR *d = opendir(path);
	struct dirent *ent;
	int r;

	if (!d)
		return err_errno(e, E_IO, errno, "cannot open the folder '%s'", path);
	while ((ent = readdir(d))) {
		_cleanup_free_ char *sub = NULL;
		_cleanup_close_ int fd = -1;

		if (dot_name(ent->d_name) || ent->d_type == DT_LNK)
			continue;
		sub = fs_join(path, ent->d_name);
		if (!sub)
			return err_no_memory(e);
		if (fs_is_dir(sub)) {
			r = fs_sync_tree(sub, e);
			if (r < 0)
				return r;
			continue;
		}
		fd = open(sub, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 || fsync(fd) < 0)
			return err_errno(e, E_IO, errno, "cannot fsync '%s'", sub);
	}
	return fs_sync_dir(path, e);
}

int
fs_rename(const char *from, const char *to, struct err *e)
{
	int r;

	if (rename(from, to) < 0)
		return err_errno(e, E_IO, errno, "cannot rename '%s' to '%s'", from, to);
	r = parent_sync(to, e);
	return r < 0 ? r : parent_sync(from, e);
}

/* Swaps through a third name; when a later step fails, the earlier ones are undone. */
static int
swap_by_renames(const char *a, const char *b, struct err *e)
{
	_cleanup_free_ char *aside = str_printf("%s.old", a);

	if (!aside)
		return err_no_memory(e);
	if (rename(b, aside) < 0)
		return err_errno(e, E_IO, errno, "cannot rename '%s' to '%s'", b, aside);
	if (rename(a, b) < 0) {
		(void)err_errno(e, E_IO, errno, "cannot rename '%s' to '%s'", a, b);
		(void)rename(aside, b);
		return E_IO;
	}
	return rename(aside, a) == 0 ? 0 : err_errno(e, E_IO, errno, "cannot rename '%s' to '%s'", aside, a);
}

int
fs_exchange(const char *a, const char *b, struct err *e)
{
	int r = 0;

	if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) < 0)
		r = errno == EINVAL || errno == ENOSYS
			    ? swap_by_renames(a, b, e)
			    : err_errno(e, E_IO, errno, "cannot swap '%s' and '%s'", a, b);
	if (r < 0)
		return r;
	r = parent_sync(a, e);
	return r < 0 ? r : parent_sync(b, e);
}

static int
remove_at(int parent, const char *name, const char *path, struct err *e)
{
	_cleanup_(closedirp) DIR *d = NULL;
	struct dirent *ent;
	int fd, r;

	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_errno(e, E_IO, errno, "cannot remove '%s' in '%s'", name, path);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			(void)close(fd);
		return err_errno(e, E_IO, errno, "cannot open the folder '%s' in '%s'", name, path);
	}
	while ((ent = readdir(d))) {
		if (dot_name(ent->d_name))
			continue;
		r = remove_at(dirfd(d), ent->d_name, path, e);
		if (r < 0)
			return r;
	}
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_errno(e, E_IO, errno, "cannot remove the folder '%s' in '%s'", name, path);
	return 0;
}

int
fs_remove(const char *path, struct err *e)
{
	return remove_at(AT_FDCWD, path, path, e);
}

bool
fs_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

bool
fs_is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

const char *
fs_below(const char *dir, const char *path)
{
	size_t n = strlen(dir);

	while (n > 0 && dir[n - 1] == '/')
		n--;
	if (strncmp(path, dir, n) != 0 || (path[n] != '/' && path[n] != '\0'))
		return NULL;
	path += n + strspn(path + n, "/");
	return *path ? path : ".";
}

int
fs_open_beneath_fd(int dir_fd, const char *dir, const char *path, int flags, int code, int *ret_fd,
		   struct err *e)
{
	const struct open_how how = {
		.flags = (uint64_t)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	do
		fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN); /* another process renamed something meanwhile */
	if (fd < 0 && errno == EXDEV)
		return err_set(e, E_NOT_ALLOWED, "'%s' leads out of '%s'", path, dir);
	if (fd < 0)
		return err_errno(e, code, errno, "cannot open '%s' in '%s'", path, dir);
	*ret_fd = fd;
	return 0;
}

int
fs_open_beneath(const char *dir, const char *path, int flags, int code, int *ret_fd, struct err *e)
{
	_cleanup_close_ int top = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (top < 0)
		return err_errno(e, code, errno, "cannot open the folder '%s'", dir);
	return fs_open_beneath_fd(top, dir, path, flags, code, ret_fd, e);
}

int
fs_free_bytes(const char *path, uint64_t *ret, struct err *e)
{
	struct statvfs vfs;

	if (statvfs(path, &vfs) < 0)
		return err_errno(e, E_IO, errno, "cannot ask for the free space of '%s'", path);
	*ret = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	return 0;
}

char *
fs_join(const char *dir, const char *name)
{
	return str_printf("%s%s%s", dir, str_ends(dir, "/") ? "" : "/", name);
}

const char *
fs_basename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool
fs_name_ok(const char *name)
{
	return *name && !dot_name(name) && !strchr(name, '/') && strlen(name) <= NAME_MAX;
}

bool
fs_path_ok(const char *path)
{
	char name[NAME_MAX + 1];
	size_t n;

	for (;; path += n + 1) {
		n = strcspn(path, "/");
		if (n > NAME_MAX)
			return false;
		memcpy(name, path, n);
		name[n] = '\0';
		if (!fs_name_ok(name))
			return false;
		if (path[n] == '\0')
			return true;
	}
}

int
fs_sibling(const char *program, char **ret, struct err *e)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n < 0)
		return err_errno(e, E_IO, errno, "cannot tell where this program lies");
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	*ret = fs_join(self, program);
	return *ret ? 0 : err_no_memory(e);
}
