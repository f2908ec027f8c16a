/* The commands that change jobs: cancel, retry, delete. */
#include <inttypes.h>

#include "base/str.h"
#include "cli.h"
#include "client/show/job.h"
#include "confirm.h"

/* Sends POST /v1/jobs/ID/VERB. *ret is the job afterwards, already printed if the user asked for JSON. */
static int
change(struct cli *c, uint64_t id, const char *verb, json_t **ret, struct err *e)
{
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "/v1/jobs/%" PRIu64 "/%s", id, verb);
	r = cli_request(c, "POST", path, NULL, ret, e);
	if (r == 0 && c->json)
		cli_print_json(*ret, JSON_COMPACT);
	return r;
}

static int
cancel(struct cli *c, uint64_t id, void *ctx _unused_, struct err *e)
{
	json_t *job;
	int r = change(c, id, "cancel", &job, e);

	if (r < 0)
		return r;
	if (!c->json)
		(void)fprintf(stderr, "job %" PRIu64 " %s\n", id,
			      job_ended(job) ? "is cancelled" : "is asked to stop");
	json_decref(job);
	return 0;
}

int
cmd_cancel(struct cli *c, int argc, char **argv, struct err *e)
{
	const struct option_row rows[] = {CLI_OPTIONS(c)};
	int r = cli_parse(c, rows, &argc, argv, e);

	return r > 0 ? cli_each_id(c, argc, argv, cancel, NULL, e) : r;
}

static int
retry(struct cli *c, uint64_t id, void *ctx _unused_, struct err *e)
{
	json_t *job;
	int r = change(c, id, "retry", &job, e);

	if (r < 0)
		return r;
	if (!c->json)
		(void)fprintf(stderr,
			      "job %" PRIu64 " is queued again; 'colconvctl watch %" PRIu64 "' follows it\n",
			      id, id);
	json_decref(job);
	return 0;
}

int
cmd_retry(struct cli *c, int argc, char **argv, struct err *e)
{
	const struct option_row rows[] = {CLI_OPTIONS(c)};
	int r = cli_parse(c, rows, &argc, argv, e);

	return r > 0 ? cli_each_id(c, argc, argv, retry, NULL, e) : r;
}

struct removal {
	bool artifact_only;
	bool yes; /* do not ask */
};

/* Asks "delete job 7 with its log and 3 files, 4.20 GB?" */
static int
removal_confirm(struct cli *c, uint64_t id, bool artifact_only, bool *ret, struct err *e)
{
	const json_t *artifact;
	char files[64] = "", bytes[16];
	uint64_t n;
	json_t *job;
	int r;

	r = cli_job(c, id, &job, e);
	if (r < 0)
		return r;
	artifact = json_object_get(job, "artifact");
	n = *job_str(artifact, "removed") ? 0 : job_whole(artifact, "files");
	if (n)
		(void)snprintf(files, sizeof(files), "%" PRIu64 " file%s, %s", n, n == 1 ? "" : "s",
			       str_bytes(job_whole(artifact, "bytes"), bytes, sizeof(bytes)));
	json_decref(job);
	if (artifact_only)
		*ret = confirm_ask("remove the artifact of job %" PRIu64 "%s%s", id, n ? ", " : "", files);
	else
		*ret = confirm_ask("delete job %" PRIu64 " with its log%s%s", id, n ? " and " : "", files);
	return 0;
}

static int
forget(struct cli *c, uint64_t id, void *ctx, struct err *e)
{
	const struct removal *m = ctx;
	bool sure = true;
	char path[64];
	int r = 0;

	if (!m->yes && confirm_can())
		r = removal_confirm(c, id, m->artifact_only, &sure, e);
	if (r < 0)
		return r;
	if (!sure) {
		(void)fprintf(stderr, "job %" PRIu64 " is kept\n", id);
		return 0;
	}
	(void)snprintf(path, sizeof(path), "/v1/jobs/%" PRIu64 "%s", id, m->artifact_only ? "/files" : "");
	r = cli_request(c, "DELETE", path, NULL, NULL, e);
	if (r == 0)
		(void)fprintf(stderr,
			      m->artifact_only ? "the artifact of job %" PRIu64 " is removed\n"
					       : "job %" PRIu64 " is deleted\n",
			      id);
	return r;
}

int
cmd_delete(struct cli *c, int argc, char **argv, struct err *e)
{
	struct removal m = {.yes = false};
	const struct option_row rows[] = {
		{"artifact", 0, NULL, option_flag, &m.artifact_only, NULL,
		 "remove only the artifact; the job stays"},
		CONFIRM_OPTION(&m.yes),
		CLI_OPTIONS(c),
	};
	int r = cli_parse(c, rows, &argc, argv, e);

	return r > 0 ? cli_each_id(c, argc, argv, forget, &m, e) : r;
}
