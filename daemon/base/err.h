/*
 * Errors: a negative code and a sentence for a person.
 *
 * A function that can fail returns 0 or a negative E_* and takes `struct err *e` last.
 * `e` may be NULL. It keeps the first error; callers add where it happened:
 *
 *	return err_set(e, E_BAD_CHECKPOINT, "header of '%s' is longer than the file", path);
 *	return err_context(e, "shard %u", i);        "shard 3: header of ..."
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "util.h"

enum err_index {
	ERR_INDEX_NONE,
#define ERR(sym, ...) ERR_INDEX_##sym,
#include "errors.def"
#undef ERR
	ERR_INDEX_MAX
};

enum err_code {
	E_OK = 0,
#define ERR(sym, ...) E_##sym = -ERR_INDEX_##sym,
#include "errors.def"
#undef ERR
};

struct err {
	int code;       /* 0 or a negative E_* */
	char msg[1000]; /* one sentence, no newline, no final stop; UTF-8, whatever it quotes */
};

/* clang-format off */
#define ERR_INIT { .code = 0 }
/* clang-format on */

/* Sets the error, unless one is set already. Always returns `code`. */
int err_set(struct err *e, int code, const char *fmt, ...) _printf_(3, 4);

/* Sets E_NO_MEMORY with its usual sentence. */
int err_no_memory(struct err *e);

/* As err_set, and ends with ": " and the text of `errnum`. ENOSPC, EDQUOT and EFBIG become E_NO_SPACE, ENOMEM
 * E_NO_MEMORY, EMFILE and ENFILE E_BUSY. */
int err_errno(struct err *e, int code, int errnum, const char *fmt, ...) _printf_(4, 5);

/* Puts "CONTEXT: " before the message. Returns the code of the error. */
int err_context(struct err *e, const char *fmt, ...) _printf_(2, 3);

/* Forgets an error that the caller recovered from. */
void err_clear(struct err *e);

/* Columns of errors.def. `code` may be any number; unknown ones read as E_INTERNAL. */
const char *err_name(int code);    /* wire name, "ok" for 0 */
const char *err_meaning(int code); /* what the code means in general */
const char *err_remedy(int code);  /* what a person can do, with "{id}" and "{command}" in it */
int err_http_status(int code);
int err_exit_status(int code); /* 0 for 0 */
bool err_retryable(int code);

/* The code of a wire name; E_INTERNAL for an unknown name. */
int err_from_name(const char *name);

#endif
