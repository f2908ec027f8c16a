/* One request and its answer, without what may follow from it: no redirect, no retry. The only user of
 * libcurl's easy handles. */
#ifndef HUB_HOP_H
#define HUB_HOP_H

#include <curl/curl.h>

#include "env.h"

#define HOP_MAGIC 0x686f7020u

/* The body of an answer with status 200 or 206: -1 ends the hop, and hop_result() says HOP_SINK. */
typedef int hop_sink_fn(void *ctx, const void *data, size_t len);

struct hop_answer {
	long status; /* 0: there was none */
	char location[8192];
	char error_code[32];    /* X-Error-Code */
	char error_message[64]; /* X-Error-Message */
	char content_range[64];
	int64_t retry_after_s; /* -1: it does not say */
};

struct hop {
	unsigned magic;
	const struct hub_env *env;
	CURL *easy;
	struct curl_slist *headers;
	char *url;
	char *host;
	bool to_endpoint; /* the token goes with it */
	bool refused;     /* the address is not public */
	bool sink_failed;
	int64_t heard_ms; /* when something came last, on the clock of loop_now_ms() */
	size_t discarded; /* bytes of an error's body */
	hop_sink_fn *sink;
	void *ctx;
	struct hop_answer answer;
	char words[CURL_ERROR_SIZE]; /* libcurl's, of what went wrong */
};

enum hop_result {
	HOP_ANSWER,  /* whole, of whatever status */
	HOP_BROKEN,  /* no connection, silence, or it broke off */
	HOP_REFUSED, /* by us: the address is not public, or the certificate is not good */
	HOP_SINK,
};

int hop_init(struct hop *h, const struct hub_env *env, hop_sink_fn *sink, void *ctx, struct err *e);
void hop_release(struct hop *h);

/* Makes the handle ready for `url`, from byte `from` on. The handle may not be in a multi handle then. */
int hop_setup(struct hop *h, const char *url, uint64_t from, struct err *e);

/* After libcurl is done with it; fills in the answer. A message is set for HOP_BROKEN and HOP_REFUSED. */
enum hop_result hop_result(struct hop *h, CURLcode code, struct err *why);

#endif
