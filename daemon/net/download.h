/*
 * The downloader: gets a list of files, a few at a time, each into a file (part.h) or into memory.
 *
 * A broken transfer continues after a pause, from the byte where it broke. It fails after tries_max attempts
 * in a row that brought little. A file whose bytes have another hash than the published one is downloaded
 * again from the first byte, at most WRONG_MAX times. A refusal by the server is final.
 *
 * struct download_ops says which server to ask and what its answers mean.
 */
#ifndef NET_DOWNLOAD_H
#define NET_DOWNLOAD_H

#include "part.h"
#include "wire.h"

#define DOWNLOAD_MAGIC 0x646f776eu
#define DOWNLOAD_BODY_MAX (16u << 20) /* largest download into memory */

enum download_state {
	DOWNLOAD_STEP,  /* look at the bytes that are there */
	DOWNLOAD_PAUSE, /* wait until wake_ms, then DOWNLOAD_STEP */
	DOWNLOAD_SEND,  /* the exchange runs */
	DOWNLOAD_DONE,
};

struct download {
	/* Storage of the caller, zeroed except for these members: */
	void *owner;
	const char *label; /* begins error messages */
	struct part *part; /* NULL: into `body` */
	struct buf *body;

	/* To read: */
	enum download_state state;
	bool locked_out; /* another process fetches it */
	int tries;       /* attempts in a row that failed and brought little */
	struct exchange exchange;

	unsigned magic;
	int tries_wrong;
	int64_t wake_ms;
	uint64_t from;  /* first byte of this attempt */
	bool begun;     /* its first byte was checked */
	struct err why; /* why the last attempt failed */
};

enum download_verdict {
	DOWNLOAD_FAIL,  /* final */
	DOWNLOAD_RETRY, /* after a pause */
	DOWNLOAD_AGAIN, /* ask() again at once, with the answer's location */
};

struct download_ops {
	/*
	 * Fills in the request for the missing bytes. `location` comes from a redirect that judge() wants to
	 * follow, otherwise NULL. The strings stay valid until the next ask().
	 */
	int (*ask)(struct download *d, const char *location, struct exchange_request *ret, struct err *e);

	/*
	 * Decides how to continue after an exchange that brought nothing, and sets *why to the reason in
	 * words.
	 */
	enum download_verdict (*judge)(struct download *d, enum exchange_result result, struct err *why);

	/* Replaces part_step(); NULL: use part_step(). */
	int (*step)(struct download *d, enum part_state *ret, struct err *e);

	/* Called before a pause, with the reason. May be NULL. */
	void (*pause)(struct download *d, const struct err *why);

	/*
	 * Called in every turn of the loop. *ret_ms is the time of the next turn; it may be made earlier. May
	 * be NULL.
	 */
	void (*turn)(void *ctx, int64_t *ret_ms);
};

struct download_job {
	const struct download_ops *ops;
	void *ctx; /* for turn() */
	struct wire *wire;
	size_t parallel;
	int tries_max;
	uint64_t retry_ms; /* the first pause; each later one is twice as long */
};

/* Downloads all of them, starting in this order. Stops at the first error; finished files stay. */
int download_all(const struct download_job *job, struct download *list, size_t n, struct err *e);

#endif
