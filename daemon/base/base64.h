/* Base64 with padding and without line breaks (RFC 4648, section 4). */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "buf.h"

void base64_add(struct buf *b, const void *data, size_t len);

/* Appends the decoded bytes. False for text that is not base64, and when memory runs out (buf_failed()). */
bool base64_decode(const char *text, struct buf *ret);

#endif
