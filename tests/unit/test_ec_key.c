#include "test.h"

#include "base/base64.h"
#include "base/ec_key.h"
#include "base/fs.h"
#include "base/str.h"

/* A key pair that was generated for this test and is used nowhere else. */
static const char private_pem[] = "-----BEGIN EC PRIVATE KEY-----\n"
				  "MHcCAQEEIH5v6uZGj8hAn4ydv3zuFB1iv1yK4sluqK6Cioaf2bF2oAoGCCqGSM49\n"
				  "AwEHoUQDQgAEwk0IZHQ9JrGH73rHf9hWchkXXWg+NG9P+CfJRabqUoITCI9yQV5X\n"
				  "MKLd6meboxSlAcCbS3pRNE/44Q7UKtZ9ow==\n"
				  "-----END EC PRIVATE KEY-----\n";

static struct ec_key *
key_of(const char *text, bool private, struct err *e)
{
	char path[] = "/tmp/test_ec_key-XXXXXX";
	struct ec_key *k = NULL;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, text, strlen(text), path, NULL), 0);
	(void)close(fd);
	(void)(private ? ec_key_read_private : ec_key_read_public)(path, &k, e);
	(void)unlink(path);
	return k;
}

TEST(test_base64)
{
	static const char *const pairs[][2] = {{"", ""},
					       {"f", "Zg=="},
					       {"fo", "Zm8="},
					       {"foo", "Zm9v"},
					       {"foob", "Zm9vYg=="},
					       {"fooba", "Zm9vYmE="},
					       {"foobar", "Zm9vYmFy"}};
	static const char *const bad[] = {
		"Z", "Zg=", "Zg", "Z===", "====", "Zm9v\n", "Zg==Zg==", "Zm9!", "Zm 9"};
	size_t i;

	for (i = 0; i < ARRAY_LEN(pairs); i++) {
		struct buf text = BUF_INIT, back = BUF_INIT;

		base64_add(&text, pairs[i][0], strlen(pairs[i][0]));
		assert_string_equal(text.data, pairs[i][1]);
		assert_true(base64_decode(text.data, &back));
		assert_string_equal(back.data, pairs[i][0]);
		buf_release(&text);
		buf_release(&back);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf back = BUF_INIT;

		if (base64_decode(bad[i], &back))
			fail_msg("'%s' was decoded", bad[i]);
		assert_int_equal(back.len, 0);
		buf_release(&back);
	}
}

TEST(test_bytes_are_not_characters)
{
	const unsigned char raw[] = {0, 255, 128, 10, 251, 240};
	struct buf text = BUF_INIT, back = BUF_INIT;

	base64_add(&text, raw, sizeof(raw));
	assert_string_equal(text.data, "AP+ACvvw");
	assert_true(base64_decode(text.data, &back));
	assert_int_equal(back.len, sizeof(raw));
	assert_memory_equal(back.data, raw, sizeof(raw));
	buf_release(&text);
	buf_release(&back);
}

TEST(test_a_signature)
{
	struct err e = ERR_INIT;
	struct ec_key *k = key_of(private_pem, true, &e);
	struct buf a = BUF_INIT, b = BUF_INIT;

	if (!k)
		fail_msg("%s", e.msg);
	assert_int_equal(ec_key_sign(k, "sample", 6, &a, NULL), 0);
	assert_int_equal(ec_key_sign(k, "sample", 6, &b, NULL), 0);
	assert_true(a.len != b.len || memcmp(a.data, b.data, a.len) != 0);
	assert_true(ec_key_verify(k, "sample", 6, a.data, a.len));
	assert_true(ec_key_verify(k, "sample", 6, b.data, b.len));
	assert_false(ec_key_verify(k, "Sample", 6, a.data, a.len));
	assert_false(ec_key_verify(k, "sample", 5, a.data, a.len));
	a.data[a.len - 1] = (char)(a.data[a.len - 1] ^ 1);
	assert_false(ec_key_verify(k, "sample", 6, a.data, a.len));
	assert_false(ec_key_verify(k, "sample", 6, a.data, 0));
	buf_release(&a);
	buf_release(&b);
	ec_key_free(&k);
}

TEST(test_a_file_that_is_not_a_key)
{
	struct err e = ERR_INIT;

	assert_null(key_of("", true, &e));
	assert_int_equal(e.code, E_BAD_CONFIG);
	err_clear(&e);
	assert_null(key_of(private_pem, false, &e));
	assert_int_equal(e.code, E_BAD_CONFIG);
}

int
main(void)
{
	return tests_run("ec_key", NULL, NULL);
}
