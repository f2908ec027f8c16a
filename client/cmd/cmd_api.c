#include <errno.h>

#include "base/str.h"
#include "cli.h"
#include "client/show/text.h"
#include "job_options.h"

static int
on_bytes(void *ctx, uint64_t offset _unused_, const void *data, size_t len, struct err *e)
{
	int r = text_stream_add(ctx, data, len, e);

	if (r == 0 && fflush(stdout) != 0)
		r = err_errno(e, E_IO, errno, "cannot write to the standard output");
	return r;
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
	struct text_stream out = {.out = stdout};
	struct http_request req = {.sink = on_bytes, .ctx = &out, .stream = true};
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
	if (r == 0 && json && !(body = json_text(json, JSON_COMPACT)))
		r = err_no_memory(e);
	json_decref(json);
	req.body = body;
	if (r == 0)
		r = cli_http(c, &h, e);
	if (r == 0)
		r = http_perform(h, &req, e);
	return r < 0 ? r : text_stream_end(&out, e);
}
