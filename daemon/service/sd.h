/* Messages to systemd. Without NOTIFY_SOCKET or WATCHDOG_USEC in the environment they do nothing. */
#ifndef SERVICE_SD_H
#define SERVICE_SD_H

#include "base/loop.h"

bool sd_is_there(void);

void sd_ready(void); /* after the start, and after every sd_reloading() */
void sd_reloading(void);
void sd_stopping(void);

/* A sentence for `systemctl status`; the same one again is not sent. */
void sd_status(const char *fmt, ...) _printf_(1, 2);

/* Stopping may take so much longer from now on. */
void sd_extend(int64_t ms);

/* Feeds the watchdog from the loop: a loop that hangs is noticed. */
void sd_watchdog(struct loop *l);

/* How many sockets it passed to us, from this descriptor on; no child of ours hears of them. */
#define SD_SOCKETS_START 3
size_t sd_sockets(void);

#endif
