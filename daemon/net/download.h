/*
 * The downloader: gets a list of things, a few at a time, each into a file (part.h) or into memory.
 *
 * What broke is asked for again after a pause, from the byte where it broke, and up to tries_max times in a row that
 * brought little. Other bytes than were published are asked for again from the first one, up to WRONG_MAX times. A refusal is
 * final. Whom to ask and what an answer means is the business of struct download_ops.
 */
#ifndef NET_DOWNLOAD_H
#define NET_DOWNLOAD_H

#include "part.h"
#include "wire.h"

#define DOWNLOAD_MAGIC 0x646f776eu
#define DOWNLOAD_BODY_MAX (16u << 20) /* of one into memory */

enum download_state {
	DOWNLOAD_STEP,  /* looks at what is there already */
	DOWNLOAD_PAUSE, /* until wake_ms, then DOWNLOAD_STEP */
	DOWNLOAD_SEND,  /* its exchange runs */
	DOWNLOAD_DONE,
};

struct download {
	/* The caller's, zeroed but for these: */
	void *owner;
	const char *label; /* in front of errors: "'config.json' of 'owner/name'" */
	struct part *part; /* NULL: `body` takes it */
	struct buf *body;

	/* To read: */
	enum download_state state;
	bool locked_out; /* another process fetches it */
	int tries;       /* that failed in a row and brought little */
	struct exchange exchange;

	unsigned magic;
	int tries_wrong;
	int64_t wake_ms;
	uint64_t from;  /* byte at which this try began */
	bool begun;     /* its first byte was checked */
	struct err why; /* the last try failed */
};

enum download_verdict {
	DOWNLOAD_FAIL,  /* for good */
	DOWNLOAD_RETRY, /* after a pause */
	DOWNLOAD_AGAIN, /* at once, by another ask() with the answer's location */
};

struct download_ops {
	/*
	 * Fills in the request for the missing bytes. `location` is of a redirect that judge() wants followed, else
	 * NULL. The strings stay the owner's until the next ask().
	 */
	int (*ask)(struct download *d, const char *location, struct exchange_request *ret, struct err *e);

	/* What to do about an exchange that brought nothing: *why becomes the reason in words. */
	enum download_verdict (*judge)(struct download *d, enum exchange_result result, struct err *why);

	/* As part_step(); NULL: that. */
	int (*step)(struct download *d, enum part_state *ret, struct err *e);

	/* Before a pause, with the reason; may be NULL. */
	void (*pause)(struct download *d, const struct err *why);

	/* At every turn of the loop: *ret_ms is when the next is due, and may be made sooner. May be NULL. */
	void (*turn)(void *ctx, int64_t *ret_ms);
};

struct download_job {
	const struct download_ops *ops;
	void *ctx; /* of turn() */
	struct wire *wire;
	size_t parallel;
	int tries_max;
	uint64_t retry_ms; /* the first pause; each further one is twice as long */
};

/* All of them, begun in this order; the first error ends it. What is done by then stays. */
int download_all(const struct download_job *job, struct download *list, size_t n, struct err *e);

#endif
