#include "download.h"

#include <inttypes.h>

#include "base/loop.h"
#include "base/str.h"

#define WRONG_MAX 3
#define PROGRESS_MIN (1u << 20) /* an attempt that brings so many bytes resets the count of failed attempts */
#define WAIT_MAX_S 300          /* a server that asks for a longer pause counts as failed */
#define PAUSE_MAX_MS 60000
#define LOCK_POLL_MS 100
#define TURN_MS 200

/* ---- the answer's body ---- */

/* True when the answer has the range that was requested: from `from` to the end of the file. */
static bool
range_is(const char *s, uint64_t from, uint64_t size)
{
	char want[64];

	(void)snprintf(want, sizeof(want), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, from, size - 1, size);
	return str_eq(s, want);
}

/* Checks the answer before its first byte: its range and length must be those requested. */
static int
part_begin(struct download *d, struct err *e)
{
	const struct exchange_answer *a = &d->exchange.answer;
	struct part *p = d->part;

	d->begun = true;
	if (a->status == 206)
		return range_is(a->content_range, p->have, p->size)
			       ? 0
			       : err_set(e, E_MISMATCH, "the server sends other bytes than it was asked for");
	if (a->length >= 0 && (uint64_t)a->length != p->size)
		return err_set(e, E_MISMATCH,
			       "the server sends %" PRId64 " bytes, and %" PRIu64 " were published",
			       a->length, p->size);
	d->from = 0; /* the server ignores ranges: start again from the first byte */
	return p->have ? part_restart(p, e) : 0;
}

static int
on_bytes(void *ctx, uint64_t offset _unused_, const void *data, size_t len, struct err *e)
{
	struct download *d = ctx;
	int r;

	CHECK_OBJ(d, DOWNLOAD_MAGIC);
	if (!d->part) {
		if (len > DOWNLOAD_BODY_MAX - d->body->len)
			return err_set(e, E_TOO_LARGE, "the answer is longer than %u bytes",
				       DOWNLOAD_BODY_MAX);
		buf_add(d->body, data, len);
		return buf_failed(d->body, e);
	}
	r = d->begun ? 0 : part_begin(d, e);
	if (r < 0)
		return r;
	if (len > d->part->size - d->part->have)
		return err_set(e, E_MISMATCH,
			       "the server sends more than the %" PRIu64 " bytes that were published",
			       d->part->size);
	return part_add(d->part, data, len, e);
}

/* ---- attempts ---- */

static int
give_up(const struct download *d, struct err *e)
{
	(void)err_set(e, d->why.code, "%s", d->why.msg);
	if (d->tries > 1 || d->tries_wrong > 1)
		(void)err_context(e, "after %d tries", MAX(d->tries, d->tries_wrong));
	return err_context(e, "%s", d->label);
}

static int
send_begin(const struct download_job *job, struct download *d, const char *location, struct err *e)
{
	struct exchange_request req = {.from = d->from};
	int r = job->ops->ask(d, location, &req, e);

	if (r < 0)
		return err_context(e, "%s", d->label);
	d->begun = false;
	d->state = DOWNLOAD_SEND;
	return exchange_start(&d->exchange, job->wire, &req, e);
}

static int
try_begin(const struct download_job *job, struct download *d, struct err *e)
{
	if (d->body)
		buf_clear(d->body);
	d->from = d->part ? d->part->have : 0;
	err_clear(&d->why);
	return send_begin(job, d, /*location=*/NULL, e);
}

/* Plans another attempt after a pause, unless there were too many. d->why says why this one failed. */
static int
retry(const struct download_job *job, struct download *d, struct err *e)
{
	const int64_t wait_s = d->exchange.answer.retry_after_s;
	const uint64_t pause_ms = job->retry_ms << d->tries;

	d->tries++;
	if (d->part && d->part->have >= d->from + PROGRESS_MIN)
		d->tries = 0;
	if (d->tries >= job->tries_max || d->tries_wrong >= WRONG_MAX || wait_s > WAIT_MAX_S)
		return give_up(d, e);
	d->wake_ms = loop_now_ms() + MAX((int64_t)MIN(pause_ms, (uint64_t)PAUSE_MAX_MS), wait_s * 1000);
	d->state = DOWNLOAD_PAUSE;
	if (job->ops->pause)
		job->ops->pause(d, &d->why);
	return 0;
}

/* The received bytes do not have the published length or hash: start again from the first byte. */
static int
retry_wrong(const struct download_job *job, struct download *d, struct err *e)
{
	int r = part_restart(d->part, e);

	d->tries_wrong++;
	return r < 0 ? r : retry(job, d, e);
}

/* Looks at the bytes that are there, and decides the next step. */
static int
step(const struct download_job *job, struct download *d, struct err *e)
{
	enum part_state state = PART_WANTED;
	int r = 0;

	if (d->part)
		r = job->ops->step ? job->ops->step(d, &state, e) : part_step(d->part, &state, e);
	if (r < 0)
		return err_context(e, "%s", d->label);
	d->locked_out = state == PART_LOCKED;
	switch (state) {
	case PART_LOCKED:
		d->wake_ms = loop_now_ms() + LOCK_POLL_MS;
		d->state = DOWNLOAD_PAUSE;
		return 0;
	case PART_CHECKED:
		d->state = DOWNLOAD_STEP;
		return 0;
	case PART_WANTED:
		return try_begin(job, d, e);
	case PART_WRONG:
		(void)err_set(&d->why, E_MISMATCH, "the bytes do not have the hash that was published");
		return retry_wrong(job, d, e);
	case PART_DONE:
		d->state = DOWNLOAD_DONE;
		return 0;
	}
	assert(false);
	return 0;
}

/* ---- answers ---- */

static int
whole_take(const struct download_job *job, struct download *d, struct err *e)
{
	if (!d->part || d->part->have == d->part->size) {
		d->state = d->part ? DOWNLOAD_STEP : DOWNLOAD_DONE;
		return 0;
	}
	(void)err_set(&d->why, E_MISMATCH, "only %" PRIu64 " of %" PRIu64 " bytes came", d->part->have,
		      d->part->size);
	return retry(job, d, e);
}

static int
judged(const struct download_job *job, struct download *d, enum exchange_result result, struct err *e)
{
	switch (job->ops->judge(d, result, &d->why)) {
	case DOWNLOAD_FAIL:
		return give_up(d, e);
	case DOWNLOAD_RETRY:
		return retry(job, d, e);
	case DOWNLOAD_AGAIN:
		return send_begin(job, d, d->exchange.answer.location, e);
	}
	assert(false);
	return 0;
}

static int
ended(const struct download_job *job, struct download *d, struct err *e)
{
	const enum exchange_result result = exchange_end(&d->exchange);
	const long status = d->exchange.answer.status;

	if (result == EXCHANGE_SINK && d->part) {
		(void)err_set(&d->why, d->exchange.err.code, "%s", d->exchange.err.msg);
		return d->why.code == E_MISMATCH ? retry_wrong(job, d, e) : give_up(d, e);
	}
	if (result == EXCHANGE_ANSWER && (status == 200 || status == 206))
		return whole_take(job, d, e);
	if (result == EXCHANGE_ANSWER && status == 416 && d->part) {
		(void)err_set(&d->why, E_MISMATCH,
			      "the server has fewer than the %" PRIu64 " bytes that were published",
			      d->part->size);
		return retry_wrong(job, d, e);
	}
	return judged(job, d, result, e);
}

/* ---- the loop ---- */

/*
 * Advances every download that can advance. Returns 1 when all are done. Until *ret_ms only network traffic
 * can change anything.
 */
static int
turn(const struct download_job *job, struct download *list, size_t n, int64_t *ret_ms, struct err *e)
{
	const int64_t now = loop_now_ms();
	size_t i, active = 0;
	int r = 0;

	*ret_ms = now + TURN_MS;
	for (i = 0; r == 0 && i < n && active < job->parallel; i++) {
		struct download *d = &list[i];

		if (d->state == DOWNLOAD_STEP || (d->state == DOWNLOAD_PAUSE && d->wake_ms <= now))
			r = step(job, d, e);
		if (d->state == DOWNLOAD_STEP)
			*ret_ms = now;
		else if (d->state == DOWNLOAD_PAUSE)
			*ret_ms = MIN(*ret_ms, MAX(d->wake_ms, now));
		active += d->state != DOWNLOAD_DONE;
	}
	if (r == 0 && job->ops->turn)
		job->ops->turn(job->ctx, ret_ms);
	return r < 0 ? r : active == 0;
}

static int
run(const struct download_job *job, struct download *list, size_t n, struct err *e)
{
	struct exchange *x;
	int64_t until_ms;
	int r;

	while ((r = turn(job, list, n, &until_ms, e)) == 0) {
		r = wire_wait(job->wire, until_ms, &x, e);
		if (r == 0 && x)
			r = ended(job, x->ctx, e);
		if (r < 0)
			return r;
	}
	return MIN(r, 0);
}

int
download_all(const struct download_job *job, struct download *list, size_t n, struct err *e)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++) {
		list[i].magic = DOWNLOAD_MAGIC;
		r = exchange_init(&list[i].exchange, on_bytes, &list[i], e);
	}
	if (r == 0)
		r = run(job, list, n, e);
	for (i = 0; i < n; i++)
		exchange_release(&list[i].exchange);
	return r;
}
