/* The members of struct server, for the files in core only. */
#ifndef HTTP_CORE_SERVER_PRIVATE_H
#define HTTP_CORE_SERVER_PRIVATE_H

#include <microhttpd.h>

#include "conn.h"
#include "listen.h"
#include "server.h"

#define SERVER_MAGIC 0x73727672u

/* An address that the server listens on. */
struct port {
	struct server *server;
	struct listener *listener; /* NULL: closed */
	struct share share;
};

struct server {
	unsigned magic;
	struct server_spec spec;
	struct MHD_Daemon *mhd;
	struct loop_fd poll;    /* MHD's own epoll descriptor */
	struct loop_timer wake; /* runs MHD when no descriptor is ready */
	bool woken;             /* run MHD again at once */
	bool ending;            /* new requests get no handler: nobody would end their wait */
	struct tokens *tokens;  /* NULL: everyone may call */
	struct conns conns;
	struct port **ports; /* a port outlives its listener, because connections count in its share */
	size_t n_ports;
	unsigned requests; /* requests in memory */
	uint64_t bodies;   /* bytes of all requests' bodies */
	uint64_t answers;  /* bytes of answers that clients still read, without the small ones */
	STAILQ_HEAD(, server_turn) turns;
};

#endif
