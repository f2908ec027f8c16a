/*
 * Who may call: the tokens of a file, one per line:
 *
 *	NAME SCOPE TOKEN       ci submit 3f9c0b6e...
 *
 * NAME is 1 to 63 of A-Z a-z 0-9 _ . -, and becomes the owner of the jobs that the token submits. SCOPE
 * is read, submit or admin. TOKEN is 16 to 256 visible ASCII characters; `openssl rand -hex 32` makes a
 * good one. Empty lines and lines that begin with # are skipped.
 *
 * Only digests stay in memory, and no error quotes a token.
 */
#ifndef HTTP_CORE_TOKEN_H
#define HTTP_CORE_TOKEN_H

#include "base/sha256.h"
#include "route.h"

#define TOKEN_NAME_MAX 63

struct token {
	char name[TOKEN_NAME_MAX + 1];
	enum scope scope;
	char digest[SHA256_HEX_LEN + 1];
};

struct tokens {
	struct token *v;
	size_t n;
};

/*
 * Reads the tokens of the file. With `path` "", reads systemd's credential "tokens" if there is one;
 * otherwise *ret is NULL and no token is needed. E_BAD_CONFIG names the bad line, or says that others can
 * read the file; a credential's mode is not checked.
 */
int tokens_load(const char *path, struct tokens **ret, struct err *e);
void tokens_free(struct tokens **t);

/* NULL when there is no such token. */
const struct token *tokens_find(const struct tokens *t, const char *text, size_t len);

/* True when a token has exactly this scope. */
bool tokens_have(const struct tokens *t, enum scope scope);

const char *scope_to_str(enum scope scope);

#endif
