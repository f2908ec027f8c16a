#include "repo.h"

#include "base/str.h"

#define PART_LEN_MAX 96
#define REVISION_LEN_MAX 128

static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
static const char part[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";

static bool
part_ok(const char *s, size_t len)
{
	return len > 0 && len <= PART_LEN_MAX && strspn(s, part) >= len && strchr(word, s[0]) &&
	       strchr(word, s[len - 1]);
}

/* Refuses "--", because it stands for '/' in the names of the cache's folders. */
bool
repo_id_ok(const char *id)
{
	const char *slash = strchr(id, '/');

	return slash && part_ok(id, (size_t)(slash - id)) && part_ok(slash + 1, strlen(slash + 1)) &&
	       !strstr(id, "--") && !strstr(id, "..") && !str_ends(id, ".git");
}

bool
repo_revision_ok(const char *revision)
{
	const char *s = revision;
	size_t len;

	if (strlen(revision) > REVISION_LEN_MAX || strstr(revision, ".."))
		return false;
	for (;; s += len + 1) {
		len = strspn(s, part);
		if (len == 0 || s[0] == '.' || (s[len] != '/' && s[len] != '\0'))
			return false;
		if (s[len] == '\0')
			return true;
	}
}

bool
repo_commit_ok(const char *revision)
{
	return repo_hex_ok(revision, REPO_COMMIT_LEN);
}

bool
repo_hex_ok(const char *s, size_t len)
{
	return strspn(s, "0123456789abcdef") == len && s[len] == '\0';
}
