#include "conn.h"

#include <sys/socket.h>

#define CONN_MAGIC 0x636f6e6eu

void
conn_refuse(struct conn *c, const char *status)
{
	char reply[128];
	int n = snprintf(reply, sizeof(reply),
			 "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", status);

	(void)send(c->fd, reply, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(c->fd, SHUT_RDWR); /* the library sees the end of it, and closes */
}

static void
due(void *arg)
{
	struct conns *cs = arg;
	struct conn *c;

	while ((c = TAILQ_FIRST(&cs->awaited)) && c->until_ms <= loop_now_ms()) {
		conn_arrived(c);
		conn_refuse(c, "408 Request Timeout");
	}
	if (c)
		loop_timer_set(cs->loop, &cs->due, c->until_ms - loop_now_ms());
}

void
conns_init(struct conns *cs, struct loop *loop, int64_t limit_ms)
{
	*cs = (struct conns){.loop = loop, .limit_ms = limit_ms, .due = {.fn = due, .arg = cs}};
	TAILQ_INIT(&cs->awaited);
}

void
conns_release(struct conns *cs)
{
	assert(TAILQ_EMPTY(&cs->awaited));
	loop_timer_stop(&cs->due);
}

void
conn_await(struct conn *c)
{
	struct conns *cs = c->all;

	conn_arrived(c);
	c->awaited = true;
	c->until_ms = loop_now_ms() + cs->limit_ms;
	TAILQ_INSERT_TAIL(&cs->awaited, c, entry);
	if (!cs->due.set)
		loop_timer_set(cs->loop, &cs->due, cs->limit_ms);
}

void
conn_arrived(struct conn *c)
{
	if (c->awaited)
		TAILQ_REMOVE(&c->all->awaited, c, entry);
	c->awaited = false;
}

static void
conn_new(struct conns *cs, struct MHD_Connection *mhd, void **context)
{
	const union MHD_ConnectionInfo *fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *from =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct conn *c = calloc(1, sizeof(*c));

	if (!c) {
		(void)shutdown(fd->connect_fd, SHUT_RDWR);
		return;
	}
	*c = (struct conn){.magic = CONN_MAGIC, .all = cs, .fd = fd->connect_fd};
	c->local = from->client_addr->sa_family == AF_UNIX;
	*context = c;
	conn_await(c);
}

void
conn_notify(void *arg, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct conn *c = *context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		conn_new(arg, mhd, context);
	} else if (c) {
		CHECK_OBJ(c, CONN_MAGIC);
		conn_arrived(c);
		c->magic = 0;
		free(c);
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
