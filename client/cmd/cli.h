/*
 * The parts that the commands of colconvctl share.
 *
 * A command is a row of commands.def and a function cmd_NAME. The function parses its arguments with
 * cli_parse(). It returns 0; an exit status above 0 when it has told the user why itself; or an error, which
 * main() prints. Data goes to stdout, messages and progress to stderr.
 */
#ifndef CLIENT_CLI_H
#define CLIENT_CLI_H

#include "base/json.h"
#include "client/net/http.h"
#include "option.h"
#include "settings.h"

struct cli;

/* The word that a shell wants completed: see cmd_complete.c. */
struct completion {
	const char *word; /* the last word of the line; may be empty */
	void (*run)(struct cli *c, const struct option_row *rows, int argc, char **argv);
};

struct cli {
	const struct command *commands; /* all of them; the last has no name */
	const struct command *command;  /* the one that runs */
	const char *flags[SETTING_MAX]; /* of the command line; NULL: not given */
	struct settings settings;       /* after cli_settings() */
	bool settings_loaded;
	struct http *http;             /* cli_http() */
	struct completion *completion; /* not NULL: cli_parse() only hands it the rows and words */
	uint64_t id;                   /* the job that the command is about, for remedies; 0: none */
	bool json;
	bool wide;  /* tables have all their columns */
	bool names; /* print only the first column of tables */
	bool help;
};

typedef int command_fn(struct cli *c, int argc, char **argv, struct err *e);

struct command {
	const char *name; /* "": a group, with its title as help */
	const char *operands;
	int operands_min;
	int operands_max;   /* -1: any number */
	const char *states; /* commands.def */
	const char *help;   /* NULL: not listed */
	command_fn *run;
};

/* NULL when there is no command of that name. */
const struct command *cli_command(const struct cli *c, const char *name);

#define GROUP(title)
#define COMMAND(name, ...) command_fn cmd_##name;
#include "commands.def"
#undef COMMAND
#undef GROUP

/* Options of every command: the last rows of its table. */
/* clang-format off */
#define COMMON_OPTIONS(c)                                                                                    \
	{"json", 0, NULL, option_flag, &(c)->json, NULL, "print JSON"},                                      \
	{"server", 0, "URL", option_str, &(c)->flags[SETTING_SERVER], NULL,                                  \
	 "the daemon: HOST:PORT, a URL, or unix:PATH (COLCONV_SERVER)"},                                      \
	{"token-file", 0, "FILE", option_str, &(c)->flags[SETTING_TOKEN_FILE], NULL,                         \
	 "a file with the daemon's token (COLCONV_TOKEN_FILE)"},                                             \
	{"help", 'h', NULL, option_flag, &(c)->help, NULL, "show this help"}, OPTION_END

/* The same, and -o json, for commands whose -o does not name a file or folder. */
#define CLI_OPTIONS(c)                                                                                       \
	{"output", 'o', "json", cli_option_json, (c), "json", "the same as --json"},                         \
	COMMON_OPTIONS(c)

/* Options of commands that print a table, with the options of every command. */
#define TABLE_OPTIONS(c)                                                                                     \
	{"output", 'o', "FORM", cli_option_form, (c), "form", "how to print it: wide, json, name"},          \
	COMMON_OPTIONS(c)
/* clang-format on */

option_fn cli_option_json; /* struct cli */
option_fn cli_option_form; /* struct cli */

/* Returns 1 to continue with *argc operands, 0 when --help was printed, or an error. */
int cli_parse(struct cli *c, const struct option_row *rows, int *argc, char **argv, struct err *e);

int cli_settings(struct cli *c, struct err *e);

/* Settings that say where the daemon is; after cli_settings() or cli_http(). */
const char *cli_server(const struct cli *c);

/* The connection settings for requests. Does not connect yet; borrowed from c. */
int cli_http(struct cli *c, struct http **ret, struct err *e);

/*
 * Makes a request whose answer is JSON, which the caller owns. `body` may be NULL. `ret` may be NULL when the
 * answer does not matter.
 */
int cli_request(struct cli *c, const char *method, const char *path, const json_t *body, json_t **ret,
		struct err *e);

/* The same with all options of a request; `sink` and `ctx` are set here. */
int cli_request_json(struct cli *c, struct http_request *req, const json_t *body, json_t **ret,
		     struct err *e);

/* Prints JSON on stdout, safe for a terminal; `flags` are jansson's. The second function adds a newline. */
void cli_dump_json(const json_t *j, size_t flags);
void cli_print_json(const json_t *j, size_t flags);

/* Prints "colconvctl: SENTENCE; REMEDY" on stderr. */
void cli_print_error(const struct cli *c, const struct err *e);

/* Gets the document of a job, for the caller to free. */
int cli_job(struct cli *c, uint64_t id, json_t **ret, struct err *e);

/* Sets the job that later errors are about. */
int cli_id_parse(struct cli *c, const char *s, uint64_t *ret, struct err *e);

/*
 * Calls `fn` for every operand, each a job's id. A failure is printed, and the next id is tried, unless the
 * daemon does not answer. Returns the exit status of the first failure.
 */
typedef int cli_id_fn(struct cli *c, uint64_t id, void *ctx, struct err *e);
int cli_each_id(struct cli *c, int argc, char **argv, cli_id_fn *fn, void *ctx, struct err *e);

#endif
