/* What a repository holds at a commit, and which of it a conversion reads. */
#ifndef HUB_LISTING_H
#define HUB_LISTING_H

#include "base/json.h"
#include "hub.h"

struct listing {
	json_t *doc; /* the Hub's answer */
	char commit[REPO_COMMIT_LEN + 1];
	const char *repo; /* as it is called today; points into doc, or to what was asked for */
};

/* Parses the answer to GET /api/models/REPO/revision/REVISION?blobs=true. */
int listing_parse(const char *text, size_t len, const char *repo, struct listing *ret, struct err *e);
void listing_release(struct listing *l);

/* 1 with *ret filled in (its name is the caller's to free), 0 when there is none such. */
int listing_find(const struct listing *l, const char *name, struct hub_file *ret, struct err *e);

/* Why there is nothing to convert. */
int listing_no_weights(const struct listing *l, struct err *e);

#endif
