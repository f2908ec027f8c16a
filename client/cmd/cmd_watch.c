#include <inttypes.h>

#include "cli.h"
#include "follow.h"
#include "client/show/job.h"

static int
ids_parse(struct cli *c, int argc, char **argv, uint64_t *ret, struct err *e)
{
	int i, r = 0;

	for (i = 0; r == 0 && i < argc; i++)
		r = cli_id_parse(c, argv[i], &ret[i], e);
	if (argc > 1)
		c->id = 0; /* with several jobs an error belongs to none of them */
	return r;
}

/* Picks the newest waiting and running jobs, oldest last. */
static int
ids_live(struct cli *c, uint64_t *ret, size_t *ret_len, struct err *e)
{
	char path[64];
	json_t *reply, *job;
	size_t i;
	int r;

	(void)snprintf(path, sizeof(path), "/v1/jobs?state=queued,running&limit=%d", FOLLOW_MAX);
	r = cli_request(c, "GET", path, NULL, &reply, e);
	if (r < 0)
		return r;
	*ret_len = 0;
	json_array_foreach(json_object_get(reply, "jobs"), i, job)
		if (*ret_len < FOLLOW_MAX && job_whole(job, "id"))
			ret[(*ret_len)++] = job_whole(job, "id");
	json_decref(reply);
	return 0;
}

static int
watch(struct cli *c, const struct follow_options *o, int argc, char **argv, json_t *jobs, struct err *e)
{
	uint64_t ids[FOLLOW_MAX];
	size_t n = (size_t)argc;
	int r;

	if (argc > FOLLOW_MAX)
		return err_set(e, E_USAGE, "%s takes at most %d jobs", c->command->name, FOLLOW_MAX);
	r = argc ? ids_parse(c, argc, argv, ids, e) : ids_live(c, ids, &n, e);
	if (r < 0)
		return r;
	if (n == 0) {
		(void)fputs("colconvctl: no job waits or runs\n", stderr);
		return 0;
	}
	r = follow(c, o, ids, n, jobs, e);
	return r == 0 ? job_exit_worst(jobs) : MIN(r, 0);
}

int
cmd_watch(struct cli *c, int argc, char **argv, struct err *e)
{
	struct follow_options o = {.command = "watch", .done = "'colconvctl fetch {id}' downloads it"};
	const struct option_row rows[] = {FOLLOW_OPTIONS(&o), CLI_OPTIONS(c)};
	json_t *jobs;
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	o.events = c->json;
	jobs = json_array();
	r = watch(c, &o, argc, argv, jobs, e);
	json_decref(jobs);
	return r;
}

int
cmd_wait(struct cli *c, int argc, char **argv, struct err *e)
{
	struct follow_options o = {.command = "wait", .quiet = true};
	const struct option_row rows[] = {FOLLOW_TIMEOUT(&o), CLI_OPTIONS(c)};
	json_t *jobs;
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	jobs = json_array();
	r = watch(c, &o, argc, argv, jobs, e);
	if (r >= 0 && c->json)
		cli_print_json(jobs, JSON_INDENT(2));
	json_decref(jobs);
	return r;
}
