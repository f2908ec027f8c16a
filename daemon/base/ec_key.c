#include "ec_key.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "fs.h"
#include "str.h"

#define PEM_LEN_MAX 16384
#define CURVE "prime256v1"

struct ec_key {
	EVP_PKEY *pkey;
};

static void
biop(BIO **b)
{
	(void)BIO_free(*b);
}

static void
digestp(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
}

#define _cleanup_bio_ _cleanup_(biop)
#define _cleanup_digest_ _cleanup_(digestp)

void
ec_key_free(struct ec_key **k)
{
	if (!*k)
		return;
	EVP_PKEY_free((*k)->pkey);
	free(*k);
	*k = NULL;
}

/* Without this, libcrypto would ask for a passphrase on the terminal. */
static int
no_passphrase(char *buf _unused_, int size _unused_, int rw _unused_, void *asked)
{
	*(bool *)asked = true;
	return -1;
}

static int
key_make(const char *path, EVP_PKEY *pkey, const char *kind, struct ec_key **ret, struct err *e)
{
	_cleanup_(ec_key_free) struct ec_key *k = calloc(1, sizeof(*k));
	char curve[64];
	size_t len;

	if (!k) {
		EVP_PKEY_free(pkey);
		return err_no_memory(e);
	}
	k->pkey = pkey;
	if (!pkey || EVP_PKEY_get_group_name(pkey, curve, sizeof(curve), &len) != 1 || !str_eq(curve, CURVE))
		return err_set(e, E_BAD_CONFIG, "'%s' does not hold %s of EC P-256 in PEM form", path, kind);
	*ret = TAKE(k);
	return 0;
}

static int
private_mode_check(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & S_IROTH))
		return err_set(e, E_BAD_CONFIG,
			       "'%s' is a private key that everyone may read: not using it (chmod o-r)",
			       path);
	return 0;
}

int
ec_key_read_private(const char *path, struct ec_key **ret, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_bio_ BIO *bio = NULL;
	EVP_PKEY *pkey = NULL;
	bool encrypted = false;
	size_t len;
	int r;

	r = fs_read(path, PEM_LEN_MAX, E_BAD_CONFIG, &text, &len, e);
	if (r == 0 && (bio = BIO_new_mem_buf(text, (int)len)))
		pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &encrypted);
	if (text)
		explicit_bzero(text, len);
	if (r < 0)
		return r;
	if (encrypted)
		return err_set(e, E_BAD_CONFIG,
			       "'%s' is encrypted with a passphrase; give a key without one (openssl ec)",
			       path);
	if (pkey && (r = private_mode_check(path, e)) < 0) {
		EVP_PKEY_free(pkey);
		return r;
	}
	return key_make(path, pkey, "a private key", ret, e);
}

int
ec_key_read_public(const char *path, struct ec_key **ret, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_bio_ BIO *bio = NULL;
	bool encrypted = false;
	size_t len;
	int r;

	r = fs_read(path, PEM_LEN_MAX, E_BAD_CONFIG, &text, &len, e);
	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(text, (int)len);
	return key_make(path, bio ? PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, &encrypted) : NULL,
			"a public key", ret, e);
}

int
ec_key_id(const struct ec_key *k, char ret[SHA256_HEX_LEN + 1], struct err *e)
{
	_cleanup_bio_ BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long len;

	if (!bio || PEM_write_bio_PUBKEY(bio, k->pkey) != 1)
		return err_no_memory(e);
	len = BIO_get_mem_data(bio, &text);
	return sha256_bytes(text, (size_t)len, ret, e);
}

int
ec_key_sign(const struct ec_key *k, const void *data, size_t len, struct buf *ret, struct err *e)
{
	_cleanup_digest_ EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *sig;
	size_t n = 0;

	if (!ctx || EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k->pkey) != 1 ||
	    EVP_DigestSign(ctx, NULL, &n, data, len) != 1)
		return err_set(e, E_INTERNAL, "libcrypto cannot sign");
	sig = buf_reserve(ret, n);
	if (!sig)
		return err_no_memory(e);
	if (EVP_DigestSign(ctx, sig, &n, data, len) != 1)
		return err_set(e, E_INTERNAL, "libcrypto cannot sign");
	ret->len += n;
	return 0;
}

bool
ec_key_verify(const struct ec_key *k, const void *data, size_t len, const void *sig, size_t sig_len)
{
	_cleanup_digest_ EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	return ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
	       EVP_DigestVerify(ctx, sig, sig_len, data, len) == 1;
}
