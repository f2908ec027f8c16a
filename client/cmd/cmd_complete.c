/*
 * complete: completion of command lines for shells. 'colconvctl complete WORD...' prints what the last word may
 * become, a line each, "WORD TAB DESCRIPTION". Commands and options come from the program's own tables; the daemon
 * is asked for ids of jobs. A line "TAB files" or "TAB dirs" asks the shell for names of its own.
 */

#include <inttypes.h>
#include <strings.h>

#include "base/loop.h"
#include "base/str.h"
#include "cli.h"
#include "client/show/job.h"
#include "client/show/text.h"

#define JOBS_MAX 100
#define JOBS_WAIT_MS 1000 /* longest wait after pressing TAB */

static const struct {
	const char *field;
	const char *word;
} words[] = {
#define WORD(field, sym, word) {#field, word},
#include "spec/fields.def"
#define STATE(sym, name, ...) {"state", name},
#include "spec/states.def"
#undef STATE
	{"form", "wide"},
	{"form", "json"},
	{"form", "name"},
	{"json", "json"},
};

/* PREFIX is the part of the word that stays: "--dtype=". */
static void
candidate_print(const struct cli *c, const char *prefix, const char *word, const char *description)
{
	if (!str_starts(word, c->completion->word + strlen(prefix)))
		return;
	(void)printf("%s", prefix);
	text_print(stdout, word);
	(void)fputc('\t', stdout);
	text_print(stdout, description ? description : "");
	(void)fputc('\n', stdout);
}

static void
options_complete(const struct cli *c, const struct option_row *rows)
{
	char name[64];

	for (; rows->name; rows++) {
		(void)snprintf(name, sizeof(name), "--%s", rows->name);
		candidate_print(c, "", name, rows->help);
	}
}

static void
commands_complete(const struct cli *c)
{
	const struct command *cmd;

	for (cmd = c->commands; cmd->name; cmd++)
		if (cmd->run && cmd->help)
			candidate_print(c, "", cmd->name, cmd->help);
}

/* Completes ids of jobs. Without an answer from the daemon it completes nothing. */
static void
jobs_complete(struct cli *c, const char *states)
{
	struct http_request req = {.method = "GET", .deadline_ms = loop_now_ms() + JOBS_WAIT_MS};
	char path[128], id[24];
	json_t *reply = NULL, *job;
	size_t i;

	(void)snprintf(path, sizeof(path), "/v1/jobs?limit=%d%s%s", JOBS_MAX, *states ? "&state=" : "",
		       states);
	req.path = path;
	if (cli_request_json(c, &req, NULL, &reply, NULL) < 0)
		return;
	json_array_foreach(json_object_get(reply, "jobs"), i, job) {
		_cleanup_free_ char *about = str_printf("%s %s", job_str(job, "state"),
							job_str(json_object_get(job, "spec"), "model"));

		(void)snprintf(id, sizeof(id), "%" PRIu64, job_whole(job, "id"));
		candidate_print(c, "", id, about);
	}
	json_decref(reply);
}

static void
value_complete(struct cli *c, const struct option_row *o, const char *prefix)
{
	size_t i;

	for (i = 0; o->key && i < ARRAY_LEN(words); i++)
		if (strcasecmp(words[i].field, o->key) == 0)
			candidate_print(c, prefix, words[i].word, "");
	if (str_eq(o->value, "FILE") || str_eq(o->value, "PROGRAM"))
		(void)puts("\tfiles");
	else if (str_eq(o->value, "DIR"))
		(void)puts("\tdirs");
	else if (str_eq(o->value, "ID"))
		jobs_complete(c, "");
}

static void
operand_complete(struct cli *c, int before)
{
	const struct command *cmd = c->command;

	if (!cmd || str_eq(cmd->operands, "[COMMAND]")) {
		commands_complete(c);
		return;
	}
	if (cmd->operands_max >= 0 && before >= cmd->operands_max)
		return;
	if (cmd->states)
		jobs_complete(c, cmd->states);
	if (str_eq(cmd->operands, "DIR"))
		(void)puts("\tdirs");
	if (strstr(cmd->operands, "FILE") || strstr(cmd->operands, "ARTIFACT") ||
	    strstr(cmd->operands, "MODEL") || strstr(cmd->operands, "CHECKPOINT"))
		(void)puts("\tfiles");
}

/* Finds the option's row by its whole name, "--name" or "-n"; NULL: none. */
static const struct option_row *
option_find(const struct option_row *rows, const char *word, size_t len)
{
	for (; rows->name; rows++)
		if ((len == 2 && rows->letter && word[1] == rows->letter) ||
		    (len == strlen(rows->name) + 2 && word[1] == '-' &&
		     strncmp(word + 2, rows->name, len - 2) == 0))
			return rows;
	return NULL;
}

/* Prints what the word after these `argc` may become: a command, when c->command is NULL. */
static void
complete_command(struct cli *c, const struct option_row *rows, int argc, char **argv)
{
	const char *word = c->completion->word, *eq = strchr(word, '=');
	const struct option_row *o;
	_cleanup_free_ char *prefix = NULL;
	bool options = true;
	int i, operands = 0;

	for (i = 0; i < argc; i++) {
		if (!options || argv[i][0] != '-' || !argv[i][1]) {
			operands++;
			continue;
		}
		options = !str_eq(argv[i], "--");
		o = strchr(argv[i], '=') ? NULL : option_find(rows, argv[i], strlen(argv[i]));
		if (!o || !o->value)
			continue;
		if (i + 1 == argc) {
			value_complete(c, o, "");
			return;
		}
		(void)o->set(o, argv[++i], NULL); /* --server decides whose jobs are completed */
	}
	if (!options || *word != '-') {
		operand_complete(c, operands);
	} else if (eq) {
		o = option_find(rows, word, (size_t)(eq - word));
		prefix = strndup(word, (size_t)(eq - word) + 1);
		if (o && o->value && prefix)
			value_complete(c, o, prefix);
	} else {
		options_complete(c, rows);
	}
}

int
cmd_complete(struct cli *c, int argc, char **argv, struct err *e)
{
	struct completion completion = {.word = "", .run = complete_command};
	const struct option_row rows[] = {CLI_OPTIONS(c)};
	const struct option_row *o;
	int i;

	if (argc)
		completion.word = argv[--argc];
	c->completion = &completion;
	c->command = NULL;
	for (i = 0; i < argc && argv[i][0] == '-'; i++) {
		o = option_find(rows, argv[i], strlen(argv[i]));
		if (o && o->value && i + 1 < argc)
			(void)o->set(o, argv[++i], NULL);
	}
	if (i == argc) {
		complete_command(c, rows, argc, argv);
		return 0;
	}
	c->command = cli_command(c, argv[i]);
	return c->command && c->command->run != cmd_complete
		       ? c->command->run(c, argc - i - 1, argv + i + 1, e)
		       : 0;
}
