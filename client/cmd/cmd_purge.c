#include "base/str.h"
#include "cli.h"
#include "client/show/job.h"
#include "confirm.h"

struct limit {
	const char *name;
	uint64_t value;
};

/* " 3 4 5" of ids. */
static void
ids_print(const char *words, const json_t *ids)
{
	json_t *id;
	size_t i;

	if (json_array_size(ids) == 0)
		return;
	(void)printf("%s", words);
	json_array_foreach(ids, i, id)
		(void)printf(" %" JSON_INTEGER_FORMAT, json_integer_value(id));
	(void)fputc('\n', stdout);
}

static void
purged_print(const json_t *purged)
{
	const json_t *artifacts = json_object_get(purged, "artifacts"),
		     *jobs = json_object_get(purged, "jobs");
	const bool dry = json_is_true(json_object_get(purged, "dry_run"));
	char bytes[16];

	(void)fprintf(stderr, "%s %zu artifacts (%s) and %zu jobs\n", dry ? "would remove" : "removed",
		      json_array_size(artifacts), str_bytes(job_whole(purged, "bytes"), bytes, sizeof(bytes)),
		      json_array_size(jobs));
	ids_print("artifacts of", artifacts);
	ids_print("jobs", jobs);
}

/* Asks after a dry run of the same request, which says what would go. *ret is true when there is nothing to remove. */
static int
purge_confirm(struct cli *c, const json_t *body, bool *ret, struct err *e)
{
	json_t *dry = json_copy((json_t *)(uintptr_t)body), *would;
	size_t artifacts, jobs;
	char bytes[16];
	int r;

	(void)json_object_set_new(dry, "dry_run", json_true());
	r = cli_request(c, "POST", "/v1/purge", dry, &would, e);
	json_decref(dry);
	if (r < 0)
		return r;
	artifacts = json_array_size(json_object_get(would, "artifacts"));
	jobs = json_array_size(json_object_get(would, "jobs"));
	*ret = artifacts + jobs == 0 ||
	       confirm_ask("remove %zu artifacts (%s) and %zu jobs", artifacts,
			   str_bytes(job_whole(would, "bytes"), bytes, sizeof(bytes)), jobs);
	json_decref(would);
	return 0;
}

static int
purge(struct cli *c, const json_t *body, bool ask, struct err *e)
{
	json_t *purged;
	bool sure = true;
	int r = ask ? purge_confirm(c, body, &sure, e) : 0;

	if (r == 0 && !sure) {
		(void)fputs("nothing is removed\n", stderr);
		return 0;
	}
	if (r == 0)
		r = cli_request(c, "POST", "/v1/purge", body, &purged, e);
	if (r < 0)
		return r;
	if (c->json)
		cli_print_json(purged, JSON_INDENT(2));
	else
		purged_print(purged);
	json_decref(purged);
	return 0;
}

int
cmd_purge(struct cli *c, int argc, char **argv, struct err *e)
{
	struct limit limits[] = {{"keep_artifacts", UINT64_MAX},
				 {"keep_bytes", UINT64_MAX},
				 {"keep_seconds", UINT64_MAX},
				 {"keep_jobs", UINT64_MAX}};
	bool dry_run = false, yes = false;
	const struct option_row rows[] = {
		{"keep-artifacts", 0, "N", option_number, &limits[0].value, NULL,
		 "remove all but the newest N artifacts"},
		{"keep-bytes", 0, "SIZE", option_bytes, &limits[1].value, NULL,
		 "keep at most so many bytes of artifacts (500GB); remove the oldest"},
		{"keep-seconds", 0, "TIME", option_seconds, &limits[2].value, NULL,
		 "remove artifacts older than this (90, 5m, 2h, 30d)"},
		{"keep-jobs", 0, "N", option_number, &limits[3].value, NULL,
		 "forget all but the newest N ended jobs, with their artifacts"},
		{"dry-run", 'n', NULL, option_flag, &dry_run, NULL, "only say what would go"},
		CONFIRM_OPTION(&yes),
		CLI_OPTIONS(c),
	};
	json_t *body;
	size_t i;
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	body = json_pack("{s:b}", "dry_run", dry_run);
	for (i = 0; i < ARRAY_LEN(limits); i++)
		if (limits[i].value != UINT64_MAX)
			(void)json_object_set_new(body, limits[i].name,
						  json_integer((json_int_t)limits[i].value));
	if (json_object_size(body) == 1)
		r = err_set(
			e, E_USAGE,
			"purge needs a limit: --keep-artifacts, --keep-bytes, --keep-seconds or --keep-jobs");
	else
		r = purge(c, body, !dry_run && !yes && confirm_can(), e);
	json_decref(body);
	return r;
}
