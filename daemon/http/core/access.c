#include "access.h"

#include <arpa/inet.h>
#include <strings.h>

#include "base/str.h"
#include "server_private.h"

static bool
port_ok(const char *s)
{
	return *s == '\0' || (*s == ':' && strspn(s + 1, "0123456789") == strlen(s + 1));
}

/* True for the names of this host: localhost, 127.0.0.0/8 or [::1], with any port. */
static bool
host_is_local(const char *host)
{
	const size_t n = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	struct in_addr in;
	char name[32];

	if (n > strlen(host) || n >= sizeof(name) || !port_ok(host + n))
		return false;
	(void)snprintf(name, sizeof(name), "%.*s", (int)n, host);
	if (strcasecmp(name, "localhost") == 0 || str_eq(name, "[::1]"))
		return true;
	return inet_pton(AF_INET, name, &in) == 1 && ntohl(in.s_addr) >> 24 == 127;
}

int
access_check_host(const struct request *q, const struct head *head, struct err *e)
{
	/* refuse other names: with DNS rebinding, a foreign page's own host name points at 127.0.0.1 */
	if (q->server->tokens || q->from->local || host_is_local(head->host))
		return 0;
	return err_set(e, E_NOT_ALLOWED,
		       "without tokens, Host must be localhost, 127.0.0.1 or [::1], not '%.100s'",
		       head->host);
}

/*
 * Refuse requests from pages of other hosts: the browser says in Origin and Sec-Fetch-Site which page asks.
 */
static int
page_check(const struct request *q, const struct head *head, struct err *e)
{
	const char *host;

	/* a foreign page may link to ours; following a link reveals nothing to it */
	if (head->site && q->route->scope != SCOPE_NONE && !str_eq(head->site, "same-origin") &&
	    !str_eq(head->site, "none"))
		return err_set(e, E_NOT_ALLOWED,
			       "requests from pages of other sites are refused (Sec-Fetch-Site: %.20s)",
			       head->site);
	if (!head->origin)
		return 0;
	host = str_starts(head->origin, "https://")  ? head->origin + strlen("https://")
	       : str_starts(head->origin, "http://") ? head->origin + strlen("http://")
						     : NULL;
	if (!host || !str_eq(host, head->host))
		return err_set(e, E_NOT_ALLOWED, "requests from pages of '%.100s' are refused", head->origin);
	return 0;
}

/* The TOKEN of "Bearer TOKEN"; NULL for any other value. */
static const char *
bearer(const char *authorization)
{
	const char *token = authorization + strlen("Bearer ");

	return strncasecmp(authorization, "Bearer ", strlen("Bearer ")) == 0 ? token + strspn(token, " ")
									     : NULL;
}

static int
token_check(struct request *q, const char *authorization, struct err *e)
{
	const char *text = bearer(authorization);
	const struct token *t;

	if (!text)
		return err_set(e, E_UNAUTHORIZED, "Authorization must be 'Bearer TOKEN'");
	t = tokens_find(q->server->tokens, text, strlen(text));
	if (!t)
		return err_set(e, E_UNAUTHORIZED, "unknown token");
	if (t->scope < q->route->scope)
		return err_set(e, E_NOT_ALLOWED, "the token '%s' has the scope '%s'; this request needs '%s'",
			       t->name, scope_to_str(t->scope), scope_to_str(q->route->scope));
	(void)snprintf(q->owner, sizeof(q->owner), "%s", t->name);
	q->scope = t->scope;
	return 0;
}

int
access_check(struct request *q, const struct head *head, struct err *e)
{
	int r = page_check(q, head, e);

	q->scope = SCOPE_ADMIN;
	if (r < 0 || q->route->scope == SCOPE_NONE || !q->server->tokens)
		return r;
	if (head->authorization)
		return token_check(q, head->authorization, e);
	if (q->from->local)
		return 0;
	return err_set(e, E_UNAUTHORIZED,
		       "this request needs a token with the scope '%s': Authorization: Bearer TOKEN",
		       scope_to_str(q->route->scope));
}
