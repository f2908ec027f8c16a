#include "call.h"

#include <errno.h>
#include <unistd.h>

#include "address.h"
#include "base/loop.h"
#include "base/str.h"
#include "net/url.h"

#define TRIES_MAX 6
#define PAUSE_MAX_MS 60000
#define WAIT_MAX_S 300
#define ANSWER_LEN_MAX (16u << 20)
/* The Hub puts the parts of a large file together before it answers. */
#define SILENCE_MIN_MS 60000

struct attempt {
	const struct caller *c;
	const struct call *call;
	struct call_answer *answer;
	char *url, *host, *token, *type, *accept;
	uint64_t sent;
	struct exchange exchange;
};

static int
on_body(void *ctx, uint64_t offset _unused_, const void *data, size_t len, struct err *e)
{
	struct attempt *a = ctx;

	if (len > ANSWER_LEN_MAX - a->answer->body.len)
		return err_set(e, E_HUB_PROTOCOL, "'%s' sends an answer without end", a->host);
	buf_add(&a->answer->body, data, len);
	return buf_failed(&a->answer->body, e);
}

static ssize_t
on_source(void *ctx, void *data, size_t len)
{
	struct attempt *a = ctx;
	const size_t left = (size_t)MIN(a->call->len - a->sent, (uint64_t)len);
	ssize_t n;

	do
		n = pread(a->call->fd, data, left, (off_t)(a->call->from + a->sent));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return left ? -1 : 0;
	a->sent += (uint64_t)n;
	if (a->c->sent)
		a->c->sent(a->c->ctx, n);
	return n;
}

static bool
on_address(void *ctx, const struct sockaddr *addr)
{
	const struct attempt *a = ctx;

	return hub_env_address_allowed(a->c->env, a->host, addr);
}

static void
attempt_release(struct attempt *a)
{
	exchange_release(&a->exchange);
	if (a->token)
		explicit_bzero(a->token, strlen(a->token));
	free(a->token);
	free(a->url);
	free(a->host);
	free(a->type);
	free(a->accept);
}

static int
attempt_init(struct attempt *a, const struct caller *c, const struct call *call, struct call_answer *answer,
	     struct err *e)
{
	const struct hub_env *env = c->env;
	int r;

	*a = (struct attempt){.c = c, .call = call, .answer = answer};
	r = exchange_init(&a->exchange, on_body, a, e);
	if (r < 0)
		return r;
	a->url = *call->url == '/' ? str_printf("%s%s", env->endpoint, call->url) : strdup(call->url);
	a->host = a->url ? url_host(a->url) : NULL;
	if (!a->host)
		return err_set(e, E_HUB_PROTOCOL, "'%s' names an address that is not a URL", env->endpoint);
	if (!str_starts(a->url, "https://") && !url_same_origin(a->url, env->endpoint))
		return err_set(e, E_HUB_PROTOCOL, "'%s' wants an upload to '%s' without https", env->endpoint,
			       a->host);
	if (address_is_private_literal(a->host) && !hub_env_host_trusted(env, a->host))
		return err_set(e, E_HUB_PROTOCOL,
			       "'%s' is not a public address: nothing is sent there unless "
			       "COLCONV_HUB_PRIVATE_HOSTS names it",
			       a->host);
	if (url_same_origin(a->url, env->endpoint) && env->token &&
	    !(a->token = str_printf("Authorization: Bearer %s", env->token)))
		return err_no_memory(e);
	a->type = str_printf("Content-Type:%s%s", call->type ? " " : "", call->type ? call->type : "");
	a->accept = str_printf("Accept: %s", call->type && strstr(call->type, "lfs") ? call->type : "*/*");
	return a->type && a->accept ? 0 : err_no_memory(e);
}

static int
attempt_run(struct attempt *a, enum exchange_result *ret, struct err *e)
{
	const struct hub_env *env = a->c->env;
	struct exchange_request req = {
		.url = a->url,
		.method = a->call->method,
		.body = a->call->body,
		.source = a->call->body ? NULL : on_source,
		.source_len = a->call->len,
		.headers = {a->type, a->accept, "Expect:", a->token},
		.cert_file = env->cert_file,
		.connect_ms = (int64_t)env->timeout_s * 1000,
		.silence_ms = MAX((int64_t)env->timeout_s * 1000, SILENCE_MIN_MS),
		.fresh = a->call->once,
		.allow = on_address,
	};
	struct exchange *x = NULL;
	int r;

	a->sent = 0;
	buf_clear(&a->answer->body);
	r = exchange_start(&a->exchange, a->c->wire, &req, e);
	while (r == 0 && !x)
		r = wire_wait(a->c->wire, /*until_ms=*/0, &x, e);
	if (r < 0)
		return r;
	*ret = exchange_end(&a->exchange);
	return 0;
}

/* Returns 1 to try again, with the reason in *why. */
static int
attempt_judge(const struct attempt *a, enum exchange_result result, struct err *why, struct err *e)
{
	const struct exchange *x = &a->exchange;
	const long status = x->answer.status;

	if (result == EXCHANGE_SINK)
		return err_set(e, x->err.code, "%s", x->err.msg);
	if (result == EXCHANGE_REFUSED)
		return err_set(e, E_HUB_PROTOCOL, "'%s' has no public address", a->host);
	if (result == EXCHANGE_CERTIFICATE)
		return err_set(e, E_HUB_UNREACHABLE, "the certificate of '%s' is not good: %s", a->host,
			       x->words);
	if (result != EXCHANGE_ANSWER) {
		(void)err_set(why, E_HUB_UNREACHABLE, "'%s' does not answer, or broke off: %s", a->host,
			      x->words);
		return !a->call->once || !exchange_was_sent(x);
	}
	if (status == 429) {
		(void)err_set(why, E_HUB_RATE_LIMITED, "'%s' asks for fewer requests", a->host);
		return 1;
	}
	if (status == 408 || status >= 500) {
		(void)err_set(why, E_HUB_UNREACHABLE, "'%s' answers %ld", a->host, status);
		return !a->call->once;
	}
	if (status / 100 == 3)
		return err_set(e, E_HUB_PROTOCOL,
			       "'%s' redirects: '%s' may have another name now; push to that", a->host,
			       a->c->repo);
	return 0;
}

/* Waits before another attempt. E_CANCELLED when the user stops it. */
static int
pause_wait(const struct attempt *a, int tries, struct err *e)
{
	const int64_t doubled = (int64_t)MIN(a->c->env->retry_ms << tries, (uint64_t)PAUSE_MAX_MS);
	const int64_t until = loop_now_ms() + MAX(doubled, a->exchange.answer.retry_after_s * 1000);
	struct exchange *x;
	int r = 0;

	while (r == 0 && loop_now_ms() < until)
		r = wire_wait(a->c->wire, until, &x, e);
	return r;
}

static void
answer_take(struct attempt *a)
{
	const struct exchange_answer *from = &a->exchange.answer;
	const struct buf *error = &a->exchange.error_body;
	json_auto_t *doc = NULL;
	const char *words = from->error_message;

	a->answer->status = from->status;
	(void)snprintf(a->answer->etag, sizeof(a->answer->etag), "%s", from->etag);
	if (!*words && error->len &&
	    json_parse_answer(error->data, error->len, "error", E_HUB_PROTOCOL, &doc, NULL) == 0)
		(void)json_get_str(doc, "", "error", JSON_OPTIONAL, E_HUB_PROTOCOL, &words, NULL);
	(void)snprintf(a->answer->words, sizeof(a->answer->words), "%s", words);
	str_clean(a->answer->words);
}

static int
attempts_make(struct attempt *a, struct err *e)
{
	enum exchange_result result;
	struct err why;
	int r, tries;

	for (tries = 0;; tries++) {
		why = (struct err)ERR_INIT;
		r = attempt_run(a, &result, e);
		if (r == 0)
			r = attempt_judge(a, result, &why, e);
		if (r == 0 && why.code)
			return err_set(e, why.code, "%s", why.msg);
		if (r == 0)
			answer_take(a);
		if (r <= 0)
			return r;
		if (a->c->sent && a->sent)
			a->c->sent(a->c->ctx, -(int64_t)a->sent);
		if (tries + 1 >= TRIES_MAX || a->exchange.answer.retry_after_s > WAIT_MAX_S)
			return err_set(e, why.code, "after %d tries: %s", tries + 1, why.msg);
		r = pause_wait(a, tries, e);
		if (r < 0)
			return r;
	}
}

int
call_perform(const struct caller *c, const struct call *call, struct call_answer *ret, struct err *e)
{
	struct attempt a;
	int r;

	*ret = (struct call_answer){.status = 0};
	r = attempt_init(&a, c, call, ret, e);
	if (r == 0)
		r = attempts_make(&a, e);
	attempt_release(&a);
	return r;
}

int
call_refusal(const struct caller *c, const struct call_answer *a, struct err *e)
{
	const char *colon = *a->words ? ": " : "", *at = c->env->endpoint;

	if (a->status == 401)
		return err_set(e, E_HUB_DENIED, "%s does not accept the token given%s%s", at, colon,
			       a->words);
	if (a->status == 403)
		return err_set(e, E_HUB_DENIED, "%s does not let the token given write to '%s'%s%s", at,
			       c->repo, colon, a->words);
	if (a->status == 404)
		return err_set(
			e, E_HUB_NOT_FOUND,
			"%s has no repository '%s', or the token given may not see it; --create makes it", at,
			c->repo);
	return err_set(e, E_HUB_PROTOCOL, "%s answers %ld for '%s'%s%s", at, a->status, c->repo, colon,
		       a->words);
}

int
call_json(const struct caller *c, const struct call *call, json_t **ret, struct err *e)
{
	struct call_answer a;
	int r;

	r = call_perform(c, call, &a, e);
	if (r == 0 && a.status / 100 != 2)
		r = call_refusal(c, &a, e);
	if (r == 0 && ret)
		r = json_parse_answer(a.body.data ? a.body.data : "", a.body.len, "the Hub's answer",
				      E_HUB_PROTOCOL, ret, e);
	buf_release(&a.body);
	return r;
}
