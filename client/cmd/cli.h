/*
 * What the commands of colconvctl share.
 *
 * A command is a row of commands.def and a function cmd_NAME, which parses its arguments
 * with cli_parse() and returns 0, an exit status above 0 when it has told the user why
 * itself, or an error that main() prints. Data goes to stdout, words and progress to stderr.
 */
#ifndef CLIENT_CLI_H
#define CLIENT_CLI_H

#include "base/json.h"
#include "client/net/http.h"
#include "option.h"
#include "settings.h"

struct cli;

/* What a shell wants completed: see cmd_complete.c. */
struct completion {
	const char *word; /* the last of the line, may be empty */
	void (*run)(struct cli *c, const struct option_row *rows, int argc, char **argv);
};

struct cli {
	const struct command *commands; /* all of them; the last has no name */
	const struct command *command;  /* the one that runs */
	const char *flags[SETTING_MAX]; /* of the command line; NULL: not given */
	struct settings settings;       /* after cli_settings() */
	bool settings_loaded;
	struct http *http;             /* cli_http() */
	struct completion *completion; /* not NULL: cli_parse() hands the rows and words to it */
	uint64_t id;                   /* of the job that the command is about, for remedies; 0: none */
	bool json;
	bool wide;  /* tables have all their columns */
	bool names; /* tables are but their first column */
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

/* The options that every command takes: the last rows of its table. */
/* clang-format off */
#define CLI_OPTIONS(c)                                                                                       \
	{"json", 0, NULL, option_flag, &(c)->json, NULL, "print JSON"},                                      \
	{"server", 0, "URL", option_str, &(c)->flags[SETTING_SERVER], NULL,                                  \
	 "the daemon: http://HOST:PORT or unix:PATH (COLCONV_SERVER)"},                                      \
	{"token-file", 0, "FILE", option_str, &(c)->flags[SETTING_TOKEN_FILE], NULL,                         \
	 "a file with the daemon's token (COLCONV_TOKEN_FILE)"},                                             \
	{"help", 'h', NULL, option_flag, &(c)->help, NULL, "show this help"}, OPTION_END
/* clang-format on */

/* And those whose result is a table. */
/* clang-format off */
#define TABLE_OPTIONS(c)                                                                                     \
	{"output", 'o', "FORM", cli_option_form, (c), "form", "how to print it: wide, json, name"}
/* clang-format on */

option_fn cli_option_form; /* struct cli */

/* 1 to go on with *argc operands, 0 when the help was asked for and printed, or an error. */
int cli_parse(struct cli *c, const struct option_row *rows, int *argc, char **argv, struct err *e);

int cli_settings(struct cli *c, struct err *e);

/* Where the daemon is; after cli_settings() or cli_http(). */
const char *cli_server(const struct cli *c);

/* Connects to nothing yet; borrowed from c. */
int cli_http(struct cli *c, struct http **ret, struct err *e);

/*
 * A request to the daemon whose answer is JSON, which the caller owns. `body` may be NULL, and `ret` for an
 * answer that is not looked at.
 */
int cli_request(struct cli *c, const char *method, const char *path, const json_t *body, json_t **ret,
		struct err *e);

/* The same with what else a request can have (`sink` and `ctx` are set here). */
int cli_request_json(struct cli *c, struct http_request *req, const json_t *body, json_t **ret,
		     struct err *e);

/* On stdout, harmless to a terminal; flags are those of jansson. The second adds a newline. */
void cli_dump_json(const json_t *j, size_t flags);
void cli_print_json(const json_t *j, size_t flags);

/* "colconvctl: SENTENCE; REMEDY" on stderr. */
void cli_print_error(const struct cli *c, const struct err *e);

/* The document of a job, which the caller owns. */
int cli_job(struct cli *c, uint64_t id, json_t **ret, struct err *e);

/* The job that errors from now on are about. */
int cli_id_parse(struct cli *c, const char *s, uint64_t *ret, struct err *e);

/*
 * `fn` with every operand, which are ids; what fails is told, and the others are tried all the same, but for a
 * daemon that does not answer. The exit status of the first that failed.
 */
typedef int cli_id_fn(struct cli *c, uint64_t id, void *ctx, struct err *e);
int cli_each_id(struct cli *c, int argc, char **argv, cli_id_fn *fn, void *ctx, struct err *e);

#endif
