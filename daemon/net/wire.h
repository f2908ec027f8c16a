/* Exchanges that run at once, and the wait for the first of them to end. */
#ifndef NET_WIRE_H
#define NET_WIRE_H

#include "exchange.h"

struct wire {
	void *multi; /* libcurl's handle */
	LIST_HEAD(, exchange) exchanges;
	int fd_stop; /* readable: the user wants an end; -1: none */
	bool heard;  /* bytes came since wire_wait() began */
};

int wire_init(struct wire *w, struct err *e);

/* No exchange may run. A zeroed one that was never made is fine. */
void wire_release(struct wire *w);

/*
 * *ret is an exchange that has ended, for its owner to call exchange_end(), or NULL when bytes came or `until_ms` (as
 * loop_now_ms() counts; 0: none) passed first. E_CANCELLED once fd_stop is readable.
 */
int wire_wait(struct wire *w, int64_t until_ms, struct exchange **ret, struct err *e);

/* For exchange.c. */
int wire_add(struct wire *w, struct exchange *x, struct err *e);
void wire_remove(struct exchange *x);

#endif
