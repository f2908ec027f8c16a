#include "cache.h"

#include <errno.h>
#include <limits.h>

#include "base/fs.h"
#include "base/str.h"
#include "spec/repo.h"

int
cache_init(struct cache *c, const char *dir, const char *repo_id, struct err *e)
{
	const char *name = strchr(repo_id, '/') + 1; /* not NULL: repo_id_ok() checked it */
	int owner_len = (int)(name - 1 - repo_id);

	c->repo = str_printf("%s/models--%.*s--%s", dir, owner_len, repo_id, name);
	c->locks = str_printf("%s/.locks/models--%.*s--%s", dir, owner_len, repo_id, name);
	if (c->repo && c->locks)
		return 0;
	cache_release(c);
	return err_no_memory(e);
}

void
cache_release(struct cache *c)
{
	free(TAKE(c->repo));
	free(TAKE(c->locks));
}

int
cache_make(const struct cache *c, struct err *e)
{
	_cleanup_free_ char *blobs = fs_join(c->repo, "blobs");
	int r;

	if (!blobs)
		return err_no_memory(e);
	r = fs_mkdir_p(blobs, 0755, e);
	return r < 0 ? r : fs_mkdir_p(c->locks, 0755, e);
}

int
cache_ref_read(const struct cache *c, const char *revision, char ret[41], struct err *e)
{
	_cleanup_free_ char *path = str_printf("%s/refs/%s", c->repo, revision), *text = NULL;
	size_t len;

	if (!path)
		return err_no_memory(e);
	if (!fs_exists(path) || fs_read(path, 256, E_IO, &text, &len, NULL) < 0)
		return err_set(e, E_HUB_OFFLINE,
			       "the cache does not say which commit '%s' is ('%s' cannot be read)", revision,
			       path);
	text[strcspn(text, "\r\n")] = '\0';
	if (!repo_commit_ok(text))
		return err_set(e, E_HUB_OFFLINE, "'%s' does not hold a commit", path);
	(void)snprintf(ret, REPO_COMMIT_LEN + 1, "%s", text);
	return 0;
}

int
cache_ref_write(const struct cache *c, const char *revision, const char *commit, struct err *e)
{
	_cleanup_free_ char *path = str_printf("%s/refs/%s", c->repo, revision), *dir = NULL;
	char old[REPO_COMMIT_LEN + 1];
	int r;

	dir = path ? strndup(path, (size_t)(fs_basename(path) - 1 - path)) : NULL;
	if (!dir)
		return err_no_memory(e);
	if (cache_ref_read(c, revision, old, NULL) == 0 && str_eq(old, commit))
		return 0;
	r = fs_mkdir_p(dir, 0755, e);
	return r < 0 ? r : fs_write_file(path, commit, strlen(commit), e);
}

char *
cache_snapshot(const struct cache *c, const char *commit)
{
	return str_printf("%s/snapshots/%s", c->repo, commit);
}

/* Writes the file by a rename, so that a reader finds the old content or the new one. */
/* The folder of a file within the snapshot, which is made if need be; *ret_up leads from it to the snapshot's. */
static int
folder_make(const char *path, const char *name, const char **ret_up, struct err *e)
{
	const char *slash = strchr(name, '/');
	_cleanup_free_ char *dir = NULL;

	*ret_up = slash ? "../" : "";
	if (!slash)
		return 0;
	assert(!strchr(slash + 1, '/')); /* can't happen: no file that is fetched lies deeper */
	dir = strndup(path, (size_t)(fs_basename(path) - 1 - path));
	return dir ? fs_mkdir_p(dir, 0755, e) : err_no_memory(e);
}

int
cache_link(const char *snapshot, const char *name, const char *etag, struct err *e)
{
	_cleanup_free_ char *path = fs_join(snapshot, name), *target = NULL;
	_cleanup_free_ char *tmp = str_printf("%s/.%s.%ld", snapshot, etag, (long)getpid());
	char old[ETAG_LEN_MAX + 1];
	const char *up;
	int r;

	if (!path || !tmp)
		return err_no_memory(e);
	r = folder_make(path, name, &up, e);
	if (r < 0)
		return r;
	target = str_printf("%s../../blobs/%s", up, etag);
	if (!target)
		return err_no_memory(e);
	cache_etag(snapshot, name, old);
	if (str_eq(old, etag))
		return 0;
	if ((unlink(tmp) < 0 && errno != ENOENT) || symlink(target, tmp) < 0)
		return err_errno(e, E_IO, errno, "cannot make the link '%s'", tmp);
	return fs_rename(tmp, path, e);
}

void
cache_etag(const char *snapshot, const char *name, char ret[ETAG_LEN_MAX + 1])
{
	_cleanup_free_ char *path = fs_join(snapshot, name);
	char target[PATH_MAX];
	ssize_t n = path ? readlink(path, target, sizeof(target) - 1) : -1;

	ret[0] = '\0';
	if (n < 0)
		return;
	target[n] = '\0';
	if (digest_etag_ok(fs_basename(target)))
		(void)snprintf(ret, ETAG_LEN_MAX + 1, "%s", fs_basename(target));
}
