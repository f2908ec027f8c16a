/*
 * The cache's folders, as the Hub's own client lays them out:
 *
 *	CACHE/models--OWNER--NAME/refs/REVISION              the commit, as text
 *	CACHE/models--OWNER--NAME/snapshots/COMMIT/FILE  ->  ../../blobs/ETAG
 *	CACHE/models--OWNER--NAME/blobs/ETAG
 *	CACHE/models--OWNER--NAME/blobs/ETAG.incomplete      what came so far
 *	CACHE/.locks/models--OWNER--NAME/ETAG.lock           held (flock) by who fetches it
 */
#ifndef HUB_CACHE_H
#define HUB_CACHE_H

#include "base/err.h"
#include "net/digest.h"

struct cache {
	char *repo;  /* CACHE/models--OWNER--NAME */
	char *locks; /* CACHE/.locks/models--OWNER--NAME */
};

int cache_init(struct cache *c, const char *dir, const char *repo_id, struct err *e); /* creates nothing */
void cache_release(struct cache *c);

int cache_make(const struct cache *c, struct err *e); /* creates the folders */

/* The commit that the revision had at the last download; E_HUB_OFFLINE when the cache does not know it. */
int cache_ref_read(const struct cache *c, const char *revision, char ret[41], struct err *e);
int cache_ref_write(const struct cache *c, const char *revision, const char *commit, struct err *e);

/* The folder of a commit; the caller frees it. NULL when memory ran out. */
char *cache_snapshot(const struct cache *c, const char *commit);

/* Links FILE or FOLDER/FILE of the snapshot, whose folder exists, to the blob. */
int cache_link(const char *snapshot, const char *name, const char *etag, struct err *e);

/* The name of the blob that a file of a snapshot links to; "" when the file is not such a link. */
void cache_etag(const char *snapshot, const char *name, char ret[ETAG_LEN_MAX + 1]);

#endif
