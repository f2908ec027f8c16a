/* Runs several exchanges at once, and waits for the first of them to end. */
#ifndef NET_WIRE_H
#define NET_WIRE_H

#include "exchange.h"

struct wire {
	void *multi; /* libcurl's handle */
	LIST_HEAD(, exchange) exchanges;
	int fd_stop; /* becomes readable when the user wants to stop; -1: none */
	bool heard;  /* bytes came since wire_wait() began */
};

int wire_init(struct wire *w, struct err *e);

/* Call when no exchange runs. A zeroed wire is fine. */
void wire_release(struct wire *w);

/*
 * *ret is an exchange that has ended, on which the owner calls exchange_end(). It is NULL when bytes arrived
 * first, or when `until_ms` (as loop_now_ms(); 0: none) passed. E_CANCELLED once fd_stop is readable.
 */
int wire_wait(struct wire *w, int64_t until_ms, struct exchange **ret, struct err *e);

/* For exchange.c. */
int wire_add(struct wire *w, struct exchange *x, struct err *e);
void wire_remove(struct exchange *x);

#endif
