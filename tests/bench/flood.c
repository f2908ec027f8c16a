/*
 * A flood: connects, sends what is no whole request, and closes, again and again, with one socket at a
 * time in each process.
 *
 *	flood PORT SECONDS [TEXT]      prints how many connections it made
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
once(const struct sockaddr_in *to, const char *text)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int ok = fd >= 0 && connect(fd, (const struct sockaddr *)(const void *)to, sizeof(*to)) == 0 &&
		 send(fd, text, strlen(text), MSG_NOSIGNAL) >= 0;

	if (fd >= 0)
		(void)close(fd);
	return ok;
}

int
main(int argc, char **argv)
{
	const char *text = argc > 3 ? argv[3] : "GET / HTTP/1.1\r\nHost: local";
	struct sockaddr_in to = {.sin_family = AF_INET};
	unsigned long n = 0;
	double end;

	if (argc < 3) {
		(void)fprintf(stderr, "usage: flood PORT SECONDS [TEXT]\n");
		return 2;
	}
	to.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	end = now() + strtod(argv[2], NULL);
	while (now() < end)
		n += (unsigned long)once(&to, text);
	(void)printf("%lu\n", n);
	return 0;
}
