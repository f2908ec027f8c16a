/* The files of a repository at a commit, and which of them a conversion reads. */
#ifndef HUB_LISTING_H
#define HUB_LISTING_H

#include "base/json.h"
#include "hub.h"

struct listing {
	json_t *doc; /* the Hub's answer */
	char commit[REPO_COMMIT_LEN + 1];
	const char *repo; /* the repository's present name; points into doc, or to the requested name */
};

/* Parses the answer to GET /api/models/REPO/revision/REVISION?blobs=true. */
int listing_parse(const char *text, size_t len, const char *repo, struct listing *ret, struct err *e);
void listing_release(struct listing *l);

/*
 * Finds a file. Returns 1 and fills in *ret, whose name the caller frees; 0 when the repository has no such
 * file.
 */
int listing_find(const struct listing *l, const char *name, struct hub_file *ret, struct err *e);

/* An error that says why the repository cannot be converted. */
int listing_no_weights(const struct listing *l, struct err *e);

#endif
