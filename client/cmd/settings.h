/*
 * The settings of colconvctl. In this order, the first that has a value counts: the command line; the
 * environment; the user's file ($XDG_CONFIG_HOME/colconv/colconvctl.conf); the system's file
 * (SYSCONFDIR/colconvctl.conf); the built-in default. A file has lines "name = value"; '#' begins a comment.
 *
 * A token in a file that others can read is not used, and a warning says so.
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

/* The source of a value; earlier ones win. */
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

/* `flags` are the values of the command line, NULL where not given. Warnings go to stderr. */
int settings_load(struct settings *s, const char *const flags[SETTING_MAX], struct err *e);
void settings_release(struct settings *s);

const char *setting_name(enum setting_name i);

/*
 * The source in words: "--server", "COLCONV_SERVER", the path of a file or "built in"; in `buf`, which is
 * returned.
 */
const char *setting_from(const struct settings *s, enum setting_name i, char *buf, size_t len);

#endif
