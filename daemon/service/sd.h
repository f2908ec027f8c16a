/* Messages to systemd. Without NOTIFY_SOCKET or WATCHDOG_USEC in the environment they do nothing. */
#ifndef SERVICE_SD_H
#define SERVICE_SD_H

#include "base/loop.h"

bool sd_is_there(void);

void sd_ready(void); /* after the start and after every sd_reloading() */
void sd_reloading(void);
void sd_stopping(void);

/* A sentence for `systemctl status`. It is sent only when it changed. */
void sd_status(const char *fmt, ...) _printf_(1, 2);

/* Tells systemd that stopping may take this much longer from now on. */
void sd_extend(int64_t ms);

/* Feeds the watchdog from the loop, so that systemd notices a loop that hangs. */
void sd_watchdog(struct loop *l);

/*
 * How many sockets systemd passed to us, from descriptor SD_SOCKETS_START on. Our children do not see them.
 */
#define SD_SOCKETS_START 3
size_t sd_sockets(void);

#endif
