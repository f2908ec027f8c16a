#include "base/fs.h"
#include "base/str.h"
#include "layout.h"

struct purge {
	const char *state_dir;
	int *removed;
};

static int
entry_remove(const char *dir, const char *name, void *arg, struct err *e)
{
	_cleanup_free_ char *path = fs_join(dir, name);
	const struct purge *p = arg;
	int r;

	r = path ? layout_trash(p->state_dir, path, e) : err_no_memory(e);
	*p->removed += r == 0;
	return r;
}

int
artifact_purge_staging(const char *state_dir, int *ret_removed, struct err *e)
{
	_cleanup_free_ char *dir = fs_join(state_dir, "staging");
	struct purge p = {.state_dir = state_dir, .removed = ret_removed};

	*ret_removed = 0;
	return dir ? layout_each(dir, entry_remove, &p, e) : err_no_memory(e);
}

struct each {
	artifact_fn fn;
	void *arg;
};

static int
artifact_entry(const char *dir, const char *name, void *arg, struct err *e)
{
	struct each *each = arg;
	uint64_t job = 0;

	(void)dir;
	/* A name that differs from how we write ids, such as "007", does not belong to a job. */
	if (name[0] == '0' || str_to_u64(name, 1, INT64_MAX, name, &job, NULL) < 0)
		job = 0;
	return each->fn(name, (int64_t)job, each->arg, e);
}

int
artifact_each(const char *state_dir, artifact_fn fn, void *arg, struct err *e)
{
	_cleanup_free_ char *dir = fs_join(state_dir, "artifacts");
	struct each each = {.fn = fn, .arg = arg};

	return dir ? layout_each(dir, artifact_entry, &each, e) : err_no_memory(e);
}

int
artifact_set_aside(const char *state_dir, const char *name, struct err *e)
{
	_cleanup_free_ char *from = str_printf("%s/artifacts/%s", state_dir, name);
	unsigned n = 0;

	if (!from)
		return err_no_memory(e);
	for (;;) {
		_cleanup_free_ char *to = str_printf("%s/lost/%s.%u", state_dir, name, ++n);

		if (!to)
			return err_no_memory(e);
		if (!fs_exists(to))
			return fs_rename(from, to, e);
	}
}
