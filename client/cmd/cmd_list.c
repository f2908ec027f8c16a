#include <inttypes.h>
#include <unistd.h>

#include "base/str.h"
#include "cli.h"
#include "client/show/job.h"
#include "job_options.h"
#include "listing.h"

static void
id_add(struct table *t, const json_t *job)
{
	cell_whole(t, job, "id");
}

static void
state_add(struct table *t, const json_t *job)
{
	cell_str(t, job, "state");
}

/* The most useful fact for the state: the stage with its progress, why the job waits, or why it failed. */
static void
detail_add(struct table *t, const json_t *job)
{
	const json_t *progress = json_object_get(job, "progress");
	const char *state = job_str(job, "state"), *waits = job_str(json_object_get(job, "waiting"), "for");
	uint64_t done = job_whole(progress, "done"), total = job_whole(progress, "total");

	if (str_eq(state, "running") && total)
		table_add(t, "%s %.0f%%", job_str(job, "stage"), 100.0 * (double)done / (double)total);
	else if (str_eq(state, "running"))
		cell_str(t, job, "stage");
	else if (str_eq(state, "queued") && *waits && !str_eq(waits, "slot"))
		table_add(t, "%s", waits);
	else
		cell_str(t, job, "reason");
}

static void
age_add(struct table *t, const json_t *job)
{
	char age[24];

	table_add(t, "%s", job_age(job, "created", age, sizeof(age)));
}

static void
priority_add(struct table *t, const json_t *job)
{
	table_add(t, "%" JSON_INTEGER_FORMAT,
		  json_integer_value(json_object_get(json_object_get(job, "spec"), "priority")));
}

static void
attempt_add(struct table *t, const json_t *job)
{
	table_add(t, "%" PRIu64 "/%" PRIu64, job_whole(job, "attempt"), job_whole(job, "attempts_max"));
}

static void
owner_add(struct table *t, const json_t *job)
{
	cell_str(t, job, "owner");
}

static void
runner_add(struct table *t, const json_t *job)
{
	cell_str(t, job, "runner");
}

static void
graphs_add(struct table *t, const json_t *job)
{
	cell_words(t, json_object_get(json_object_get(job, "spec"), "variants"), ",");
}

static void
dtype_add(struct table *t, const json_t *job)
{
	cell_str(t, json_object_get(job, "spec"), "dtype");
}

static void
created_add(struct table *t, const json_t *job)
{
	cell_str(t, job, "created");
}

static void
labels_add(struct table *t, const json_t *job)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	const char *key;
	json_t *value;

	json_object_foreach(json_object_get(json_object_get(job, "spec"), "labels"), key, value)
		buf_printf(&b, "%s%s=%s", b.len ? "," : "", key, json_string_value(value));
	t->failed = t->failed || b.failed;
	table_add(t, "%s", b.len ? b.data : "-");
}

/* A path below the current folder is shown as ./PATH, so that it is not taken for a name on the Hub. */
static void
model_add(struct table *t, const json_t *job)
{
	const char *model = job_str(json_object_get(job, "spec"), "model");
	_cleanup_free_ char *here = getcwd(NULL, 0);
	const size_t n = here ? strlen(here) : 0;

	if (n > 1 && str_starts(model, here) && model[n] == '/')
		table_add(t, ".%s", model + n);
	else
		cell_str(t, json_object_get(job, "spec"), "model");
}

static const struct column columns[] = {
	{"ID", TABLE_RIGHT, false, id_add},         {"STATE", TABLE_LEFT, false, state_add},
	{"DETAIL", TABLE_LEFT, false, detail_add},  {"AGE", TABLE_RIGHT, false, age_add},
	{"CREATED", TABLE_LEFT, true, created_add}, {"PRIORITY", TABLE_RIGHT, true, priority_add},
	{"ATTEMPT", TABLE_LEFT, true, attempt_add}, {"OWNER", TABLE_LEFT, true, owner_add},
	{"RUNNER", TABLE_LEFT, true, runner_add},   {"GRAPHS", TABLE_LEFT, false, graphs_add},
	{"DTYPE", TABLE_LEFT, false, dtype_add},    {"LABELS", TABLE_LEFT, false, labels_add},
	{"MODEL", TABLE_CUT, false, model_add},
};

int
cmd_list(struct cli *c, int argc, char **argv, struct err *e)
{
	struct listing l = {.member = "jobs", .columns = columns, .columns_len = ARRAY_LEN(columns)};
	const char *state = NULL, *model = NULL, *reason = NULL, *owner = NULL;
	_cleanup_(buf_release) struct buf path = BUF_INIT;
	json_t *labels = json_object(), *label;
	struct page page = PAGE_INIT;
	const struct option_row rows[] = {
		{"state", 's', "STATE", option_str, &state, "state",
		 "only jobs in this state, or these: queued,running"},
		{"model", 'm', "MODEL", option_str, &model, NULL, "only of this model, as it was submitted"},
		{"label", 0, "KEY=VALUE", job_option_append, labels, "labels",
		 "only with this label; repeatable"},
		{"reason", 0, "REASON", option_str, &reason, NULL, "only those that failed for it"},
		{"owner", 0, "NAME", option_str, &owner, NULL, "only those that this token submitted"},
		PAGE_OPTIONS(&page),
		TABLE_OPTIONS(c),
	};
	size_t i;
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r > 0) {
		buf_puts(&path, "/v1/jobs");
		query_add(&path, "state", state);
		query_add(&path, "model", model);
		query_add(&path, "reason", reason);
		query_add(&path, "owner", owner);
		json_array_foreach(json_object_get(labels, "labels"), i, label)
			query_add(&path, "label", json_string_value(label));
		r = listing_run(c, &l, &page, &path, e);
	}
	json_decref(labels);
	return r;
}
