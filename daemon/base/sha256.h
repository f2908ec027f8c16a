/* SHA-256, by libcrypto. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include "err.h"

#define SHA256_HEX_LEN 64

struct sha256; /* a running hash */

int sha256_new(struct sha256 **ret, struct err *e);
void sha256_free(struct sha256 **s);
void sha256_add(struct sha256 *s, const void *data, size_t len);

/* Lower-case hex with NUL. Ends the hash: only sha256_free may follow. */
void sha256_finish(struct sha256 *s, char ret[SHA256_HEX_LEN + 1]);

/* Hashes bytes that are all in memory. */
int sha256_bytes(const void *data, size_t len, char ret[SHA256_HEX_LEN + 1], struct err *e);

/* Compares two digests in constant time. */
bool sha256_eq(const char a[SHA256_HEX_LEN + 1], const char b[SHA256_HEX_LEN + 1]);

int sha256_file(const char *path, char ret[SHA256_HEX_LEN + 1], struct err *e);

/* Hashes a whole file, without moving its offset; `path` is for messages. */
int sha256_fd(int fd, const char *path, char ret[SHA256_HEX_LEN + 1], struct err *e);

#endif
