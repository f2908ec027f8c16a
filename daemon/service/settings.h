/* The configuration, checked, with what is made of it. */
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
	struct tokens *tokens; /* until the server has them */
};

/* All that can be wrong is found here, before anything is touched. Only what runs the daemon (and CONF_CHECK) is checked. */
int settings_load(int argc, char **argv, struct settings *ret, enum conf_action *ret_action, struct err *e);
void settings_release(struct settings *s);

/* Logs what is allowed and odd. */
void settings_warn(const struct settings *s);

/* Takes over what `next` changes without a restart, and says so in the log. `next` has what was there before. */
int settings_reload(struct settings *s, struct settings *next, struct err *e);

#endif
