/* The folders that jobs may read, held against the paths of a job. */
#ifndef SPEC_ROOTS_H
#define SPEC_ROOTS_H

#include "spec.h"

/*
 * Every path (a repository is none) must lead, links followed, to something below one of the roots (absolute paths of
 * folders); without roots every path passes. Links with an absolute target count as leading out.
 * E_NOT_ALLOWED for a path outside, E_BAD_REQUEST for one that does not open; `field` is as in spec_from_json().
 * The answer is valid only at this moment: anyone who may write below a root can change the folder before the worker opens it.
 */
int spec_check_roots(const struct spec *spec, const char *const *roots, size_t n_roots,
		     char field[SPEC_FIELD_LEN], struct err *e);

/* The same of one path, with the flags of open(); `field` names it in errors. */
int spec_check_path(const char *path, int flags, const char *const *roots, size_t n_roots, const char *field,
		    struct err *e);

#endif
