/* The files of a folder and of the folders in it, as JSON: [{"name", "size", "sha256"}], sorted by name. */
#ifndef CLIENT_TREE_H
#define CLIENT_TREE_H

#include "base/json.h"
#include "base/sha256.h"
#include "client/show/bar.h"

/* Adds all files to the array `files`, without "sha256". */
int tree_list(const char *dir, json_t *files, struct err *e);

/* Adds one file. Its size is null when there is no such file. */
int tree_add(const char *dir, const char *name, json_t *files, struct err *e);

/* The row of that name; NULL when there is none. */
json_t *tree_find(const json_t *files, const char *name);

/*
 * Opens a file below `dir`. E_MISMATCH unless it is regular, not a link, and has no second hard link: ONNX
 * Runtime refuses others.
 */
int tree_open(const char *dir, const char *name, int *ret_fd, uint64_t *ret_size, struct err *e);

/* Progress over all files that are hashed; zeroed except for the members to set. */
struct tree_hashing {
	struct bar *bar; /* set; NULL: show nothing */
	uint64_t total;  /* set: bytes of all files */
	uint64_t done;
};

int tree_hash_file(struct tree_hashing *h, int fd, const char *name, char ret[SHA256_HEX_LEN + 1],
		   struct err *e);

/* Sets "sha256" of every row that has none. */
int tree_hash(const char *dir, json_t *files, struct bar *bar, struct err *e);

#endif
