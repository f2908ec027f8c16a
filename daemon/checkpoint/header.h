/*
 * Parses the header of a safetensors file; safetensors.h describes the format.
 *
 * The largest header that is allowed costs 31 MB for the tensors and 32 MB for their names, whatever it
 * holds.
 */
#ifndef CHECKPOINT_HEADER_H
#define CHECKPOINT_HEADER_H

#include "safetensors.h"

struct st_header {
	struct st_tensor *tensors; /* in order of the data */
	const struct st_tensor **by_name;
	size_t count;
	char *names; /* all names, each with its NUL */
};

/*
 * Parses the text into a zeroed *h; `data` are the bytes of the tensors. Release *h after a failure too.
 * Errors have the given code.
 */
int st_header_parse(const void *text, size_t text_len, const unsigned char *data, uint64_t data_len, int code,
		    struct st_header *h, struct err *e);
void st_header_release(struct st_header *h);

#endif
