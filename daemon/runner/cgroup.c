#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mntent.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "base/str.h"

#define LEAF_PREFIX "attempt-"
#define OURS "daemon"

/* How long to wait for killed attempts of an earlier daemon. */
#define LEFT_TRIES 200
#define LEFT_PAUSE_US 10000

/* Unlike fs_mkdir() without fsync: these folders are not on a disk. */
static int
dir_make(const char *path, struct err *e)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_errno(e, E_IO, errno, "cannot make the control group '%s'", path);
	return 0;
}

/* A control file takes its value in a single write(). It must exist already. */
static int
file_write(const char *dir, const char *name, const char *text, struct err *e)
{
	_cleanup_free_ char *path = fs_join(dir, name);
	_cleanup_close_ int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;

	if (!path)
		return err_no_memory(e);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return err_errno(e, E_IO, errno, "cannot write '%s' to '%s'", text, path);
	return 0;
}

/* Reads the start of a file; short files are read whole. */
static void
file_read(const char *dir, const char *name, char *ret, size_t len)
{
	_cleanup_free_ char *path = fs_join(dir, name);
	_cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n = fd < 0 ? -1 : read(fd, ret, len - 1);

	ret[MAX(n, 0)] = '\0';
}

/* The mount point of version 2, which may exist beside version 1. The caller frees it. */
static char *
mount_find(void)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	const struct mntent *m;
	char *dir = NULL;

	while (f && !dir && (m = getmntent(f)))
		if (str_eq(m->mnt_type, "cgroup2"))
			dir = strdup(m->mnt_dir);
	if (f)
		(void)endmntent(f);
	return dir;
}

/* The folder of our own group; the caller frees it. */
static char *
own_find(void)
{
	_cleanup_free_ char *mount = mount_find();
	char text[8192], *line, *save;

	if (!mount)
		return NULL;
	file_read("/proc/self", "cgroup", text, sizeof(text));
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (str_starts(line, "0::/"))
			return str_printf("%s%s", mount, line + strlen("0::"));
	return NULL;
}

static bool
is_delegated(const char *dir)
{
	static const char *const names[] = {"user.delegate", "trusted.delegate"};
	char value[2];
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (getxattr(dir, names[i], value, sizeof(value)) == 1 && value[0] == '1')
			return true;
	return false;
}

/* Ours, or the one above when systemd put us into daemon/ already (DelegateSubgroup=). */
static char *
delegated_find(void)
{
	_cleanup_free_ char *dir = own_find();
	char *end;

	if (dir && str_ends(dir, "/" OURS)) {
		end = strrchr(dir, '/');
		*end = '\0';
		if (is_delegated(dir))
			return TAKE(dir);
		*end = '/';
	}
	return dir && is_delegated(dir) ? TAKE(dir) : NULL;
}

/* Remove the groups that an earlier daemon left. A group that cannot be removed is ignored. */
static void
left_remove(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *entry;
	int tries = LEFT_TRIES;

	while (d && (entry = readdir(d))) {
		_cleanup_free_ char *leaf =
			str_starts(entry->d_name, LEAF_PREFIX) ? fs_join(dir, entry->d_name) : NULL;

		while (!cgroup_remove(leaf) && tries-- > 0)
			(void)usleep(LEFT_PAUSE_US);
	}
	if (d)
		(void)closedir(d);
}

int
cgroup_init(struct cgroup *c, struct err *e)
{
	_cleanup_free_ char *dir = delegated_find(), *ours = dir ? fs_join(dir, OURS) : NULL;
	_cleanup_free_ char *can_kill = ours ? fs_join(ours, "cgroup.kill") : NULL;
	char controllers[1024];
	int r;

	*c = (struct cgroup){.dir = NULL};
	if (!can_kill)
		return err_set(e, E_NOT_FOUND, "no control group is delegated to the daemon");
	r = dir_make(ours, e);
	if (r == 0)
		r = file_write(ours, "cgroup.procs", "0", e);
	if (r < 0)
		return r;
	if (!fs_exists(can_kill))
		return err_set(e, E_NOT_FOUND, "the kernel is older than 5.14");
	left_remove(dir);
	file_read(dir, "cgroup.controllers", controllers, sizeof(controllers));
	c->memory = strstr(controllers, "memory") &&
		    file_write(dir, "cgroup.subtree_control", "+memory", NULL) == 0;
	c->dir = TAKE(dir);
	return 0;
}

void
cgroup_release(struct cgroup *c)
{
	free(c->dir);
	*c = (struct cgroup){.dir = NULL};
}

static int
limit_set(const char *leaf, uint64_t memory_max, struct err *e)
{
	char text[24];
	int r;

	(void)snprintf(text, sizeof(text), "%" PRIu64, memory_max);
	r = file_write(leaf, "memory.max", text, e);
	if (r == 0)
		r = file_write(leaf, "memory.oom.group", "1", e); /* out of memory kills the whole attempt */
	(void)file_write(leaf, "memory.swap.max", "0",
			 NULL); /* the file is missing when the kernel has no swap */
	return r;
}

int
cgroup_add(const struct cgroup *c, const char *nonce, uint64_t memory_max, char **ret, struct err *e)
{
	_cleanup_free_ char *leaf = NULL;
	int r;

	*ret = NULL;
	if (!c->dir)
		return 0;
	leaf = str_printf("%s/" LEAF_PREFIX "%s", c->dir, nonce);
	if (!leaf)
		return err_no_memory(e);
	r = dir_make(leaf, e);
	if (r == 0 && c->memory && memory_max)
		r = limit_set(leaf, memory_max, e);
	if (r < 0) {
		(void)rmdir(leaf);
		return r;
	}
	*ret = TAKE(leaf);
	return 0;
}

bool
cgroup_remove(const char *leaf)
{
	if (!leaf)
		return true;
	(void)file_write(leaf, "cgroup.kill", "1", NULL);
	return rmdir(leaf) == 0 || errno != EBUSY;
}

uint64_t
cgroup_count(const char *leaf)
{
	_cleanup_free_ char *path = leaf ? fs_join(leaf, "cgroup.procs") : NULL;
	FILE *f = path ? fopen(path, "re") : NULL;
	char line[24];
	uint64_t n = 0;

	while (f && fgets(line, sizeof(line), f))
		n++;
	if (f)
		(void)fclose(f);
	return n;
}

uint64_t
cgroup_oom_kills(const char *leaf)
{
	static const char key[] = "\noom_kill ";
	char text[1024];
	const char *p;

	if (!leaf)
		return 0;
	file_read(leaf, "memory.events", text, sizeof(text));
	p = strstr(text, key);
	return p ? strtoull(p + strlen(key), NULL, 10) : 0;
}
