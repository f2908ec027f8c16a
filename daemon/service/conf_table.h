/* The rows of settings.def and of the actions, as tables for conf.c (reads them) and conf_print.c (prints them). */
#ifndef SERVICE_CONF_TABLE_H
#define SERVICE_CONF_TABLE_H

#include "conf.h"

#define CONF_FILE_DEFAULT SYSCONFDIR "/colconvd.conf"

enum conf_type { CONF_IS_TEXT, CONF_IS_NUMBER, CONF_IS_LIST };
enum conf_when { CONF_ON_RELOAD, CONF_ON_START };

struct conf_setting {
	const char *name;
	enum conf_type type;
	size_t offset;
	uint64_t min;
	uint64_t max;
	const char *def;
	const char *unit;
	enum conf_when when;
	const char *help;
};

enum {
#define SETTING(name, ...) CONF_ROW_##name,
#include "settings.def"
#undef SETTING
	CONF_SETTINGS
};

extern const struct conf_setting conf_settings[CONF_SETTINGS];

struct conf_option {
	const char *name;
	enum conf_action action;
	const char *help;
};

#define CONF_ACTIONS 5

extern const struct conf_option conf_actions[CONF_ACTIONS];

static inline void *
conf_field(const struct conf *c, const struct conf_setting *s)
{
	return (char *)(uintptr_t)c + s->offset;
}

#endif
