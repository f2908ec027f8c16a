/*
 * The header of a safetensors file, as safetensors.h describes it.
 *
 * A hostile header costs no more memory than an honest one of the largest size allowed: 31 MB for tensors and 32 MB for their names.
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
 * Takes the text, whose tensors' bytes are `data`, into a zeroed *h. It is to be released, after a failure too. Errors have the code given.
 */
int st_header_parse(const void *text, size_t text_len, const unsigned char *data, uint64_t data_len, int code,
		    struct st_header *h, struct err *e);
void st_header_release(struct st_header *h);

#endif
