/*
 * One safetensors file, mapped and checked in full before any tensor is handed out.
 *
 * Format: u64 little-endian N | N bytes of JSON header | data. The header maps a name to
 * {"dtype", "shape", "data_offsets": [begin, end)}, offsets relative to byte 8 + N.
 * Refused: a header that is longer than the file or than 100 MB, bad UTF-8 or JSON, duplicate names, a tensor
 * whose bytes are not product(shape) * size, holes, overlaps, trailing or missing bytes; more than
 * ST_TENSORS_MAX tensors, more than TENSOR_RANK_MAX dimensions, names of NAME_LEN_MAX bytes (names.h) or more.
 * Data may lie at odd offsets: use memcpy or byte loads. Reading what was cut off of a file while
 * it is open raises SIGBUS: see map_catch().
 */
#ifndef CHECKPOINT_SAFETENSORS_H
#define CHECKPOINT_SAFETENSORS_H

#include "base/elem.h"
#include "base/folder.h"

#define TENSOR_RANK_MAX 8
#define ST_TENSORS_MAX (1 << 18) /* of one file */

struct st_tensor {
	const char *name; /* as in the file; owned by the st_file */
	enum elem dtype;
	int rank;                       /* 0 for a scalar */
	int64_t shape[TENSOR_RANK_MAX]; /* row-major */
	int64_t count;                  /* elements: product of the shape */
	const unsigned char *data;      /* in the mapping, any alignment; NULL when count is 0 */
	uint64_t len;                   /* bytes */
};

struct st_file;

/* Errors have the code given (E_BAD_CHECKPOINT, E_BAD_REFERENCE) and name the file and the tensor. */
int st_open(const char *path, int code, struct st_file **ret, struct err *e);

/* Opens a file in a folder that somebody else filled. */
int st_open_in(struct folder *f, const char *name, int code, struct st_file **ret, struct err *e);

/*
 * Opens `len` bytes of an open regular file. The st_file owns the descriptor from now on; on failure it is
 * closed.
 */
int st_open_fd_take(int fd, uint64_t len, const char *path, int code, struct st_file **ret, struct err *e);

/*
 * The same for bytes in memory, which the caller keeps and which must outlive the st_file; `path` is for
 * errors.
 */
int st_open_bytes(const void *bytes, uint64_t len, const char *path, int code, struct st_file **ret,
		  struct err *e);
void st_free(struct st_file **f);

const char *st_path(const struct st_file *f);
int st_fd(const struct st_file *f);       /* of the mapped file; -1 for bytes in memory */
uint64_t st_len(const struct st_file *f); /* bytes of the whole file */
size_t st_count(const struct st_file *f);
const struct st_tensor *st_get(const struct st_file *f, size_t i); /* in order of the data */
const struct st_tensor *st_find(const struct st_file *f, const char *name);

/*
 * Tells the kernel that the pages of a range may be dropped after reading. This keeps the page tables small;
 * the data stays valid.
 */
void st_drop(const struct st_file *f, const unsigned char *data, uint64_t len);

#endif
