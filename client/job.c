#include "job.h"

#include <inttypes.h>

#include "base/str.h"
#include "text.h"

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
job_outcome(const json_t *job)
{
	const char *state = job_str(job, "state");
	uint64_t id = job_whole(job, "id");

	if (str_eq(state, "done"))
		return 0;
	if (str_eq(state, "cancelled")) {
		(void)fprintf(stderr, "colconvctl: job %" PRIu64 " was cancelled\n", id);
		return job_exit_status(E_CANCELLED);
	}
	(void)fprintf(stderr, "colconvctl: job %" PRIu64 " failed (", id);
	text_print(stderr, job_str(job, "reason"));
	(void)fputs("): ", stderr);
	text_print(stderr, job_str(job, "message"));
	if (str_eq(job_str(job, "reason"), err_name(E_PARITY)))
		(void)fprintf(stderr, "; 'colconvctl parity %" PRIu64 "' shows where", id);
	(void)fputc('\n', stderr);
	return job_exit_status(err_from_name(job_str(job, "reason")));
}

int
job_get(struct cli *c, uint64_t id, json_t **ret, struct err *e)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/v1/jobs/%" PRIu64, id);
	return cli_request(c, "GET", path, NULL, ret, e);
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
