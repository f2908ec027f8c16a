/*
 * load: as many keep-alive HTTP connections as asked for, each of which sends the same request again
 * as soon as it has its answer; a stream of events is read, and has no end. Prints one line of JSON: how
 * many answers, how long they took, and what share of a core this program had.
 *
 *	load PORT CLIENTS SECONDS REQUEST-FILE
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"

#define REPLY_MAX (1u << 20)
#define REQUEST_MAX (1u << 20)
#define CLIENTS_MAX 10000

struct client {
	int fd;
	size_t sent;
	struct buf reply;
	double begun;
	bool streams;
};

struct load {
	const char *request;
	size_t request_len;
	struct sockaddr_in to;
	int epoll;
	uint64_t ok, failed;
	struct buf took; /* floats: the seconds of each answer */
};

static double
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
client_send(struct load *l, struct client *c)
{
	ssize_t n;

	while (c->sent < l->request_len) {
		n = send(c->fd, l->request + c->sent, l->request_len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return; /* the next event of the socket */
		if (n < 0)
			die("send");
		c->sent += (size_t)n;
	}
}

static void
client_begin(struct load *l, struct client *c)
{
	buf_clear(&c->reply);
	c->sent = 0;
	c->begun = now();
	client_send(l, c);
}

static void
client_connect(struct load *l, struct client *c)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
	const int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&l->to, sizeof(l->to)) < 0)
		die("connect");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		die("epoll_ctl");
}

/* Whether the reply is whole; every server here says how long it is, or that it is a stream. */
static bool
reply_whole(struct client *c)
{
	const struct buf *b = &c->reply;
	const char *end = strstr(b->data, "\r\n\r\n"), *len;

	if (!end)
		return false;
	len = strcasestr(b->data, "\r\nContent-Length:");
	c->streams = !len && strstr(b->data, "text/event-stream");
	if (c->streams)
		return false;
	if (!len || len > end) {
		(void)fputs("load: a reply without a length\n", stderr);
		exit(1);
	}
	return b->len >= (size_t)(end + 4 - b->data) + strtoul(len + 17, NULL, 10);
}

static void
took_add(struct load *l, const struct client *c)
{
	const float took = (float)(now() - c->begun);

	buf_add(&l->took, &took, sizeof(took));
}

static void
client_answered(struct load *l, struct client *c)
{
	if (str_starts(c->reply.data, "HTTP/1.1 2"))
		l->ok++;
	else
		l->failed++;
	took_add(l, c);
	client_begin(l, c);
}

static void
client_hear(struct load *l, struct client *c)
{
	char *p = buf_reserve(&c->reply, 16384);
	ssize_t n = p ? recv(c->fd, p, 16383, MSG_DONTWAIT) : -1;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == 0) {
		(void)fputs("load: the server closed a connection\n", stderr);
		exit(1);
	}
	if (n < 0 || c->reply.len > REPLY_MAX)
		die("recv");
	c->reply.len += (size_t)n;
	c->reply.data[c->reply.len] = '\0';
	if (c->streams)
		buf_clear(&c->reply);
	else if (reply_whole(c))
		client_answered(l, c);
}

static int
float_cmp(const void *a, const void *b)
{
	const float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void
load_tell(struct load *l, double seconds)
{
	const size_t n = l->took.len / sizeof(float);
	float *took = (float *)(void *)l->took.data;
	struct rusage ru;

	if (l->took.failed || n == 0) {
		(void)fputs("load: no answer\n", stderr);
		exit(1);
	}
	qsort(took, n, sizeof(*took), float_cmp);
	(void)getrusage(RUSAGE_SELF, &ru);
	(void)printf("{\"ok\": %llu, \"failed\": %llu, \"seconds\": %.6f, \"median\": %.6f, \"p99\": %.6f, "
		     "\"slowest\": %.6f, \"cpu\": %.3f}\n",
		     (unsigned long long)l->ok, (unsigned long long)l->failed, seconds, took[n / 2],
		     took[n - 1 - n / 100], took[n - 1],
		     ((double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
		      (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6) /
			     seconds);
}

static void
run(struct load *l, struct client *c, size_t n, double seconds)
{
	struct epoll_event ev[256];
	double begin, t;
	size_t k;
	int i, got;

	for (k = 0; k < n; k++)
		client_connect(l, &c[k]);
	begin = now();
	for (k = 0; k < n; k++)
		client_begin(l, &c[k]);
	while ((t = now() - begin) < seconds) {
		got = epoll_wait(l->epoll, ev, 256, 100);
		for (i = 0; i < got; i++)
			client_hear(l, ev[i].data.ptr);
	}
	for (k = 0; k < n; k++) /* one that still waits was slow too */
		if (!c[k].streams)
			took_add(l, &c[k]);
	load_tell(l, t);
}

int
main(int argc, char **argv)
{
	struct load l = {.to = {.sin_family = AF_INET}};
	struct rlimit files = {CLIENTS_MAX + 100, CLIENTS_MAX + 100};
	struct err e = ERR_INIT;
	uint64_t port, clients;
	struct client *c;
	char *request;
	double seconds;

	if (argc != 5 || str_to_u64(argv[1], 1, 65535, "PORT", &port, &e) < 0 ||
	    str_to_u64(argv[2], 1, CLIENTS_MAX, "CLIENTS", &clients, &e) < 0 ||
	    str_to_double(argv[3], 0, 86400, "SECONDS", &seconds, &e) < 0 ||
	    fs_read(argv[4], REQUEST_MAX, E_USAGE, &request, &l.request_len, &e) < 0) {
		(void)fprintf(stderr, "load: %s\n", argc == 5 ? e.msg : "PORT CLIENTS SECONDS REQUEST-FILE");
		return 2;
	}
	(void)setrlimit(RLIMIT_NOFILE, &files);
	l.request = request;
	l.to.sin_port = htons((uint16_t)port);
	l.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	c = calloc(clients, sizeof(*c));
	if (l.epoll < 0 || !c)
		die("load");
	run(&l, c, clients, seconds);
	return 0;
}
