#include "conf.h"

#include <inttypes.h>

#include "base/fs.h"
#include "base/str.h"

#define FILE_MAX (1u << 20)
#define FILE_DEFAULT SYSCONFDIR "/colconvd.conf"

enum type { TEXT, NUMBER, LIST };
enum when { RELOAD, START };

static const struct setting {
	const char *name;
	enum type type;
	size_t offset;
	uint64_t min;
	uint64_t max;
	const char *def;
	const char *unit;
	enum when when;
	const char *help;
} settings[] = {
#define SETTING(name, type, min, max, def, unit, when, help) \
	{#name, type, offsetof(struct conf, name), min, max, def, unit, when, help},
#include "settings.def"
#undef SETTING
};

static const struct {
	const char *name;
	enum conf_action action;
	const char *help;
} actions[] = {
	{"check-config", CONF_CHECK, "Check the configuration and end."},
	{"print-config", CONF_PRINT, "Print a configuration file with all settings and end."},
	{"help", CONF_HELP, "Print this and end."},
	{"version", CONF_VERSION, "Print the version and end."},
};

/* Where a value comes from; a LIST collects the values of one origin. */
enum origin { BY_DEFAULT, BY_FILE, BY_OPTION };

struct load {
	struct conf *conf;
	enum origin origins[ARRAY_LEN(settings)];
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
		return err_set(e, E_NO_MEMORY, "memory ran out");
	}
	l->v = v;
	v[l->n++] = text;
	return 0;
}

/* A name of the file has '_' where an option has '-'. */
static bool
name_eq(const char *name, const char *option)
{
	for (; *name && (*name == *option || (*name == '_' && *option == '-')); name++, option++)
		;
	return *name == *option;
}

static int
value_set(struct load *l, size_t i, enum origin origin, const char *value, struct err *e)
{
	const struct setting *s = &settings[i];
	char *field = (char *)l->conf + s->offset, *copy;
	int r;

	if (s->type == NUMBER) {
		r = str_to_u64(value, s->min, s->max, s->name, (uint64_t *)(void *)field, e);
		if (r < 0)
			return r;
		l->origins[i] = origin;
		return 0;
	}
	copy = strdup(value);
	if (!copy)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	if (s->type == TEXT) {
		free(*(char **)(void *)field);
		*(char **)(void *)field = copy;
		return 0;
	}
	if (l->origins[i] != origin)
		list_clear((struct conf_list *)(void *)field);
	l->origins[i] = origin;
	return list_add_take((struct conf_list *)(void *)field, copy, e);
}

static int
defaults_set(struct load *l, struct err *e)
{
	size_t i;
	int r;

	for (i = 0; i < ARRAY_LEN(settings); i++) {
		if (settings[i].type == LIST && !*settings[i].def)
			continue;
		r = value_set(l, i, BY_DEFAULT, settings[i].def, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static char *
trim(char *s)
{
	size_t n;

	s += strspn(s, " \t\r");
	for (n = strlen(s); n && strchr(" \t\r", s[n - 1]); n--)
		;
	s[n] = '\0';
	return s;
}

static int
line_take(struct load *l, char *line, struct err *e)
{
	char *eq, *name;
	size_t i;

	line = trim(line);
	if (*line == '\0' || *line == '#')
		return 0;
	eq = strchr(line, '=');
	if (!eq)
		return err_set(e, E_BAD_CONFIG, "'%s' is not like 'name = value'", line);
	*eq = '\0';
	name = trim(line);
	for (i = 0; i < ARRAY_LEN(settings); i++)
		if (str_eq(settings[i].name, name))
			return value_set(l, i, BY_FILE, trim(eq + 1), e);
	return err_set(e, E_BAD_CONFIG, "there is no setting '%s'", name);
}

static int
file_load(struct load *l, const char *path, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	char *line, *next;
	unsigned n = 1;
	size_t len;
	int r;

	r = fs_read(path, FILE_MAX, E_BAD_CONFIG, &text, &len, e);
	if (r < 0)
		return r;
	if (strlen(text) != len)
		return err_set(e, E_BAD_CONFIG, "'%s' is no text", path);
	for (line = text; line; line = next, n++) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (line_take(l, line, e) < 0)
			return err_context(e, "'%s' line %u", path, n);
	}
	return 0;
}

/* One option and its value, which may be the next word. */
static int
option_take(struct load *l, const char *option, const char *next, bool *ret_used_next, struct err *e)
{
	const char *eq = strchr(option, '=');
	char name[64];
	size_t i;

	(void)snprintf(name, sizeof(name), "%.*s", (int)(eq ? eq - option : (ptrdiff_t)strlen(option)), option);
	for (i = 0; i < ARRAY_LEN(settings); i++) {
		if (!name_eq(settings[i].name, name))
			continue;
		*ret_used_next = !eq;
		if (!eq && !next)
			return err_set(e, E_USAGE, "option '--%s' needs a value", name);
		return value_set(l, i, BY_OPTION, eq ? eq + 1 : next, e);
	}
	return err_set(e, E_USAGE, "there is no option '--%s'", name);
}

static bool
action_find(const char *name, enum conf_action *ret)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(actions); i++)
		if (str_eq(actions[i].name, name)) {
			*ret = actions[i].action;
			return true;
		}
	return false;
}

static int
options_load(int argc, char **argv, struct load *l, const char **ret_file, enum conf_action *ret_action,
	     struct err *e)
{
	bool used_next = false;
	int i, r;

	for (i = 1; i < argc; i++) {
		if (!str_starts(argv[i], "--"))
			return err_set(e, E_USAGE, "'%s' is no option", argv[i]);
		if (action_find(argv[i] + 2, ret_action))
			continue;
		if (str_eq(argv[i], "--config")) {
			if (i + 1 == argc)
				return err_set(e, E_USAGE, "option '--config' needs a value");
			*ret_file = argv[++i];
			continue;
		}
		r = option_take(l, argv[i] + 2, argv[i + 1], &used_next, e);
		if (r < 0)
			return r;
		i += used_next;
	}
	return 0;
}

int
conf_load(int argc, char **argv, struct conf *ret, enum conf_action *ret_action, struct err *e)
{
	struct conf file_conf = {.state = NULL}; /* of a first look at the options, for the name of the file */
	struct load first = {.conf = &file_conf}, l = {.conf = ret};
	const char *file = NULL;
	int r;

	memset(ret, 0, sizeof(*ret));
	*ret_action = CONF_RUN;
	r = options_load(argc, argv, &first, &file, ret_action, e);
	conf_release(&file_conf);
	if (r < 0)
		return r;
	r = defaults_set(&l, e);
	if (r == 0 && (file || fs_exists(FILE_DEFAULT)))
		r = file_load(&l, file ? file : FILE_DEFAULT, e);
	if (r == 0)
		r = options_load(argc, argv, &l, &file, ret_action, e);
	if (r < 0)
		conf_release(ret);
	return r;
}

void
conf_release(struct conf *c)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(settings); i++) {
		char *field = (char *)c + settings[i].offset;

		if (settings[i].type == TEXT)
			free(*(char **)(void *)field);
		else if (settings[i].type == LIST)
			list_clear((struct conf_list *)(void *)field);
	}
	memset(c, 0, sizeof(*c));
}

/* Words of `text` in lines of at most `width`, each after `indent`. */
static void
paragraph(FILE *f, const char *indent, int width, const char *text)
{
	int col = 0, n;

	while (*text) {
		n = (int)strcspn(text, " ");
		if (col && col + 1 + n > width) {
			(void)fputc('\n', f);
			col = 0;
		}
		(void)fprintf(f, "%s%.*s", col ? " " : indent, n, text);
		col += n + 1;
		text += n;
		text += strspn(text, " ");
	}
	(void)fputc('\n', f);
}

static void
range_print(FILE *f, const char *indent, const struct setting *s)
{
	if (s->type == NUMBER)
		(void)fprintf(f, "%sFrom %" PRIu64 " to %" PRIu64 "%s%s.\n", indent, s->min, s->max, *s->unit ? " " : "",
			      s->unit);
	else if (s->type == LIST)
		(void)fprintf(f, "%sMay be given several times.\n", indent);
	if (s->when == START)
		(void)fprintf(f, "%sA change needs a restart.\n", indent);
}

void
conf_print_help(FILE *f)
{
	const struct setting *s;
	const char *p;
	size_t i;

	(void)fprintf(f, "Usage: colconvd [OPTION VALUE]...\n\n"
			 "Takes jobs over HTTP and has workers convert retrieval models to ONNX.\n\n"
			 "  --config\n        Configuration file. Default: '%s', when it is there.\n", FILE_DEFAULT);
	for (s = settings; s < settings + ARRAY_LEN(settings); s++) {
		(void)fputs("  --", f);
		for (p = s->name; *p; p++)
			(void)fputc(*p == '_' ? '-' : *p, f);
		(void)fputc('\n', f);
		paragraph(f, "        ", 72, s->help);
		range_print(f, "        ", s);
		(void)fprintf(f, "        Default: '%s'.\n", s->def);
	}
	for (i = 0; i < ARRAY_LEN(actions); i++)
		(void)fprintf(f, "  --%s\n        %s\n", actions[i].name, actions[i].help);
}

void
conf_print_file(FILE *f)
{
	const struct setting *s;

	(void)fputs("# Settings of colconvd, all at their defaults. Made by colconvd --print-config.\n", f);
	for (s = settings; s < settings + ARRAY_LEN(settings); s++) {
		(void)fputc('\n', f);
		paragraph(f, "# ", 90, s->help);
		range_print(f, "# ", s);
		(void)fprintf(f, "#%s =%s%s\n", s->name, *s->def ? " " : "", s->def);
	}
}
