#include "env.h"

#include <strings.h>

#include "address.h"
#include "base/fs.h"
#include "base/str.h"
#include "net/url.h"

#define ENDPOINT_DEFAULT "https://huggingface.co"
#define TOKEN_LEN_MAX 4096
#define TIMEOUT_S_DEFAULT 10
#define RETRY_MS_DEFAULT 1000
#define LOCK_S_DEFAULT 600

/* The value of the variable; NULL when it is unset or empty. */
static const char *
env_get(const char *name)
{
	const char *s = getenv(name);

	return s && *s ? s : NULL;
}

static bool
env_true(const char *name)
{
	static const char *const words[] = {"1", "ON", "YES", "TRUE"};
	const char *s = env_get(name);
	size_t i;

	for (i = 0; s && i < ARRAY_LEN(words); i++)
		if (strcasecmp(s, words[i]) == 0)
			return true;
	return false;
}

static int
number_read(const char *name, uint64_t preset, uint64_t max, uint64_t *ret, struct err *e)
{
	const char *s = env_get(name);
	struct err why = ERR_INIT;

	*ret = preset;
	if (s && str_to_u64(s, 1, max, name, ret, &why) < 0)
		return err_set(e, E_BAD_CONFIG, "%s", why.msg);
	return 0;
}

static int
endpoint_read(struct hub_env *env, struct err *e)
{
	const char *s = env_get("HF_ENDPOINT");
	size_t n;

	env->endpoint_given = s != NULL;
	env->endpoint = strdup(s ? s : ENDPOINT_DEFAULT);
	if (!env->endpoint)
		return err_no_memory(e);
	for (n = strlen(env->endpoint); n && env->endpoint[n - 1] == '/'; n--)
		env->endpoint[n - 1] = '\0';
	if (!url_is_endpoint(env->endpoint))
		return err_set(e, E_BAD_CONFIG,
			       "HF_ENDPOINT must be http://HOST or https://HOST, without a user or a query");
	return 0;
}

/* The client's folder, ~/.cache/huggingface by default; NULL without HOME. */
static char *
home_dir(void)
{
	const char *home = env_get("HF_HOME"), *xdg = env_get("XDG_CACHE_HOME"), *user = env_get("HOME");

	if (home)
		return strdup(home);
	if (xdg)
		return fs_join(xdg, "huggingface");
	return user ? fs_join(user, ".cache/huggingface") : NULL;
}

static int
cache_read(struct hub_env *env, const char *home, struct err *e)
{
	const char *cache = env_get("HF_HUB_CACHE");

	if (!cache && !home)
		return err_set(e, E_BAD_CONFIG,
			       "the cache of the Hub has no folder: set HF_HUB_CACHE, HF_HOME or HOME");
	env->cache = cache ? strdup(cache) : fs_join(home, "hub");
	return env->cache ? 0 : err_no_memory(e);
}

/* True for a token whose characters a header may hold. No error message quotes a token. */
static int
token_take(struct hub_env *env, const char *text, const char *where, struct err *e)
{
	size_t n, i;

	text += strspn(text, " \t\r\n");
	n = strlen(text);
	while (n && strchr(" \t\r\n", text[n - 1]))
		n--;
	for (i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return err_set(e, E_BAD_CONFIG, "%s does not hold a token of the Hub", where);
	if (n && !(env->token = strndup(text, n)))
		return err_no_memory(e);
	return 0;
}

static int
token_file_read(struct hub_env *env, const char *path, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	r = fs_read(path, TOKEN_LEN_MAX, E_BAD_CONFIG, &text, &len, e);
	if (r < 0)
		return err_context(e, "the token of the Hub");
	r = token_take(env, text, path, e);
	explicit_bzero(text, len);
	return r;
}

/* Reads the token from a file in one of the usual places. A missing file is not an error. */
static int
token_find(struct hub_env *env, const char *dir, const char *name, struct err *e)
{
	_cleanup_free_ char *path = dir ? fs_join(dir, name) : NULL;

	if (dir && !path)
		return err_no_memory(e);
	return !path || env->token || !fs_exists(path) ? 0 : token_file_read(env, path, e);
}

static int
token_read(struct hub_env *env, const char *home, struct err *e)
{
	const char *token = env_get("HF_TOKEN"), *path = env_get("HF_TOKEN_PATH");
	int r;

	if (token)
		return token_take(env, token, "HF_TOKEN", e);
	if (path)
		return token_file_read(env, path, e);
	r = token_find(env, env_get("CREDENTIALS_DIRECTORY"), "hf_token", e);
	return r < 0 ? r : token_find(env, home, "token", e);
}

int
hub_env_read(struct hub_env *ret, struct err *e)
{
	_cleanup_free_ char *home = home_dir();
	int r;

	*ret = (struct hub_env){
		.offline = env_true("HF_HUB_OFFLINE"),
		.private_hosts = env_get("COLCONV_HUB_PRIVATE_HOSTS"),
		.cert_file = env_get("SSL_CERT_FILE"),
	};
	if ((r = endpoint_read(ret, e)) < 0 || (r = cache_read(ret, home, e)) < 0 ||
	    (r = token_read(ret, home, e)) < 0 ||
	    (r = number_read("HF_HUB_DOWNLOAD_TIMEOUT", TIMEOUT_S_DEFAULT, 3600, &ret->timeout_s, e)) < 0 ||
	    (r = number_read("COLCONV_HUB_RETRY_MS", RETRY_MS_DEFAULT, 60000, &ret->retry_ms, e)) < 0 ||
	    (r = number_read("COLCONV_HUB_LOCK_TIMEOUT", LOCK_S_DEFAULT, 86400, &ret->lock_s, e)) < 0)
		hub_env_release(ret);
	return r;
}

void
hub_env_release(struct hub_env *env)
{
	if (env->token)
		explicit_bzero(env->token, strlen(env->token));
	free(env->token);
	free(env->endpoint);
	free(env->cache);
	*env = (struct hub_env){.endpoint = NULL};
}

bool
hub_env_host_trusted(const struct hub_env *env, const char *host)
{
	_cleanup_free_ char *own = env->endpoint_given ? url_host(env->endpoint) : NULL;
	const char *s = env->private_hosts;
	size_t len;

	if (own && strcasecmp(own, host) == 0)
		return true;
	for (; s && *s; s += len + (s[len] == ',')) {
		len = strcspn(s, ",");
		if (len == strlen(host) && strncasecmp(s, host, len) == 0)
			return true;
	}
	return false;
}

static bool
of_a_proxy(const struct sockaddr *sa)
{
	static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy",
					    "ALL_PROXY"};
	const char *proxy;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		proxy = getenv(names[i]);
		if (proxy && *proxy && address_is_of_proxy(sa, proxy))
			return true;
	}
	return false;
}

bool
hub_env_address_allowed(const struct hub_env *env, const char *host, const struct sockaddr *addr)
{
	return address_is_public(addr) || hub_env_host_trusted(env, host) || of_a_proxy(addr);
}
