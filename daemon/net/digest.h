/*
 * The hash that a blob is named by. Files of Git LFS are named by their SHA-256 (64 digits), other files by
 * git's own name (40 digits): the SHA-1 of "blob LENGTH\0" followed by the content.
 */
#ifndef HUB_DIGEST_H
#define HUB_DIGEST_H

#include "base/err.h"

#define ETAG_LEN_MAX 64

struct digest; /* a running hash */

bool digest_etag_ok(const char *etag);

/* `etag` is such a name; `size` is the file's expected length. */
int digest_new(const char *etag, uint64_t size, struct digest **ret, struct err *e);
void digest_free(struct digest **d);
void digest_add(struct digest *d, const void *data, size_t len);
bool digest_matches(struct digest *d, const char *etag); /* only digest_free() may follow */

/* Adds the next block of an open file: the bytes read, 0 at its end, or E_IO. */
ssize_t digest_read(struct digest *d, int fd, const char *path, struct err *e);

#endif
