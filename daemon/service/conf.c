#include "conf_table.h"

#include "base/conf_file.h"
#include "base/fs.h"
#include "base/str.h"

#define LINE_OPTION 0 /* the line number of an origin on the command line */

const struct conf_setting conf_settings[CONF_SETTINGS] = {
#define SETTING(name, type, min, max, def, unit, when, help) \
	{#name, CONF_IS_##type, offsetof(struct conf, name), min, max, def, unit, CONF_ON_##when, help},
#include "settings.def"
#undef SETTING
};

const struct conf_option conf_actions[CONF_ACTIONS] = {
	{"check-config", CONF_CHECK, "Check the configuration and end."},
	{"print-config", CONF_PRINT, "Print a configuration file with all settings and end."},
	{"print-manual", CONF_MANUAL, "Print the page colconvd.conf(5) and end."},
	{"help", CONF_HELP, "Print this and end."},
	{"version", CONF_VERSION, "Print the version and end."},
};

static void
list_clear(struct conf_list *l)
{
	while (l->n)
		free(l->v[--l->n]);
	free(l->v);
	l->v = NULL;
}

static int
list_add_take(struct conf_list *l, char *text, struct err *e)
{
	char **v = reallocarray(l->v, l->n + 1, sizeof(*v));

	if (!v) {
		free(text);
		return err_no_memory(e);
	}
	l->v = v;
	v[l->n++] = text;
	return 0;
}

/* Where value `i` of a setting was given; NULL: it has its default. */
static const struct conf_origin *
origin_find(const struct conf *c, size_t setting, size_t i)
{
	const struct conf_origin *o;

	for (o = c->origins; o < c->origins + c->n_origins; o++)
		if (o->setting == setting && i-- == 0)
			return o;
	return NULL;
}

static void
origins_remove(struct conf *c, size_t setting)
{
	size_t i, n = 0;

	for (i = 0; i < c->n_origins; i++)
		if (c->origins[i].setting != setting)
			c->origins[n++] = c->origins[i];
	c->n_origins = n;
}

static int
origin_add(struct conf *c, size_t setting, unsigned line, struct err *e)
{
	struct conf_origin *o = reallocarray(c->origins, c->n_origins + 1, sizeof(*o));

	if (!o)
		return err_no_memory(e);
	c->origins = o;
	o[c->n_origins++] = (struct conf_origin){.setting = setting, .line = line};
	return 0;
}

/* Appends to a LIST; replaces the value of other settings. */
static int
value_store(struct conf *c, const struct conf_setting *s, const char *value, struct err *e)
{
	void *field = conf_field(c, s);
	char *copy;

	if (s->type == CONF_IS_NUMBER)
		return str_to_u64(value, s->min, s->max, s->name, field, e);
	copy = strdup(value);
	if (!copy)
		return err_no_memory(e);
	if (s->type == CONF_IS_LIST)
		return list_add_take(field, copy, e);
	free(*(char **)field);
	*(char **)field = copy;
	return 0;
}

/* A value in the file replaces the default; an option replaces both. */
static int
value_set(struct conf *c, size_t i, unsigned line, const char *value, struct err *e)
{
	const struct conf_setting *s = &conf_settings[i];
	const struct conf_origin *old = origin_find(c, i, 0);
	const bool adds =
		s->type == CONF_IS_LIST && old && (old->line == LINE_OPTION) == (line == LINE_OPTION);
	int r;

	if (old && line != LINE_OPTION && !adds)
		return err_set(e, E_BAD_CONFIG, "line %u has already set %s", old->line, s->name);
	if (!adds)
		origins_remove(c, i);
	if (!adds && s->type == CONF_IS_LIST)
		list_clear(conf_field(c, s));
	r = value_store(c, s, value, e);
	return r < 0 ? r : origin_add(c, i, line, e);
}

static int
defaults_set(struct conf *c, struct err *e)
{
	const struct conf_setting *s;
	int r = 0;

	for (s = conf_settings; r == 0 && s < conf_settings + CONF_SETTINGS; s++)
		if (s->type != CONF_IS_LIST || *s->def)
			r = value_store(c, s, s->def, e);
	return r;
}

static int
line_take(void *ctx, unsigned line, const char *name, const char *value, struct err *e)
{
	const struct conf_setting *s = FIND_ROW(conf_settings, CONF_SETTINGS, name, name);

	if (s)
		return value_set(ctx, (size_t)(s - conf_settings), line, value, e);
	return err_set(e, E_BAD_CONFIG, "unknown setting '%s'", name);
}

/* Names in the file have '_' where options have '-'. */
static bool
name_eq(const char *name, const char *option)
{
	for (; *name && (*name == *option || (*name == '_' && *option == '-')); name++, option++)
		;
	return *name == *option;
}

/* Reads one option and its value, which may be the next word. */
static int
option_take(struct conf *c, const char *option, const char *next, bool *ret_used_next, struct err *e)
{
	const char *eq = strchr(option, '=');
	char name[64];
	size_t i;

	(void)snprintf(name, sizeof(name), "%.*s", (int)(eq ? eq - option : (ptrdiff_t)strlen(option)),
		       option);
	for (i = 0; i < CONF_SETTINGS; i++) {
		if (!name_eq(conf_settings[i].name, name))
			continue;
		*ret_used_next = !eq;
		if (!eq && !next)
			return err_set(e, E_USAGE, "option '--%s' needs a value", name);
		return value_set(c, i, LINE_OPTION, eq ? eq + 1 : next, e);
	}
	return err_set(e, E_USAGE, "unknown option '--%s'", name);
}

static bool
action_find(const char *name, enum conf_action *ret)
{
	size_t i;

	for (i = 0; i < CONF_ACTIONS; i++)
		if (str_eq(conf_actions[i].name, name)) {
			*ret = conf_actions[i].action;
			return true;
		}
	return false;
}

static int
options_load(int argc, char **argv, struct conf *c, const char **ret_file, enum conf_action *ret_action,
	     struct err *e)
{
	bool used_next = false;
	int i, r;

	for (i = 1; i < argc; i++) {
		if (!str_starts(argv[i], "--"))
			return err_set(e, E_USAGE, "unexpected argument '%s'", argv[i]);
		if (action_find(argv[i] + 2, ret_action))
			continue;
		if (str_eq(argv[i], "--config")) {
			if (i + 1 == argc)
				return err_set(e, E_USAGE, "option '--config' needs a value");
			*ret_file = argv[++i];
			continue;
		}
		r = option_take(c, argv[i] + 2, argv[i + 1], &used_next, e);
		if (r < 0)
			return r;
		i += used_next;
	}
	return 0;
}

int
conf_load(int argc, char **argv, struct conf *ret, enum conf_action *ret_action, struct err *e)
{
	struct conf first = {.state = NULL}; /* for a first pass over the options, which finds the name of
                                              * the file */
	const char *file = NULL;
	int r;

	memset(ret, 0, sizeof(*ret));
	*ret_action = CONF_RUN;
	r = options_load(argc, argv, &first, &file, ret_action, e);
	conf_release(&first);
	if (r < 0)
		return r;
	if (!file && fs_exists(CONF_FILE_DEFAULT))
		file = CONF_FILE_DEFAULT;
	if (file && !(ret->file = strdup(file)))
		return err_no_memory(e);
	r = defaults_set(ret, e);
	if (r == 0 && file)
		r = conf_file_read(ret->file, line_take, ret, e);
	if (r == 0)
		r = options_load(argc, argv, ret, &file, ret_action, e);
	if (r < 0)
		conf_release(ret);
	return r;
}

void
conf_release(struct conf *c)
{
	const struct conf_setting *s;

	for (s = conf_settings; s < conf_settings + CONF_SETTINGS; s++) {
		if (s->type == CONF_IS_TEXT)
			free(*(char **)conf_field(c, s));
		else if (s->type == CONF_IS_LIST)
			list_clear(conf_field(c, s));
	}
	free(c->file);
	free(c->origins);
	memset(c, 0, sizeof(*c));
}

static size_t
row_of(const struct conf *c, const void *setting)
{
	size_t i = 0;

	while (conf_field(c, &conf_settings[i]) != setting)
		i++;
	return i;
}

bool
conf_is_set(const struct conf *c, const void *setting)
{
	return origin_find(c, row_of(c, setting), 0) != NULL;
}

int
conf_context(const struct conf *c, const void *setting, size_t i, struct err *e)
{
	const size_t row = row_of(c, setting);
	const struct conf_origin *o = origin_find(c, row, i);

	if (o && o->line != LINE_OPTION)
		return err_context(e, "'%s' line %u", c->file, o->line);
	return err_context(e, o ? "option '--%s'" : "default of %s", conf_settings[row].name);
}

static size_t
field_size(const struct conf_setting *s)
{
	static const size_t sizes[] = {
		[CONF_IS_TEXT] = sizeof(CONF_TEXT),
		[CONF_IS_NUMBER] = sizeof(CONF_NUMBER),
		[CONF_IS_LIST] = sizeof(CONF_LIST),
	};

	return sizes[s->type];
}

static bool
field_eq(const struct conf_setting *s, const void *a, const void *b)
{
	const struct conf_list *la = a, *lb = b;
	size_t i;

	if (s->type == CONF_IS_NUMBER)
		return *(const uint64_t *)a == *(const uint64_t *)b;
	if (s->type == CONF_IS_TEXT)
		return str_eq(*(char *const *)a, *(char *const *)b);
	for (i = 0; la->n == lb->n && i < la->n && str_eq(la->v[i], lb->v[i]); i++)
		;
	return la->n == lb->n && i == la->n;
}

void
conf_take(struct conf *c, struct conf *next, conf_changed_fn changed)
{
	struct conf_origin *const origins = c->origins;
	const size_t n_origins = c->n_origins;
	const struct conf_setting *s;
	char old[sizeof(struct conf_list)];

	for (s = conf_settings; s < conf_settings + CONF_SETTINGS; s++) {
		void *a = conf_field(c, s), *b = conf_field(next, s);

		if (field_eq(s, a, b))
			continue;
		changed(s->name, s->when == CONF_ON_RELOAD);
		if (s->when == CONF_ON_START)
			continue;
		memcpy(old, a, field_size(s));
		memcpy(a, b, field_size(s));
		memcpy(b, old, field_size(s));
	}
	c->origins = next->origins;
	c->n_origins = next->n_origins;
	next->origins = origins;
	next->n_origins = n_origins;
}
