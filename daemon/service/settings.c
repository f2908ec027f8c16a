#include "settings.h"

#include <inttypes.h>

#include "base/fs.h"
#include "base/str.h"
#include "http/core/server.h"

static int
roots_check(const struct conf *c, struct err *e)
{
	size_t i;

	for (i = 0; i < c->roots.n; i++)
		if (c->roots.v[i][0] != '/' || !fs_is_dir(c->roots.v[i])) {
			(void)err_set(e, E_BAD_CONFIG,
				      "root '%s' must be an absolute path of a folder that exists",
				      c->roots.v[i]);
			return conf_context(c, &c->roots, i, e);
		}
	return 0;
}

/* Without roots a submit token could have any folder converted that the daemon can read, so the operator must name the folders. */
static int
tokens_check(const struct settings *s, struct err *e)
{
	if (s->conf.roots.n || !tokens_have(s->tokens, SCOPE_SUBMIT))
		return 0;
	return err_set(e, E_BAD_CONFIG,
		       "a token of scope submit needs the setting roots: the folders that jobs may read, or "
		       "roots = / for all that the daemon can read");
}

static int
listen_check(const struct settings *s, struct err *e)
{
	const struct conf *c = &s->conf;
	size_t i;

	for (i = 0; i < c->listen.n; i++)
		if (server_address_check(c->listen.v[i], s->tokens, e) < 0)
			return conf_context(c, &c->listen, i, e);
	return 0;
}

static int
notify_check(const struct conf *c, struct err *e)
{
	_cleanup_free_ char *program = strndup(c->notify, strcspn(c->notify, " \t"));

	if (!program)
		return err_no_memory(e);
	if (!*c->notify || (program[0] == '/' && access(program, X_OK) == 0))
		return 0;
	(void)err_set(e, E_BAD_CONFIG, "'%s' must be the absolute path of a program that the daemon may run",
		      program);
	return conf_context(c, &c->notify, 0, e);
}

static int
stop_mode_set(struct settings *s, struct err *e)
{
	s->drain = str_eq(s->conf.stop_mode, "drain");
	if (s->drain || str_eq(s->conf.stop_mode, "hand_back"))
		return 0;
	return err_set(e, E_BAD_CONFIG, "stop mode must be hand_back or drain, not '%s'", s->conf.stop_mode);
}

static int
worker_set(struct settings *s, struct err *e)
{
	const char *worker = s->conf.worker;

	if (!*worker)
		return fs_sibling("colconv-worker", &s->worker, e);
	if (*worker != '/' || access(worker, X_OK) < 0)
		return err_set(e, E_BAD_CONFIG, "worker '%s' must be an absolute path of a program", worker);
	s->worker = strdup(worker);
	return s->worker ? 0 : err_no_memory(e);
}

static int
runners_set(struct settings *s, struct err *e)
{
	const struct conf *c = &s->conf;
	char local[32];
	uint64_t slots;
	size_t i;

	for (i = 0; i < c->runner.n; i++)
		if (runners_add(&s->runners, c->runner.v[i], e) < 0)
			return conf_context(c, &c->runner, i, e);
	if (s->runners.n)
		return 0;
	if (str_eq(c->slots, "gpus"))
		return runners_add_gpus(&s->runners, e) < 0 ? conf_context(c, &c->slots, 0, e) : 0;
	if (str_to_u64(c->slots, 1, RUNNER_SLOTS_MAX, "slots", &slots, NULL) < 0) {
		(void)err_set(e, E_BAD_CONFIG, "slots must be a whole number from 1 to %d, or gpus, not '%s'",
			      RUNNER_SLOTS_MAX, c->slots);
		return conf_context(c, &c->slots, 0, e);
	}
	(void)snprintf(local, sizeof(local), "local %u", (unsigned)slots);
	return runners_add(&s->runners, local, e);
}

static int
settings_check(struct settings *s, struct err *e)
{
	const struct conf *c = &s->conf;

	if (log_level_from_str(c->log_level, &s->log_level, e) < 0)
		return conf_context(c, &c->log_level, 0, e);
	if (stop_mode_set(s, e) < 0)
		return conf_context(c, &c->stop_mode, 0, e);
	if (worker_set(s, e) < 0)
		return conf_context(c, &c->worker, 0, e);
	if (tokens_load(c->tokens, &s->tokens, e) < 0 || tokens_check(s, e) < 0)
		return conf_context(c, &c->tokens, 0, e);
	if (listen_check(s, e) < 0 || roots_check(c, e) < 0 || runners_set(s, e) < 0)
		return e->code;
	return notify_check(c, e);
}

int
settings_load(int argc, char **argv, struct settings *ret, enum conf_action *ret_action, struct err *e)
{
	int r;

	*ret = (struct settings){.worker = NULL};
	runners_init(&ret->runners);
	r = conf_load(argc, argv, &ret->conf, ret_action, e);
	if (r == 0 && (*ret_action == CONF_RUN || *ret_action == CONF_CHECK))
		r = settings_check(ret, e);
	if (r < 0)
		settings_release(ret);
	return r;
}

void
settings_release(struct settings *s)
{
	runners_release(&s->runners);
	tokens_free(&s->tokens);
	free(s->worker);
	s->worker = NULL;
	conf_release(&s->conf);
}

static void
roots_warn(const struct conf *c)
{
	size_t i, len;

	for (i = 0; i < c->roots.n; i++) {
		len = strlen(c->roots.v[i]);
		if (strncmp(c->state, c->roots.v[i], len) == 0 &&
		    (c->state[len] == '/' || c->state[len] == '\0'))
			log_warning("jobs may read the state folder '%s', which lies below the root '%s'",
				    c->state, c->roots.v[i]);
	}
}

/* Searches as exec does. */
static bool
program_found(const char *name)
{
	const char *p = getenv("PATH"), *end;
	char path[4096];

	if (strchr(name, '/'))
		return access(name, X_OK) == 0;
	for (; p && *p; p = *end ? end + 1 : end) {
		end = strchrnul(p, ':');
		(void)snprintf(path, sizeof(path), "%.*s/%s", (int)(end - p), p, name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static void
runners_warn(const struct runners *rs)
{
	size_t i;

	for (i = 0; i < rs->n; i++)
		if (*rs->rows[i].prefix && !program_found(*rs->rows[i].prefix))
			log_warning("runner '%s' has no program '%s'", rs->rows[i].name, *rs->rows[i].prefix);
}

void
settings_warn(const struct settings *s)
{
	const struct conf *c = &s->conf;

	if (c->runner.n && conf_is_set(c, &c->slots))
		log_warning("slots has no effect, because runners are set");
	if (!s->drain && conf_is_set(c, &c->drain_timeout))
		log_warning("drain_timeout has no effect with stop_mode = hand_back");
	if (c->streams_max >= c->connections_max)
		log_warning("streams_max %" PRIu64 " leaves none of connections_max %" PRIu64
			    " for other requests",
			    c->streams_max, c->connections_max);
	if (c->worker_silence >= c->job_timeout)
		log_warning("worker_silence %" PRIu64 " s is not shorter than job_timeout %" PRIu64 " s",
			    c->worker_silence, c->job_timeout);
	roots_warn(c);
	runners_warn(&s->runners);
}

static void
changed(const char *name, bool taken)
{
	if (taken)
		log_notice("%s is changed", name);
	else
		log_warning("%s takes effect at the next start", name);
}

int
settings_reload(struct settings *s, struct settings *next, struct err *e)
{
	char *worker = s->worker;
	int r;

	r = runners_replace(&s->runners, &next->runners, e);
	if (r < 0)
		return r;
	conf_take(&s->conf, &next->conf, changed);
	s->log_level = next->log_level;
	s->drain = next->drain;
	s->worker = next->worker;
	next->worker = worker;
	return 0;
}
