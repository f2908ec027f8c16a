/* Checks the paths of a job against the folders that jobs may read. */
#ifndef SPEC_ROOTS_H
#define SPEC_ROOTS_H

#include "spec.h"

/*
 * Every path of the job must lead, after following links, to something below one of the roots (absolute
 * folder paths). Repositories are not checked. Without roots every path passes. A link with an absolute
 * target counts as leading out. E_NOT_ALLOWED for a path outside the roots, E_BAD_REQUEST for a path that
 * cannot be opened; `field` is as in spec_from_json(). The answer holds only at this moment: anyone who may
 * write below a root can change the folder before the worker opens it.
 */
int spec_check_roots(const struct spec *spec, const char *const *roots, size_t n_roots,
		     char field[SPEC_FIELD_LEN], struct err *e);

/* The same for one path, with the flags of open(); `field` names it in errors. */
int spec_check_path(const char *path, int flags, const char *const *roots, size_t n_roots, const char *field,
		    struct err *e);

#endif
