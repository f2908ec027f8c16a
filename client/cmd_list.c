#include <inttypes.h>

#include "base/str.h"
#include "cli.h"
#include "job.h"
#include "table.h"
#include "text.h"

#define LIMIT_MAX 1000

/* "12s", "5m", "3h", "40d" since the job was submitted. */
static const char *
age_str(const json_t *job, char *buf, size_t len)
{
	int64_t created = job_time(job, "created"), s = (int64_t)time(NULL) - created / 1000;

	if (created < 0)
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

static int
list_print(const json_t *jobs, struct err *e)
{
	static const struct table_column columns[] = {
		{"ID", TABLE_RIGHT},  {"STATE", TABLE_LEFT}, {"STAGE", TABLE_LEFT},
		{"AGE", TABLE_RIGHT}, {"MODEL", TABLE_CUT},
	};
	_cleanup_(table_release) struct table t;
	const char *stage;
	json_t *job;
	char age[24];
	size_t i;

	table_init(&t, columns, ARRAY_LEN(columns));
	json_array_foreach(jobs, i, job) {
		stage = str_eq(job_str(job, "state"), "running") ? job_str(job, "stage") : "";
		table_add(&t, "%" PRIu64, job_whole(job, "id"));
		table_add(&t, "%s", job_str(job, "state"));
		table_add(&t, "%s", *stage ? stage : "-");
		table_add(&t, "%s", age_str(job, age, sizeof(age)));
		table_add(&t, "%s", job_str(json_object_get(job, "spec"), "model"));
	}
	return table_print(&t, stdout, text_columns(stdout), e);
}

int
cmd_list(struct cli *c, int argc, char **argv, struct err *e)
{
	_cleanup_free_ char *path = NULL, *state_enc = NULL;
	const char *state = NULL;
	uint64_t limit = 50;
	const struct option_row rows[] = {
		{"state", 's', "STATE", option_str, &state, NULL, "only jobs in this state"},
		{"limit", 'n', "N", option_number, &limit, NULL, "the newest N (50)"},
		CLI_OPTIONS(c),
	};
	json_t *reply;
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	if (limit < 1 || limit > LIMIT_MAX)
		return err_set(e, E_USAGE, "--limit must be from 1 to %d", LIMIT_MAX);
	state_enc = http_escape(state ? state : "");
	path = state_enc ? str_printf("/v1/jobs?limit=%" PRIu64 "%s%s", limit, state ? "&state=" : "",
				      state_enc)
			 : NULL;
	if (!path)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	r = cli_request(c, "GET", path, NULL, &reply, e);
	if (r < 0)
		return r;
	if (c->json)
		cli_print_json(reply, JSON_INDENT(2));
	else
		r = list_print(json_object_get(reply, "jobs"), e);
	json_decref(reply);
	return r;
}
