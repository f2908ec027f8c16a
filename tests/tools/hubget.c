/*
 * hubget OWNER/NAME [REVISION]: fetches the files that a conversion reads, as a worker would, and prints the
 * snapshot's folder.
 */
#include <inttypes.h>

#include "hub/hub.h"

static void
on_progress(void *ctx, uint64_t done, uint64_t total, const char *detail)
{
	(void)ctx;
	(void)fprintf(stderr, "%" PRIu64 " of %" PRIu64 " %s\n", done, total, detail);
}

int
main(int argc, char **argv)
{
	struct hub_snapshot s;
	struct err e = ERR_INIT;
	int r;

	if (argc < 2 || argc > 3) {
		(void)fputs("usage: hubget OWNER/NAME [REVISION]\n", stderr);
		return err_exit_status(E_USAGE);
	}
	r = hub_fetch(argv[1], argc > 2 ? argv[2] : REPO_REVISION_DEFAULT, on_progress, NULL, &s, &e);
	if (r < 0) {
		(void)fprintf(stderr, "(%s): %s\n", err_name(r), e.msg);
		return err_exit_status(r);
	}
	(void)puts(s.dir);
	hub_snapshot_release(&s);
	return 0;
}
