/* A configuration file, and the same bytes as a file of tokens. */
#include "fuzz.h"

#include "base/conf_file.h"
#include "http/core/token.h"
#include "scratch.h"

static int
line_take(void *ctx, unsigned line, const char *name, const char *value, struct err *e _unused_)
{
	unsigned *last = ctx;

	assert(line > *last && !strchr(name, '\n') && !strchr(value, '\n'));
	*last = line;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *path = scratch_write(data, len);
	struct tokens *tokens = NULL;
	struct err e = ERR_INIT;
	unsigned line = 0;

	if (conf_file_read(path, line_take, &line, &e) < 0)
		assert(e.code == E_BAD_CONFIG && e.msg[0]);
	err_clear(&e);
	if (tokens_load(path, &tokens, &e) < 0)
		assert(e.code == E_BAD_CONFIG && e.msg[0]);
	tokens_free(&tokens);
	return 0;
}
