/*
 * The settings of colconvd (settings.def). An option of the command line wins over the
 * configuration file, that over the default; options of a LIST replace the file's.
 */
#ifndef SERVICE_CONF_H
#define SERVICE_CONF_H

#include <stdio.h>

#include "base/err.h"
#include "runner/runner.h"

struct conf_list {
	char **v;
	size_t n;
};

#define CONF_TEXT char *
#define CONF_NUMBER uint64_t
#define CONF_LIST struct conf_list

struct conf {
#define SETTING(name, type, ...) CONF_##type name;
#include "settings.def"
#undef SETTING
};

enum conf_action { CONF_RUN, CONF_CHECK, CONF_PRINT, CONF_HELP, CONF_VERSION };

/* Reads the command line, and the configuration file where there is one. E_USAGE, E_BAD_CONFIG. */
int conf_load(int argc, char **argv, struct conf *ret, enum conf_action *ret_action, struct err *e);
void conf_release(struct conf *c);

/* The options, for a person. */
void conf_print_help(FILE *f);

/* A configuration file with every setting explained, and its default in a comment: etc/colconvd.conf. */
void conf_print_file(FILE *f);

#endif
