/*
 * What a file is when it is not what its name says.
 *
 * Downloads that went wrong leave a Git LFS pointer, a page of HTML or an error's JSON under the
 * name of the weights, and then every other complaint misleads.
 */
#ifndef CHECKPOINT_SNIFF_H
#define CHECKPOINT_SNIFF_H

#include "base/err.h"

/* Fails with `code`, saying what the file is and what to do, when its first bytes are those of a known stranger. */
int sniff_check(const void *bytes, size_t len, int code, struct err *e);

/* The same, and for a file that is not text: fails when it begins with a line of text. */
int sniff_check_binary(const void *bytes, size_t len, int code, struct err *e);

#endif
