#include "conf_file.h"

#include "fs.h"
#include "str.h"

#define FILE_MAX (1u << 20)

/* Handles one line; changes `line`. */
static int
line_take(unsigned n, char *line, conf_file_fn *fn, void *ctx, struct err *e)
{
	char *eq;

	line = str_trim(line);
	if (*line == '\0' || *line == '#')
		return 0;
	eq = strchr(line, '=');
	if (!eq)
		return err_set(e, E_BAD_CONFIG, "'%s' is not like 'name = value'", line);
	*eq = '\0';
	return fn(ctx, n, str_trim(line), str_trim(eq + 1), e);
}

int
conf_file_read(const char *path, conf_file_fn *fn, void *ctx, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	char *line, *next;
	unsigned n = 1;
	size_t len;
	int r;

	r = fs_read(path, FILE_MAX, E_BAD_CONFIG, &text, &len, e);
	if (r < 0)
		return r;
	if (strlen(text) != len)
		return err_set(e, E_BAD_CONFIG, "'%s' is not a text file", path);
	for (line = text; line; line = next, n++) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		r = line_take(n, line, fn, ctx, e);
		if (r < 0)
			return err_context(e, "'%s' line %u", path, n);
	}
	return 0;
}
