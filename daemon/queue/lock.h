/*
 * STATE/lock: one process holds a state folder. The file has the holder's pid while it runs and
 * is emptied by a clean stop, so a pid found in a file that nobody holds means an unclean one.
 */
#ifndef QUEUE_LOCK_H
#define QUEUE_LOCK_H

#include "base/err.h"

/* E_BUSY, with the holder's pid, when another process has it. The lock lasts as long as the fd. */
int lock_take(const char *state_dir, int *ret_fd, bool *ret_unclean, struct err *e);

void lock_mark_clean(int fd);

#endif
