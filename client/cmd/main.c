#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "base/str.h"
#include "cli.h"
#include "guess.h"

#define HELP_COLUMN 23

static const struct command commands[] = {
#define GROUP(title) {.name = "", .help = title},
#define COMMAND(name, operands, min, max, states, help) {#name, operands, min, max, states, help, cmd_##name},
#include "commands.def"
#undef COMMAND
#undef GROUP
	{.name = NULL},
};

static const struct {
	const char *word;
	command_fn *run;
} synonyms[] = {
#define SYNONYM(word, command) {#word, cmd_##command},
#include "synonyms.def"
#undef SYNONYM
};

/* The command that a mistyped name or a word of another program probably means; NULL: none is near. */
static const char *
command_guess(const char *name)
{
	struct guess g = {.typed = name, .len = strlen(name)};
	const struct command *cmd;
	command_fn *meant = NULL;
	size_t i;

	for (i = 0; i < ARRAY_LEN(synonyms); i++)
		if (str_eq(synonyms[i].word, name))
			meant = synonyms[i].run;
	for (cmd = commands; cmd->name; cmd++) {
		if (meant && cmd->run == meant)
			return cmd->name;
		if (cmd->run && cmd->help)
			guess_try(&g, cmd->name);
	}
	return g.word;
}

static int
command_get(const struct cli *c, const char *name, const struct command **ret, struct err *e)
{
	const char *meant;

	*ret = cli_command(c, name);
	if (*ret)
		return 0;
	meant = command_guess(name);
	return meant ? err_set(e, E_USAGE, "unknown command '%s'; did you mean '%s'?", name, meant)
		     : err_set(e, E_USAGE, "unknown command '%s'", name);
}

static void
usage_print(FILE *f)
{
	const struct command *cmd;
	char left[32];

	(void)fputs("Usage: colconvctl [--server URL] COMMAND [ARGUMENT...]\n"
		    "Converts visual late-interaction retrievers to ONNX, by colconvd or by itself.\n",
		    f);
	for (cmd = commands; cmd->name; cmd++) {
		(void)snprintf(left, sizeof(left), "%s %s", cmd->name, cmd->operands);
		if (!cmd->run)
			(void)fprintf(f, "\n%s:\n", cmd->help);
		else if (cmd->help)
			option_help_line(f, left, HELP_COLUMN, cmd->help);
	}
	(void)fputs("\n'colconvctl COMMAND --help' shows the options of a command.\n"
		    "The one line that most need: colconvctl submit MODEL --fetch DIR\n",
		    f);
}

static json_t *
commands_to_json(void)
{
	json_t *all = json_array();
	const struct command *cmd;

	for (cmd = commands; cmd->name; cmd++)
		if (cmd->run && cmd->help)
			(void)json_array_append_new(all,
						    json_pack("{s:s, s:s, s:s}", "name", cmd->name,
							      "operands", cmd->operands, "help", cmd->help));
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
		r = command_get(c, argv[0], &cmd, e);
		if (r < 0)
			return r;
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
	r = command_get(c, argv[0], &c->command, e);
	if (r < 0)
		return r;
	return c->command->run(c, argc - 1, argv + 1, e);
}

/* Reports data that could not be written, unless the reader closed the pipe. */
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
	struct cli c = {.commands = commands};
	struct err e = ERR_INIT;
	int r;

	r = argc ? run(&c, argc - 1, argv + 1, &e) : E_USAGE;
	if (r >= 0 && stdout_finish(&e) < 0)
		r = e.code;
	if (r < 0)
		cli_print_error(&c, &e);
	http_free(&c.http);
	settings_release(&c.settings);
	return r < 0 ? err_exit_status(r) : r;
}
