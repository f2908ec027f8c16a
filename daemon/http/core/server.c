#include "request.h"
#include "server_private.h"

/*
 * Extra connections that MHD accepts above connections_max: those that we ended to make room, and that MHD
 * has yet to close.
 */
#define ENDING_MAX 1024

/* Calls all registered turns. Returns whether one of them resumed a request. */
static bool
turns_run(struct server *s)
{
	struct server_turn *t;
	bool resumed = false;

	STAILQ_FOREACH(t, &s->turns, entry)
		resumed |= t->fn(t->arg);
	return resumed;
}

static void
run(struct server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;

	s->woken = false;
	(void)MHD_run(s->mhd);
	conns_settle(&s->conns);
	if (turns_run(s)) {
		s->woken = false;
		(void)MHD_run(s->mhd); /* sends the replies, and may read more requests */
	}
	if (s->woken)
		loop_timer_set(s->spec.loop, &s->wake, 0);
	else if (MHD_get_timeout(s->mhd, &ms) == MHD_YES)
		loop_timer_set(s->spec.loop, &s->wake, (int64_t)MIN(ms, 3600000));
	else
		loop_timer_stop(&s->wake);
}

void
server_wake(struct server *s)
{
	s->woken = true;
	loop_timer_set(s->spec.loop, &s->wake, 0);
}

static void
poll_ready(void *arg, uint32_t events)
{
	struct server *s = arg;

	(void)events;
	CHECK_OBJ(s, SERVER_MAGIC);
	run(s);
}

static void
wake_due(void *arg)
{
	struct server *s = arg;

	CHECK_OBJ(s, SERVER_MAGIC);
	run(s);
}

/*
 * In a flood most clients have hung up by now. Close them here; handing them to the library costs much more.
 */
static void
connection_add(void *arg, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct port *p = arg;
	struct server *s = p->server;

	CHECK_OBJ(s, SERVER_MAGIC);
	if (conn_is_gone(fd) || conns_enter(&s->conns, &p->share, fd, addr, NULL) < 0) {
		(void)close(fd);
		return;
	}
	(void)MHD_add_connection(s->mhd, fd, addr, len); /* closes it on failure */
	server_wake(s);
}

/*
 * Decodes %XX in a path or a parameter. Text that would hold a NUL stays undecoded, because as a C string it
 * would end there.
 */
static size_t
unescape(void *arg, struct MHD_Connection *conn, char *s)
{
	(void)arg;
	(void)conn;
	return strstr(s, "%00") ? strlen(s) : MHD_http_unescape(s);
}

static int
mhd_start(struct server *s, struct err *e)
{
	const union MHD_DaemonInfo *info;
	const struct server_spec *spec = &s->spec;

	s->mhd = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
		request_handle, s, MHD_OPTION_URI_LOG_CALLBACK, request_new, s, MHD_OPTION_NOTIFY_COMPLETED,
		request_completed, s, MHD_OPTION_NOTIFY_CONNECTION, conn_notify, &s->conns,
		MHD_OPTION_UNESCAPE_CALLBACK, unescape, s, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_CONNECTION_LIMIT,
		spec->connections_max + ENDING_MAX, MHD_OPTION_CONNECTION_TIMEOUT, spec->idle_s,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, spec->header_max, MHD_OPTION_END);
	if (!s->mhd)
		return err_set(e, E_INTERNAL, "libmicrohttpd does not start");
	info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return err_set(e, E_INTERNAL, "this libmicrohttpd was built without epoll");
	s->poll.fd = info->epoll_fd;
	return loop_fd_watch(spec->loop, &s->poll, EPOLLIN, e);
}

int
server_new(const struct server_spec *spec, struct server **ret, struct err *e)
{
	struct server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_no_memory(e);
	s->magic = SERVER_MAGIC;
	s->spec = *spec;
	s->poll = (struct loop_fd){.fn = poll_ready, .arg = s, .fd = -1};
	s->wake = (struct loop_timer){.fn = wake_due, .arg = s};
	STAILQ_INIT(&s->turns);
	conns_init(&s->conns, spec->loop, ((int64_t)spec->idle_s + spec->request_s) * 1000);
	s->conns.max = spec->connections_max;
	s->conns.per_address_max = spec->connections_per_address;
	s->conns.release = request_free;
	r = mhd_start(s, e);
	if (r < 0) {
		server_free(&s);
		return r;
	}
	*ret = s;
	return 0;
}

static int
public_refuse(const char *address, struct err *e)
{
	return err_set(e, E_NOT_ALLOWED,
		       "address '%s' is reached from other hosts, and there are no tokens to tell who calls: "
		       "give tokens, "
		       "or listen on 127.0.0.1, [::1] or unix:PATH",
		       address);
}

int
server_set_tokens_take(struct server *s, struct tokens *tokens, struct err *e)
{
	size_t i;

	for (i = 0; !tokens && i < s->n_ports; i++)
		if (s->ports[i]->listener && listener_public(s->ports[i]->listener))
			return err_set(
				e, E_NOT_ALLOWED,
				"the API listens on an address that other hosts reach, so it needs tokens");
	tokens_free(&s->tokens);
	s->tokens = tokens;
	return 0;
}

/* Adds a port, whose listener is set later. */
static int
port_add(struct server *s, struct port **ret, struct err *e)
{
	struct port **ports = reallocarray(s->ports, s->n_ports + 1, sizeof(struct port *));
	struct share **shares = reallocarray(s->conns.listeners, s->n_ports + 1, sizeof(struct share *));
	struct port *p = calloc(1, sizeof(*p));

	s->ports = ports ? ports : s->ports;
	s->conns.listeners = shares ? shares : s->conns.listeners;
	if (!ports || !shares || !p) {
		free(p);
		return err_no_memory(e);
	}
	p->server = s;
	share_init(&p->share);
	s->ports[s->n_ports++] = p;
	s->conns.listeners[s->conns.n_listeners++] = &p->share;
	*ret = p;
	return 0;
}

/* Removes the port that was added last, after it failed to listen. */
static void
port_drop(struct server *s)
{
	listener_free(&s->ports[s->n_ports - 1]->listener);
	free(s->ports[--s->n_ports]);
	s->conns.n_listeners--;
}

int
server_address_check(const char *address, const struct tokens *tokens, struct err *e)
{
	bool public;
	int r = listener_check(address, &public, e);

	return r == 0 && public && !tokens ? public_refuse(address, e) : r;
}

int
server_listen(struct server *s, const char *address, uint16_t *ret_port, struct err *e)
{
	struct port *p;
	int r;

	r = server_address_check(address, s->tokens, e);
	if (r == 0)
		r = port_add(s, &p, e);
	if (r < 0)
		return r;
	r = listener_new(s->spec.loop, address, connection_add, p, &p->listener, e);
	if (r < 0)
		port_drop(s);
	else
		*ret_port = listener_port(p->listener);
	return r;
}

int
server_adopt_take(struct server *s, int fd, uint16_t *ret_port, struct err *e)
{
	struct port *p;
	int r;

	r = port_add(s, &p, e);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	r = listener_adopt_take(s->spec.loop, fd, connection_add, p, &p->listener, e);
	if (r == 0 && listener_public(p->listener) && !s->tokens)
		r = public_refuse("of a socket of systemd's", e);
	if (r < 0)
		port_drop(s);
	else
		*ret_port = listener_port(p->listener);
	return r;
}

void
server_set_spec(struct server *s, const struct server_spec *spec)
{
	s->spec = *spec;
}

unsigned
server_connections(const struct server *s)
{
	return s->conns.n;
}

unsigned
server_requests(const struct server *s)
{
	return s->requests;
}

uint64_t
server_bytes(const struct server *s)
{
	return s->bodies + s->answers;
}

void
server_turn_add(struct server *s, struct server_turn *t)
{
	STAILQ_INSERT_TAIL(&s->turns, t, entry);
}

void
server_quiesce(struct server *s)
{
	size_t i;

	for (i = 0; i < s->n_ports; i++)
		listener_free(&s->ports[i]->listener);
}

void
server_end(struct server *s)
{
	server_quiesce(s);
	s->ending = true;
}

void
server_free(struct server **sp)
{
	struct server *s = *sp;

	if (!s)
		return;
	CHECK_OBJ(s, SERVER_MAGIC);
	server_end(s);
	loop_timer_stop(&s->wake);
	loop_fd_unwatch(s->spec.loop, &s->poll);
	if (s->mhd) {
		(void)MHD_run(
			s->mhd); /* shows MHD the resumed connections: none may be suspended when it stops */
		MHD_stop_daemon(s->mhd);
	}
	conns_release(&s->conns);
	while (s->n_ports)
		free(s->ports[--s->n_ports]);
	free(s->ports);
	free(s->conns.listeners);
	assert(s->requests == 0 && s->bodies == 0 && s->answers == 0);
	tokens_free(&s->tokens);
	OBJ_FREE(*sp);
}
