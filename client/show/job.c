#include "job.h"

#include <inttypes.h>

#include "base/str.h"
#include "remedy.h"

const char *
job_str(const json_t *job, const char *key)
{
	const char *s = json_string_value(json_object_get(job, key));

	return s ? s : "";
}

double
job_number(const json_t *obj, const char *key)
{
	return json_number_value(json_object_get(obj, key));
}

uint64_t
job_whole(const json_t *obj, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(obj, key));

	return n < 0 ? 0 : (uint64_t)n;
}

bool
job_ended(const json_t *job)
{
	const char *state = job_str(job, "state");

	return str_eq(state, "done") || str_eq(state, "failed") || str_eq(state, "cancelled");
}

int
job_exit_status(int reason)
{
	return reason == E_PARITY || reason == E_CANCELLED ? err_exit_status(reason) : EXIT_JOB_FAILED;
}

int
job_exit(const json_t *job)
{
	const char *state = job_str(job, "state");

	if (str_eq(state, "done"))
		return 0;
	return job_exit_status(str_eq(state, "cancelled") ? E_CANCELLED
							  : err_from_name(job_str(job, "reason")));
}

int
job_exit_worst(const json_t *jobs)
{
	const int order[] = {EXIT_JOB_FAILED, err_exit_status(E_PARITY), err_exit_status(E_CANCELLED)};
	json_t *job;
	size_t i, k;

	for (k = 0; k < ARRAY_LEN(order); k++)
		json_array_foreach(jobs, i, job)
			if (job_exit(job) == order[k])
				return order[k];
	return 0;
}

int
job_end_words(const json_t *job, const char *done, struct buf *ret)
{
	const char *state = job_str(job, "state"), *reason = job_str(job, "reason");

	if (str_eq(state, "failed")) {
		buf_printf(ret, "failed (%s): %s", reason, job_str(job, "message"));
		remedy_add(ret, err_from_name(reason), "", job_whole(job, "id"));
		remedy_storage_add(ret, err_from_name(reason),
				   job_str(json_object_get(job, "spec"), "storage"));
	} else {
		buf_puts(ret, state);
		if (done && str_eq(state, "done")) {
			buf_puts(ret, "; ");
			remedy_fill(ret, done, "", job_whole(job, "id"));
		}
	}
	return job_exit(job);
}

const char *
job_waiting(const json_t *job, char *buf, size_t len)
{
	const json_t *w = json_object_get(job, "waiting"), *ahead = json_object_get(w, "ahead");
	const char *what = job_str(w, "for");
	int64_t ms = job_time(w, "until") - (int64_t)time(NULL) * 1000;

	if (str_eq(what, "pause"))
		(void)snprintf(buf, len, "queued, tried again in %" PRId64 " s", MAX(ms, 0) / 1000);
	else if (str_eq(what, "stop"))
		(void)snprintf(buf, len, "queued, the daemon stops");
	else if (json_is_integer(ahead) && json_integer_value(ahead))
		(void)snprintf(buf, len, "queued, %" JSON_INTEGER_FORMAT " ahead", json_integer_value(ahead));
	else
		(void)snprintf(buf, len, "queued");
	return buf;
}

const char *
job_age(const json_t *obj, const char *key, char *buf, size_t len)
{
	int64_t at = job_time(obj, key), s = (int64_t)time(NULL) - at / 1000;

	if (at < 0)
		(void)snprintf(buf, len, "-");
	else if (s < 60)
		(void)snprintf(buf, len, "%" PRId64 "s", MAX(s, 0));
	else if (s < 3600)
		(void)snprintf(buf, len, "%" PRId64 "m", s / 60);
	else if (s < 48 * 3600)
		(void)snprintf(buf, len, "%" PRId64 "h", s / 3600);
	else
		(void)snprintf(buf, len, "%" PRId64 "d", s / 86400);
	return buf;
}

int64_t
job_time(const json_t *job, const char *key)
{
	struct tm tm = {.tm_isdst = 0};
	const char *rest = strptime(job_str(job, key), "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t ms = 0;
	int scale = 100;

	if (!rest)
		return -1;
	if (*rest == '.')
		for (rest++; scale && *rest >= '0' && *rest <= '9'; rest++, scale /= 10)
			ms += (*rest - '0') * scale;
	return (int64_t)timegm(&tm) * 1000 + ms;
}
