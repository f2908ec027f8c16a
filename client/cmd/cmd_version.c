#include "config.h"

#include "cli.h"
#include "client/show/job.h"
#include "client/show/text.h"

/* Asks for the daemon's version too. A daemon that does not answer is not an error. */
int
cmd_version(struct cli *c, int argc, char **argv, struct err *e)
{
	const struct option_row rows[] = {CLI_OPTIONS(c)};
	struct err lost = ERR_INIT;
	json_t *daemon = NULL, *both;
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	(void)cli_request(c, "GET", "/v1/version", NULL, &daemon, &lost);
	if (c->json) {
		both = json_pack("{s:s, s:o?}", "version", PACKAGE_VERSION, "daemon", daemon);
		cli_print_json(both, JSON_INDENT(2));
		json_decref(both);
		return 0;
	}
	(void)puts("colconvctl " PACKAGE_VERSION);
	if (daemon) {
		(void)fputs("colconvd ", stdout);
		text_print(stdout, job_str(daemon, "version"));
		(void)fputc('\n', stdout);
	} else {
		text_print(stderr, lost.msg);
		(void)fputc('\n', stderr);
	}
	json_decref(daemon);
	return 0;
}
