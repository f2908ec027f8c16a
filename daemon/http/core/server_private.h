/* The server's members, for the files of core alone. */
#ifndef HTTP_CORE_SERVER_PRIVATE_H
#define HTTP_CORE_SERVER_PRIVATE_H

#include <microhttpd.h>

#include "conn.h"
#include "listen.h"
#include "server.h"

#define SERVER_MAGIC 0x73727672u

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
	struct listener **listeners;
	size_t n_listeners;
	STAILQ_HEAD(, server_turn) turns;
};

#endif
