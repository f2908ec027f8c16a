/*
 * Closes the daemon's own files to its worker, by Landlock (Linux 5.13 and newer).
 *
 * A worker runs as the daemon's user, so its paths alone would open the queue, other jobs' artifacts, the tokens
 * and the credentials. The daemon names these paths in the job. Landlock can only allow, so everything beside
 * them is allowed: for /var/lib/colconv/queue.db that is every entry of /, /var, /var/lib and /var/lib/colconv
 * but the one that leads on. What is made later in one of these four folders is closed too, unless `open` names it.
 *
 * Links are no way around: the kernel judges the file that was reached. Nor is /proc/PID of the daemon: a confined
 * process may not look into one that is not (root, with CAP_PERFMON, still sees its environment). Programs that are started later are confined as well.
 */
#ifndef WORKER_CONFINE_H
#define WORKER_CONFINE_H

#include "base/err.h"

/* Paths that do not exist are skipped. */
struct confine_spec {
	char *const *closed;
	size_t n_closed;
	const char *const *open; /* allowed even below a closed one */
	size_t n_open;
};

/*
 * Confines this thread, and the threads and programs that it starts from now on. E_IO when the kernel has no
 * Landlock or refuses: nothing is confined then.
 */
int confine(const struct confine_spec *spec, struct err *e);

#endif
