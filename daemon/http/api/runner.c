/* GET /v1/runners: where workers run, and the jobs that run there. */
#include "api_private.h"

static json_t *
runner_to_json(const struct runners *all, const struct runner *runner)
{
	json_t *command = json_array(), *environment = json_array(), *jobs = json_array();
	const struct run *run;
	char **w;

	for (w = runner->prefix; *w; w++)
		(void)json_array_append_new(command, json_string(*w));
	for (w = runner->env; *w; w++) /* names only: a value may be a secret */
		(void)json_array_append_new(environment, json_stringn(*w, strcspn(*w, "=")));
	LIST_FOREACH(run, &all->runs, entry)
		if (run->runner == runner)
			(void)json_array_append_new(jobs, json_integer(run->job));
	return json_pack("{s:s, s:i, s:i, s:o, s:o, s:o}", "name", runner->name, "slots", (int)runner->slots,
			 "busy", (int)runner->busy, "command", command, "environment", environment, "jobs",
			 jobs);
}

int
api_runner_list(struct request *q, struct err *e)
{
	const struct runners *all = api_of(q)->spec.runners;
	json_t *j = json_array();
	size_t i;

	for (i = 0; i < all->n; i++)
		(void)json_array_append_new(j, runner_to_json(all, &all->rows[i]));
	return reply_json_take(q, MHD_HTTP_OK, json_pack("{s:o}", "runners", j), e);
}
