/*
 * Configuration files of all our programs: lines of "name = value". Spaces around both are dropped, empty lines and lines
 * that begin with '#' are skipped.
 */
#ifndef BASE_CONF_FILE_H
#define BASE_CONF_FILE_H

#include "err.h"

/* One setting. `value` may be empty; both strings last until the function returns. */
typedef int conf_file_fn(void *ctx, unsigned line, const char *name, const char *value, struct err *e);

/* Calls back in the order of the file; errors are E_BAD_CONFIG and begin with "'PATH' line N". */
int conf_file_read(const char *path, conf_file_fn *fn, void *ctx, struct err *e);

#endif
