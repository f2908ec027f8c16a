#include <inttypes.h>

#include "base/str.h"
#include "cli.h"
#include "fetch.h"
#include "follow.h"
#include "job.h"
#include "job_options.h"

#define SPEC_FILE_MAX (1u << 20)

struct submit {
	json_t *spec;          /* what the options say; then all of it */
	const char *spec_file; /* may be NULL */
	const char *fetch_dir; /* may be NULL */
	bool wait;
	struct follow_options follow;
};

/* A file's fields, with those of the command line put over them. */
static int
spec_file_merge(struct submit *s, struct err *e)
{
	json_t *file;
	int r;

	r = json_read(s->spec_file, SPEC_FILE_MAX, E_USAGE, &file, e);
	if (r < 0)
		return r;
	if (json_object_update_recursive(file, s->spec) < 0)
		r = err_set(e, E_USAGE, "'%s' is not a JSON object", s->spec_file);
	json_decref(s->spec);
	s->spec = file;
	return r;
}

static int
spec_finish(struct submit *s, const char *model, struct err *e)
{
	int r = 0;

	if (model && json_object_set_new(s->spec, "model", json_string(model)) < 0)
		return err_set(e, E_USAGE, "MODEL must be UTF-8, not '%s'", model);
	if (s->spec_file)
		r = spec_file_merge(s, e);
	if (r == 0 && !json_object_get(s->spec, "model"))
		r = err_set(e, E_USAGE, "submit needs MODEL, or a --file with one");
	return r < 0 ? r : job_paths_resolve(s->spec, e);
}

/* 0 or above when it ended, as job_outcome() says; the artifact is fetched when that was wanted. */
static int
wait_and_fetch(struct cli *c, const struct submit *s, uint64_t id, struct err *e)
{
	json_t *job, *files;
	int r;

	r = follow(c, id, &s->follow, &job, e);
	if (r != 0)
		return MIN(r, 0);
	if (c->json)
		cli_print_json(job, JSON_INDENT(2));
	r = job_outcome(job);
	json_decref(job);
	if (r == 0 && s->fetch_dir) {
		r = fetch_files(c, id, s->fetch_dir, /*names=*/ NULL, &files, e);
		if (r == 0)
			json_decref(files);
	}
	return r;
}

static int
submit(struct cli *c, const struct submit *s, struct err *e)
{
	uint64_t id;
	json_t *job;
	int r;

	r = cli_request(c, "POST", "/v1/jobs", s->spec, &job, e);
	if (r < 0)
		return r;
	id = job_whole(job, "id");
	if (!c->json)
		(void)printf("%" PRIu64 "\n", id);
	else if (!s->wait)
		cli_print_json(job, JSON_INDENT(2));
	(void)fflush(stdout); /* the id is there even if the wait is cut short */
	json_decref(job);
	return s->wait ? wait_and_fetch(c, s, id, e) : 0;
}

int
cmd_submit(struct cli *c, int argc, char **argv, struct err *e)
{
	struct submit s = {.spec = json_object()};
	const struct option_row rows[] = {
		{"file", 'f', "FILE", option_str, &s.spec_file, NULL, "take the job's JSON from FILE"},
#define JOB_OPTION(name, value, set, key, help) {name, 0, value, set, s.spec, key, help},
#include "job_options.def"
#undef JOB_OPTION
		{"label", 0, "KEY=VALUE", job_option_label, s.spec, "labels",
		 "a label of your own; repeatable"},
		{"wait", 'w', NULL, option_flag, &s.wait, NULL, "follow the job until it ends"},
		{"fetch", 0, "DIR", option_str, &s.fetch_dir, NULL,
		 "wait, then download the artifact to DIR"},
		FOLLOW_OPTIONS(&s.follow),
		CLI_OPTIONS(c),
	};
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r > 0) {
		s.wait = s.wait || s.fetch_dir;
		r = spec_finish(&s, argc ? argv[0] : NULL, e);
		if (r == 0)
			r = submit(c, &s, e);
	}
	json_decref(s.spec);
	return r;
}
