#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/str.h"
#include "hub/address.h"
#include "net/digest.h"
#include "hub/env.h"
#include "hub/listing.h"
#include "net/url.h"
#include "spec/repo.h"

#define A32 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A96 A32 A32 A32
#define COMMIT "0123456789abcdef0123456789abcdef01234567"

TEST(test_ids)
{
	static const char *const good[] = {
		"vidore/colqwen2-v1.0-hf", "a/b", "_a/b_", "a.b-c_d/e.f-g_h", A96 "/" A96,
	};
	static const char *const bad[] = {
		"",       "/",      "a",      "a/",       "/b",    "a/b/c",   ".a/b",
		"a/.b",   "-a/b",   "a-/b",   "a/b.",     "a/b-",  "../b",    "a/..",
		"a..b/c", "a--b/c", "a/b--c", "a/b.git",  "a b/c", "a/b\n",   "a/b?x",
		"a/b#x",  "a/b%2f", "a\\b/c", "\u00fc/b", "a/b@c", A96 "a/b", "a/" A96 "a",
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++)
		assert_true(repo_id_ok(good[i]));
	for (i = 0; i < ARRAY_LEN(bad); i++)
		if (repo_id_ok(bad[i]))
			fail_msg("'%s' passes for an id", bad[i]);
}

TEST(test_revisions)
{
	static const char *const good[] = {"main", "v1.0", "refs/pr/1", "a-b_c", "-", A96 A32, COMMIT};
	static const char *const bad[] = {
		"",     "/",   "/main", "main/", "a//b",  ".a",     "a/.b",      "..",
		"a..b", "a b", "a\n",   "a?b",   "a%2fb", "\u00fc", A96 A32 "a",
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++)
		assert_true(repo_revision_ok(good[i]));
	for (i = 0; i < ARRAY_LEN(bad); i++)
		if (repo_revision_ok(bad[i]))
			fail_msg("'%s' passes for a revision", bad[i]);
	assert_true(repo_commit_ok(COMMIT));
	assert_false(repo_commit_ok("0123456789ABCDEF0123456789abcdef01234567"));
	assert_false(repo_commit_ok("0123456"));
	assert_false(repo_commit_ok(COMMIT "0"));
}

/* The hashes that `git hash-object` and `sha256sum` print. */
static const struct {
	const char *content, *git, *sha256;
} hashes[] = {
	{"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
	 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a",
	 "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"},
};

static bool
matches(const char *etag, uint64_t size, const char *content)
{
	struct digest *d = NULL;
	bool same;

	assert_int_equal(digest_new(etag, size, &d, NULL), 0);
	digest_add(d, content, strlen(content));
	same = digest_matches(d, etag);
	digest_free(&d);
	assert_null(d);
	return same;
}

TEST(test_digests)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(hashes); i++) {
		assert_true(digest_etag_ok(hashes[i].git) && digest_etag_ok(hashes[i].sha256));
		assert_true(matches(hashes[i].git, strlen(hashes[i].content), hashes[i].content));
		assert_true(matches(hashes[i].sha256, strlen(hashes[i].content), hashes[i].content));
		assert_false(matches(hashes[i].git, 7, hashes[i].content));
		assert_false(matches(hashes[i].sha256, 0, "other"));
	}
	assert_false(digest_etag_ok(""));
	assert_false(digest_etag_ok("e69de29"));
	assert_false(digest_etag_ok("../../../../../../../../../../etc/passwd"));
	assert_false(digest_etag_ok("E69DE29BB2D1D6434B8B29AE775AD8C2E48C5391"));
}

static void
sockaddr_make(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_in *a4 = (void *)ret;
	struct sockaddr_in6 *a6 = (void *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &a4->sin_addr) == 1)
		ret->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &a6->sin6_addr) == 1)
		ret->ss_family = AF_INET6;
	else
		fail_msg("'%s' is no address", text);
}

TEST(test_addresses)
{
	static const char *const public[] = {
		"1.1.1.1",          "9.255.255.255",   "11.0.0.0",        "100.63.255.255",  "100.128.0.0",
		"126.255.255.255",  "128.0.0.0",       "169.253.255.255", "172.15.255.255",  "172.32.0.0",
		"192.167.255.255",  "192.169.0.0",     "223.255.255.255", "2606:4700::1111", "::ffff:1.1.1.1",
		"64:ff9b::1.1.1.1", "2002:101:101::1",
	};
	static const char *const private[] = {
		"0.0.0.0",
		"10.0.0.1",
		"100.64.0.1",
		"100.127.255.255",
		"127.0.0.1",
		"127.255.255.255",
		"169.254.169.254",
		"172.16.0.1",
		"172.31.255.255",
		"192.168.1.1",
		"192.0.0.1",
		"192.0.2.1",
		"198.18.0.1",
		"198.19.255.255",
		"224.0.0.1",
		"239.1.1.1",
		"240.0.0.1",
		"255.255.255.255",
		"::",
		"::1",
		"fe80::1",
		"fc00::1",
		"fd12::1",
		"ff02::1",
		"fec0::1",
		"::ffff:127.0.0.1",
		"::ffff:10.0.0.1",
		"::127.0.0.1",
		"64:ff9b::10.0.0.1",
		"2002:7f00:1::1",
		"2001:db8::1",
		"2001::1",
		"100::1",
	};
	struct sockaddr_storage a;
	size_t i;

	for (i = 0; i < ARRAY_LEN(public); i++) {
		sockaddr_make(public[i], &a);
		if (!address_is_public((struct sockaddr *)&a) || address_is_private_literal(public[i]))
			fail_msg("%s is public", public[i]);
	}
	for (i = 0; i < ARRAY_LEN(private); i++) {
		sockaddr_make(private[i], &a);
		if (address_is_public((struct sockaddr *)&a) || !address_is_private_literal(private[i]))
			fail_msg("%s is not public", private[i]);
	}
	assert_false(address_is_private_literal("localhost"));
	a.ss_family = AF_UNIX;
	assert_false(address_is_public((struct sockaddr *)&a));
}

TEST(test_proxies)
{
	struct sockaddr_storage a;

	sockaddr_make("10.0.0.7", &a);
	((struct sockaddr_in *)&a)->sin_port = htons(3128);
	assert_true(address_is_of_proxy((struct sockaddr *)&a, "http://10.0.0.7:3128"));
	assert_true(address_is_of_proxy((struct sockaddr *)&a, "10.0.0.7:3128"));
	assert_true(address_is_of_proxy((struct sockaddr *)&a, "socks5h://user:word@10.0.0.7:3128/"));
	assert_false(address_is_of_proxy((struct sockaddr *)&a, "http://10.0.0.7:80"));
	assert_false(address_is_of_proxy((struct sockaddr *)&a, "http://10.0.0.8:3128"));
	assert_false(address_is_of_proxy((struct sockaddr *)&a, "http://10.0.0.7"));
	assert_false(address_is_of_proxy((struct sockaddr *)&a, "://"));
}

TEST(test_endpoints)
{
	static const char *const good[] = {"https://huggingface.co", "http://127.0.0.1:8080",
					   "https://a.b/mirror/hf", "https://[::1]"};
	static const char *const bad[] = {"",         "huggingface.co",     "ftp://a",     "file:///etc",
					  "https://", "https://user:w@a.b", "https://a?b", "https://a#b"};
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++)
		assert_true(url_is_endpoint(good[i]));
	for (i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(url_is_endpoint(bad[i]));
	assert_true(url_same_origin("https://A.b/x?y", "https://a.b:443/z"));
	assert_false(url_same_origin("https://a.b", "http://a.b"));
	assert_false(url_same_origin("https://a.b", "https://a.b:8443"));
	assert_false(url_same_origin("https://a.b", "https://a.b.c"));
}

static const struct {
	const char *location, *url; /* NULL: not followed */
} redirects[] = {
	{"/x?y=z", "http://hub.lan:80/x?y=z"},
	{"c", "http://hub.lan:80/a/c"},
	{"http://hub.lan/other", "http://hub.lan/other"},
	{"https://cdn.example/x", "https://cdn.example/x"},
	{"//hub.lan/x", "http://hub.lan/x"},
	{"http://cdn.example/x", NULL},
	{"//cdn.example/x", NULL},
	{"http://hub.lan:81/x", NULL},
	{"ftp://cdn.example/x", NULL},
	{"file:///etc/passwd", NULL},
	{"gopher://a/b", NULL},
	{"https://user:word@cdn.example/x", NULL},
	{"https://", NULL},
	{"http://[::1/", NULL},
};

TEST(test_redirects)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(redirects); i++) {
		struct err e = ERR_INIT;
		char *url = NULL;
		int r = url_redirect("http://hub.lan:80/a/b?sig=secret", redirects[i].location,
				     "http://hub.lan", &url, &e);

		if (redirects[i].url) {
			assert_no_error(&e);
			assert_string_equal(url, redirects[i].url);
		} else {
			assert_int_equal(r, E_HUB_PROTOCOL);
			assert_error(&e, E_HUB_PROTOCOL, "'hub.lan' redirects to");
			assert_null(strstr(e.msg, "secret"));
			assert_null(strstr(e.msg, "word"));
		}
		free(url);
	}
}

#define LFS_OK                                                                                         \
	"\"lfs\": {\"sha256\": \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\", " \
	"\"size\": 7}"
#define LISTING(file) "{\"sha\": \"" COMMIT "\", \"id\": \"new/name\", \"siblings\": [" file "]}"

static int
find(const char *text, const char *name, struct hub_file *ret, struct err *e)
{
	struct listing l = {.doc = NULL};
	int r;

	r = listing_parse(text, strlen(text), "old/name", &l, e);
	if (r == 0) {
		assert_string_equal(l.commit, COMMIT);
		assert_string_equal(l.repo, "new/name");
		r = listing_find(&l, name, ret, e);
	}
	listing_release(&l);
	return r;
}

TEST(test_listing)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{\"sha\": \"main\", \"siblings\": []}",
		"{\"sha\": \"" COMMIT "\"}",
		"{\"sha\": \"" COMMIT "\", \"siblings\": {}}",
		"{\"sha\": \"" COMMIT "\", \"siblings\": [], \"id\": \"../..\"}",
		LISTING("{\"rfilename\": \"f\"}"),
		LISTING("{\"rfilename\": \"f\", \"size\": 1}"),
		LISTING("{\"rfilename\": \"f\", \"size\": 1, \"blobId\": \"../../x\"}"),
		LISTING("{\"rfilename\": \"f\", \"size\": -1, \"blobId\": "
			"\"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\"}"),
		LISTING("{\"rfilename\": \"f\", \"blobId\": \"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\"}"),
		LISTING("{\"rfilename\": \"f\", \"size\": 1, \"lfs\": {}}"),
		LISTING("{\"rfilename\": \"f\", \"size\": 1, \"lfs\": []}"),
	};
	struct hub_file f = {.name = NULL};
	struct err ok = ERR_INIT;
	size_t i;

	assert_int_equal(find(LISTING("1, {\"rfilename\": \"f\", \"size\": 134, " LFS_OK "}"), "f", &f, &ok),
			 1);
	assert_int_equal(f.size, 7);
	assert_string_equal(f.etag, hashes[0].sha256);
	free(f.name);
	assert_int_equal(find(LISTING("{\"rfilename\": \"a/f\"}"), "f", &f, &ok), 0);
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(find(bad[i], "f", &f, &e), E_HUB_PROTOCOL);
		assert_error(&e, E_HUB_PROTOCOL, "Hub");
	}
}

TEST(test_environment)
{
	struct hub_env env;
	struct err e = ERR_INIT;

	(void)setenv("HF_ENDPOINT", "http://Mirror.lan/hf//", 1);
	(void)setenv("HF_HOME", "/h", 1);
	(void)setenv("HF_TOKEN", " hf_x\n", 1);
	(void)setenv("HF_HUB_OFFLINE", "yes", 1);
	(void)setenv("COLCONV_HUB_PRIVATE_HOSTS", "a.lan,b.lan", 1);
	(void)unsetenv("HF_HUB_CACHE");
	assert_int_equal(hub_env_read(&env, &e), 0);
	assert_string_equal(env.endpoint, "http://Mirror.lan/hf");
	assert_string_equal(env.cache, "/h/hub");
	assert_string_equal(env.token, "hf_x");
	assert_true(env.offline);
	assert_true(hub_env_host_trusted(&env, "mirror.lan"));
	assert_true(hub_env_host_trusted(&env, "b.lan"));
	assert_false(hub_env_host_trusted(&env, "lan"));
	assert_false(hub_env_host_trusted(&env, "a.lan,b.lan"));
	hub_env_release(&env);

	(void)setenv("HF_ENDPOINT", "", 1);
	(void)setenv("HF_HUB_CACHE", "/c", 1);
	assert_int_equal(hub_env_read(&env, &e), 0);
	assert_string_equal(env.endpoint, "https://huggingface.co");
	assert_string_equal(env.cache, "/c");
	assert_false(hub_env_host_trusted(&env, "huggingface.co"));
	hub_env_release(&env);

	(void)setenv("HF_ENDPOINT", "http://user:word@a", 1);
	assert_int_equal(hub_env_read(&env, &e), E_BAD_CONFIG);
	assert_error(&e, E_BAD_CONFIG, "HF_ENDPOINT");
	assert_null(strstr(e.msg, "word"));
}

int
main(void)
{
	return tests_run("hub", NULL, NULL);
}
