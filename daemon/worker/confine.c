#include "confine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "base/str.h"

/*
 * Access rights of Landlock's first version, and those added later. The system's headers may be older than
 * the kernel.
 */
#define RIGHTS_FIRST ((1ULL << 13) - 1)
#define RIGHT_REFER (1ULL << 13)    /* version 2 */
#define RIGHT_TRUNCATE (1ULL << 14) /* version 3 */
#define RIGHTS_OF_FILES                                                                              \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | \
	 RIGHT_TRUNCATE)

/* No path of PATH_MAX bytes can be deeper. */
#define DEPTH_MAX 2048

struct walk {
	int ruleset;
	uint64_t rights;
	char **closed; /* absolute, with links resolved */
	size_t n;
};

static void
walk_release(struct walk *w)
{
	while (w->n)
		free(w->closed[--w->n]);
	free(w->closed);
	if (w->ruleset >= 0)
		(void)close(w->ruleset);
}

/* Allows `path` and everything below it. A link, or a path that disappeared meanwhile, needs no rule. */
static int
allow(const struct walk *w, const char *path, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = {.parent_fd = fd, .allowed_access = w->rights};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || S_ISLNK(st.st_mode))
		return 0;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= RIGHTS_OF_FILES;
	if (syscall(SYS_landlock_add_rule, w->ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return err_errno(e, E_IO, errno, "Landlock: cannot allow '%s'", path);
	return 0;
}

enum place {
	PLACE_BESIDE, /* nothing in it is closed */
	PLACE_ABOVE,  /* something in it is closed */
	PLACE_CLOSED,
};

static enum place
place_of(const struct walk *w, const char *path)
{
	enum place p = PLACE_BESIDE;
	const char *below;
	size_t i;

	for (i = 0; i < w->n; i++) {
		below = fs_below(path, w->closed[i]);
		if (below && str_eq(path, w->closed[i]))
			return PLACE_CLOSED;
		if (below)
			p = PLACE_ABOVE;
	}
	return p;
}

/* Allows the entries of a folder that contains closed paths, except those paths. */
static int
allow_beside(const struct walk *w, const char *dir, unsigned depth, struct err *e)
{
	DIR *d = opendir(*dir ? dir : "/");
	struct dirent *entry;
	int r = 0;

	if (!d || depth == 0) /* then nothing in it is allowed */
		return d ? closedir(d) : 0;
	while (r == 0 && (entry = readdir(d))) {
		_cleanup_free_ char *path = str_printf("%s/%s", dir, entry->d_name);
		enum place place;

		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		if (!path) {
			r = err_no_memory(e);
			break;
		}
		place = place_of(w, path);
		if (place == PLACE_BESIDE)
			r = allow(w, path, e);
		else if (place == PLACE_ABOVE)
			r = allow_beside(w, path, depth - 1, e);
	}
	(void)closedir(d);
	return r;
}

/* Resolves links. The last component need not exist yet; NULL when its folder does not exist. */
static char *
path_real(const char *path)
{
	const char *name = fs_basename(path);
	_cleanup_free_ char *dir = strndup(path, (size_t)(name - path)), *real = NULL;
	char *whole = realpath(path, NULL);

	if (whole || !dir)
		return whole;
	real = realpath(*dir ? dir : ".", NULL);
	return real ? fs_join(real, name) : NULL;
}

static int
closed_set(struct walk *w, const struct confine_spec *spec, struct err *e)
{
	size_t i;

	w->closed = calloc(spec->n_closed, sizeof(*w->closed));
	if (!w->closed)
		return err_no_memory(e);
	for (i = 0; i < spec->n_closed; i++) {
		w->closed[w->n] = path_real(spec->closed[i]);
		w->n += w->closed[w->n] != NULL;
	}
	return 0;
}

static int
ruleset_make(struct walk *w, struct err *e)
{
	const long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr attr = {.handled_access_fs = RIGHTS_FIRST};

	if (version < 1)
		return err_set(e, E_IO, "this kernel has no Landlock");
	attr.handled_access_fs |= version >= 2 ? RIGHT_REFER : 0;
	attr.handled_access_fs |= version >= 3 ? RIGHT_TRUNCATE : 0;
	w->rights = attr.handled_access_fs;
	w->ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	return w->ruleset < 0 ? err_errno(e, E_IO, errno, "Landlock: cannot make rules") : 0;
}

int
confine(const struct confine_spec *spec, struct err *e)
{
	_cleanup_(walk_release) struct walk w = {.ruleset = -1};
	size_t i;
	int r;

	if (!spec->n_closed)
		return 0;
	if ((r = closed_set(&w, spec, e)) < 0 || (r = ruleset_make(&w, e)) < 0 ||
	    (r = allow_beside(&w, "", DEPTH_MAX, e)) < 0)
		return r;
	for (i = 0; r == 0 && i < spec->n_open; i++)
		r = allow(&w, spec->open[i], e);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, w.ruleset, 0) < 0)
		return err_errno(e, E_IO, errno, "Landlock: cannot confine this process");
	return 0;
}
