/*
 * The settings of colconvctl: from the command line, else the environment, else the user's file
 * ($XDG_CONFIG_HOME/colconv/colconvctl.conf), else the system's (SYSCONFDIR/colconvctl.conf), else
 * what is built in. A file is lines of "name = value"; '#' begins a comment.
 *
 * A token in a file that everyone may read is no secret: it is not used, and a warning says so.
 */
#ifndef CLIENT_SETTINGS_H
#define CLIENT_SETTINGS_H

#include "base/err.h"

#define SOCKET_DEFAULT "/run/colconv/colconv.sock"
#define SERVER_DEFAULT "http://127.0.0.1:8470"

enum setting_name {
#define SETTING(sym, ...) SETTING_##sym,
#include "settings.def"
#undef SETTING
	SETTING_MAX
};

/* Where a value comes from; the first that has one counts. */
enum setting_source {
	FROM_FLAG,
	FROM_ENVIRONMENT,
	FROM_USER,
	FROM_SYSTEM,
	FROM_DEFAULT,
};

struct setting {
	char *value; /* NULL: none */
	enum setting_source source;
};

struct settings {
	struct setting rows[SETTING_MAX];
	char *files[2]; /* paths of the user's (NULL: no home) and of the system's */
	char *token;    /* to send; NULL: none */
};

/* `flags` has the values of the command line, NULL for none. Warnings go to stderr. */
int settings_load(struct settings *s, const char *const flags[SETTING_MAX], struct err *e);
void settings_release(struct settings *s);

const char *setting_name(enum setting_name i);

/* "--server", "COLCONV_SERVER", the path of a file, "built in"; into `buf`, which is returned. */
const char *setting_from(const struct settings *s, enum setting_name i, char *buf, size_t len);

#endif
