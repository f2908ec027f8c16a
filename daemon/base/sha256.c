#include "sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

struct sha256 {
	EVP_MD_CTX *ctx;
};

int
sha256_new(struct sha256 **ret, struct err *e)
{
	struct sha256 *s = calloc(1, sizeof(*s));

	if (s)
		s->ctx = EVP_MD_CTX_new();
	if (!s || !s->ctx || EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL) != 1) {
		sha256_free(&s);
		return err_set(e, E_NO_MEMORY, "cannot start a SHA-256");
	}
	*ret = s;
	return 0;
}

void
sha256_free(struct sha256 **s)
{
	if (!*s)
		return;
	EVP_MD_CTX_free((*s)->ctx);
	free(*s);
	*s = NULL;
}

void
sha256_add(struct sha256 *s, const void *data, size_t len)
{
	(void)EVP_DigestUpdate(s->ctx, data, len); /* can't fail for a digest in memory */
}

void
sha256_finish(struct sha256 *s, char ret[SHA256_HEX_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned int i, n = 0;

	(void)EVP_DigestFinal_ex(s->ctx, raw, &n);
	assert(n * 2 == SHA256_HEX_LEN);
	for (i = 0; i < n; i++) {
		ret[2 * i] = digits[raw[i] >> 4];
		ret[2 * i + 1] = digits[raw[i] & 15];
	}
	ret[2 * n] = '\0';
}

int
sha256_bytes(const void *data, size_t len, char ret[SHA256_HEX_LEN + 1], struct err *e)
{
	_cleanup_(sha256_free) struct sha256 *s = NULL;
	int r;

	r = sha256_new(&s, e);
	if (r < 0)
		return r;
	sha256_add(s, data, len);
	sha256_finish(s, ret);
	return 0;
}

bool
sha256_eq(const char a[SHA256_HEX_LEN + 1], const char b[SHA256_HEX_LEN + 1])
{
	return CRYPTO_memcmp(a, b, SHA256_HEX_LEN) == 0;
}

int
sha256_fd(int fd, const char *path, char ret[SHA256_HEX_LEN + 1], struct err *e)
{
	_cleanup_(sha256_free) struct sha256 *s = NULL;
	_cleanup_free_ char *block = NULL;
	const size_t block_len = 1 << 20;
	off_t at = 0;
	ssize_t n;
	int r;

	r = sha256_new(&s, e);
	if (r < 0)
		return r;
	block = malloc(block_len);
	if (!block)
		return err_set(e, E_NO_MEMORY, "memory ran out hashing '%s'", path);
	while ((n = pread(fd, block, block_len, at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, E_IO, errno, "cannot read '%s'", path);
		sha256_add(s, block, (size_t)n);
		at += n;
	}
	sha256_finish(s, ret);
	return 0;
}

int
sha256_file(const char *path, char ret[SHA256_HEX_LEN + 1], struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, E_IO, errno, "cannot open '%s'", path);
	return sha256_fd(fd, path, ret, e);
}
