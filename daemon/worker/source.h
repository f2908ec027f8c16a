/* What a job names as its model, or as the base of an adapter: a folder, or a repository of the Hub. */
#ifndef WORKER_SOURCE_H
#define WORKER_SOURCE_H

#include "base/json.h"
#include "hub/hub.h"

struct source {
	const char *asked;            /* as the job has it; NULL: nothing */
	const char *revision;         /* of a repository */
	struct hub_snapshot snapshot; /* dir is NULL for a folder */
};

/* Makes it a folder: fetches a repository, which may take long. `asked` and `revision` stay the caller's. */
int source_open(struct source *s, const char *asked, const char *revision, hub_progress_fn *progress,
		void *arg, struct err *e);
/* A token of the Hub that came with the job, from here to source_token_forget(). Empty: none did. */
int source_token_set(const char *token, struct err *e);
void source_token_forget(void);

void source_release(struct source *s);

const char *source_dir(const struct source *s); /* NULL when nothing was opened */

/* The folder that all of a repository's files lie in, links followed; *ret is the caller's, NULL for a folder of this host. */
int source_repo_dir(const struct source *s, char **ret, struct err *e);

/* For the manifest: where it came from, and for a repository which commit and which files. NULL: no memory. */
json_t *source_to_json(const struct source *s);

#endif
