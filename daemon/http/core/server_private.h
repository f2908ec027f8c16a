/* The server's members, for the files of core alone. */
#ifndef HTTP_CORE_SERVER_PRIVATE_H
#define HTTP_CORE_SERVER_PRIVATE_H

#include <microhttpd.h>

#include "conn.h"
#include "listen.h"
#include "server.h"

#define SERVER_MAGIC 0x73727672u

/* Where connections come in. */
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
	bool ending;            /* no handler is called anew: nobody would end its wait */
	struct tokens *tokens;  /* NULL: everyone may call */
	struct conns conns;
	struct port **ports; /* they outlive their listeners: connections count in their shares */
	size_t n_ports;
	unsigned requests; /* alive */
	uint64_t bodies;   /* bytes of all requests' bodies */
	uint64_t answers;  /* bytes of the answers that wait for their readers, but for small ones */
	STAILQ_HEAD(, server_turn) turns;
};

#endif
