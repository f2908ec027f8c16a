#include "digest.h"

#include <errno.h>
#include <inttypes.h>

#include <openssl/evp.h>

#include "base/sha256.h"

#define SHA1_HEX_LEN 40
#define BLOCK_LEN (4u << 20)

struct digest {
	EVP_MD_CTX *ctx;
	char *block; /* the buffer of digest_read(); NULL before the first call */
};

bool
digest_etag_ok(const char *etag)
{
	const size_t n = strspn(etag, "0123456789abcdef");

	return etag[n] == '\0' && (n == SHA1_HEX_LEN || n == SHA256_HEX_LEN);
}

int
digest_new(const char *etag, uint64_t size, struct digest **ret, struct err *e)
{
	_cleanup_(digest_free) struct digest *d = calloc(1, sizeof(*d));
	bool git = strlen(etag) == SHA1_HEX_LEN;
	char head[32];

	if (d)
		d->ctx = EVP_MD_CTX_new();
	if (!d || !d->ctx || EVP_DigestInit_ex(d->ctx, git ? EVP_sha1() : EVP_sha256(), NULL) != 1)
		return err_set(e, E_NO_MEMORY, "cannot start a hash");
	if (git) /* git hashes the NUL too */
		digest_add(d, head, (size_t)snprintf(head, sizeof(head), "blob %" PRIu64, size) + 1);
	*ret = TAKE(d);
	return 0;
}

void
digest_free(struct digest **d)
{
	if (!*d)
		return;
	EVP_MD_CTX_free((*d)->ctx);
	free((*d)->block);
	free(*d);
	*d = NULL;
}

void
digest_add(struct digest *d, const void *data, size_t len)
{
	(void)EVP_DigestUpdate(d->ctx, data, len); /* can't fail for a digest in memory */
}

bool
digest_matches(struct digest *d, const char *etag)
{
	unsigned char raw[EVP_MAX_MD_SIZE];
	char hex[2 * EVP_MAX_MD_SIZE + 1];
	unsigned int i, n = 0;

	(void)EVP_DigestFinal_ex(d->ctx, raw, &n);
	for (i = 0; i < n; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", raw[i]);
	return n > 0 && strcmp(hex, etag) == 0;
}

ssize_t
digest_read(struct digest *d, int fd, const char *path, struct err *e)
{
	ssize_t n;

	if (!d->block && !(d->block = malloc(BLOCK_LEN)))
		return err_no_memory(e);
	do
		n = read(fd, d->block, BLOCK_LEN);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(e, E_IO, errno, "cannot read '%s'", path);
	digest_add(d, d->block, (size_t)n);
	return n;
}
