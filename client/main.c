#include "config.h"

#include <errno.h>

#include "base/str.h"
#include "cli.h"
#include "text.h"

const struct command commands[] = {
#define COMMAND(name, operands, min, max, help) {#name, operands, min, max, help, cmd_##name},
#include "commands.def"
#undef COMMAND
	{.name = NULL},
};

static const struct command *
command_find(const char *name)
{
	const struct command *cmd;

	for (cmd = commands; cmd->name; cmd++)
		if (str_eq(cmd->name, name))
			return cmd;
	return NULL;
}

static void
usage_print(FILE *f)
{
	const struct command *cmd;
	char left[32];

	(void)fputs("Usage: colconvctl [--server URL] COMMAND [ARGUMENT...]\n"
		    "Converts visual late-interaction retrievers to ONNX, by colconvd or by itself.\n\n",
		    f);
	for (cmd = commands; cmd->name; cmd++) {
		(void)snprintf(left, sizeof(left), "%s %s", cmd->name, cmd->operands);
		(void)fprintf(f, "  %-20s %s\n", left, cmd->help);
	}
	(void)fputs("\n'colconvctl COMMAND --help' shows the options of a command.\n", f);
}

static json_t *
commands_to_json(void)
{
	json_t *all = json_array();
	const struct command *cmd;

	for (cmd = commands; cmd->name; cmd++)
		(void)json_array_append_new(all, json_pack("{s:s, s:s, s:s}", "name", cmd->name, "operands",
							   cmd->operands, "help", cmd->help));
	return all;
}

int
cmd_help(struct cli *c, int argc, char **argv, struct err *e)
{
	static char help[] = "--help";
	char *only_help[] = {help, NULL};
	const struct option_row rows[] = {CLI_OPTIONS(c)};
	const struct command *cmd;
	json_t *j;
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	if (argc) {
		cmd = command_find(argv[0]);
		if (!cmd)
			return err_set(e, E_USAGE, "there is no command '%s'", argv[0]);
		c->command = cmd;
		return cmd->run(c, 1, only_help, e);
	}
	if (c->json) {
		j = commands_to_json();
		cli_print_json(j, JSON_INDENT(2));
		json_decref(j);
		return 0;
	}
	usage_print(stdout);
	return 0;
}

static int
run(struct cli *c, int argc, char **argv, struct err *e)
{
	bool version = false;
	const struct option_row rows[] = {
		{"version", 'V', NULL, option_flag, &version, NULL, "show the version of this program"},
		CLI_OPTIONS(c),
	};
	int r;

	r = option_parse(rows, OPTION_LEADING, &argc, argv, e);
	if (r < 0)
		return r;
	if (version) {
		(void)puts("colconvctl " PACKAGE_VERSION);
		return 0;
	}
	if (c->help) {
		usage_print(stdout);
		return 0;
	}
	if (argc == 0) {
		usage_print(stderr);
		return err_exit_status(E_USAGE);
	}
	c->command = command_find(argv[0]);
	if (!c->command)
		return err_set(e, E_USAGE, "there is no command '%s'", argv[0]);
	return c->command->run(c, argc - 1, argv + 1, e);
}

static const char *
hint_find(int code)
{
	static const struct {
		int code;
		const char *words;
	} hints[] = {
#define HINT(sym, words) {E_##sym, words},
#include "hints.def"
#undef HINT
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(hints); i++)
		if (hints[i].code == code)
			return hints[i].words;
	return NULL;
}

static void
error_print(const struct err *e, const char *command)
{
	const char *hint = hint_find(e->code);

	(void)fputs("colconvctl: ", stderr);
	text_print(stderr, e->msg);
	if (hint) {
		(void)fputs("; ", stderr);
		(void)fprintf(stderr, hint, command ? command : "", command ? " " : "");
	}
	(void)fputc('\n', stderr);
}

/* Data that did not reach its reader is an error, unless the reader wanted no more. */
static int
stdout_finish(struct err *e)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return err_errno(e, E_IO, errno, "cannot write to the standard output");
}

int
main(int argc, char **argv)
{
	struct cli c = {.server = getenv("COLCONV_SERVER")};
	struct err e = ERR_INIT;
	int r;

	if (!c.server || !*c.server)
		c.server = SERVER_DEFAULT;
	r = argc ? run(&c, argc - 1, argv + 1, &e) : E_USAGE;
	if (r >= 0 && stdout_finish(&e) < 0)
		r = e.code;
	if (r < 0)
		error_print(&e, c.command ? c.command->name : NULL);
	http_free(&c.http);
	return r < 0 ? err_exit_status(r) : r;
}
