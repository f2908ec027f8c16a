/*
 * How the stand-in for colconv-worker asks the server for a worker: one message with its words (arguments, then environment)
 * and its descriptors. The answer is the status of waitpid(). A stand-in that is killed takes its worker with it.
 */
#ifndef TESTS_WARM_H
#define TESTS_WARM_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WARM_SOCKET "COLCONV_WARM_SOCKET"
#define WARM_WORDS_MAX 64
#define WARM_TEXT_MAX 65536

enum { WARM_FOLDER = 3, WARM_FDS }; /* after stdin, stdout and stderr: the working folder */

struct warm_call {
	int32_t argc;
	int32_t len;
	int fd[WARM_FDS];
	char text[WARM_TEXT_MAX]; /* words, each with its NUL */
};

#define WARM_HEAD (2 * sizeof(int32_t))

static inline int
warm_receive(int fd, struct warm_call *ret)
{
	char control[CMSG_SPACE(sizeof(ret->fd))] __attribute__((aligned(8)));
	struct iovec iov[] = {{ret, WARM_HEAD}, {ret->text, sizeof(ret->text)}};
	struct msghdr m = {
		.msg_iov = iov, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof(control)};
	const struct cmsghdr *c;
	ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);

	c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (!c || c->cmsg_len != CMSG_LEN(sizeof(ret->fd)) || (size_t)n != WARM_HEAD + (size_t)ret->len)
		return -1;
	memcpy(ret->fd, CMSG_DATA(c), sizeof(ret->fd));
	return 0;
}

#endif
