#include "job_print.h"

#include <inttypes.h>

#include "base/str.h"

#define TEXT_LEN 1536 /* most jobs fit, so the buffer grows only once */

/* `name` is the literal text before the value, such as ,"id": */
static void
str_print(struct buf *b, const char *name, const char *value)
{
	buf_puts(b, name);
	json_print_str(b, value);
}

static void
time_print(struct buf *b, const char *name, int64_t ms)
{
	char text[32];

	str_print(b, name, ms ? str_time(ms, text, sizeof(text)) : NULL);
}

static void
stages_print(struct buf *b, const struct job *job)
{
	const struct job_stage *stage;

	buf_puts(b, ",\"stages\":[");
	for (stage = job->stages; stage < job->stages + job->n_stages; stage++) {
		buf_puts(b, stage > job->stages ? ",{\"name\":" : "{\"name\":");
		json_print_str(b, stage->name);
		buf_puts(b, ",\"seconds\":");
		json_print_real(b, stage->seconds);
		buf_printf(b, ",\"peak_anon_bytes\":%" PRId64 "}", stage->peak_anon_bytes);
	}
	buf_puts(b, "]");
}

static void
waiting_print(struct buf *b, const struct job *job, const struct job_moment *now)
{
	if (job->state != JOB_QUEUED) {
		buf_puts(b, ",\"waiting\":null");
		return;
	}
	buf_puts(b, ",\"waiting\":{\"for\":");
	buf_puts(b, now->stopping ? "\"stop\"" : job->not_before > job_now() ? "\"pause\"" : "\"slot\"");
	buf_puts(b, ",\"ahead\":");
	if (now->ahead < 0 || now->stopping)
		buf_puts(b, "null");
	else
		buf_printf(b, "%" PRId64, now->ahead);
	time_print(b, ",\"until\":", job->not_before);
	buf_puts(b, "}");
}

static void
usage_print(struct buf *b, const struct job_usage *u)
{
	if (u->seconds <= 0) {
		buf_puts(b, ",\"usage\":null");
		return;
	}
	buf_puts(b, ",\"usage\":{\"seconds\":");
	json_print_real(b, u->seconds);
	buf_puts(b, ",\"cpu_seconds\":");
	json_print_real(b, u->cpu_seconds);
	buf_printf(b, ",\"peak_rss_bytes\":%" PRId64 "}", u->peak_rss_bytes);
}

static void
artifact_print(struct buf *b, const struct job *job)
{
	if (job->artifact.files == 0) {
		buf_puts(b, ",\"artifact\":null");
		return;
	}
	buf_printf(b, ",\"artifact\":{\"files\":%" PRId64 ",\"bytes\":%" PRId64, job->artifact.files,
		   job->artifact.bytes);
	time_print(b, ",\"removed\":", job->artifact.removed);
	buf_printf(b, ",\"cached\":%s,\"made_by\":%" PRId64 "}", job->artifact.made_by ? "true" : "false",
		   job->artifact.made_by ? job->artifact.made_by : job->id);
}

void
job_print(const struct job *job, const struct job_moment *now, struct buf *b)
{
	(void)buf_reserve(b, TEXT_LEN);
	buf_printf(b, "{\"id\":%" PRId64 ",\"state\":\"%s\",\"spec\":", job->id,
		   job_state_to_str(job->state));
	buf_puts(b, job->spec);
	str_print(b, ",\"owner\":", *job->owner ? job->owner : NULL);
	time_print(b, ",\"created\":", job->created);
	time_print(b, ",\"started\":", job->started);
	time_print(b, ",\"ended\":", job->ended);
	buf_printf(b, ",\"attempt\":%d,\"attempts_max\":%d,\"cancel_requested\":%s", job->attempt,
		   job->attempts_max, job->cancel_requested ? "true" : "false");
	str_print(b, ",\"runner\":", job->runner);
	waiting_print(b, job, now);
	str_print(b, ",\"stage\":", now->stage);
	buf_puts(b, ",\"progress\":");
	buf_puts(b, now->progress ? now->progress : "null");
	stages_print(b, job);
	usage_print(b, &job->usage);
	str_print(b, ",\"reason\":", job->reason);
	str_print(b, ",\"message\":", job->message);
	buf_puts(b, ",\"result\":");
	buf_puts(b, job->state == JOB_DONE ? job->result : "null");
	artifact_print(b, job);
	buf_printf(b, ",\"event\":%" PRId64 "}", job->event);
}
