/*
 * Frames between a worker and the program that started it: a little-endian u32 length, then as
 * many bytes of one protobuf message (proto/worker.proto).
 */
#ifndef SPEC_FRAME_H
#define SPEC_FRAME_H

#include "base/buf.h"
#include "worker.pb-c.h"

#define FRAME_LEN_MAX (1u << 20)

/* Appends a message as a frame. E_TOO_LARGE when the message is longer than any reader accepts. */
int frame_add(struct buf *b, const ProtobufCMessage *message, struct err *e);

/* Appends only the four length bytes, before a message of that length. */
void frame_begin(struct buf *b, size_t message_len);

/*
 * Looks for a whole frame at the start of the bytes received so far: 1 with *ret pointing
 * into them, 0 when more bytes are needed, E_WORKER_PROTOCOL when the length exceeds the maximum.
 * The caller then drops 4 + *ret_len bytes.
 */
int frame_find(const struct buf *b, const uint8_t **ret, size_t *ret_len, struct err *e);

/* Blocking read of one frame into `b` (message only): 1, 0 at a clean end of file, or an error. */
int frame_read(int fd, struct buf *b, struct err *e);

#endif
