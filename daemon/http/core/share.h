/*
 * Shares of the connections: how many a listener or an address has open, and which of them may be given
 * up for a newcomer.
 *
 * Without shares one client could hold all connections. Each listener may hold all but a reserve for each
 * other listener, so that a flood over TCP leaves connections for the Unix socket; an address may hold
 * most of what its listener may.
 */
#ifndef HTTP_CORE_SHARE_H
#define HTTP_CORE_SHARE_H

#include <netinet/in.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/err.h"

struct conn;

/* What a connection is doing. In the phases before CONN_BUSY it may be given up for a newcomer. */
enum conn_phase {
	CONN_NEW,    /* has not sent a whole request yet */
	CONN_IDLE,   /* was answered, and has not sent the next request yet */
	CONN_PUBLIC, /* waits for an answer that needs no permission */
	CONN_BUSY,   /* waits for any other answer */
};

TAILQ_HEAD(conn_list, conn);

struct share {
	unsigned n;                         /* open connections */
	struct conn_list phases[CONN_BUSY]; /* the first of each list is in its phase the longest */
};

void share_init(struct share *s);

/* The shares of addresses, made when an address comes and dropped when it has gone. */
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
 * An IPv4 address, or the first 64 bits of an IPv6 address, of which one host usually has all the rest.
 * NULL with r 0 for other families, which have no addresses to tell clients apart by.
 */
int address_get(struct addresses *as, const struct sockaddr *from, struct share **ret, struct err *e);

/* Frees it when it has no connections. NULL is fine. */
void address_drop(struct share **s);

#endif
