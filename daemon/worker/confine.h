/*
 * Closes the daemon's own files to its worker, with Landlock (Linux 5.13 and newer).
 *
 * A worker runs as the daemon's user, so without this it could open the queue, other jobs' artifacts, the
 * tokens and the credentials. The daemon names these paths in the job. Landlock rules can only allow paths,
 * so every path beside the closed ones is allowed: to close /var/lib/colconv/queue.db, all entries of /,
 * /var, /var/lib and /var/lib/colconv are allowed except the one that leads to queue.db. Files that are
 * created later directly in one of these four folders are closed too, unless `open` names them.
 *
 * A link is no way around this: the kernel checks the file that the link leads to. Nor is /proc/PID of the
 * daemon, because a confined process may not inspect an unconfined one (only root, with CAP_PERFMON, can
 * still read its environment). Child processes are confined as well.
 */
#ifndef WORKER_CONFINE_H
#define WORKER_CONFINE_H

#include "base/err.h"

/* Paths that do not exist are skipped. */
struct confine_spec {
	char *const *closed;
	size_t n_closed;
	const char *const *open; /* allowed even below a closed path */
	size_t n_open;
};

/*
 * Confines this thread, and the threads and programs that it starts from now on. E_IO when the kernel has
 * no Landlock or refuses; then nothing is confined.
 */
int confine(const struct confine_spec *spec, struct err *e);

#endif
