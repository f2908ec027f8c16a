#include "wire.h"

#include <curl/curl.h>

#include "base/loop.h"

#define WAIT_MAX_MS 60000

int
wire_init(struct wire *w, struct err *e)
{
	*w = (struct wire){.fd_stop = -1};
	LIST_INIT(&w->exchanges);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) || !(w->multi = curl_multi_init()))
		return err_no_memory(e);
	return 0;
}

void
wire_release(struct wire *w)
{
	assert(LIST_EMPTY(&w->exchanges));
	if (w->multi)
		(void)curl_multi_cleanup(TAKE(w->multi));
}

int
wire_add(struct wire *w, struct exchange *x, struct err *e)
{
	if (curl_multi_add_handle(w->multi, x->easy) != CURLM_OK)
		return err_set(e, E_INTERNAL, "libcurl failed");
	x->wire = w;
	LIST_INSERT_HEAD(&w->exchanges, x, entry);
	return 0;
}

void
wire_remove(struct exchange *x)
{
	(void)curl_multi_remove_handle(x->wire->multi, x->easy);
	LIST_REMOVE(x, entry);
	x->wire = NULL;
}

/* Marks the exchanges that libcurl has ended. */
static void
ended_mark(struct wire *w)
{
	const CURLMsg *msg;
	struct exchange *x;
	char *ctx;
	int left;

	while ((msg = curl_multi_info_read(w->multi, &left))) {
		if (msg->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &ctx) != CURLE_OK)
			continue;
		x = (struct exchange *)(void *)ctx;
		CHECK_OBJ(x, EXCHANGE_MAGIC);
		x->code = (int)msg->data.result;
		x->ended = true;
	}
}

/*
 * An exchange that has ended or is stuck. If all run, NULL, and *ret_ms becomes the time of the next look if
 * that is sooner.
 */
static struct exchange *
ended_find(struct wire *w, int64_t now_ms, int64_t *ret_ms)
{
	struct exchange *x;

	LIST_FOREACH(x, &w->exchanges, entry) {
		if (!x->ended && exchange_is_stuck(x, now_ms, ret_ms)) {
			x->code = CURLE_OPERATION_TIMEDOUT;
			x->ended = true;
		}
		if (x->ended)
			return x;
	}
	return NULL;
}

int
wire_wait(struct wire *w, int64_t until_ms, struct exchange **ret, struct err *e)
{
	struct curl_waitfd stop = {.fd = w->fd_stop, .events = CURL_WAIT_POLLIN};
	int64_t now, until;
	int running;

	w->heard = false;
	for (;;) {
		if (curl_multi_perform(w->multi, &running) != CURLM_OK)
			return err_set(e, E_INTERNAL, "libcurl failed");
		now = loop_now_ms();
		until = until_ms ? until_ms : now + WAIT_MAX_MS;
		ended_mark(w);
		*ret = ended_find(w, now, &until);
		if (*ret || w->heard || (until_ms && now >= until_ms))
			return 0;
		if (curl_multi_poll(w->multi, &stop, w->fd_stop < 0 ? 0 : 1,
				    (int)MIN(MAX(until - now, 0), WAIT_MAX_MS), NULL) != CURLM_OK)
			return err_set(e, E_INTERNAL, "libcurl failed");
		if (w->fd_stop >= 0 && stop.revents)
			return err_set(e, E_CANCELLED, "interrupted");
	}
}
