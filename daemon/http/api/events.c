/* The routes of event streams: all jobs, or one. */
#include "api_private.h"

#include "base/str.h"

#define LAST_EVENT_ID "Last-Event-ID"

static int
last_event_get(struct request *q, int64_t *ret, struct err *e)
{
	const char *text = MHD_lookup_connection_value(q->conn, MHD_HEADER_KIND, LAST_EVENT_ID);
	struct err why = ERR_INIT;
	uint64_t id;

	*ret = LIVE_SNAPSHOT;
	if (!text)
		return 0;
	if (str_to_u64(text, 0, INT64_MAX, LAST_EVENT_ID, &id, &why) < 0) {
		(void)snprintf(q->field, sizeof(q->field), LAST_EVENT_ID);
		return err_set(e, E_BAD_REQUEST, "%s", why.msg);
	}
	*ret = (int64_t)id;
	return 0;
}

static int
events(struct request *q, int64_t job, struct err *e)
{
	int64_t after;
	int r = last_event_get(q, &after, e);

	return r < 0 ? r : live_stream(api_of(q)->live, q, job, after, e);
}

int
api_job_events(struct request *q, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	int r = store_job_get(api_of(q)->spec.store, q->id, &job, e);

	return r < 0 ? r : events(q, q->id, e);
}

int
api_events(struct request *q, struct err *e)
{
	return events(q, /*job=*/0, e);
}
