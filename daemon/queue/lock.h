/*
 * STATE/lock: only one process may use a state folder. The file holds that process's pid and is emptied when it stops
 * cleanly. A pid in an unlocked file therefore means that the last process died.
 */
#ifndef QUEUE_LOCK_H
#define QUEUE_LOCK_H

#include "base/err.h"

/* E_BUSY, with the holder's pid, when another process has it. The lock lasts as long as the fd. */
int lock_take(const char *state_dir, int *ret_fd, bool *ret_unclean, struct err *e);

void lock_mark_clean(int fd);

#endif
