#include "cli.h"
#include "follow.h"
#include "job.h"

int
cmd_watch(struct cli *c, int argc, char **argv, struct err *e)
{
	struct follow_options o = {.timeout_s = 0};
	const struct option_row rows[] = {FOLLOW_OPTIONS(&o), CLI_OPTIONS(c)};
	int i, r, outcome, status = 0;
	uint64_t id;
	json_t *job;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	o.events = c->json;
	for (i = 0; i < argc; i++) {
		r = cli_id_parse(argv[i], &id, e);
		if (r == 0)
			r = follow(c, id, &o, &job, e);
		if (r != 0)
			return MIN(r, 0);
		outcome = job_outcome(job);
		json_decref(job);
		if (outcome == 0)
			(void)fprintf(stderr, "job %s is done; 'colconvctl fetch %s' downloads it\n", argv[i],
				      argv[i]);
		if (status == 0)
			status = outcome;
	}
	return status;
}
