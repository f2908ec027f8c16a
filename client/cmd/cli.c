#include "cli.h"

#include <inttypes.h>

#include "base/str.h"
#include "client/show/remedy.h"
#include "client/show/text.h"

#define REPLY_MAX (16u << 20)

int
cli_option_form(const struct option_row *o, const char *value, struct err *e)
{
	struct cli *c = o->ret;

	c->wide = str_eq(value, "wide");
	c->json = str_eq(value, "json");
	c->names = str_eq(value, "name");
	if (c->wide || c->json || c->names)
		return 0;
	return err_set(e, E_USAGE, "--%s must be wide, json or name, not '%s'", o->name, value);
}

int
cli_option_json(const struct option_row *o, const char *value, struct err *e)
{
	struct cli *c = o->ret;

	if (!str_eq(value, "json"))
		return err_set(e, E_USAGE, "--%s must be json here, not '%s'", o->name, value);
	c->json = true;
	return 0;
}

const struct command *
cli_command(const struct cli *c, const char *name)
{
	const struct command *cmd;

	for (cmd = c->commands; cmd->name; cmd++)
		if (cmd->run && str_eq(cmd->name, name))
			return cmd;
	return NULL;
}

static void
help_print(const struct command *cmd, const struct option_row *rows)
{
	(void)printf("Usage: colconvctl %s%s%s [OPTION...]\n", cmd->name, *cmd->operands ? " " : "",
		     cmd->operands);
	option_help_line(stdout, "", 0, cmd->help ? cmd->help : "");
	(void)fputc('\n', stdout);
	option_help(rows, stdout);
}

int
cli_parse(struct cli *c, const struct option_row *rows, int *argc, char **argv, struct err *e)
{
	const struct command *cmd = c->command;
	int r;

	if (c->completion) {
		c->completion->run(c, rows, *argc, argv);
		return 0;
	}
	r = option_parse(rows, OPTION_MIXED, argc, argv, e);
	if (r < 0)
		return r;
	if (c->help) {
		help_print(cmd, rows);
		return 0;
	}
	if (*argc < cmd->operands_min)
		return err_set(e, E_USAGE, "%s needs %s", cmd->name, cmd->operands);
	if (cmd->operands_max >= 0 && *argc > cmd->operands_max)
		return err_set(e, E_USAGE, "%s does not take '%s'", cmd->name, argv[cmd->operands_max]);
	return 1;
}

int
cli_settings(struct cli *c, struct err *e)
{
	int r = c->settings_loaded ? 0 : settings_load(&c->settings, c->flags, e);

	c->settings_loaded = r == 0;
	return r;
}

const char *
cli_server(const struct cli *c)
{
	return c->settings.rows[SETTING_SERVER].value;
}

int
cli_http(struct cli *c, struct http **ret, struct err *e)
{
	int r = cli_settings(c, e);

	if (r == 0 && !c->http)
		r = http_new(cli_server(c), c->settings.token, &c->http, e);
	if (r == 0)
		*ret = c->http;
	return r;
}

static int
reply_sink(void *ctx, uint64_t offset _unused_, const void *data, size_t len, struct err *e)
{
	struct buf *b = ctx;

	if (len > REPLY_MAX - b->len)
		return err_set(e, E_TOO_LARGE, "the daemon's answer is longer than %u bytes", REPLY_MAX);
	buf_add(b, data, len);
	return buf_failed(b, e);
}

int
cli_request_json(struct cli *c, struct http_request *req, const json_t *body, json_t **ret, struct err *e)
{
	_cleanup_(buf_release) struct buf reply = BUF_INIT;
	_cleanup_free_ char *text = body ? json_text(body, JSON_COMPACT) : NULL;
	struct http *h;
	int r;

	if (body && !text)
		return err_no_memory(e);
	req->body = text;
	req->sink = reply_sink;
	req->ctx = &reply;
	r = cli_http(c, &h, e);
	if (r == 0)
		r = http_perform(h, req, e);
	if (r < 0 || !ret)
		return r;
	r = json_parse_answer(reply.len ? reply.data : "", reply.len, "the daemon's answer", E_INTERNAL, ret,
			      e);
	return r < 0 ? err_context(e, "%s at '%s'", req->path, cli_server(c)) : 0;
}

int
cli_request(struct cli *c, const char *method, const char *path, const json_t *body, json_t **ret,
	    struct err *e)
{
	struct http_request req = {.method = method, .path = path};

	return cli_request_json(c, &req, body, ret, e);
}

static int
on_json(const char *data, size_t len, void *ctx)
{
	return text_stream_add(ctx, data, len, NULL);
}

void
cli_dump_json(const json_t *j, size_t flags)
{
	struct text_stream out = {.out = stdout};

	if (isatty(STDOUT_FILENO))
		flags |= JSON_ENSURE_ASCII;
	/* Errors are not checked here: they set stdout's error flag, which main() checks. */
	(void)json_dump_callback(j, on_json, &out, flags);
}

void
cli_print_json(const json_t *j, size_t flags)
{
	cli_dump_json(j, flags);
	(void)fputc('\n', stdout);
}

void
cli_print_error(const struct cli *c, const struct err *e)
{
	_cleanup_(buf_release) struct buf words = BUF_INIT;

	(void)fputs("colconvctl: ", stderr);
	text_print(stderr, e->msg);
	remedy_add(&words, e->code, c->command ? c->command->name : "", c->id);
	(void)fprintf(stderr, "%s\n", words.data ? words.data : "");
}

int
cli_job(struct cli *c, uint64_t id, json_t **ret, struct err *e)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/v1/jobs/%" PRIu64, id);
	return cli_request(c, "GET", path, NULL, ret, e);
}

int
cli_id_parse(struct cli *c, const char *s, uint64_t *ret, struct err *e)
{
	int r = str_to_u64(s, 1, INT64_MAX, "a job's id", ret, e);

	c->id = r == 0 ? *ret : 0;
	return r;
}

int
cli_each_id(struct cli *c, int argc, char **argv, cli_id_fn *fn, void *ctx, struct err *e)
{
	_cleanup_free_ uint64_t *ids = calloc((size_t)argc, sizeof(*ids));
	int i, r = ids ? 0 : err_no_memory(e), status = 0;

	for (i = 0; r == 0 && i < argc; i++)
		r = cli_id_parse(c, argv[i], &ids[i], e);
	for (i = 0; r == 0 && i < argc; i++) {
		c->id = ids[i];
		r = fn(c, ids[i], ctx, e);
		if (r == 0 || r == E_UNREACHABLE)
			continue;
		cli_print_error(c, e);
		status = status ? status : err_exit_status(r);
		err_clear(e);
		r = 0;
	}
	return r < 0 ? r : status;
}
