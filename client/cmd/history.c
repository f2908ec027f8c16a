#include "history.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/str.h"
#include "client/show/job.h"

#define PAGE_LEN 1000
#define WAIT_S 20
#define RETRY_US 500000
#define PAGES_MAX 5000 /* most pages of old events: a broken daemon could name another page for ever */

struct history {
	struct cli *c;
	uint64_t id;
	uint64_t after; /* number of the last event that was passed on */
	bool live;
	bool ended; /* that event was the job's end */
	bool there; /* all old events were passed on */
	bool lost;
	unsigned pages;
};

/* Returns 1 when there was no event, 0 otherwise. */
static int
page_run(struct history *h, history_fn *fn, void *ctx, struct err *e)
{
	const json_t *events;
	json_t *reply, *event;
	char path[128];
	size_t i;
	int r;

	(void)snprintf(path, sizeof(path), "/v1/jobs/%" PRIu64 "/history?after=%" PRIu64 "&limit=%d&wait=%d",
		       h->id, h->after, PAGE_LEN, h->live && h->there && !h->ended ? WAIT_S : 0);
	r = cli_request(h->c, "GET", path, NULL, &reply, e);
	if (r < 0)
		return r;
	r = json_get_array(reply, "", "events", JSON_REQUIRED, E_INTERNAL, &events, e);
	if (r == 0)
		r = json_array_size(events) == 0;
	json_array_foreach(events, i, event) {
		if (job_whole(event, "id") <= h->after)
			r = err_set(e, E_INTERNAL, "%s at '%s' goes backwards", path, cli_server(h->c));
		if (r < 0)
			break;
		h->after = job_whole(event, "id");
		if (str_eq(job_str(event, "event"), "state"))
			h->ended = job_ended(json_object_get(event, "data"));
		r = fn(ctx, event, e);
	}
	if (r >= 0 && !h->there && json_is_null(json_object_get(reply, "next"))) {
		h->there = true;
		if (fn(ctx, NULL, e) < 0)
			r = e->code;
	}
	if (r >= 0 && !h->there && ++h->pages == PAGES_MAX)
		r = err_set(e, E_INTERNAL,
			    "the history of job %" PRIu64 " at '%s' does not end, after %d pages", h->id,
			    cli_server(h->c), PAGES_MAX);
	json_decref(reply);
	return r;
}

/* Asks for the job itself when none of its events is its end. */
static int
end_look(struct history *h, struct err *e)
{
	json_t *job;
	int r = cli_job(h->c, h->id, &job, e);

	if (r < 0)
		return r;
	h->ended = job_ended(job);
	json_decref(job);
	return 0;
}

int
history_run(struct cli *c, uint64_t id, bool live, history_fn *fn, void *ctx, struct err *e)
{
	struct history h = {.c = c, .id = id, .live = live};
	bool was_ended;
	int r;

	for (;;) {
		was_ended = h.ended || !live;
		r = page_run(&h, fn, ctx, e);
		if (r == 1 && was_ended)
			return 0;
		if (r == 1)
			r = end_look(&h, e);
		if (r < 0 && ((r != E_UNREACHABLE && r != E_BUSY) || !live || !h.there))
			return r;
		if (h.lost != (r < 0))
			(void)fprintf(stderr, r < 0 ? "colconvctl: lost the daemon; waiting for it\n"
						    : "colconvctl: the daemon is back\n");
		h.lost = r < 0;
		if (h.lost)
			(void)usleep(RETRY_US);
		err_clear(e);
	}
}
