/* What systemd is told, when it asked (NOTIFY_SOCKET, WATCHDOG_USEC); else nothing happens. */
#ifndef SERVICE_SD_H
#define SERVICE_SD_H

#include "base/loop.h"

/* Also starts to feed the watchdog, from the loop: a loop that hangs is noticed. */
void sd_ready(struct loop *l);
void sd_stopping(void);

#endif
