/*
 * Recognises a file whose content is not what its name says.
 *
 * A failed download can leave a Git LFS pointer, an HTML page or a JSON error under the name of the
 * weights. Every later error about such a file would mislead, so this check comes first.
 */
#ifndef CHECKPOINT_SNIFF_H
#define CHECKPOINT_SNIFF_H

#include "base/err.h"

/*
 * Fails with `code` when the first bytes are those of a known wrong file; the message says what the file is
 * and what to do.
 */
int sniff_check(const void *bytes, size_t len, int code, struct err *e);

/* The same for a binary file: also fails when the file begins with a line of text. */
int sniff_check_binary(const void *bytes, size_t len, int code, struct err *e);

#endif
