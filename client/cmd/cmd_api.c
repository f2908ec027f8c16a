#include "base/str.h"
#include "cli.h"
#include "job_options.h"

static int
on_bytes(void *ctx _unused_, uint64_t offset _unused_, const char *data, size_t len, struct err *e)
{
	if (fwrite(data, 1, len, stdout) != len || fflush(stdout) != 0)
		return err_set(e, E_IO, "cannot write to the standard output");
	return 0;
}

int
cmd_api(struct cli *c, int argc, char **argv, struct err *e)
{
	const char *method = NULL, *file = NULL;
	const struct option_row rows[] = {
		{"method", 'X', "METHOD", option_str, &method, NULL,
		 "GET, POST or DELETE (POST with --data, else GET)"},
		{"data", 'd', "FILE", option_str, &file, NULL, "the JSON to send; - is the standard input"},
		CLI_OPTIONS(c),
	};
	struct http_request req = {.sink = on_bytes};
	_cleanup_free_ char *body = NULL;
	json_t *json = NULL;
	struct http *h;
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	req.path = argv[0];
	req.method = method ? method : file ? "POST" : "GET";
	if (*req.path != '/' || req.path[strcspn(req.path, " \r\n\t")])
		return err_set(e, E_USAGE, "PATH must be one such as /v1/jobs, not '%s'", req.path);
	if (!str_eq(req.method, "GET") && !str_eq(req.method, "POST") && !str_eq(req.method, "DELETE"))
		return err_set(e, E_USAGE, "--method must be GET, POST or DELETE, not '%s'", req.method);
	r = file ? job_file_read(file, &json, e) : 0;
	if (r == 0 && json && !(body = json_dumps(json, JSON_COMPACT)))
		r = err_no_memory(e);
	json_decref(json);
	req.body = body;
	if (r == 0)
		r = cli_http(c, &h, e);
	return r < 0 ? r : http_perform(h, &req, e);
}
