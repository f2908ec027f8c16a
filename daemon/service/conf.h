/*
 * The settings of colconvd (settings.def). A command-line option overrides the configuration file, which
 * overrides the default; the options of a LIST replace all values of the file.
 */
#ifndef SERVICE_CONF_H
#define SERVICE_CONF_H

#include <stdio.h>

#include "base/json.h"
#include "runner/runner.h"

struct conf_list {
	char **v;
	size_t n;
};

#define CONF_TEXT char *
#define CONF_NUMBER uint64_t
#define CONF_LIST struct conf_list

/* Where a value was set. Settings without an origin have their default. */
struct conf_origin {
	size_t setting; /* row of the table */
	unsigned line;  /* of the file; 0: an option */
};

struct conf {
#define SETTING(name, type, ...) CONF_##type name;
#include "settings.def"
#undef SETTING
	char *file;                  /* NULL: no file was read */
	struct conf_origin *origins; /* those of a LIST in the order of its values */
	size_t n_origins;
};

enum conf_action { CONF_RUN, CONF_CHECK, CONF_PRINT, CONF_MANUAL, CONF_HELP, CONF_VERSION };

/* Read the command line and, if it exists, the configuration file. E_USAGE for the command line, E_BAD_CONFIG for the
 * file; a setting that is repeated in the file is an error unless it is a LIST. */
int conf_load(int argc, char **argv, struct conf *ret, enum conf_action *ret_action, struct err *e);
void conf_release(struct conf *c);

/* Whether a setting was given a value; `setting` points to a member of `c`. */
bool conf_is_set(const struct conf *c, const void *setting);

/* Prefix the error with the place where value `i` of a setting was given: "'FILE' line 7", "option '--listen'". */
int conf_context(const struct conf *c, const void *setting, size_t i, struct err *e);

/*
 * Exchange with `next` the values that differ and take effect without a restart, and all origins. Calls back for every
 * setting that differs; `taken` is false if it needs a restart.
 */
typedef void (*conf_changed_fn)(const char *name, bool taken);
void conf_take(struct conf *c, struct conf *next, conf_changed_fn changed);

/* Prints the options for --help. */
void conf_print_help(FILE *f);

/* A configuration file with every setting explained, and its default in a comment: etc/colconvd.conf. */
void conf_print_file(FILE *f);

/* The page colconvd.conf(5). */
void conf_print_manual(FILE *f);

/* All settings by name. Variables in the lines of runners are left out, because they may be secret. */
json_t *conf_to_json(const struct conf *c);

#endif
