#include <errno.h>
#include <inttypes.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/loop.h"
#include "cli.h"
#include "fetch.h"
#include "follow.h"
#include "client/show/job.h"
#include "job_options.h"
#include "like.h"

#define KEY_BYTES 16
#define RETRY_S 60 /* how long to ask again when the answer to a submission was lost */
#define RETRY_US 500000

struct submit {
	json_t *spec;          /* the job of the options, then the whole job */
	const char *spec_file; /* may be NULL */
	const char *like;      /* the id of an earlier job; may be NULL */
	const char *key;       /* for Idempotency-Key; NULL: a new one */
	bool wait;
	struct follow_options follow;
	struct fetch_options fetch;
};

/*
 * Returns the exit status of the ended job (job_exit()), or an error. Downloads the artifact if --fetch was
 * given.
 */
static int
wait_and_fetch(struct cli *c, const struct submit *s, uint64_t id, struct err *e)
{
	json_t *jobs = json_array(), *files;
	int r;

	r = follow(c, &s->follow, &id, 1, jobs, e);
	if (r == 0 && c->json)
		cli_print_json(json_array_get(jobs, 0), JSON_INDENT(2));
	if (r == 0)
		r = job_exit_worst(jobs);
	else
		r = MIN(r, 0);
	if (r == 0 && s->fetch.dir && json_array_size(jobs)) {
		r = fetch_files(c, id, &s->fetch, &files, e);
		if (r == 0) {
			(void)fprintf(stderr, "job %" PRIu64 ": its files are in '%s'\n", id, s->fetch.dir);
			json_decref(files);
		}
	}
	json_decref(jobs);
	return r;
}

/* The Idempotency-Key of the submission. All attempts send the same key, so that they make one job. */
static int
key_make(const char *given, char *ret, size_t len, struct err *e)
{
	unsigned char bytes[KEY_BYTES];
	int n = snprintf(ret, len, "Idempotency-Key: %s", given ? given : "");
	size_t i;

	if (given) {
		for (; *given > ' ' && *given <= '~'; given++)
			;
		return *given || (size_t)n >= len
			       ? err_set(e, E_USAGE, "--key must be at most 255 visible characters of ASCII")
			       : 0;
	}
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_errno(e, E_IO, errno, "cannot get random bytes");
	for (i = 0; i < sizeof(bytes); i++, n += 2)
		(void)snprintf(ret + n, len - (size_t)n, "%02x", bytes[i]);
	return 0;
}

/*
 * Asks again when the daemon may have received the job before the connection broke. A daemon that could not
 * be reached at all is an error at once.
 */
static int
post(struct cli *c, const struct submit *s, json_t **ret, struct err *e)
{
	char key[sizeof("Idempotency-Key: ") + 255];
	const int64_t until_ms = loop_now_ms() + (int64_t)RETRY_S * 1000;
	bool sent = false, told = false;
	int r;

	r = key_make(s->key, key, sizeof(key), e);
	if (r < 0)
		return r;
	for (;;) {
		struct http_request req = {
			.method = "POST", .path = "/v1/jobs", .header = key, .ret_sent = &sent};

		r = cli_request_json(c, &req, s->spec, ret, e);
		if (r != E_UNREACHABLE || !sent || loop_now_ms() >= until_ms)
			return r;
		if (!told)
			(void)fprintf(stderr, "colconvctl: %s; asking again, which makes no second job\n",
				      e->msg);
		told = true;
		err_clear(e);
		(void)usleep(RETRY_US);
	}
}

static int
submit(struct cli *c, const struct submit *s, struct err *e)
{
	uint64_t id;
	json_t *job;
	int r;

	r = post(c, s, &job, e);
	if (r < 0)
		return r;
	id = job_whole(job, "id");
	if (!c->json)
		(void)printf("%" PRIu64 "\n", id);
	else if (!s->wait)
		cli_print_json(job, JSON_INDENT(2));
	(void)fflush(stdout); /* print the id even if the wait is interrupted */
	if (!s->wait && !c->json && isatty(STDERR_FILENO))
		(void)fprintf(stderr,
			      "job %" PRIu64 " is queued; 'colconvctl watch %" PRIu64
			      "' shows how it gets on\n",
			      id, id);
	json_decref(job);
	return s->wait ? wait_and_fetch(c, s, id, e) : 0;
}

/* Puts the options of the command line over those of the job --like, or over the file. */
static int
spec_make(struct cli *c, struct submit *s, const char *model, struct err *e)
{
	uint64_t id;
	json_t *base;
	int r = 0;

	if (s->like && s->spec_file)
		return err_set(e, E_USAGE, "--like cannot be used with --file");
	if (s->like) {
		r = cli_id_parse(c, s->like, &id, e);
		if (r == 0)
			r = like_read(c, id, &base, e);
		if (r == 0)
			r = job_spec_over(&s->spec, base, s->like, e);
		if (r == 0)
			c->id = 0; /* later errors are not about that job */
	}
	return r < 0 ? r : job_spec_finish(&s->spec, s->spec_file, model, e);
}

int
cmd_submit(struct cli *c, int argc, char **argv, struct err *e)
{
	struct submit s = {.spec = json_object(), .follow = {.command = "watch"}, .fetch = FETCH_INIT};
	const struct option_row rows[] = {
		{"wait", 'w', NULL, option_flag, &s.wait, NULL, "follow the job until it ends"},
		{"fetch", 0, "DIR", option_str, &s.fetch.dir, NULL,
		 "wait, then download the artifact to DIR"},
		FOLLOW_OPTIONS(&s.follow),
		FETCH_OPTIONS(&s.fetch),
		{"file", 'f', "FILE", option_str, &s.spec_file, NULL,
		 "take the job's JSON from FILE (- is the standard input); options go over it"},
		{"like", 0, "ID", option_str, &s.like, NULL,
		 "take the options of an earlier job; options go over them"},
#define FIELD(use, kind, sym, ...) JOB_OPTION_##use(SPEC_FIELD_##sym, s.spec)
#include "spec/fields.def"
		{"key", 0, "KEY", option_str, &s.key, NULL,
		 "submissions of the same KEY make one job (a new key each time)"},
		CLI_OPTIONS(c),
	};
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r > 0) {
		s.wait = s.wait || s.fetch.dir;
		s.follow.done = s.fetch.dir ? NULL : "'colconvctl fetch {id}' downloads it";
		r = spec_make(c, &s, argc ? argv[0] : NULL, e);
		if (r == 0)
			r = submit(c, &s, e);
	}
	json_decref(s.spec);
	return r;
}
