#include "frame.h"

#include <errno.h>

void
frame_begin(struct buf *b, size_t message_len)
{
	const unsigned char head[4] = {
		(unsigned char)message_len,
		(unsigned char)(message_len >> 8),
		(unsigned char)(message_len >> 16),
		(unsigned char)(message_len >> 24),
	};

	assert(message_len <= FRAME_LEN_MAX);
	buf_add(b, head, sizeof(head));
}

int
frame_add(struct buf *b, const ProtobufCMessage *message, struct err *e)
{
	const size_t len = protobuf_c_message_get_packed_size(message);
	void *room;

	if (len > FRAME_LEN_MAX)
		return err_set(e, E_TOO_LARGE, "a frame of %zu bytes is longer than the %u allowed", len,
			       FRAME_LEN_MAX);
	frame_begin(b, len);
	room = buf_reserve(b, len);
	if (!room)
		return buf_failed(b, e);
	b->len += protobuf_c_message_pack(message, room);
	return buf_failed(b, e);
}

static int
head_parse(const unsigned char *p, size_t *ret, struct err *e)
{
	*ret = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
	if (*ret > FRAME_LEN_MAX)
		return err_set(e, E_WORKER_PROTOCOL, "a frame of %zu bytes is longer than the %u allowed",
			       *ret, FRAME_LEN_MAX);
	return 0;
}

int
frame_find(const struct buf *b, const uint8_t **ret, size_t *ret_len, struct err *e)
{
	size_t len;
	int r;

	if (b->len < 4)
		return 0;
	r = head_parse((const unsigned char *)b->data, &len, e);
	if (r < 0)
		return r;
	if (b->len - 4 < len)
		return 0;
	*ret = (const uint8_t *)b->data + 4;
	*ret_len = len;
	return 1;
}

/* Returns the number of bytes read: less than `len` only at the end of the file. */
static ssize_t
read_full(int fd, void *data, size_t len)
{
	size_t n = 0;
	ssize_t k;

	while (n < len) {
		k = read(fd, (char *)data + n, len - n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		if (k == 0)
			break;
		n += (size_t)k;
	}
	return (ssize_t)n;
}

int
frame_read(int fd, struct buf *b, struct err *e)
{
	unsigned char head[4];
	size_t len;
	ssize_t n;
	void *p;
	int r;

	n = read_full(fd, head, sizeof(head));
	if (n == 0)
		return 0;
	if (n != (ssize_t)sizeof(head))
		goto torn;
	r = head_parse(head, &len, e);
	if (r < 0)
		return r;
	buf_clear(b);
	p = buf_reserve(b, len);
	if (!p)
		return buf_failed(b, e);
	n = read_full(fd, p, len);
	if (n != (ssize_t)len)
		goto torn;
	b->len = len;
	return 1;
torn:
	if (n < 0)
		return err_errno(e, E_IO, errno, "cannot read a frame");
	return err_set(e, E_WORKER_PROTOCOL, "the input ended inside a frame");
}
