#include <inttypes.h>

#include "cli.h"
#include "client/show/job.h"
#include "listing.h"

static void
name_add(struct table *t, const json_t *row)
{
	cell_str(t, row, "name");
}

static void
busy_add(struct table *t, const json_t *row)
{
	table_add(t, "%" PRIu64 " of %" PRIu64, job_whole(row, "busy"), job_whole(row, "slots"));
}

static void
jobs_add(struct table *t, const json_t *row)
{
	cell_words(t, json_object_get(row, "jobs"), ",");
}

static void
environment_add(struct table *t, const json_t *row)
{
	cell_words(t, json_object_get(row, "environment"), ",");
}

static void
command_add(struct table *t, const json_t *row)
{
	const json_t *command = json_object_get(row, "command");

	if (json_array_size(command))
		cell_words(t, command, " ");
	else
		table_add(t, "(this host)");
}

static const struct column columns[] = {
	{"RUNNER", TABLE_LEFT, false, name_add},    {"BUSY", TABLE_LEFT, false, busy_add},
	{"JOBS", TABLE_LEFT, false, jobs_add},      {"ENVIRONMENT", TABLE_LEFT, true, environment_add},
	{"COMMAND", TABLE_CUT, false, command_add},
};

int
cmd_runners(struct cli *c, int argc, char **argv, struct err *e)
{
	struct listing l = {.member = "runners", .columns = columns, .columns_len = ARRAY_LEN(columns)};

	return listing_command(c, &l, argc, argv, "/v1/runners", /*more=*/NULL, e);
}
