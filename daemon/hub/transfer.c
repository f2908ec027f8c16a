#include "transfer.h"

#include <inttypes.h>

#include "base/loop.h"
#include "base/str.h"
#include "hop.h"
#include "url.h"

#define PARALLEL 4
#define REDIRECTS_MAX 5
#define TRIES_MAX 6
#define TRIES_WRONG_MAX 3       /* with another length or hash than was published */
#define PROGRESS_MIN (1u << 20) /* bytes of one try that make the next a first one */
#define WAIT_MAX_S 300          /* a server that asks for more is not waited for */
#define PAUSE_MAX_MS 60000
#define LOCK_POLL_MS 100
#define PROGRESS_MS 200
#define BODY_MAX (16u << 20)

#define RUN_MAGIC 0x786665u

enum run_state {
	RUN_PREPARE, /* looking at what is there already */
	RUN_PAUSE,   /* until wake_ms, then RUN_PREPARE */
	RUN_SEND,    /* libcurl has it */
	RUN_DONE,
};

/* A transfer under way. */
struct run {
	unsigned magic;
	const struct transfer *t;
	const struct transfer_job *job;
	struct hop hop;
	enum run_state state;
	bool locked_out; /* another process fetches it */
	int64_t wake_ms;
	int redirects;
	int tries; /* that failed one after the other */
	int tries_wrong;
	uint64_t have;  /* when this try began */
	struct err err; /* of our own side: the disk, memory */
	struct err why; /* the last try failed */
};

struct batch {
	const struct transfer_job *job;
	CURLM *multi;
	struct run *runs;
	size_t count;
	int64_t progress_ms;
};

/* "bytes 100-199/200": it is what was asked for, to the end of the file. */
static bool
range_is(const char *s, uint64_t from, uint64_t size)
{
	char want[64];

	(void)snprintf(want, sizeof(want), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, from, size - 1, size);
	return str_eq(s, want);
}

/* Before the first byte: what comes must be what was asked for. */
static int
blob_begin(struct run *run)
{
	const struct hop_answer *a = &run->hop.answer;
	struct blob *b = run->t->blob;
	curl_off_t len = -1;

	if (a->status == 206)
		return range_is(a->content_range, b->have, b->size)
			       ? 0
			       : err_set(&run->why, E_MISMATCH,
					 "'%s' sends other bytes than it was asked for", run->hop.host);
	(void)curl_easy_getinfo(run->hop.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &len);
	if (len >= 0 && (uint64_t)len != b->size)
		return err_set(&run->why, E_MISMATCH,
			       "'%s' sends %" PRId64 " bytes, and the Hub published %" PRIu64, run->hop.host,
			       (int64_t)len, b->size);
	run->have = 0; /* it does not do ranges */
	return b->have ? blob_restart(b, &run->err) : 0;
}

static int
blob_take(struct run *run, const void *data, size_t len)
{
	struct blob *b = run->t->blob;
	int r = b->have == run->have ? blob_begin(run) : 0;

	if (r < 0)
		return r;
	if (len > b->size - b->have)
		return err_set(&run->why, E_MISMATCH,
			       "'%s' sends more than the %" PRIu64 " bytes that the Hub published",
			       run->hop.host, b->size);
	return blob_add(b, data, len, &run->err);
}

static int
body_take(struct run *run, const void *data, size_t len)
{
	buf_add(run->t->body, data, len);
	if (run->t->body->len > BODY_MAX)
		return err_set(&run->err, E_HUB_PROTOCOL, "the Hub's answer is longer than %u bytes",
			       BODY_MAX);
	return buf_failed(run->t->body, &run->err);
}

static int
on_data(void *ctx, const void *data, size_t len)
{
	struct run *run = ctx;

	CHECK_OBJ(run, RUN_MAGIC);
	return run->t->blob ? blob_take(run, data, len) : body_take(run, data, len);
}

/* Says what an error is about. */
static int
context(const struct run *run, struct err *e)
{
	if (run->t->name)
		return err_context(e, "'%s' of '%s'", run->t->name, run->job->repo);
	return err_context(e, "'%s'", run->job->repo);
}

static int
hop_start(struct batch *all, struct run *run, const char *url, struct err *e)
{
	int r = hop_setup(&run->hop, url, run->have, e);

	if (r < 0)
		return context(run, e);
	if (curl_multi_add_handle(all->multi, run->hop.easy) != CURLM_OK)
		return err_set(e, E_INTERNAL, "libcurl failed");
	run->state = RUN_SEND;
	return 0;
}

/* From the endpoint, where an address that has expired is made anew. */
static int
try_start(struct batch *all, struct run *run, struct err *e)
{
	_cleanup_free_ char *url = str_printf("%s%s", all->job->env->endpoint, run->t->path);

	if (!url)
		return err_no_memory(e);
	if (run->t->body)
		buf_clear(run->t->body);
	run->have = run->t->blob ? run->t->blob->have : 0;
	run->redirects = 0;
	err_clear(&run->why);
	return hop_start(all, run, url, e);
}

static int
give_up(const struct run *run, struct err *e)
{
	(void)err_set(e, run->why.code, "%s", run->why.msg);
	if (run->tries > 1)
		(void)err_context(e, "after %d tries", run->tries);
	return context(run, e);
}

/* Another try after a pause, unless there were enough; run->why says what was wrong with this one. */
static int
retry(struct run *run, int64_t wait_s, struct err *e)
{
	uint64_t pause_ms = run->job->env->retry_ms << run->tries;

	run->tries++;
	if (run->tries == TRIES_MAX || run->tries_wrong == TRIES_WRONG_MAX || wait_s > WAIT_MAX_S)
		return give_up(run, e);
	if (run->t->blob && run->t->blob->have >= run->have + PROGRESS_MIN)
		run->tries = 0;
	run->wake_ms = loop_now_ms() + MAX((int64_t)MIN(pause_ms, (uint64_t)PAUSE_MAX_MS), wait_s * 1000);
	run->state = RUN_PAUSE;
	return 0;
}

/* What came has another length or hash than was published: from the first byte again. */
static int
retry_wrong(struct run *run, struct err *e)
{
	int r = blob_restart(run->t->blob, e);

	run->tries_wrong++;
	return r < 0 ? r : retry(run, /*wait_s=*/0, e);
}

/* Whether anything is missing, and what to do about it. */
static int
prepare(struct batch *all, struct run *run, struct err *e)
{
	enum blob_state state = BLOB_WANTED;
	int r;

	r = run->t->blob ? blob_step(run->t->blob, &state, e) : 0;
	if (r < 0)
		return r;
	run->locked_out = state == BLOB_LOCKED;
	switch (state) {
	case BLOB_LOCKED:
		run->wake_ms = loop_now_ms() + LOCK_POLL_MS;
		run->state = RUN_PAUSE;
		return 0;
	case BLOB_CHECKED:
		run->state = RUN_PREPARE;
		return 0;
	case BLOB_WANTED:
		return try_start(all, run, e);
	case BLOB_WRONG:
		(void)err_set(&run->why, E_MISMATCH,
			      "what came does not have the hash that the Hub published");
		return retry_wrong(run, e);
	case BLOB_DONE:
		run->state = RUN_DONE;
		return 0;
	}
	assert(false);
	return 0;
}

static int
redirect(struct batch *all, struct run *run, struct err *e)
{
	_cleanup_free_ char *url = NULL;
	int r;

	if (++run->redirects > REDIRECTS_MAX)
		r = err_set(e, E_HUB_PROTOCOL, "more than %d redirects, the last by '%s'", REDIRECTS_MAX,
			    run->hop.host);
	else
		r = url_redirect(run->hop.url, run->hop.answer.location, all->job->env->endpoint, &url, e);
	return r < 0 ? context(run, e) : hop_start(all, run, url, e);
}

/* A refusal of the Hub, by what its own client looks at. */
static int
refusal(const struct run *run, struct err *e)
{
	const struct transfer_job *job = run->job;
	const struct hop_answer *a = &run->hop.answer;
	const char *token = job->env->token ? "the token given" : "who has no token";

	if (str_eq(a->error_code, "GatedRepo"))
		return err_set(e, E_HUB_GATED,
			       "'%s' is gated, and %s may not read it: accept its terms on %s/%s%s",
			       job->repo, token, job->env->endpoint, job->repo,
			       job->env->token ? "" : " and give a token (HF_TOKEN)");
	if (str_eq(a->error_code, "RevisionNotFound"))
		return err_set(e, E_HUB_NOT_FOUND, "'%s' has no revision '%s'", job->repo, job->revision);
	if (str_eq(a->error_code, "EntryNotFound") && run->t->name)
		return err_set(e, E_HUB_NOT_FOUND, "'%s' has no file '%s'", job->repo, run->t->name);
	if (a->status == 401 && str_starts(a->error_message, "Invalid "))
		return err_set(e, E_HUB_DENIED, "%s does not accept the token given", job->env->endpoint);
	if (str_eq(a->error_code, "RepoNotFound") || a->status == 401 || a->status == 404)
		return err_set(e, E_HUB_NOT_FOUND,
			       "%s has no repository '%s', or it is private and %s may not see it",
			       job->env->endpoint, job->repo, token);
	if (a->status == 403)
		return err_set(e, E_HUB_DENIED, "%s does not let %s read '%s'", job->env->endpoint, token,
			       job->repo);
	return err_set(e, E_HUB_PROTOCOL, "'%s' answers %ld for '%s'", run->hop.host, a->status, job->repo);
}

/* A whole answer came. */
static int
answered(struct batch *all, struct run *run, struct err *e)
{
	const struct hop_answer *a = &run->hop.answer;
	struct blob *b = run->t->blob;
	char later[64] = "";

	if (a->retry_after_s > 0)
		(void)snprintf(later, sizeof(later), ", and to be asked again in %" PRId64 " s",
			       a->retry_after_s);
	if (a->status == 200 || a->status == 206) {
		if (!b || b->have == b->size) {
			run->state = b ? RUN_PREPARE : RUN_DONE;
			return 0;
		}
		(void)err_set(&run->why, E_MISMATCH, "only %" PRIu64 " of %" PRIu64 " bytes came", b->have,
			      b->size);
		return retry(run, /*wait_s=*/0, e);
	}
	if (a->status / 100 == 3 && *a->location)
		return redirect(all, run, e);
	if (a->status == 416 && b) {
		(void)err_set(&run->why, E_MISMATCH,
			      "'%s' has fewer than the %" PRIu64 " bytes that the Hub published",
			      run->hop.host, b->size);
		return retry_wrong(run, e);
	}
	if (a->status == 429) {
		(void)err_set(&run->why, E_HUB_RATE_LIMITED, "'%s' asks for fewer requests%s", run->hop.host,
			      later);
		return retry(run, a->retry_after_s, e);
	}
	if (a->status == 408 || a->status >= 500 || !run->hop.to_endpoint) {
		(void)err_set(&run->why, E_HUB_UNREACHABLE, "'%s' answers %ld%s", run->hop.host, a->status,
			      later);
		return retry(run, a->retry_after_s, e);
	}
	return refusal(run, e);
}

static int
ended(struct batch *all, struct run *run, CURLcode code, struct err *e)
{
	(void)curl_multi_remove_handle(all->multi, run->hop.easy);
	switch (hop_result(&run->hop, code, &run->why)) {
	case HOP_ANSWER:
		return answered(all, run, e);
	case HOP_BROKEN:
		return retry(run, /*wait_s=*/0, e);
	case HOP_REFUSED:
		return give_up(run, e);
	case HOP_SINK:
		if (run->err.code == 0)
			return retry_wrong(run, e);
		return err_set(e, run->err.code, "%s", run->err.msg);
	}
	assert(false);
	return 0;
}

static void
progress_tell(struct batch *all)
{
	char detail[256] = "";
	const struct run *run;
	uint64_t done = 0;
	size_t i;

	if (!all->job->progress || loop_now_ms() < all->progress_ms)
		return;
	all->progress_ms = loop_now_ms() + PROGRESS_MS;
	for (i = 0; i < all->count; i++) {
		run = &all->runs[i];
		if (!run->t->blob)
			continue;
		done += run->state == RUN_DONE ? run->t->blob->size : blob_seen(run->t->blob);
		if (run->state != RUN_DONE && !*detail)
			(void)snprintf(detail, sizeof(detail), "%s%s", run->t->name,
				       run->locked_out           ? ", by another process"
				       : run->state == RUN_PAUSE ? ", again soon"
								 : "");
	}
	all->job->progress(all->job->ctx, done, detail);
}

/* Moves on whatever can be: 1 when all is done. Nothing but the net has news for the next *ret_wait_ms. */
static int
turn(struct batch *all, int *ret_wait_ms, struct err *e)
{
	int64_t now = loop_now_ms(), wake = now + PROGRESS_MS;
	size_t i, active = 0;
	int r = 0;

	for (i = 0; r == 0 && i < all->count && active < PARALLEL; i++) {
		struct run *run = &all->runs[i];

		if (run->state == RUN_PREPARE || (run->state == RUN_PAUSE && run->wake_ms <= now))
			r = prepare(all, run, e);
		if (run->state == RUN_PREPARE)
			wake = now;
		else if (run->state == RUN_PAUSE)
			wake = MIN(wake, MAX(run->wake_ms, now));
		active += run->state != RUN_DONE;
	}
	*ret_wait_ms = (int)(wake - now);
	return r < 0 ? r : active == 0;
}

/* Those that have been silent for too long. libcurl's own limit is of a mean over some seconds. */
static int
silence_end(struct batch *all, struct err *e)
{
	int64_t since = loop_now_ms() - (int64_t)all->job->env->timeout_s * 1000;
	int r = 0;
	size_t i;

	for (i = 0; r == 0 && i < all->count; i++)
		if (all->runs[i].state == RUN_SEND && all->runs[i].hop.heard_ms <= since)
			r = ended(all, &all->runs[i], CURLE_OPERATION_TIMEDOUT, e);
	return r;
}

static int
batch_run(struct batch *all, struct err *e)
{
	int r, running, left, wait_ms;
	const CURLMsg *msg;
	char *run;

	while ((r = turn(all, &wait_ms, e)) == 0) {
		progress_tell(all);
		if (curl_multi_poll(all->multi, NULL, 0, wait_ms, NULL) != CURLM_OK ||
		    curl_multi_perform(all->multi, &running) != CURLM_OK)
			return err_set(e, E_INTERNAL, "libcurl failed");
		while (r == 0 && (msg = curl_multi_info_read(all->multi, &left))) {
			(void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &run);
			r = ended(all, (struct run *)(void *)run, msg->data.result, e);
		}
		if (r == 0)
			r = silence_end(all, e);
		if (r < 0)
			return r;
	}
	return MIN(r, 0);
}

int
transfer_all(const struct transfer_job *job, const struct transfer *list, size_t count, struct err *e)
{
	struct batch all = {.job = job, .runs = calloc(MAX(count, 1), sizeof(*all.runs))};
	int r = 0;
	size_t i;

	if (!all.runs || curl_global_init(CURL_GLOBAL_DEFAULT) || !(all.multi = curl_multi_init())) {
		free(all.runs);
		return err_no_memory(e);
	}
	for (; r == 0 && all.count < count; all.count++) {
		all.runs[all.count] = (struct run){.magic = RUN_MAGIC, .t = &list[all.count], .job = job};
		r = hop_init(&all.runs[all.count].hop, job->env, on_data, &all.runs[all.count], e);
	}
	if (r == 0)
		r = batch_run(&all, e);
	for (i = 0; i < all.count; i++) {
		(void)curl_multi_remove_handle(all.multi, all.runs[i].hop.easy);
		hop_release(&all.runs[i].hop);
	}
	(void)curl_multi_cleanup(all.multi);
	free(all.runs);
	return r;
}
