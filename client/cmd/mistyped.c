#include "mistyped.h"

#include <dirent.h>

#include "base/fs.h"
#include "base/str.h"
#include "guess.h"
#include "client/show/text.h"

/*
 * The folder in `parent` with the name most like `name`, for the caller to free; NULL: none is near enough.
 */
static char *
nearest(const char *parent, const char *name)
{
	struct dirent **entry = NULL;
	int i, n = scandir(parent, &entry, NULL, alphasort);
	struct guess g = {.typed = name, .len = strlen(name)};
	char *ret = NULL;

	for (i = 0; i < n; i++) {
		_cleanup_free_ char *path = fs_join(parent, entry[i]->d_name);

		if (entry[i]->d_name[0] != '.' && path && fs_is_dir(path))
			guess_try(&g, entry[i]->d_name);
	}
	if (g.word)
		ret = fs_join(parent, g.word);
	for (i = 0; i < n; i++)
		free(entry[i]);
	free(entry);
	return ret;
}

void
mistyped_tell(const char *repo)
{
	const char *name = fs_basename(repo);
	_cleanup_free_ char *parent = strndup(repo, (size_t)(name - repo) - 1), *near = NULL, *line = NULL;

	if (!parent || !fs_is_dir(parent))
		return;
	near = nearest(parent, name);
	line = str_printf(
		"colconvctl: there is no folder '%s' here%s%s%s; taking it for a repository of the Hub", repo,
		near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
	if (line) {
		text_print(stderr, line);
		(void)fputc('\n', stderr);
	}
}
