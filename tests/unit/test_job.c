#include "queue.h"

/* Makes a job and brings it into a state by events. */
static int64_t
job_in(enum job_state state, struct job *ret)
{
	const struct err why = {.code = E_TRACE, .msg = "no"};
	int64_t id = queue_add();
	enum job_state now;
	json_t *result;

	assert_true(id > 0);
	if (state == JOB_CANCELLED)
		assert_int_equal(job_cancel(store, id, T0, &now, &err), 0);
	if (state == JOB_RUNNING || state == JOB_DONE || state == JOB_FAILED)
		assert_int_equal(job_claim(store, T0, ret, &err), 1);
	if (state == JOB_FAILED)
		assert_int_equal(job_fail(store, id, ret->nonce, T0, &why, NULL, 0, &err), 0);
	if (state == JOB_DONE) {
		result = queue_result();
		assert_int_equal(worker_fill(id, 1), 0);
		assert_int_equal(publish_job(store, state_dir, id, ret->nonce, T0,
					     &(struct publication){.result = result, .recipe = ""}, &err),
				 0);
		json_decref(result);
	}
	job_release(ret);
	assert_int_equal(store_job_get(store, id, ret, &err), 0);
	assert_int_equal(ret->state, state);
	return id;
}

/*
 * Every pair of state and event: it changes the job as the table says, or it is refused and the job stays the
 * same.
 */
TEST_WITH(test_pairs, queue_setup, queue_teardown)
{
	unsigned from, ev;

	for (from = 0; from < JOB_STATE_MAX; from++)
		for (ev = 0; ev < JOB_EVENT_MAX; ev++) {
			struct job before = {.id = 0}, after = {.id = 0};
			struct job_change c = {.now = T0 + 5, .code = E_IO, .message = "disk"};
			enum job_state want = from;
			int64_t id = job_in(from, &before);
			bool allowed = job_next(from, ev, &want);
			int r;

			c.nonce = before.nonce[0] ? before.nonce : NULL;
			err_clear(&err);
			r = job_apply(store, id, ev, &c, &err);
			if (ev == JOB_EVENT_FINISH && from == JOB_RUNNING) { /* there is no result */
				allowed = false;
				want = from;
			}
			assert_int_equal(r, allowed ? 0 : E_CONFLICT);
			assert_int_equal(store_job_get(store, id, &after, &err), 0);
			assert_int_equal(after.state, want);
			assert_int_equal(after.ended != 0, job_state_ended(want));
			assert_int_equal(after.nonce[0] != '\0', want == JOB_RUNNING);
			if (!allowed) {
				assert_int_equal(after.attempt, before.attempt);
				assert_string_equal(after.nonce, before.nonce);
			}
			job_release(&before);
			job_release(&after);
			/* Cancels the job, so that the next claim does not get it. */
			if (want == JOB_QUEUED)
				assert_int_equal(job_cancel(store, id, T0, &want, &err), 0);
		}
}

TEST_WITH(test_nonce, queue_setup, queue_teardown)
{
	const struct err why = {.code = E_TRACE, .msg = "no"};
	struct job job = {.id = 0}, again = {.id = 0};
	struct job_change c = {.now = T0};
	json_auto_t *result = queue_result();
	int64_t id;

	id = job_in(JOB_RUNNING, &job);
	assert_int_equal(strlen(job.nonce), JOB_NONCE_LEN);
	assert_int_equal(strspn(job.nonce, "0123456789abcdef"), JOB_NONCE_LEN);
	assert_int_equal(job_fail(store, id, "0123", T0, &why, NULL, 0, &err), E_CONFLICT);
	assert_error(&err, E_CONFLICT, "not the attempt");
	err_clear(&err);
	assert_string_equal(queue_state(id), "running");

	/* A worker of the previous attempt that reports too late. */
	c.nonce = job.nonce;
	assert_int_equal(job_apply(store, id, JOB_EVENT_REQUEUE, &c, &err), 0);
	assert_int_equal(job_claim(store, T0, &again, &err), 1);
	assert_string_not_equal(again.nonce, job.nonce);
	assert_int_equal(job_fail(store, id, job.nonce, T0, &why, NULL, 0, &err), E_CONFLICT);
	err_clear(&err);
	assert_int_equal(publish_job(store, state_dir, id, job.nonce, T0,
				     &(struct publication){.result = result, .recipe = ""}, &err),
			 E_CONFLICT);
	assert_string_equal(queue_state(id), "running");
	job_release(&job);
	job_release(&again);
}

static void
fail_once(int64_t id, int64_t now, int code)
{
	struct err why = {.code = code, .msg = "it broke"};
	struct job job = {.id = 0};

	assert_int_equal(job_claim(store, now, &job, &err), 1);
	assert_int_equal(job.id, id);
	assert_int_equal(job_fail(store, id, job.nonce, now, &why, NULL, 0, &err), 0);
	job_release(&job);
}

TEST_WITH(test_retries, queue_setup, queue_teardown)
{
	struct job job = {.id = 0};
	int64_t id = queue_add(), due = -1;

	fail_once(id, T0, E_WORKER_CRASHED);
	assert_int_equal(store_job_get(store, id, &job, &err), 0);
	assert_int_equal(job.state, JOB_QUEUED);
	assert_string_equal(job.reason, "worker_crashed");
	assert_string_equal(job.message, "it broke");
	assert_true(job.started == 0 && job.ended == 0);
	job_release(&job);

	assert_int_equal(store_next_due(store, T0, &due, &err), 0);
	assert_true(due == T0 + 2000);
	assert_int_equal(job_claim(store, T0 + 1999, &job, &err), 0);
	fail_once(id, T0 + 2000, E_WORKER_CRASHED);
	assert_int_equal(store_next_due(store, T0 + 2000, &due, &err), 0);
	assert_true(due == T0 + 2000 + 8000);
	fail_once(id, due, E_WORKER_CRASHED);
	assert_string_equal(queue_state(id), "failed");
	assert_int_equal(store_next_due(store, T0, &due, &err), 0);
	assert_true(due == 0);

	/* A failure that would happen again in the next attempt is not retried. */
	id = queue_add();
	fail_once(id, T0, E_BAD_CHECKPOINT);
	assert_string_equal(queue_state(id), "failed");
}

TEST_WITH(test_restarts_cost_no_attempt, queue_setup, queue_teardown)
{
	struct job_change c = {.now = T0};
	struct job job = {.id = 0};
	int64_t id = queue_add();
	int i;

	for (i = 1; i <= 10; i++) {
		assert_int_equal(job_claim(store, T0, &job, &err), 1);
		assert_int_equal(job.attempt, i);
		c.nonce = job.nonce;
		assert_int_equal(job_apply(store, id, JOB_EVENT_REQUEUE, &c, &err), 0);
		job_release(&job);
	}
	fail_once(id, T0, E_IO);
	assert_int_equal(job_claim(store, T0 + 1999, &job, &err), 0);
	fail_once(id, T0 + 2000, E_IO);
	fail_once(id, T0 + 10000, E_IO);
	assert_string_equal(queue_state(id), "failed");
}

TEST_WITH(test_clock_that_went_back, queue_setup, queue_teardown)
{
	struct job job = {.id = 0};
	int64_t id = queue_add(), due;

	fail_once(id, T0, E_IO);
	assert_int_equal(job_claim(store, T0 + 1999, &job, &err), 0);
	assert_int_equal(job_claim(store, T0 - 590000, &job, &err), 0);
	assert_int_equal(store_next_due(store, T0 - 590000, &due, &err), 0);
	assert_true(due == T0 + 2000);
	assert_int_equal(store_next_due(store, T0 - 86400000, &due, &err), 0);
	assert_true(due == 0);
	assert_int_equal(job_claim(store, T0 - 86400000, &job, &err), 1);
	job_release(&job);
}

TEST_WITH(test_handed_back, queue_setup, queue_teardown)
{
	struct job job = {.id = 0};
	enum job_state now;
	int64_t id = queue_add();

	assert_int_equal(job_claim(store, T0, &job, &err), 1);
	assert_int_equal(job_hand_back(store, id, "another", T0, &err), E_CONFLICT);
	err_clear(&err);
	assert_int_equal(job_hand_back(store, id, job.nonce, T0, &err), 0);
	assert_string_equal(queue_state(id), "queued");
	job_release(&job);

	assert_int_equal(job_claim(store, T0, &job, &err), 1);
	assert_int_equal(job_cancel(store, id, T0, &now, &err), 0);
	assert_int_equal(job_hand_back(store, id, job.nonce, T0, &err), 0);
	assert_string_equal(queue_state(id), "cancelled");
	job_release(&job);
}

static int64_t
add_with(json_t *take)
{
	_cleanup_(spec_release) struct spec spec = SPEC_INIT;
	const struct store_submission sub = {.spec = &spec, .owner = "", .now = T0};
	struct job job = {.id = 0};
	char field[SPEC_FIELD_LEN];
	int64_t id;

	assert_int_equal(spec_from_json(take, &spec, field, &err), 0);
	json_decref(take);
	assert_int_equal(store_job_add(store, &sub, &job, &err), 0);
	id = job.id;
	job_release(&job);
	return id;
}

TEST_WITH(test_attempts_of_a_job, queue_setup, queue_teardown)
{
	int64_t id, due = 0, now = T0, pause = 2000;
	int i;

	id = add_with(json_pack("{s:s, s:i}", "model", "/m", "attempts", 1));
	fail_once(id, T0, E_IO);
	assert_string_equal(queue_state(id), "failed");

	id = add_with(json_pack("{s:s, s:i}", "model", "/m", "attempts", 10));
	for (i = 1; i < 10; i++) {
		fail_once(id, now, E_IO);
		assert_string_equal(queue_state(id), "queued");
		assert_int_equal(store_next_due(store, now, &due, &err), 0);
		assert_int_equal(due - now, pause);
		pause = MIN(pause * 4, 600000);
		now = due;
	}
	fail_once(id, now, E_IO);
	assert_string_equal(queue_state(id), "failed");
}

static void
assert_claims(int64_t now, int64_t want)
{
	struct job job = {.id = 0};

	assert_int_equal(job_claim(store, now, &job, &err), want ? 1 : 0);
	assert_int_equal(job.id, want);
	job_release(&job);
}

static void
assert_ahead(int64_t id, int64_t want)
{
	struct job job = {.id = 0};
	int64_t n = -2;

	assert_int_equal(store_job_get(store, id, &job, &err), 0);
	assert_int_equal(store_job_ahead(store, &job, &n, &err), 0);
	assert_int_equal(n, want);
	job_release(&job);
}

TEST_WITH(test_priorities, queue_setup, queue_teardown)
{
	int64_t low, a, high, b;

	low = add_with(json_pack("{s:s, s:i}", "model", "/m", "priority", -100));
	a = queue_add();
	high = add_with(json_pack("{s:s, s:i}", "model", "/m", "priority", 100));
	b = queue_add();
	assert_ahead(high, 0);
	assert_ahead(a, 1);
	assert_ahead(b, 2);
	assert_ahead(low, 3);
	fail_once(high, T0, E_IO);
	assert_claims(T0, a); /* the other job waits for its retry */
	assert_claims(T0 + 2000, high);
	assert_claims(T0 + 2000, b);
	assert_claims(T0 + 2000, low);
	assert_claims(T0 + 2000, 0);
}

TEST_WITH(test_ahead_is_bounded, queue_setup, queue_teardown)
{
	int64_t id = 0;
	int i;

	assert_int_equal(store_begin(store, &err), 0);
	for (i = 0; i <= STORE_AHEAD_MAX; i++)
		id = queue_add();
	assert_ahead(id, STORE_AHEAD_MAX);
	assert_ahead(queue_add(), -1);
	assert_int_equal(store_commit(store, &err), 0);
}

TEST_WITH(test_retry_on_request, queue_setup, queue_teardown)
{
	struct job job = {.id = 0};
	int64_t id = add_with(json_pack("{s:s, s:i}", "model", "/m", "attempts", 2));
	enum job_state now;

	fail_once(id, T0, E_BAD_CHECKPOINT);
	assert_int_equal(job_retry(store, id, T0 + 5, &err), 0);
	assert_int_equal(store_job_get(store, id, &job, &err), 0);
	assert_int_equal(job.state, JOB_QUEUED);
	assert_int_equal(job.attempt, 1);
	assert_int_equal(job.attempts_max, 3);
	assert_true(job.ended == 0 && job.started == 0 && job.not_before == 0 && !job.reason && !job.message);
	job_release(&job);

	/* A job that is retried by hand has two attempts again, with the first pause between them. */
	fail_once(id, T0, E_IO);
	assert_claims(T0 + 1999, 0);
	fail_once(id, T0 + 2000, E_IO);
	assert_string_equal(queue_state(id), "failed");

	/* A job that was cancelled while it ran and is then retried is no longer marked as cancelled. */
	assert_int_equal(job_retry(store, id, T0, &err), 0);
	assert_int_equal(job_claim(store, T0, &job, &err), 1);
	assert_int_equal(job_cancel(store, id, T0, &now, &err), 0);
	assert_int_equal(
		job_fail(store, id, job.nonce, T0, &(struct err){.code = E_CANCELLED}, NULL, 0, &err), 0);
	job_release(&job);
	assert_string_equal(queue_state(id), "cancelled");
	assert_int_equal(job_retry(store, id, T0, &err), 0);
	assert_int_equal(store_job_get(store, id, &job, &err), 0);
	assert_false(job.cancel_requested);
	job_release(&job);

	assert_int_equal(job_retry(store, id, T0, &err), E_CONFLICT);
	assert_error(&err, E_CONFLICT, "job 1 is queued: cannot retry it");
	err_clear(&err);
	assert_int_equal(job_retry(store, 99, T0, &err), E_NOT_FOUND);
}

TEST_WITH(test_cancel, queue_setup, queue_teardown)
{
	const struct err why = {.code = E_WORKER_CRASHED, .msg = "killed"};
	struct job job = {.id = 0};
	enum job_state now;
	int64_t id = queue_add();

	assert_int_equal(job_cancel(store, id, T0, &now, &err), 0);
	assert_int_equal(now, JOB_CANCELLED);
	assert_int_equal(job_claim(store, T0, &job, &err), 0);
	assert_int_equal(job_cancel(store, id, T0, &now, &err), E_CONFLICT);
	assert_error(&err, E_CONFLICT, "is cancelled: cannot cancel it");
	err_clear(&err);
	assert_int_equal(job_cancel(store, 999, T0, &now, &err), E_NOT_FOUND);
	assert_error(&err, E_NOT_FOUND, "job 999 does not exist");
	err_clear(&err);

	id = queue_add();
	assert_int_equal(job_claim(store, T0, &job, &err), 1);
	assert_int_equal(job_cancel(store, id, T0, &now, &err), 0);
	assert_int_equal(now, JOB_RUNNING);
	assert_int_equal(job_cancel(store, id, T0, &now, &err), 0);
	assert_string_equal(queue_state(id), "running");
	assert_int_equal(job_fail(store, id, job.nonce, T0 + 9, &why, NULL, 0, &err), 0);
	job_release(&job);
	assert_int_equal(store_job_get(store, id, &job, &err), 0);
	assert_int_equal(job.state, JOB_CANCELLED);
	assert_string_equal(job.reason, "cancelled");
	assert_true(job.ended == T0 + 9);
	job_release(&job);
}

static void
assert_member(json_t *j, const char *key, const char *want)
{
	char *text = json_dumps(json_object_get(j, key), JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);

	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
}

TEST_WITH(test_json, queue_setup, queue_teardown)
{
	const struct job_stage stage = {
		.name = (char *)(uintptr_t) "trace", .seconds = 0.5, .peak_anon_bytes = 9};
	const struct job_stage odd = {.name = (char *)(uintptr_t) "\xff!"};
	const struct err why = {.code = E_TRACE, .msg = "no"};
	struct job job = {.id = 0};
	json_t *j;

	(void)queue_add();
	assert_int_equal(job_claim(store, T0, &job, &err), 1);
	j = job_json(&job);
	assert_int_equal(json_object_size(j), 21);
	assert_member(j, "state", "\"running\"");
	assert_member(j, "created", "\"2026-02-02T02:40:00.000Z\"");
	assert_member(j, "ended", "null");
	assert_member(j, "attempts_max", "3");
	assert_member(j, "stages", "[]");
	assert_member(j, "result", "null");
	assert_member(j, "stage", "null");
	json_decref(j);
	assert_int_equal(job_fail(store, job.id, job.nonce, T0 + 1, &why, &stage, 1, &err), 0);
	job_release(&job);
	assert_int_equal(store_job_get(store, 1, &job, &err), 0);
	j = job_json(&job);
	assert_member(j, "ended", "\"2026-02-02T02:40:00.001Z\"");
	assert_member(j, "stages", "[{\"name\":\"trace\",\"peak_anon_bytes\":9,\"seconds\":0.5}]");
	assert_member(j, "reason", "\"trace\"");
	assert_member(j, "message", "\"no\"");
	json_decref(j);
	assert_int_equal(store_stages_set(store, 1, 1, &odd, 1, &err), 0);
	job_release(&job);
	assert_int_equal(store_job_get(store, 1, &job, &err), 0);
	j = job_json(&job);
	assert_member(j, "stages", "[{\"name\":\"?!\",\"peak_anon_bytes\":0,\"seconds\":0.0}]");
	json_decref(j);
	job_release(&job);
}

TEST_WITH(test_moment, queue_setup, queue_teardown)
{
	const struct job_moment now = {.stage = "export", .progress = "{\"done\":1}", .ahead = 7};
	struct buf b = BUF_INIT;
	struct job job = {.id = 0};
	json_t *j;

	(void)queue_add_model("/srv/\"a\\b\" \u00fc/%s");
	assert_int_equal(store_job_get(store, 1, &job, &err), 0);
	job_print(&job, &now, &b);
	j = json_loads(b.data, 0, NULL);
	assert_member(j, "stage", "\"export\"");
	assert_member(j, "progress", "{\"done\":1}");
	assert_member(j, "waiting", "{\"ahead\":7,\"for\":\"slot\",\"until\":null}");
	assert_string_equal(json_string_value(json_object_get(json_object_get(j, "spec"), "model")),
			    "/srv/\"a\\b\" \u00fc/%s");
	json_decref(j);
	buf_release(&b);
	job_release(&job);
}

int
main(void)
{
	return tests_run("job", NULL, NULL);
}
