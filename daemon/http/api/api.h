/*
 * The API of the daemon (proto/api.md): routes on a server, and live events.
 *
 * Submissions that arrive in one turn of the loop share one commit, and are answered after it.
 */
#ifndef HTTP_API_API_H
#define HTTP_API_API_H

#include "http/core/server.h"
#include "http/live/live.h"
#include "metrics.h"
#include "queue/retention.h"
#include "runner/runner.h"

struct api;

/* A change that somebody made through the API, for the log. Valid during the call. */
struct api_change {
	int64_t job;        /* 0: not of one job */
	const char *what;   /* "submitted", "artifact removed" */
	const char *caller; /* request_caller() */
	const char *model;  /* of a job that was submitted; NULL else */
};

/* The parts of the daemon that the API shows and changes. All borrowed. */
struct api_spec {
	struct server_spec server; /* without routes and app */
	struct live_spec live;     /* without print, failed and arg */
	struct loop *loop;
	struct store *store;
	struct runners *runners;
	const struct metrics *metrics;
	const char *state_dir;
	const char *const *roots; /* folders that jobs may read */
	size_t n_roots;
	bool preflight;                         /* look at the folders of a job before it is queued */
	uint64_t queue_max;                     /* jobs that may be queued */
	void (*submitted)(void *arg, size_t n); /* call to start jobs: n new ones, or a retried one */
	void (*removed)(void *arg, const struct removal *what); /* files were moved to trash/ */
	void (*changed)(void *arg, const struct api_change *change);
	json_t *(*config)(void *arg);                     /* the settings, without secrets; NULL: no memory */
	void (*failed)(void *arg, const struct err *why); /* an error of the queue or the disk */
	void *arg;
};

int api_new(const struct api_spec *spec, struct api **ret, struct err *e);

/* Answers the requests that wait, and ends every connection. */
void api_free(struct api **a);

struct server *api_server(struct api *a); /* to listen with */
struct live *api_live(struct api *a);     /* to publish with */

/*
 * Replaces the tokens, as server_set_tokens_take():
 *
 *	r = tokens_load(conf.tokens, &tokens, e);
 *	if (r == 0)
 *	r = api_set_tokens_take(api, tokens, e);
 *
 * Ends all streams of events and answers all waiting requests. Clients with a valid token reconnect.
 */
int api_set_tokens_take(struct api *a, struct tokens *tokens, struct err *e);

/* Replaces the settings for requests from now on. The loop, the store and the limits of connections stay. */
void api_set_spec(struct api *a, const struct api_spec *spec);

/* Makes /readyz and /v1/status say that the daemon is stopping. */
void api_set_stopping(struct api *a);

/* Accepts no more connections, and ends streams and waiting requests; other requests continue. */
void api_quiesce(struct api *a);

#endif
