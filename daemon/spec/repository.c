#include "repository.h"

#include <strings.h>

#include "base/str.h"
#include "told.h"

enum { LIST_OTHER, LIST_MTEB };

static const struct repository repositories[] = {
#define REPOSITORY(name, class, type, head, parameters, width, list, unseen, note, pages) \
	{name, class, type, HEAD_##head, parameters, width, LIST_##list, unseen, note, pages},
#include "repositories.def"
#undef REPOSITORY
};

static const char *const statuses[] = {
	[REPOSITORY_VERIFIED] = "verified",
	[REPOSITORY_UNSEEN] = "unseen",
	[REPOSITORY_REFUSED] = "refused",
};

_Static_assert(ARRAY_LEN(statuses) == REPOSITORY_STATUS_MAX, "a name for each status");

const char *
repository_status_name(enum repository_status s)
{
	return statuses[s];
}

const struct repository *
repository_next(const struct repository *r)
{
	r = r ? r + 1 : repositories;
	return r < repositories + ARRAY_LEN(repositories) ? r : NULL;
}

const struct repository *
repository_find(const char *name)
{
	const bool short_name = !strchr(name, '/');
	const struct repository *r = NULL;

	while ((r = repository_next(r)))
		if (strcasecmp(short_name ? strchr(r->name, '/') + 1 : r->name, name) == 0)
			return r;
	return NULL;
}

/* Two families can have a class of one name: then the head decides, as in a job. */
const struct class *
repository_class(const struct repository *r)
{
	const struct class *c = NULL;

	while ((c = class_next(/*arch=*/NULL, c)))
		if (str_eq(c->name, r->class) && (r->head == HEAD_AUTO || c->heads & 1u << r->head))
			return c;
	return NULL;
}

enum repository_status
repository_status(const struct repository *r)
{
	if (!repository_class(r))
		return REPOSITORY_REFUSED;
	return r->unseen ? REPOSITORY_UNSEEN : REPOSITORY_VERIFIED;
}

const char *
repository_detail(const struct repository *r)
{
	const struct told t = {.type = r->type, .class = {r->class}, .n_class = 1};
	const char *missing;

	if (repository_class(r))
		return r->unseen ? r->unseen : "";
	missing = told_missing(&t);
	return missing ? missing : "its class is not converted";
}
