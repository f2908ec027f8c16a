#include <inttypes.h>

#include "base/str.h"
#include "cli.h"
#include "client/show/fact.h"
#include "client/show/job.h"

static void
jobs_print(const json_t *jobs)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	const char *state;
	json_t *n;

	json_object_foreach((json_t *)(uintptr_t)jobs, state, n)
		buf_printf(&b, "%s%" JSON_INTEGER_FORMAT " %s", b.len ? ", " : "", json_integer_value(n),
			   state);
	fact_print("jobs", b.len ? b.data : "");
}

static void
disk_print(const json_t *disk)
{
	char artifacts[16], queue[16], left[16], total[16];
	_cleanup_free_ char *used = NULL, *rest = NULL;

	used = str_printf("%" PRIu64 " (%s)", job_whole(disk, "artifacts"),
			  str_bytes(job_whole(disk, "artifact_bytes"), artifacts, sizeof(artifacts)));
	rest = str_printf("%s free of %s, the queue takes %s",
			  str_bytes(job_whole(disk, "free_bytes"), left, sizeof(left)),
			  str_bytes(job_whole(disk, "total_bytes"), total, sizeof(total)),
			  str_bytes(job_whole(disk, "queue_bytes"), queue, sizeof(queue)));
	fact_print("artifacts", used ? used : "");
	fact_print("disk", rest ? rest : "");
}

static void
status_print(const struct cli *c, const json_t *status)
{
	const json_t *slots = json_object_get(status, "slots");
	_cleanup_free_ char *daemon = NULL, *busy = NULL;
	char age[24];

	daemon = str_printf("colconvd %s, up for %s, %s", job_str(status, "version"),
			    job_age(status, "started", age, sizeof(age)),
			    json_is_true(json_object_get(status, "stopping")) ? "stopping"
			    : json_is_true(json_object_get(status, "ready"))  ? "ready"
									      : "not ready");
	busy = str_printf("%" PRIu64 " of %" PRIu64 " busy", job_whole(slots, "busy"),
			  job_whole(slots, "total"));
	fact_print("server", cli_server(c));
	fact_print("daemon", daemon ? daemon : "");
	jobs_print(json_object_get(status, "jobs"));
	fact_print("slots", busy ? busy : "");
	disk_print(json_object_get(status, "disk"));
}

int
cmd_status(struct cli *c, int argc, char **argv, struct err *e)
{
	const struct option_row rows[] = {CLI_OPTIONS(c)};
	json_t *status;
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	r = cli_request(c, "GET", "/v1/status", NULL, &status, e);
	if (r < 0)
		return r;
	if (c->json)
		cli_print_json(status, JSON_INDENT(2));
	else
		status_print(c, status);
	json_decref(status);
	return 0;
}
