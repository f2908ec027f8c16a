#include "queue.h"

#include "queue/event.h"

/* "1 state {...}; " for each event. */
static int
collect(const struct event *ev, void *arg, struct err *e)
{
	(void)e;
	buf_printf(arg, "%" PRId64 " %s ", ev->id, ev->name);
	event_data_print(ev, arg);
	buf_puts(arg, "; ");
	return 0;
}

static void
assert_events(enum event_which which, int64_t job, int64_t after, int limit, const char *want)
{
	struct buf got = BUF_INIT;

	assert_int_equal(event_list(store, which, job, after, limit, collect, &got, &err), 0);
	assert_string_equal(got.len ? got.data : "", want);
	buf_release(&got);
}

static int
add(int64_t job, const char *name, const char *key, const char *value)
{
	json_auto_t *data = json_pack("{s:s}", key, value);

	return event_add(store, job, T0, name, data, &err);
}

#define QUEUED(job) "{\"job\":" job ",\"state\":\"queued\",\"attempt\":0,\"reason\":null,\"message\":null}; "

TEST_WITH(test_lists, queue_setup, queue_teardown)
{
	int64_t a = queue_add(), b = queue_add(), n;

	assert_int_equal(add(a, EVENT_LOG, "line", "one"), 0);
	assert_int_equal(add(b, EVENT_STAGE, "stage", "trace"), 0);
	assert_int_equal(add(a, EVENT_LOG, "line", "tw\xc3\xb6\n"), 0);
	assert_events(EVENTS_ALL, 0, 0, 3,
		      "1 state " QUEUED("1") "2 state " QUEUED("2") "3 log {\"job\":1,\"line\":\"one\"}; ");
	assert_events(EVENTS_ALL_BUT_LOGS, 0, 1, 9,
		      "2 state " QUEUED("2") "4 stage {\"job\":2,\"stage\":\"trace\"}; ");
	assert_events(EVENTS_JOB, a, 0, 9,
		      "1 state " QUEUED("1") "3 log {\"job\":1,\"line\":\"one\"}; 5 log "
					     "{\"job\":1,\"line\":\"tw\xc3\xb6\\n\"}; ");
	assert_events(EVENTS_JOB_LOG, a, 3, 9, "5 log {\"job\":1,\"line\":\"tw\xc3\xb6\\n\"}; ");
	assert_events(EVENTS_JOB_LOG, b, 0, 9, "");
	assert_events(EVENTS_ALL, 0, INT64_MAX, 9, "");
	assert_int_equal(event_count(store, a, 0, 9, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_int_equal(event_count(store, a, 1, 1, &n, &err), 0);
	assert_int_equal(n, 1);
}

/* The number of an event that was rolled back or deleted is not used again. */
TEST_WITH(test_newest, queue_setup, queue_teardown)
{
	int64_t id, n;

	assert_int_equal(event_newest(store, &n, &err), 0);
	assert_int_equal(n, 0);
	id = queue_add();
	assert_int_equal(add(id, EVENT_LOG, "line", "x"), 0);
	assert_int_equal(job_cancel(store, id, T0, &(enum job_state){JOB_QUEUED}, &err), 0);
	assert_int_equal(store_job_remove(store, id, &err), 0);
	assert_int_equal(event_newest(store, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_events(EVENTS_ALL, 0, 0, 9, "");
	queue_reopen();
	(void)queue_add();
	assert_events(EVENTS_ALL, 0, 0, 9, "4 state " QUEUED("2"));
}

TEST_WITH(test_batch_undone, queue_setup, queue_teardown)
{
	assert_int_equal(store_begin(store, &err), 0);
	(void)queue_add();
	store_rollback(store);
	assert_events(EVENTS_ALL, 0, 0, 9, "");
}

TEST_WITH(test_of_no_job, queue_setup, queue_teardown)
{
	assert_true(add(7, EVENT_LOG, "line", "x") < 0);
	err_clear(&err);
	assert_events(EVENTS_ALL, 0, 0, 9, "");
}

/* A claim, a failure that is retried, and the end each add the event that the table names. */
TEST_WITH(test_states, queue_setup, queue_teardown)
{
	const struct err why = {.code = E_WORKER_CRASHED, .msg = "signal 9"};
	struct job job = {.id = 0};
	int64_t id = queue_add();

	assert_int_equal(job_claim(store, T0, &job, &err), 1);
	assert_int_equal(job_fail(store, id, job.nonce, T0, &why, NULL, 0, &err), 0);
	assert_int_equal(job_cancel(store, id, T0, &(enum job_state){JOB_QUEUED}, &err), 0);
	job_release(&job);
	assert_events(
		EVENTS_JOB, id, 1, 9,
		"2 state {\"job\":1,\"state\":\"running\",\"attempt\":1,\"reason\":null,\"message\":null}; "
		"3 state "
		"{\"job\":1,\"state\":\"queued\",\"attempt\":1,\"reason\":\"worker_crashed\",\"message\":"
		"\"signal 9\"}; "
		"4 state "
		"{\"job\":1,\"state\":\"cancelled\",\"attempt\":1,\"reason\":\"cancelled\",\"message\":\"it "
		"was cancelled\"}; ");
}

TEST_WITH(test_log, queue_setup, queue_teardown)
{
	int64_t id = queue_add(), other = queue_add(), n;

	assert_int_equal(event_log_size(store, id, &n, &err), 0);
	assert_int_equal(n, 0);
	assert_int_equal(event_log_tail(store, id, 5, &n, &err), 0);
	assert_events(EVENTS_JOB_LOG, id, n, 9, "");
	assert_int_equal(add(id, EVENT_LOG, "line", "\xc3\xb6\"\\"), 0);
	assert_int_equal(add(other, EVENT_LOG, "line", "other"), 0);
	assert_int_equal(add(id, EVENT_LOG, "line", "last"), 0);
	assert_int_equal(event_log_size(store, id, &n, &err), 0);
	assert_int_equal(n, 4 + 4 + 2 * EVENT_LOG_EXTRA);
	assert_int_equal(event_log_tail(store, id, 1, &n, &err), 0);
	assert_events(EVENTS_JOB_LOG, id, n, 9, "5 log {\"job\":1,\"line\":\"last\"}; ");
	assert_int_equal(event_log_tail(store, id, 0, &n, &err), 0);
	assert_events(EVENTS_JOB_LOG, id, n, 9, "");
}

static int
refuse(const struct event *ev, void *arg, struct err *e)
{
	(void)arg;
	return err_set(e, E_BUSY, "event %" PRId64, ev->id);
}

TEST_WITH(test_a_listing_ends_at_an_error, queue_setup, queue_teardown)
{
	(void)queue_add();
	assert_int_equal(event_list(store, EVENTS_ALL, 0, 0, 9, refuse, NULL, &err), E_BUSY);
	assert_error(&err, E_BUSY, "event 1");
}

static int
to_json(const struct event *ev, void *arg, struct err *e)
{
	return event_to_json(ev, arg, e);
}

TEST_WITH(test_to_json, queue_setup, queue_teardown)
{
	json_t *j = NULL;
	char *text;

	(void)queue_add();
	assert_int_equal(event_list(store, EVENTS_ALL, 0, 0, 1, to_json, &j, &err), 0);
	text = json_dumps(j, JSON_COMPACT);
	assert_string_equal(text, "{\"id\":1,\"job\":1,\"at\":\"2026-02-02T02:40:00.000Z\",\"event\":"
				  "\"state\",\"data\":{\"state\":"
				  "\"queued\",\"attempt\":0,\"reason\":null,\"message\":null,\"job\":1}}");
	free(text);
	json_decref(j);
}

int
main(void)
{
	return tests_run("event", NULL, NULL);
}
