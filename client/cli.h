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
#include "http.h"
#include "option.h"

#define SERVER_DEFAULT "http://127.0.0.1:8470"

/* A job that failed, whatever for; parity alone has an exit status of its own (errors.def). */
#define EXIT_JOB_FAILED 5

struct cli {
	const struct command *command; /* the one that runs */
	const char *server;            /* where the daemon is */
	struct http *http;             /* cli_http() */
	bool json;
	bool help;
};

typedef int command_fn(struct cli *c, int argc, char **argv, struct err *e);

struct command {
	const char *name;
	const char *operands;
	int operands_min;
	int operands_max; /* -1: any number */
	const char *help;
	command_fn *run;
};

/* All of them; the last has no name. */
extern const struct command commands[];

#define COMMAND(name, ...) command_fn cmd_##name;
#include "commands.def"
#undef COMMAND

/* The options that every command takes: the last rows of its table. */
#define CLI_OPTIONS(c)                                                                                       \
	{"json", 0, NULL, option_flag, &(c)->json, NULL, "print JSON"},                                      \
	{"server", 0, "URL", option_str, &(c)->server, NULL,                                                 \
	 "the daemon: http://HOST:PORT or unix:PATH (COLCONV_SERVER)"},                                      \
	{"help", 'h', NULL, option_flag, &(c)->help, NULL, "show this help"}, OPTION_END

/* 1 to go on with *argc operands, 0 when the help was asked for and printed, or an error. */
int cli_parse(struct cli *c, const struct option_row *rows, int *argc, char **argv, struct err *e);

/* Connects to nothing yet; borrowed from c. */
int cli_http(struct cli *c, struct http **ret, struct err *e);

/* A request to the daemon whose answer is JSON, which the caller owns. `body` may be NULL. */
int cli_request(struct cli *c, const char *method, const char *path, const json_t *body, json_t **ret,
		struct err *e);

/* On stdout, with a newline; flags are those of jansson. */
void cli_print_json(const json_t *j, size_t flags);

int cli_id_parse(const char *s, uint64_t *ret, struct err *e);

#endif
