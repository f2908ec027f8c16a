#include "closed.h"

#include "base/fs.h"

int
closed_find(const char *state_dir, const char *tokens, struct closed *ret, struct err *e)
{
	static const char *const names[] = {"queue.db",  "queue.db-wal", "queue.db-shm",
					    "artifacts", "staging",      "notified"};
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	bool failed = false;
	size_t i;

	_Static_assert(ARRAY_LEN(names) + 2 <= CLOSED_MAX, "a place for each");
	*ret = (struct closed){.n = 0};
	for (i = 0; i < ARRAY_LEN(names); i++)
		failed |= !(ret->path[ret->n++] = fs_join(state_dir, names[i]));
	if (*tokens)
		failed |= !(ret->path[ret->n++] = strdup(tokens));
	if (credentials && *credentials)
		failed |= !(ret->path[ret->n++] = strdup(credentials));
	return failed ? err_no_memory(e) : 0;
}

void
closed_release(struct closed *c)
{
	while (c->n)
		free(c->path[--c->n]);
}
