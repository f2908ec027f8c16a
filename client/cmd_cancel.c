#include <inttypes.h>

#include "base/str.h"
#include "cli.h"
#include "job.h"

static int
cancel(struct cli *c, uint64_t id, struct err *e)
{
	char path[64];
	json_t *job;
	int r;

	(void)snprintf(path, sizeof(path), "/v1/jobs/%" PRIu64 "/cancel", id);
	r = cli_request(c, "POST", path, NULL, &job, e);
	if (r < 0)
		return r;
	if (c->json)
		cli_print_json(job, JSON_COMPACT);
	else
		(void)fprintf(stderr, "job %" PRIu64 " %s\n", id,
			      job_ended(job) ? "is cancelled" : "is asked to stop");
	json_decref(job);
	return 0;
}

int
cmd_cancel(struct cli *c, int argc, char **argv, struct err *e)
{
	const struct option_row rows[] = {CLI_OPTIONS(c)};
	uint64_t id;
	int i, r;

	r = cli_parse(c, rows, &argc, argv, e);
	for (i = 0; r > 0 && i < argc; i++) {
		if (cli_id_parse(argv[i], &id, e) < 0 || cancel(c, id, e) < 0)
			r = e->code;
	}
	return MIN(r, 0);
}
