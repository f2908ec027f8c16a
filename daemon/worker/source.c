#include "source.h"

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"

int
source_open(struct source *s, const char *asked, const char *revision, hub_progress_fn *progress, void *arg,
	    struct err *e)
{
	int r;

	s->asked = asked;
	s->revision = revision;
	if (asked[0] == '/')
		return 0;
	r = hub_fetch(asked, revision, progress, arg, &s->snapshot, e);
	if (r == 0 && !str_eq(s->snapshot.repo, asked))
		log_warning("'%s' is now called '%s' on the Hub", asked, s->snapshot.repo);
	return r;
}

int
source_token_set(const char *token, struct err *e)
{
	return *token && setenv("HF_TOKEN", token, /*overwrite=*/1) < 0 ? err_no_memory(e) : 0;
}

void
source_token_forget(void)
{
	char *token = getenv("HF_TOKEN");

	if (token)
		explicit_bzero(token, strlen(token));
	(void)unsetenv("HF_TOKEN");
}

void
source_release(struct source *s)
{
	hub_snapshot_release(&s->snapshot);
}

const char *
source_dir(const struct source *s)
{
	return s->snapshot.dir ? s->snapshot.dir : s->asked;
}

int
source_repo_dir(const struct source *s, char **ret, struct err *e)
{
	const char *dir = s->snapshot.dir; /* REPO/snapshots/COMMIT, whose files are links to REPO/blobs/ */

	*ret = NULL;
	if (!dir)
		return 0;
	*ret = strndup(dir, (size_t)(fs_basename(dir) - dir) - strlen("/snapshots/"));
	return *ret ? 0 : err_no_memory(e);
}

/* What was fetched: an etag is the sha256 of a large file, and git's hash of a small one. */
static json_t *
files_to_json(const struct hub_snapshot *s)
{
	json_t *list = json_array();
	int failed = 0;
	size_t i;

	for (i = 0; i < s->count; i++)
		failed |= json_array_append_new(list, json_pack("{s:s, s:I, s:s}", "name", s->files[i].name,
								"size", (json_int_t)s->files[i].size, "etag",
								s->files[i].etag));
	if (!failed)
		return list;
	json_decref(list);
	return NULL;
}

json_t *
source_to_json(const struct source *s)
{
	if (!s->snapshot.dir)
		return json_pack("{s:s}", "path", s->asked);
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "repo", s->asked, "repo_today", s->snapshot.repo,
			 "revision", s->revision, "commit", s->snapshot.commit, "files",
			 files_to_json(&s->snapshot));
}
