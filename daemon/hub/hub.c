#include "hub.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "cache.h"
#include "checkpoint/adapter_find.h"
#include "checkpoint/index.h"
#include "checkpoint/modules.h"
#include "listing.h"
#include "transfer.h"
#include "net/url.h"

#define ADAPTER_NAME "adapter_model.safetensors"
#define TASKS_CONFIG_NAME ADAPTER_TASKS_DIR "/adapter_config.json"
#define TASKS_NAME ADAPTER_TASKS_DIR "/" ADAPTER_NAME

static const char *const small_files[] = {
#define PROCESSOR_FILE(name, ...) name,
#include "checkpoint/processor.def"
#undef PROCESSOR_FILE
	"adapter_config.json",        MODULES_NAME,
	MODULES_DENSE "/config.json", MODULES_DENSE "/model.safetensors",
	MODULES_MASK "/config.json",  HUB_CARD_FILE,
};

struct fetch {
	const char *repo;
	const char *revision;
	hub_progress_fn *progress;
	void *ctx;
	struct hub_env env;
	struct cache cache;
	struct listing listing; /* empty when offline */
	struct hub_snapshot s;
	size_t count_done; /* files of s that are complete and checked */
	uint64_t done;     /* their bytes */
	uint64_t total;    /* bytes of all files of s */
};

static void
on_progress(void *ctx, uint64_t done, const char *detail)
{
	const struct fetch *f = ctx;

	if (f->progress)
		f->progress(f->ctx, f->done + done, f->total, detail);
}

static int
listing_get(struct fetch *f, struct err *e)
{
	const struct transfer_job job = {.env = &f->env, .repo = f->repo, .revision = f->revision};
	_cleanup_free_ char *revision = url_escape(f->revision);
	_cleanup_(buf_release) struct buf body = BUF_INIT;
	struct transfer t = {.body = &body};
	int r;

	t.path = revision ? str_printf("/api/models/%s/revision/%s?blobs=true", f->repo, revision) : NULL;
	if (!t.path)
		return err_no_memory(e);
	r = transfer_all(&job, &t, 1, e);
	free(t.path);
	return r < 0 ? r : listing_parse(body.data ? body.data : "", body.len, f->repo, &f->listing, e);
}

/* Finds the commit of the revision, and makes the folder of its snapshot. */
static int
snapshot_begin(struct fetch *f, struct err *e)
{
	int r;

	if (!f->env.offline) {
		r = listing_get(f, e);
		if (r == 0)
			r = cache_make(&f->cache, e);
		if (r < 0)
			return r;
		memcpy(f->s.commit, f->listing.commit, sizeof(f->s.commit));
	} else if (repo_commit_ok(f->revision)) {
		(void)snprintf(f->s.commit, sizeof(f->s.commit), "%s", f->revision);
	} else if ((r = cache_ref_read(&f->cache, f->revision, f->s.commit, e)) < 0) {
		return err_context(e, "'%s', while HF_HUB_OFFLINE is set", f->repo);
	}
	f->s.repo = strdup(f->env.offline ? f->repo : f->listing.repo);
	f->s.dir = cache_snapshot(&f->cache, f->s.commit);
	if (!f->s.repo || !f->s.dir)
		return err_no_memory(e);
	if (!f->env.offline)
		return fs_mkdir_p(f->s.dir, 0755, e);
	if (!fs_is_dir(f->s.dir))
		return err_set(e, E_HUB_OFFLINE, "the cache has no '%s' at %s, and HF_HUB_OFFLINE is set",
			       f->repo, f->s.commit);
	return 0;
}

/* Like listing_find(), but looks in the folder of a snapshot. */
static int
cached_find(const struct fetch *f, const char *name, struct hub_file *ret, struct err *e)
{
	_cleanup_free_ char *path = fs_join(f->s.dir, name);
	struct stat st;

	if (!path)
		return err_no_memory(e);
	if (stat(path, &st) < 0)
		return 0;
	ret->size = (uint64_t)st.st_size;
	cache_etag(f->s.dir, name, ret->etag);
	ret->name = strdup(name);
	return ret->name ? 1 : err_no_memory(e);
}

/* Adds a file to the list. Returns 1, or 0 when the repository has no such file. */
static int
want(struct fetch *f, const char *name, struct err *e)
{
	struct hub_file *files = realloc(f->s.files, (f->s.count + 1) * sizeof(*files));
	int r;

	if (!files)
		return err_no_memory(e);
	f->s.files = files;
	r = f->env.offline ? cached_find(f, name, &files[f->s.count], e)
			   : listing_find(&f->listing, name, &files[f->s.count], e);
	if (r > 0)
		f->total += files[f->s.count++].size;
	return r;
}

/*
 * Checks the files of a snapshot that existed already: their bytes must have the hashes that name their
 * blobs.
 */
static int
cached_check(struct fetch *f, const struct hub_file *file, struct err *e)
{
	_cleanup_free_ char *path = fs_join(f->s.dir, file->name);
	_cleanup_(digest_free) struct digest *d = NULL;
	_cleanup_close_ int fd = -1;
	uint64_t done = 0;
	ssize_t n = 0;
	int r;

	if (!*file->etag) /* a copy: the Hub's client makes copies where links do not work */
		return 0;
	if (!path)
		return err_no_memory(e);
	r = digest_new(file->etag, file->size, &d, e);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, E_IO, errno, "cannot open '%s'", path);
	while ((n = digest_read(d, fd, path, e)) > 0)
		on_progress(f, done += (uint64_t)n, file->name);
	if (n == 0 && !digest_matches(d, file->etag))
		return err_set(e, E_MISMATCH,
			       "'%s' does not have the hash that its name says, and HF_HUB_OFFLINE is set",
			       path);
	return (int)MIN(n, 0);
}

/* Check the free space first: the download should fail now, not in an hour. */
static int
space_check(const struct fetch *f, const struct blob *blobs, size_t n, struct err *e)
{
	uint64_t need = 0, there;
	char a[32], b[32];
	size_t i;
	int r;

	for (i = 0; i < n; i++)
		need += blobs[i].part.size - blob_seen(&blobs[i]);
	r = fs_free_bytes(f->cache.repo, &there, e);
	if (r == 0 && need > there)
		r = err_set(e, E_NO_SPACE, "'%s' needs %s more in '%s', where %s are free", f->repo,
			    str_bytes(need, a, sizeof(a)), f->env.cache, str_bytes(there, b, sizeof(b)));
	return r;
}

/* A file's name within a URL: each folder is a segment. NULL: no memory. */
static char *
name_escape(const char *name)
{
	const char *slash = strchr(name, '/');
	_cleanup_free_ char *folder = slash ? strndup(name, (size_t)(slash - name)) : NULL;
	_cleanup_free_ char *first = url_escape(folder ? folder : name), *rest = NULL;

	if (!slash || !first)
		return TAKE(first);
	rest = name_escape(slash + 1);
	return rest ? str_printf("%s/%s", first, rest) : NULL;
}

/* Downloads into the cache, and then links the files into the snapshot. */
static int
files_fetch(struct fetch *f, const struct hub_file *files, size_t n, struct err *e)
{
	const struct transfer_job job = {&f->env, f->repo, f->revision, on_progress, f};
	_cleanup_free_ struct transfer *list = calloc(n, sizeof(*list));
	_cleanup_free_ struct blob *blobs = calloc(n, sizeof(*blobs));
	size_t i, made = 0;
	int r = 0;

	if (!list || !blobs)
		return err_no_memory(e);
	for (; r == 0 && made < n; made++) {
		_cleanup_free_ char *name = name_escape(files[made].name);

		r = blob_init(&blobs[made], &f->cache, files[made].etag, files[made].size,
			      (int64_t)f->env.lock_s * 1000, e);
		list[made] = (struct transfer){
			.path = name ? str_printf("/%s/resolve/%s/%s", f->repo, f->s.commit, name) : NULL,
			.name = files[made].name,
			.blob = &blobs[made],
		};
		if (!list[made].path)
			r = err_no_memory(e);
	}
	if (r == 0)
		r = space_check(f, blobs, n, e);
	if (r == 0)
		r = transfer_all(&job, list, n, e);
	for (i = 0; i < made; i++) {
		if (r == 0)
			r = cache_link(f->s.dir, files[i].name, files[i].etag, e);
		free(list[i].path);
		blob_release(&blobs[i]);
	}
	return r;
}

/* Gets all files of the list. */
static int
wanted_get(struct fetch *f, struct err *e)
{
	size_t i;
	int r = 0;

	if (f->s.count > f->count_done && !f->env.offline)
		r = files_fetch(f, f->s.files + f->count_done, f->s.count - f->count_done, e);
	for (i = f->count_done; r == 0 && i < f->s.count; i++) {
		if (f->env.offline)
			r = cached_check(f, &f->s.files[i], e);
		f->done += f->s.files[i].size;
	}
	f->count_done = f->s.count;
	return r;
}

static int
shards_want(struct fetch *f, struct err *e)
{
	_cleanup_(folder_free) struct folder *dir = NULL;
	json_auto_t *names = NULL;
	const char *name;
	json_t *v;
	int r;

	r = folder_open(f->s.dir, (struct folder_roots){.n = 0}, E_IO, &dir, e);
	if (r == 0)
		r = index_names(dir, &names, e);
	if (r < 0)
		return r;
	json_object_foreach(names, name, v) {
		r = want(f, name, e);
		if (r == 0)
			r = err_set(e, f->env.offline ? E_HUB_OFFLINE : E_BAD_CHECKPOINT,
				    "%s has no shard '%s' of '%s', which its index names",
				    f->env.offline ? "the cache" : "the Hub", name, f->repo);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
snapshot_fill(struct fetch *f, struct err *e)
{
	int single = 0, sharded = 0, adapter = 0, r = 0;
	size_t i;

	for (i = 0; r >= 0 && i < ARRAY_LEN(small_files); i++)
		r = want(f, small_files[i], e);
	if (r >= 0)
		r = single = want(f, WEIGHTS_NAME, e);
	if (r == 0)
		r = sharded = want(f, INDEX_NAME, e);
	if (r >= 0)
		r = adapter = want(f, ADAPTER_NAME, e);
	if (r >= 0 && (single || sharded))
		r = want(f, TASKS_CONFIG_NAME, e);
	if (r > 0 && !adapter)
		r = want(f, TASKS_NAME, e);
	if (r < 0)
		return r;
	if (!single && !sharded && !adapter)
		return f->env.offline
			       ? err_set(e, E_HUB_OFFLINE,
					 "the cache has no weights of '%s' at %s, and HF_HUB_OFFLINE is set",
					 f->repo, f->s.commit)
			       : listing_no_weights(&f->listing, e);
	r = wanted_get(f, e);
	if (r == 0 && sharded)
		r = shards_want(f, e);
	return r < 0 ? r : wanted_get(f, e);
}

int
hub_fetch(const char *repo, const char *revision, hub_progress_fn *progress, void *ctx,
	  struct hub_snapshot *ret, struct err *e)
{
	struct fetch f = {.repo = repo, .revision = revision, .progress = progress, .ctx = ctx};
	int r;

	if (!repo_id_ok(repo) || !repo_revision_ok(revision))
		return err_set(e, E_BAD_REQUEST, "'%s' at '%s' is not a repository of the Hub", repo,
			       revision);
	r = hub_env_read(&f.env, e);
	if (r == 0)
		r = cache_init(&f.cache, f.env.cache, repo, e);
	if (r == 0)
		r = snapshot_begin(&f, e);
	if (r == 0)
		r = snapshot_fill(&f, e);
	/* Write the revision last: a reader that finds it in the cache also finds every file. */
	if (r == 0 && !f.env.offline && !str_eq(revision, f.s.commit))
		r = cache_ref_write(&f.cache, revision, f.s.commit, e);
	if (r == 0) {
		on_progress(&f, 0, "");
		*ret = f.s;
	} else {
		hub_snapshot_release(&f.s);
	}
	listing_release(&f.listing);
	cache_release(&f.cache);
	hub_env_release(&f.env);
	return r;
}

int
hub_cache_make(char **ret, struct err *e)
{
	struct hub_env env = {.cache = NULL};
	int r = hub_env_read(&env, e);

	if (r == 0)
		r = fs_mkdir_p(env.cache, 0755, e);
	if (r == 0)
		*ret = TAKE(env.cache);
	hub_env_release(&env);
	return r;
}

void
hub_snapshot_release(struct hub_snapshot *s)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		free(s->files[i].name);
	free(s->files);
	free(s->dir);
	free(s->repo);
	*s = (struct hub_snapshot){.dir = NULL};
}
