/* The model of a job, or the base of its adapter: a folder, or a repository of the Hub that is fetched into one. */
#ifndef WORKER_SOURCE_H
#define WORKER_SOURCE_H

#include "base/json.h"
#include "hub/hub.h"

struct source {
	const char *asked;            /* as given in the job; NULL: not given */
	const char *revision;         /* of a repository */
	struct hub_snapshot snapshot; /* dir is NULL for a folder */
};

/* Open a folder, or fetch a repository, which may take long. `asked` and `revision` must outlive the source. */
int source_open(struct source *s, const char *asked, const char *revision, hub_progress_fn *progress,
		void *arg, struct err *e);
/* Use this token of the Hub until source_token_forget(). Empty: the job has no token. */
int source_token_set(const char *token, struct err *e);
void source_token_forget(void);

void source_release(struct source *s);

const char *source_dir(const struct source *s); /* NULL when nothing was opened */

/* The folder in the cache that holds all files of a repository, without links. The caller frees *ret; NULL for a folder of this host. */
int source_repo_dir(const struct source *s, char **ret, struct err *e);

/* The source as it is written to the manifest: path, or repository, commit and files. NULL when memory ran out. */
json_t *source_to_json(const struct source *s);

#endif
