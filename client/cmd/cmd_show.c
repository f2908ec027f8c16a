#include <inttypes.h>

#include "base/str.h"
#include "cli.h"
#include "client/show/fact.h"
#include "client/show/job.h"
#include "client/show/remedy.h"
#include "client/show/table.h"
#include "client/show/text.h"

static void
state_print(const json_t *job)
{
	_cleanup_free_ char *words = NULL;
	const json_t *progress = json_object_get(job, "progress");
	uint64_t done = job_whole(progress, "done"), total = job_whole(progress, "total");
	const char *state = job_str(job, "state");
	char waiting[96];

	if (str_eq(state, "queued"))
		words = strdup(job_waiting(job, waiting, sizeof(waiting)));
	else if (!str_eq(state, "running"))
		words = strdup(state);
	else if (total)
		words = str_printf("running, %s %.0f%%", job_str(job, "stage"),
				   100.0 * (double)done / (double)total);
	else
		words = str_printf("running, %s", job_str(job, "stage"));
	fact_print("state", words ? words : "");
	if (json_is_true(json_object_get(job, "cancel_requested")) && !job_ended(job))
		fact_print("cancelling", "it was asked to stop");
}

/* Prints why the job failed, and the remedy. */
static void
failure_print(const json_t *job)
{
	_cleanup_(buf_release) struct buf words = BUF_INIT;

	fact_member(job, "reason");
	fact_member(job, "message");
	if (!str_eq(job_str(job, "state"), "failed"))
		return;
	remedy_fill(&words, err_remedy(err_from_name(job_str(job, "reason"))), "", job_whole(job, "id"));
	remedy_storage_add(&words, err_from_name(job_str(job, "reason")),
			   job_str(json_object_get(job, "spec"), "storage"));
	fact_print("try", words.data ? words.data : "");
}

static void
used_print(const json_t *job)
{
	const json_t *usage = json_object_get(job, "usage"), *artifact = json_object_get(job, "artifact");
	_cleanup_free_ char *took = NULL, *files = NULL;
	char bytes[16], from[48];

	if (json_is_object(usage)) {
		took = str_printf("%.1f s, %.1f s of CPU, at most %s resident (mapped files included)",
				  job_number(usage, "seconds"), job_number(usage, "cpu_seconds"),
				  str_bytes(job_whole(usage, "peak_rss_bytes"), bytes, sizeof(bytes)));
		fact_print("used", took ? took : "");
	}
	if (json_is_object(artifact)) {
		(void)snprintf(from, sizeof(from), ", made by job %" PRIu64, job_whole(artifact, "made_by"));
		files = str_printf("%" PRIu64 " files, %s%s%s%s", job_whole(artifact, "files"),
				   str_bytes(job_whole(artifact, "bytes"), bytes, sizeof(bytes)),
				   *job_str(artifact, "removed") ? ", removed " : "",
				   job_str(artifact, "removed"),
				   json_is_true(json_object_get(artifact, "cached")) ? from : "");
		fact_print("artifact", files ? files : "");
	}
}

static int
stages_print(const json_t *stages, struct err *e)
{
	static const struct table_column columns[] = {
		{"STAGE", TABLE_LEFT}, {"SECONDS", TABLE_RIGHT}, {"PEAK MEMORY", TABLE_RIGHT}};
	_cleanup_(table_release) struct table t;
	char bytes[16];
	json_t *stage;
	size_t i;

	if (json_array_size(stages) == 0)
		return 0;
	table_init(&t, columns, ARRAY_LEN(columns));
	json_array_foreach(stages, i, stage) {
		table_add(&t, "%s", job_str(stage, "name"));
		table_add(&t, "%.2f", job_number(stage, "seconds"));
		table_add(&t, "%s", str_bytes(job_whole(stage, "peak_anon_bytes"), bytes, sizeof(bytes)));
	}
	(void)fputc('\n', stdout);
	return table_print(&t, stdout, text_columns(stdout), e);
}

static int
graphs_print(const json_t *graphs, struct err *e)
{
	static const struct table_column columns[] = {
		{"GRAPH", TABLE_LEFT}, {"FILE", TABLE_LEFT}, {"NODES", TABLE_RIGHT}};
	_cleanup_(table_release) struct table t;
	json_t *graph;
	size_t i;

	if (json_array_size(graphs) == 0)
		return 0;
	table_init(&t, columns, ARRAY_LEN(columns));
	json_array_foreach(graphs, i, graph) {
		table_add(&t, "%s", job_str(graph, "variant"));
		table_add(&t, "%s", job_str(graph, "file"));
		table_add(&t, "%" PRIu64, job_whole(graph, "nodes"));
	}
	(void)fputc('\n', stdout);
	return table_print(&t, stdout, text_columns(stdout), e);
}

static int
job_print(const json_t *job, struct err *e)
{
	static const char *const times[] = {"created", "started", "ended"};
	static const char *const results[] = {"architecture", "parameters", "parity_checked", "max_abs",
					      "min_cosine"};
	const json_t *result = json_object_get(job, "result");
	_cleanup_free_ char *attempt = str_printf("%" PRIu64 " of %" PRIu64, job_whole(job, "attempt"),
						  job_whole(job, "attempts_max"));
	const char *key;
	json_t *value;
	size_t i;
	int r;

	fact_member(job, "id");
	state_print(job);
	failure_print(job);
	json_object_foreach(json_object_get(job, "spec"), key, value)
		if (!str_eq(key, "attempts")) /* printed with the attempt */
			fact_member(json_object_get(job, "spec"), key);
	for (i = 0; i < ARRAY_LEN(times); i++)
		fact_member(job, times[i]);
	fact_print("attempt", attempt ? attempt : "");
	fact_member(job, "owner");
	fact_member(job, "runner");
	used_print(job);
	for (i = 0; i < ARRAY_LEN(results); i++)
		fact_member(result, results[i]);
	json_array_foreach(json_object_get(result, "warnings"), i, value)
		fact_print("warning", json_string_value(value));
	r = stages_print(json_object_get(job, "stages"), e);
	return r < 0 ? r : graphs_print(json_object_get(result, "graphs"), e);
}

int
cmd_show(struct cli *c, int argc, char **argv, struct err *e)
{
	const struct option_row rows[] = {CLI_OPTIONS(c)};
	uint64_t id;
	json_t *job;
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	r = cli_id_parse(c, argv[0], &id, e);
	if (r == 0)
		r = cli_job(c, id, &job, e);
	if (r < 0)
		return r;
	if (c->json)
		cli_print_json(job, JSON_INDENT(2));
	else
		r = job_print(job, e);
	json_decref(job);
	return r;
}
