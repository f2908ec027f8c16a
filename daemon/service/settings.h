/* The checked configuration and the objects made from it. */
#ifndef SERVICE_SETTINGS_H
#define SERVICE_SETTINGS_H

#include "base/log.h"
#include "conf.h"
#include "http/core/token.h"

struct settings {
	struct conf conf;
	enum log_level log_level;
	bool drain;   /* on SIGTERM, instead of handing jobs back */
	char *worker; /* program */
	struct runners runners;
	struct tokens *tokens; /* until the server takes them */
};

/* Load and check everything before the daemon changes anything. Values are checked only for CONF_RUN and CONF_CHECK. */
int settings_load(int argc, char **argv, struct settings *ret, enum conf_action *ret_action, struct err *e);
void settings_release(struct settings *s);

/* Log warnings about settings that are allowed but probably wrong. */
void settings_warn(const struct settings *s);

/* Exchange with `next` everything that changes without a restart, and log the changes. */
int settings_reload(struct settings *s, struct settings *next, struct err *e);

#endif
