#include "cli.h"

#include "base/str.h"

#define REPLY_MAX (64u << 20)

int
cli_parse(struct cli *c, const struct option_row *rows, int *argc, char **argv, struct err *e)
{
	const struct command *cmd = c->command;
	int r;

	r = option_parse(rows, OPTION_MIXED, argc, argv, e);
	if (r < 0)
		return r;
	if (c->help) {
		(void)printf("Usage: colconvctl %s%s%s [OPTION...]\n%s\n\n", cmd->name,
			     *cmd->operands ? " " : "", cmd->operands, cmd->help);
		option_help(rows, stdout);
		return 0;
	}
	if (*argc < cmd->operands_min)
		return err_set(e, E_USAGE, "%s needs %s", cmd->name, cmd->operands);
	if (cmd->operands_max >= 0 && *argc > cmd->operands_max)
		return err_set(e, E_USAGE, "%s does not take '%s'", cmd->name, argv[cmd->operands_max]);
	return 1;
}

int
cli_http(struct cli *c, struct http **ret, struct err *e)
{
	int r = c->http ? 0 : http_new(c->server, &c->http, e);

	if (r == 0)
		*ret = c->http;
	return r;
}

static int
reply_sink(void *ctx, uint64_t offset _unused_, const char *data, size_t len, struct err *e)
{
	struct buf *b = ctx;

	if (len > REPLY_MAX - b->len)
		return err_set(e, E_TOO_LARGE, "the daemon's answer is longer than %u bytes", REPLY_MAX);
	buf_add(b, data, len);
	return buf_failed(b, e);
}

int
cli_request(struct cli *c, const char *method, const char *path, const json_t *body, json_t **ret,
	    struct err *e)
{
	_cleanup_(buf_release) struct buf reply = BUF_INIT;
	_cleanup_free_ char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	const struct http_request req = {
		.method = method, .path = path, .body = text, .sink = reply_sink, .ctx = &reply};
	struct http *h;
	int r;

	if (body && !text)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	r = cli_http(c, &h, e);
	if (r == 0)
		r = http_perform(h, &req, e);
	if (r < 0)
		return r;
	r = json_parse(reply.len ? reply.data : "", reply.len, "the daemon's answer", E_INTERNAL, ret, e);
	return r < 0 ? err_context(e, "%s at '%s'", path, c->server) : 0;
}

void
cli_print_json(const json_t *j, size_t flags)
{
	if (isatty(STDOUT_FILENO))
		flags |= JSON_ENSURE_ASCII; /* harmless to a terminal */
	/* What fails here shows as an error of stdout, which main() looks for. */
	(void)json_dumpf(j, stdout, flags);
	(void)fputc('\n', stdout);
}

int
cli_id_parse(const char *s, uint64_t *ret, struct err *e)
{
	return str_to_u64(s, 1, INT64_MAX, "a job's id", ret, e);
}
