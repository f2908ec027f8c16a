#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fs.h"
#include "base/str.h"

#define ACCEPT_BATCH 64
#define PAUSE_MS 100

struct listener {
	struct loop *loop;
	struct loop_fd fd;
	struct loop_timer pause; /* runs after an accept() that failed for want of descriptors or memory */
	listener_fn fn;
	void *arg;
	uint16_t port;
	bool public;
	char *path; /* the Unix socket's file, removed at the end; NULL: none */
};

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

static int
unix_parse(const char *path, union address *ret, struct err *e)
{
	if (strlen(path) >= sizeof(ret->un.sun_path))
		return err_set(e, E_USAGE, "path of the socket '%s' is longer than %zu bytes", path,
			       sizeof(ret->un.sun_path) - 1);
	ret->un.sun_family = AF_UNIX;
	(void)snprintf(ret->un.sun_path, sizeof(ret->un.sun_path), "%s", path);
	return 0;
}

static int
tcp_parse(const char *text, union address *ret, struct err *e)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	uint64_t port;
	int r;

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		goto bad;
	r = str_to_u64(colon + 1, 0, UINT16_MAX, "port", &port, e);
	if (r < 0)
		return err_context(e, "address '%s'", text);
	(void)snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	if (inet_pton(AF_INET, host, &ret->in.sin_addr) == 1) {
		ret->in.sin_family = AF_INET;
		ret->in.sin_port = htons((uint16_t)port);
		return 0;
	}
	if (host[0] != '[' || !str_ends(host, "]"))
		goto bad;
	host[strlen(host) - 1] = '\0';
	if (inet_pton(AF_INET6, host + 1, &ret->in6.sin6_addr) != 1)
		goto bad;
	ret->in6.sin6_family = AF_INET6;
	ret->in6.sin6_port = htons((uint16_t)port);
	return 0;
bad:
	return err_set(e, E_USAGE,
		       "'%s' is not an address; use for example 127.0.0.1:8470, [::1]:8470 or "
		       "unix:/run/colconv/colconv.sock",
		       text);
}

static int
address_parse(const char *text, union address *ret, socklen_t *ret_len, struct err *e)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	if (str_starts(text, "unix:"))
		r = unix_parse(text + strlen("unix:"), ret, e);
	else
		r = tcp_parse(text, ret, e);
	*ret_len = ret->any.sa_family == AF_INET    ? sizeof(ret->in)
		   : ret->any.sa_family == AF_INET6 ? sizeof(ret->in6)
						    : sizeof(ret->un);
	return r;
}

static bool
address_public(const union address *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohl(a->in.sin_addr.s_addr) >> 24 != 127;
	return a->any.sa_family == AF_INET6 && !IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

int
listener_check(const char *address, bool *ret_public, struct err *e)
{
	union address a;
	socklen_t len;
	int r = address_parse(address, &a, &len, e);

	if (r == 0)
		*ret_public = address_public(&a);
	return r;
}

static void
accept_ready(void *arg, uint32_t events)
{
	struct listener *l = arg;
	union address a;
	socklen_t len;
	int fd, i;

	(void)events;
	for (i = 0; i < ACCEPT_BATCH; i++) {
		len = sizeof(a);
		fd = accept4(l->fd.fd, &a.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			l->fn(l->arg, fd, &a.any, len);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			loop_fd_unwatch(l->loop, &l->fd);
			loop_timer_set(l->loop, &l->pause, PAUSE_MS);
			return;
		} else if (errno == EAGAIN) {
			return;
		}
	}
}

static void
pause_due(void *arg)
{
	struct listener *l = arg;

	if (loop_fd_watch(l->loop, &l->fd, EPOLLIN, NULL) < 0)
		loop_timer_set(l->loop, &l->pause, PAUSE_MS);
}

/*
 * Removes the socket file that a killed process left behind. A socket that a live process listens on stays.
 */
static bool
unix_is_stale(const union address *a)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, &a->any, sizeof(a->un)) < 0 && errno == ECONNREFUSED;
}

static int
address_bind(int fd, const union address *a, socklen_t len)
{
	if (bind(fd, &a->any, len) == 0)
		return 0;
	if (errno != EADDRINUSE || a->any.sa_family != AF_UNIX)
		return -1;
	if (!unix_is_stale(a)) {
		errno = EADDRINUSE;
		return -1;
	}
	(void)unlink(a->un.sun_path);
	return bind(fd, &a->any, len);
}

/*
 * Makes the folder of the socket file: /run/colconv for /run/colconv/colconv.sock. In packages systemd makes
 * it, because the daemon may not.
 */
static int
folder_make(const char *path, struct err *e)
{
	_cleanup_free_ char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!dir)
		return err_no_memory(e);
	if (!slash || slash == dir)
		return 0;
	*slash = '\0';
	return fs_is_dir(dir) ? 0 : fs_mkdir(dir, 0755, e);
}

static int
listener_open(struct listener *l, const char *address, struct err *e)
{
	const int on = 1;
	union address a;
	socklen_t len;
	int r;

	r = address_parse(address, &a, &len, e);
	if (r == 0 && a.any.sa_family == AF_UNIX)
		r = folder_make(a.un.sun_path, e);
	if (r < 0)
		return r;
	l->fd.fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd.fd < 0)
		return err_errno(e, E_IO, errno, "cannot listen on '%s'", address);
	(void)setsockopt(l->fd.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* [::] accepts IPv6 only, whatever the system's default is */
	if (a.any.sa_family == AF_INET6)
		(void)setsockopt(l->fd.fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (address_bind(l->fd.fd, &a, len) < 0)
		return err_errno(e, E_IO, errno, "cannot listen on '%s'", address);
	if (a.any.sa_family == AF_UNIX) {
		l->path = strdup(a.un.sun_path);
		if (!l->path)
			return err_no_memory(e);
		/* the mode says who may connect; nobody can connect before listen() */
		if (chmod(l->path, 0660) < 0)
			return err_errno(e, E_IO, errno, "cannot set the mode of '%s'", l->path);
	}
	if (listen(l->fd.fd, SOMAXCONN) < 0)
		return err_errno(e, E_IO, errno, "cannot listen on '%s'", address);
	return 0;
}

/* Starts with a socket that listens already. */
static int
listener_begin(struct listener *l, struct err *e)
{
	union address a;
	socklen_t len = sizeof(a);

	if (getsockname(l->fd.fd, &a.any, &len) < 0)
		return err_errno(e, E_IO, errno, "cannot tell what descriptor %d listens on", l->fd.fd);
	l->public = address_public(&a);
	if (a.any.sa_family != AF_UNIX)
		l->port = ntohs(a.any.sa_family == AF_INET ? a.in.sin_port : a.in6.sin6_port);
	return loop_fd_watch(l->loop, &l->fd, EPOLLIN, e);
}

static struct listener *
listener_alloc(struct loop *loop, int fd, listener_fn fn, void *arg)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->loop = loop;
	l->fd = (struct loop_fd){.fn = accept_ready, .arg = l, .fd = fd};
	l->pause = (struct loop_timer){.fn = pause_due, .arg = l};
	l->fn = fn;
	l->arg = arg;
	return l;
}

int
listener_new(struct loop *loop, const char *address, listener_fn fn, void *arg, struct listener **ret,
	     struct err *e)
{
	_cleanup_(listener_free) struct listener *l = listener_alloc(loop, -1, fn, arg);
	int r;

	if (!l)
		return err_no_memory(e);
	r = listener_open(l, address, e);
	if (r == 0)
		r = listener_begin(l, e);
	if (r < 0)
		return r;
	*ret = TAKE(l);
	return 0;
}

static bool
is_listening_stream(int fd)
{
	int type = 0, listens = 0, family = 0;
	socklen_t n = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) == 0 && listens &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &n) == 0 &&
	       (family == AF_UNIX || family == AF_INET || family == AF_INET6);
}

int
listener_adopt_take(struct loop *loop, int fd, listener_fn fn, void *arg, struct listener **ret,
		    struct err *e)
{
	_cleanup_(listener_free) struct listener *l = listener_alloc(loop, fd, fn, arg);
	int r;

	if (!l) {
		(void)close(fd);
		return err_no_memory(e);
	}
	if (!is_listening_stream(fd))
		return err_set(e, E_BAD_CONFIG, "descriptor %d is not a listening stream socket", fd);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return err_errno(e, E_IO, errno, "cannot use descriptor %d", fd);
	r = listener_begin(l, e);
	if (r < 0)
		return r;
	*ret = TAKE(l);
	return 0;
}

void
listener_free(struct listener **lp)
{
	struct listener *l = *lp;

	if (!l)
		return;
	loop_timer_stop(&l->pause);
	loop_fd_unwatch(l->loop, &l->fd);
	if (l->fd.fd >= 0)
		(void)close(l->fd.fd);
	if (l->path)
		(void)unlink(l->path);
	free(l->path);
	free(l);
	*lp = NULL;
}

uint16_t
listener_port(const struct listener *l)
{
	return l->port;
}

bool
listener_public(const struct listener *l)
{
	return l->public;
}
