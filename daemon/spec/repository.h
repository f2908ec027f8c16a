/*
 * Published checkpoints, which are the rows of repositories.def, and what colconv does with them. The rows hold facts:
 * whether a checkpoint is converted follows from classes.def and unsupported.def.
 */
#ifndef SPEC_REPOSITORY_H
#define SPEC_REPOSITORY_H

#include "class.h"

enum repository_status {
	REPOSITORY_VERIFIED, /* converted; the class has golden data */
	REPOSITORY_UNSEEN, /* the same, and the conversion relies on something that only the published files show */
	REPOSITORY_REFUSED,
	REPOSITORY_STATUS_MAX
};

const char *repository_status_name(enum repository_status s); /* "verified", "unseen", "refused" */

struct repository {
	const char *name;
	const char *class, *type; /* that its config.json names; `type` may be NULL */
	enum head head;           /* that a job must ask for, or HEAD_AUTO */
	int64_t parameters;       /* 0: not known */
	const char *width;        /* "128", "64/128"; "": not known */
	bool listed;              /* on mteb's list of visual retrievers with a vector for each token */
	const char *unseen;       /* or NULL */
	const char *note;         /* or "" */
	const char *pages;        /* the repository of the pages that its queries are for, or NULL */
};

/* The next row after `r`; NULL begins and ends the list. */
const struct repository *repository_next(const struct repository *r);

/* The row of OWNER/NAME, or of NAME alone, in any case of the letters as on the Hub; NULL: none. */
const struct repository *repository_find(const char *name);

/* The row of classes.def that converts it; NULL: it is refused. */
const struct class *repository_class(const struct repository *r);

enum repository_status repository_status(const struct repository *r);

/* Why it is refused, or what of its files was not seen; "" when it is verified. */
const char *repository_detail(const struct repository *r);

#endif
