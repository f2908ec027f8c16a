#include "hub_token.h"

#include <string.h>

#include "base/fs.h"

#define TOKEN_LEN_MAX 4096

/* An adapter in a folder of this host may name a repository as its base. */
static bool
may_ask(const struct spec *spec)
{
	_cleanup_free_ char *adapter = fs_join(spec->model, "adapter_config.json");

	if (spec_is_repo(spec->model) || (spec->base && spec_is_repo(spec->base)))
		return true;
	return !spec->base && (!adapter || fs_exists(adapter));
}

int
hub_token_for(const struct spec *spec, char **ret, struct err *e)
{
	const char *token = getenv("HF_TOKEN"), *dir = getenv("CREDENTIALS_DIRECTORY");
	_cleanup_free_ char *path = dir ? fs_join(dir, "hf_token") : NULL;
	size_t len;

	*ret = NULL;
	if (!may_ask(spec))
		return 0;
	if (token && *token) {
		*ret = strdup(token);
		return *ret ? 0 : err_no_memory(e);
	}
	if (dir && !path)
		return err_no_memory(e);
	return path && fs_exists(path) ? fs_read(path, TOKEN_LEN_MAX, E_BAD_CONFIG, ret, &len, e) : 0;
}

void
hub_token_free(char **token)
{
	if (*token)
		explicit_bzero(*token, strlen(*token));
	free(*token);
	*token = NULL;
}
