/*
 * One request to the Hub's API or to its storage, with retries. The token goes to the endpoint only, and only
 * addresses that env.h allows are connected to. Redirects are errors: whoever writes should name the
 * repository as it is called now.
 */
#ifndef HUB_CALL_H
#define HUB_CALL_H

#include "base/json.h"
#include "env.h"
#include "net/wire.h"

struct caller {
	const struct hub_env *env;
	struct wire *wire;
	const char *repo;                   /* for messages */
	void (*sent)(void *ctx, int64_t n); /* bytes of a file went out; negative: they must go out again */
	void *ctx;
};

struct call {
	const char *method;
	const char *url;  /* a whole URL, or a path at the endpoint */
	const char *type; /* Content-Type, also sent as Accept; NULL: of a file */
	const char *body; /* NULL: the file's bytes */
	int fd;
	uint64_t from, len;
	bool once; /* do not repeat what the Hub may have got */
};

struct call_answer {
	long status;
	char etag[128];
	char words[128]; /* the Hub's own, of an error; may be empty */
	struct buf body;
};

/*
 * Succeeds with any answer except those that ask to try again later. The caller releases ret->body, also after
 * an error.
 */
int call_perform(const struct caller *c, const struct call *call, struct call_answer *ret, struct err *e);

/* The same; an answer other than 2xx is an error. *ret (may be NULL) is the answer's JSON. */
int call_json(const struct caller *c, const struct call *call, json_t **ret, struct err *e);

/* The error that an answer other than 2xx means. */
int call_refusal(const struct caller *c, const struct call_answer *a, struct err *e);

#endif
