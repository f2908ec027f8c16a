#include "transfer.h"

#include <inttypes.h>

#include "address.h"
#include "base/loop.h"
#include "base/str.h"
#include "net/download.h"
#include "net/url.h"

#define PARALLEL 4
#define REDIRECTS_MAX 5
#define TRIES_MAX 6
#define PROGRESS_MS 200

/* The remedy when an address is refused. */
#define PRIVATE_HINT "nothing is fetched from there unless COLCONV_HUB_PRIVATE_HOSTS names it"

/* A running transfer. */
struct run {
	const struct transfer *t;
	const struct transfer_job *job;
	char *label;
	char *url; /* URL of this hop */
	char *host;
	char *token; /* a whole header line; NULL when the hop does not go to the endpoint */
	bool to_endpoint;
	int redirects;
};

struct batch {
	const struct transfer_job *job;
	const struct run *runs;
	const struct download *downloads;
	size_t count;
	int64_t progress_ms;
};

/* ---- the request ---- */

static bool
address_allowed(void *ctx, const struct sockaddr *addr)
{
	const struct download *d = ctx;
	const struct run *run = d->owner;

	return hub_env_address_allowed(run->job->env, run->host, addr);
}

static void
hop_forget(struct run *run)
{
	if (run->token)
		explicit_bzero(run->token, strlen(run->token));
	free(TAKE(run->token));
	free(TAKE(run->url));
	free(TAKE(run->host));
}

/*
 * The file's URL at the endpoint. Each attempt begins here, because the URL of a redirect may have expired.
 */
static int
url_make(struct run *run, const char *location, char **ret, struct err *e)
{
	if (!location) {
		run->redirects = 0;
		*ret = str_printf("%s%s", run->job->env->endpoint, run->t->path);
		return *ret ? 0 : err_no_memory(e);
	}
	if (++run->redirects > REDIRECTS_MAX)
		return err_set(e, E_HUB_PROTOCOL, "more than %d redirects, the last by '%s'", REDIRECTS_MAX,
			       run->host);
	return url_redirect(run->url, location, run->job->env->endpoint, ret, e);
}

static int
ask(struct download *d, const char *location, struct exchange_request *ret, struct err *e)
{
	struct run *run = d->owner;
	const struct hub_env *env = run->job->env;
	char *url;
	int r = url_make(run, location, &url, e);

	if (r < 0)
		return r;
	hop_forget(run);
	run->url = url;
	run->host = url_host(url);
	if (!run->host)
		return err_no_memory(e);
	/* Check a literal address here: through a proxy, only the proxy sees the address that is connected to. */
	if (address_is_private_literal(run->host) && !hub_env_host_trusted(env, run->host))
		return err_set(e, E_HUB_PROTOCOL, "'%s' is not a public address: " PRIVATE_HINT, run->host);
	run->to_endpoint = url_same_origin(url, env->endpoint);
	if (run->to_endpoint && env->token &&
	    !(run->token = str_printf("Authorization: Bearer %s", env->token)))
		return err_no_memory(e);
	ret->url = run->url;
	/* Ask for the plain file: ranges and sizes would be wrong for a compressed body. */
	ret->headers[0] = "Accept-Encoding: identity";
	ret->headers[1] = run->token;
	ret->cert_file = env->cert_file;
	ret->connect_ms = ret->silence_ms = (int64_t)env->timeout_s * 1000;
	ret->allow = address_allowed;
	return 0;
}

/* ---- the answer ---- */

/* Turns a refusal by the Hub into an error, by the same headers that the Hub's own client uses. */
static void
refusal(const struct run *run, const struct exchange_answer *a, struct err *why)
{
	const struct transfer_job *job = run->job;
	const char *token = job->env->token ? "the token given" : "who has no token";

	if (str_eq(a->error_code, "GatedRepo"))
		(void)err_set(why, E_HUB_GATED,
			      "'%s' is gated, and %s may not read it: accept its terms on %s/%s%s", job->repo,
			      token, job->env->endpoint, job->repo,
			      job->env->token ? "" : " and give a token (HF_TOKEN)");
	else if (str_eq(a->error_code, "RevisionNotFound"))
		(void)err_set(why, E_HUB_NOT_FOUND, "'%s' has no revision '%s'", job->repo, job->revision);
	else if (str_eq(a->error_code, "EntryNotFound") && run->t->name)
		(void)err_set(why, E_HUB_NOT_FOUND, "'%s' has no file '%s'", job->repo, run->t->name);
	else if (a->status == 401 && str_starts(a->error_message, "Invalid "))
		(void)err_set(why, E_HUB_DENIED, "%s does not accept the token given", job->env->endpoint);
	else if (str_eq(a->error_code, "RepoNotFound") || a->status == 401 || a->status == 404)
		(void)err_set(why, E_HUB_NOT_FOUND,
			      "%s has no repository '%s', or it is private and %s may not see it",
			      job->env->endpoint, job->repo, token);
	else if (a->status == 403)
		(void)err_set(why, E_HUB_DENIED, "%s does not let %s read '%s'", job->env->endpoint, token,
			      job->repo);
	else
		(void)err_set(why, E_HUB_PROTOCOL, "'%s' answers %ld for '%s'", run->host, a->status,
			      job->repo);
}

/* A complete answer that is not the file: a redirect or an error. */
static enum download_verdict
answer_judge(const struct run *run, const struct exchange_answer *a, struct err *why)
{
	char later[64] = "";

	if (a->retry_after_s > 0)
		(void)snprintf(later, sizeof(later), ", and to be asked again in %" PRId64 " s",
			       a->retry_after_s);
	if (a->status / 100 == 3 && *a->location)
		return DOWNLOAD_AGAIN;
	if (a->status == 429) {
		(void)err_set(why, E_HUB_RATE_LIMITED, "'%s' asks for fewer requests%s", run->host, later);
		return DOWNLOAD_RETRY;
	}
	if (a->status == 408 || a->status >= 500 || !run->to_endpoint) {
		(void)err_set(why, E_HUB_UNREACHABLE, "'%s' answers %ld%s", run->host, a->status, later);
		return DOWNLOAD_RETRY;
	}
	refusal(run, a, why);
	return DOWNLOAD_FAIL;
}

static enum download_verdict
judge(struct download *d, enum exchange_result result, struct err *why)
{
	const struct run *run = d->owner;
	const struct exchange *x = &d->exchange;

	switch (result) {
	case EXCHANGE_ANSWER:
		return answer_judge(run, &x->answer, why);
	case EXCHANGE_BROKEN:
		(void)err_set(why, E_HUB_UNREACHABLE, "'%s' does not answer, or broke off: %s", run->host,
			      x->words);
		return DOWNLOAD_RETRY;
	case EXCHANGE_REFUSED:
		(void)err_set(why, E_HUB_PROTOCOL, "'%s' has no public address: " PRIVATE_HINT, run->host);
		return DOWNLOAD_FAIL;
	case EXCHANGE_CERTIFICATE:
		(void)err_set(why, E_HUB_UNREACHABLE, "the certificate of '%s' is not good: %s", run->host,
			      x->words);
		return DOWNLOAD_FAIL;
	case EXCHANGE_SINK:
		(void)err_set(why, x->err.code == E_TOO_LARGE ? E_HUB_PROTOCOL : x->err.code, "'%s': %s",
			      run->host, x->err.msg);
		return DOWNLOAD_FAIL;
	case EXCHANGE_ENOUGH: /* can't happen: the downloader reads the whole body */
		break;
	}
	assert(false);
	return DOWNLOAD_FAIL;
}

/* ---- the batch ---- */

static int
blob_do(struct download *d, enum part_state *ret, struct err *e)
{
	const struct run *run = d->owner;

	return blob_step(run->t->blob, ret, e);
}

static void
progress_tell(void *ctx, int64_t *ret_ms _unused_)
{
	struct batch *all = ctx;
	char detail[256] = "";
	uint64_t done = 0;
	size_t i;

	if (!all->job->progress || loop_now_ms() < all->progress_ms)
		return;
	all->progress_ms = loop_now_ms() + PROGRESS_MS;
	for (i = 0; i < all->count; i++) {
		const struct transfer *t = all->runs[i].t;
		const struct download *d = &all->downloads[i];

		if (!t->blob)
			continue;
		done += d->state == DOWNLOAD_DONE ? t->blob->part.size : blob_seen(t->blob);
		if (d->state != DOWNLOAD_DONE && !*detail)
			(void)snprintf(detail, sizeof(detail), "%s%s", t->name,
				       d->locked_out                ? ", by another process"
				       : d->state == DOWNLOAD_PAUSE ? ", again soon"
								    : "");
	}
	all->job->progress(all->job->ctx, done, detail);
}

static int
run_init(struct run *run, const struct transfer_job *job, const struct transfer *t, struct download *d,
	 struct err *e)
{
	*run = (struct run){.t = t, .job = job};
	run->label = t->name ? str_printf("'%s' of '%s'", t->name, job->repo) : str_printf("'%s'", job->repo);
	*d = (struct download){
		.owner = run,
		.label = run->label,
		.part = t->blob ? &t->blob->part : NULL,
		.body = t->body,
	};
	return run->label ? 0 : err_no_memory(e);
}

int
transfer_all(const struct transfer_job *job, const struct transfer *list, size_t count, struct err *e)
{
	static const struct download_ops ops = {
		.ask = ask, .judge = judge, .step = blob_do, .turn = progress_tell};
	_cleanup_free_ struct download *downloads = calloc(MAX(count, 1), sizeof(*downloads));
	_cleanup_free_ struct run *runs = calloc(MAX(count, 1), sizeof(*runs));
	_cleanup_(wire_release) struct wire wire = {.fd_stop = -1};
	struct batch all = {.job = job, .runs = runs, .downloads = downloads, .count = count};
	const struct download_job dj = {.ops = &ops,
					.ctx = &all,
					.wire = &wire,
					.parallel = PARALLEL,
					.tries_max = TRIES_MAX,
					.retry_ms = job->env->retry_ms};
	size_t i;
	int r;

	if (!downloads || !runs)
		return err_no_memory(e);
	r = wire_init(&wire, e);
	for (i = 0; r == 0 && i < count; i++)
		r = run_init(&runs[i], job, &list[i], &downloads[i], e);
	if (r == 0)
		r = download_all(&dj, downloads, count, e);
	for (i = 0; i < count; i++) {
		hop_forget(&runs[i]);
		free(runs[i].label);
	}
	return r;
}
