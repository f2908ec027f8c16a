#include <inttypes.h>

#include "cli.h"
#include "client/show/parity.h"

/* An operand of digits only is a job. Write ./42 for a file of that name. */
static int
report_get(struct cli *c, const char *operand, json_t **ret, struct err *e)
{
	char path[64];
	uint64_t id;

	if (operand[strspn(operand, "0123456789")])
		return parity_read(operand, ret, e);
	if (cli_id_parse(c, operand, &id, e) < 0)
		return e->code;
	(void)snprintf(path, sizeof(path), "/v1/jobs/%" PRIu64 "/parity", id);
	return cli_request(c, "GET", path, NULL, ret, e);
}

int
cmd_parity(struct cli *c, int argc, char **argv, struct err *e)
{
	const struct option_row rows[] = {CLI_OPTIONS(c)};
	json_t *report;
	bool passed;
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	r = report_get(c, argv[0], &report, e);
	if (r < 0)
		return r;
	if (c->json)
		cli_print_json(report, JSON_INDENT(2));
	else
		r = parity_print(report, stdout, e);
	passed = json_is_true(json_object_get(report, "passed"));
	json_decref(report);
	if (r == 0 && !passed)
		r = err_exit_status(E_PARITY);
	return r;
}
