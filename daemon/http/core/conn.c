#include "conn.h"

#include <poll.h>
#include <sys/ioctl.h>

#define CONN_MAGIC 0x636f6e6eu

/*
 * Pause before looking again at a client that hung up: the library may still have to read what the client
 * sent.
 */
#define HUNG_MS 20

#define GRACE_MS 1000

enum { LISTENER, ADDRESS, SHARES };

static void
unlist(struct conn *c)
{
	size_t i;

	for (i = 0; c->phase < CONN_BUSY && i < SHARES; i++)
		if (c->shares[i])
			TAILQ_REMOVE(&c->shares[i]->phases[c->phase], c, entries[i]);
	c->phase = CONN_BUSY;
}

/* Uncounts a connection that is closed or is being closed. */
static void
leave(struct conn *c)
{
	size_t i;

	if (c->ended)
		return;
	unlist(c);
	c->ended = true;
	c->all->n--;
	for (i = 0; i < SHARES; i++)
		if (c->shares[i])
			c->shares[i]->n--;
	address_drop(&c->shares[ADDRESS]);
}

static void
end(struct conn *c)
{
	(void)shutdown(c->peer.fd, SHUT_RDWR);
	leave(c);
}

void
conn_refuse(struct conn *c, const char *status)
{
	char reply[128];
	int n = snprintf(reply, sizeof(reply),
			 "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", status);

	if (!c->ended)
		(void)send(c->peer.fd, reply, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	end(c);
}

/* The connection with the earliest deadline. */
static struct conn *
first_due(const struct conns *cs)
{
	struct conn *c, *first = NULL;
	size_t i;
	int p;

	for (i = 0; i < cs->n_listeners; i++)
		for (p = CONN_NEW; p <= CONN_IDLE; p++) {
			c = TAILQ_FIRST(&cs->listeners[i]->phases[p]);
			if (c && (!first || c->since_ms < first->since_ms))
				first = c;
		}
	return first;
}

static void
due(void *arg)
{
	struct conns *cs = arg;
	struct conn *c;

	while ((c = first_due(cs)) && c->since_ms + cs->limit_ms <= loop_now_ms())
		conn_refuse(c, "408 Request Timeout");
	if (c)
		loop_timer_set(cs->loop, &cs->due, c->since_ms + cs->limit_ms - loop_now_ms());
}

/*
 * True when the client closed its sending side before it sent a whole request, and the library has read
 * everything: the request can never become complete.
 */
static bool
is_stuck(const struct conn *c)
{
	int unread = 0;

	return c->hung_up && !c->ended && c->phase <= CONN_IDLE &&
	       (ioctl(c->peer.fd, FIONREAD, &unread) < 0 || unread == 0);
}

/*
 * Ends connections whose client hung up in the middle of a request. Returns whether some must be looked at
 * again.
 */
static bool
hung_sweep(struct conns *cs)
{
	bool again = false;
	struct conn *c;

	LIST_FOREACH(c, &cs->open, entry) {
		if (is_stuck(c))
			end(c);
		again |= c->hung_up && !c->ended && c->phase <= CONN_IDLE;
	}
	return again;
}

static void
hung_due(void *arg)
{
	struct conns *cs = arg;

	if (hung_sweep(cs))
		loop_timer_set(cs->loop, &cs->hung, HUNG_MS);
}

/*
 * Watches for two things, one after the other: the client closes its sending side; later the whole connection
 * closes. An answer may be on its way between the two. Each is watched for only once: both stay true, and the
 * loop would call back for ever.
 */
static void
hung_up(void *arg, uint32_t events)
{
	struct conn *c = arg;

	CHECK_OBJ(c, CONN_MAGIC);
	if (events & (EPOLLHUP | EPOLLERR) || loop_fd_watch(c->all->loop, &c->peer, /*events=*/0, NULL) < 0)
		loop_fd_unwatch(c->all->loop, &c->peer);
	c->hung_up = true;
	if (c->left)
		c->left(c->left_arg, events);
	if (!c->all->hung.set)
		loop_timer_set(c->all->loop, &c->all->hung, HUNG_MS);
}

void
conn_watch_peer(struct conn *c, loop_fd_fn fn, void *arg)
{
	c->left = fn;
	c->left_arg = arg;
	if (fn && c->hung_up)
		(void)loop_fd_watch(c->all->loop, &c->peer, EPOLLRDHUP,
				    NULL); /* calls back in the next turn */
}

void
conns_init(struct conns *cs, struct loop *loop, int64_t limit_ms)
{
	*cs = (struct conns){
		.loop = loop,
		.limit_ms = limit_ms,
		.due = {.fn = due, .arg = cs},
		.hung = {.fn = hung_due, .arg = cs},
	};
	addresses_init(&cs->addresses);
	LIST_INIT(&cs->arriving);
	LIST_INIT(&cs->open);
}

void
conns_release(struct conns *cs)
{
	conns_settle(cs);
	assert(LIST_EMPTY(&cs->open) && cs->n == 0);
	loop_timer_stop(&cs->due);
	loop_timer_stop(&cs->hung);
}

void
conn_set(struct conn *c, enum conn_phase phase)
{
	struct conns *cs = c->all;
	size_t i;

	if (c->ended)
		return;
	unlist(c);
	c->phase = phase;
	c->since_ms = loop_now_ms();
	for (i = 0; phase < CONN_BUSY && i < SHARES; i++)
		if (c->shares[i])
			TAILQ_INSERT_TAIL(&c->shares[i]->phases[phase], c, entries[i]);
	if (phase <= CONN_IDLE && !cs->due.set)
		loop_timer_set(cs->loop, &cs->due, cs->limit_ms);
	if (phase <= CONN_IDLE && c->hung_up && !cs->hung.set)
		loop_timer_set(cs->loop, &cs->hung, HUNG_MS);
}

/*
 * The connection to give up for a new one. A normal client sends its request at once and reads its answer at
 * once, so connections that have waited longer than GRACE_MS go before recent ones.
 */
static const struct {
	enum conn_phase phase;
	int64_t least_ms;
} order[] = {
	{CONN_NEW, GRACE_MS}, {CONN_IDLE, 0}, {CONN_PUBLIC, GRACE_MS}, {CONN_NEW, 0}, {CONN_PUBLIC, 0},
};

static bool
give_up(const struct share *s)
{
	const int64_t now = loop_now_ms();
	struct conn *c;
	size_t i;

	for (i = 0; i < ARRAY_LEN(order); i++) {
		c = TAILQ_FIRST(&s->phases[order[i].phase]);
		if (!c || now - c->since_ms < order[i].least_ms)
			continue;
		if (c->phase == CONN_NEW && c->request)
			conn_refuse(c, "503 Service Unavailable");
		else
			end(c);
		return true;
	}
	return false;
}

/* Connections reserved for each listener. A flood at another listener cannot use them. */
static unsigned
reserve(const struct conns *cs)
{
	return MAX(cs->max / (4 * (unsigned)cs->n_listeners), 1);
}

static bool
give_up_any(const struct conns *cs, const struct share *own)
{
	size_t i;

	if (own->n > reserve(cs) && give_up(own))
		return true;
	for (i = 0; i < cs->n_listeners; i++)
		if (cs->listeners[i]->n > reserve(cs) && give_up(cs->listeners[i]))
			return true;
	return false;
}

static int
room_make(struct conns *cs, struct share *listener, struct share *address, struct err *e)
{
	const unsigned listener_max = cs->max - reserve(cs) * (unsigned)(cs->n_listeners - 1);
	const unsigned address_max =
		cs->per_address_max ? cs->per_address_max : listener_max - listener_max / 4;

	if ((address && address->n > address_max) || listener->n >= listener_max || cs->n >= cs->max)
		(void)hung_sweep(cs);
	if (address && address->n > address_max && !give_up(address))
		return err_set(e, E_BUSY, "an address has %u connections, which is its limit", address_max);
	if (listener->n >= listener_max && !give_up(listener))
		return err_set(e, E_BUSY, "%u connections are open, which is the limit", listener->n);
	if (cs->n >= cs->max && !give_up_any(cs, listener))
		return err_set(e, E_BUSY, "%u connections are open, which is the limit", cs->n);
	return 0;
}

int
conns_enter(struct conns *cs, struct share *listener, int fd, const struct sockaddr *from, struct err *e)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct share *address = NULL;
	int r;

	r = c ? address_get(&cs->addresses, from, &address, e) : err_no_memory(e);
	if (address)
		address->n++; /* count first: giving up another connection could free this address */
	if (r == 0)
		r = room_make(cs, listener, address, e);
	if (r < 0) {
		if (address)
			address->n--;
		address_drop(&address);
		free(c);
		return r;
	}
	*c = (struct conn){
		.magic = CONN_MAGIC,
		.all = cs,
		.shares = {[LISTENER] = listener, [ADDRESS] = address},
		.phase = CONN_BUSY,
		.local = from->sa_family == AF_UNIX,
		.peer = {.fn = hung_up, .arg = c, .fd = fd},
	};
	cs->n++;
	listener->n++;
	LIST_INSERT_HEAD(&cs->arriving, c, entry);
	return 0;
}

static void
conn_free(struct conn *c)
{
	struct conns *cs = c->all;

	loop_fd_unwatch(cs->loop, &c->peer);
	leave(c);
	LIST_REMOVE(c, entry);
	if (c->request)
		cs->release(&c->request);
	OBJ_FREE(c);
}

void
conns_settle(struct conns *cs)
{
	while (!LIST_EMPTY(&cs->arriving))
		conn_free(LIST_FIRST(&cs->arriving));
}

/*
 * Called when the library takes the connection. Query MHD for one fact at a time: newer versions return all
 * facts in one shared union, so a second query overwrites the first answer.
 */
static void
conn_begin(struct conns *cs, struct MHD_Connection *mhd, void **context)
{
	const int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	struct conn *c;

	LIST_FOREACH(c, &cs->arriving, entry)
		if (c->peer.fd == fd)
			break;
	if (!c || loop_fd_watch(cs->loop, &c->peer, EPOLLRDHUP, NULL) < 0) {
		(void)shutdown(fd, SHUT_RDWR);
		return;
	}
	LIST_REMOVE(c, entry);
	LIST_INSERT_HEAD(&cs->open, c, entry);
	*context = c;
	conn_set(c, CONN_NEW);
}

void
conn_notify(void *arg, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct conn *c = *context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		conn_begin(arg, mhd, context);
	} else if (c) {
		CHECK_OBJ(c, CONN_MAGIC);
		conn_free(c);
		*context = NULL;
	}
}

struct conn *
conn_of(struct MHD_Connection *mhd)
{
	struct conn *c = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;

	if (c)
		CHECK_OBJ(c, CONN_MAGIC);
	return c;
}

bool
conn_is_gone(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};
	char head[4096];
	ssize_t n;

	if (poll(&p, 1, 0) <= 0)
		return false;
	n = recv(fd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);
	if (n == (ssize_t)sizeof(head))
		return false; /* too much to search here: let the library read it */
	return n <= 0 || (!memmem(head, (size_t)n, "\n\r\n", 3) && !memmem(head, (size_t)n, "\n\n", 2));
}
