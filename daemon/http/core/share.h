/*
 * Counts connections by listener and by client address, and says which may be given up for a new one.
 *
 * Without such shares one client could hold all connections. A listener may hold all connections except a
 * reserve for each other listener, so that a flood over TCP leaves some for the Unix socket. An address may
 * hold most of its listener's connections.
 */
#ifndef HTTP_CORE_SHARE_H
#define HTTP_CORE_SHARE_H

#include <netinet/in.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/err.h"

struct conn;

/* What a connection is doing. Before CONN_BUSY it may be closed to make room for a new one. */
enum conn_phase {
	CONN_NEW,    /* has not sent a whole request yet */
	CONN_IDLE,   /* was answered, and has not sent the next request yet */
	CONN_PUBLIC, /* waits for an answer that needs no permission */
	CONN_BUSY,   /* waits for any other answer */
};

TAILQ_HEAD(conn_list, conn);

struct share {
	unsigned n;                         /* open connections */
	struct conn_list phases[CONN_BUSY]; /* the first of each list has been in that phase the longest */
};

void share_init(struct share *s);

/* The shares of client addresses. Each exists while its address has connections. */
#define ADDRESS_BUCKETS 1024

struct address {
	struct share share; /* first: an address is its share */
	LIST_ENTRY(address) entry;
	unsigned char key[16];
};

struct addresses {
	LIST_HEAD(, address) buckets[ADDRESS_BUCKETS];
	uint64_t seed;
};

void addresses_init(struct addresses *as);

/*
 * The share of a client: by IPv4 address, or by the first 64 bits of an IPv6 address, because one host
 * usually owns the rest. NULL (and 0) for a Unix socket, whose clients cannot be told apart.
 */
int address_get(struct addresses *as, const struct sockaddr *from, struct share **ret, struct err *e);

/* Frees it when it has no connections. NULL is fine. */
void address_drop(struct share **s);

#endif
