#include "settings.h"

#include <limits.h>

#include "base/conf_file.h"
#include "base/fs.h"
#include "base/str.h"
#include "client/net/http.h"
#include "client/show/text.h"

#define TOKEN_FILE_MAX (64u << 10)
#define TOKEN_LEN_MAX 256

static const struct {
	const char *name;
	const char *variable;
} names[] = {
#define SETTING(sym, name, variable) {name, variable},
#include "settings.def"
#undef SETTING
};

const char *
setting_name(enum setting_name i)
{
	return names[i].name;
}

void
settings_release(struct settings *s)
{
	size_t i;

	for (i = 0; i < SETTING_MAX; i++)
		free(s->rows[i].value);
	free(s->files[0]);
	free(s->files[1]);
	free(s->token);
	*s = (struct settings){.token = NULL};
}

/* Takes the value of the first source that has one. An empty value counts as none. */
static int
setting_set(struct settings *s, enum setting_name i, enum setting_source source, const char *value,
	    struct err *e)
{
	struct setting *row = &s->rows[i];

	if (row->value || !value || !*value)
		return 0;
	row->value = strdup(value);
	row->source = source;
	return row->value ? 0 : err_no_memory(e);
}

static void
warn(const char *path, const char *words)
{
	(void)fputs("colconvctl: '", stderr);
	text_print(stderr, path);
	(void)fprintf(stderr, "' %s\n", words);
}

/* True when others can read the file: a token in it is ignored. */
static bool
is_public(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & S_IROTH);
}

/* ---- files ---- */

struct source {
	struct settings *s;
	const char *path;
	enum setting_source source;
};

static int
line_take(void *ctx, unsigned line _unused_, const char *name, const char *value, struct err *e)
{
	const struct source *from = ctx;
	size_t i;

	for (i = 0; i < SETTING_MAX && !str_eq(names[i].name, name); i++)
		;
	if (i == SETTING_MAX)
		return err_set(e, E_BAD_CONFIG, "unknown setting '%s'", name);
	if (i == SETTING_TOKEN && is_public(from->path)) {
		warn(from->path, "holds a token and everyone may read it: not using that token (chmod o-r)");
		return 0;
	}
	return setting_set(from->s, i, from->source, value, e);
}

/* A missing file sets nothing. */
static int
file_take(struct settings *s, enum setting_source source, struct err *e)
{
	struct source from = {.s = s, .path = s->files[source - FROM_USER], .source = source};

	if (!from.path || !fs_exists(from.path))
		return 0;
	return conf_file_read(from.path, line_take, &from, e);
}

static int
files_name(struct settings *s, struct err *e)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	s->files[1] = strdup(SYSCONFDIR "/colconvctl.conf");
	if (config && *config == '/')
		s->files[0] = str_printf("%s/colconv/colconvctl.conf", config);
	else if (home && *home)
		s->files[0] = str_printf("%s/.config/colconv/colconvctl.conf", home);
	else
		return s->files[1] ? 0 : err_no_memory(e);
	return s->files[0] && s->files[1] ? 0 : err_no_memory(e);
}

/* ---- the token ---- */

static int
token_check(const char *token, const char *from, struct err *e)
{
	const char *s;

	for (s = token; *s > ' ' && *s <= '~'; s++)
		;
	if (*s || s == token || s - token > TOKEN_LEN_MAX)
		return err_set(e, E_BAD_CONFIG, "the token of %s must be 1 to %d visible characters of ASCII",
			       from, TOKEN_LEN_MAX);
	return 0;
}

/* Takes the token from the setting with the stronger source. */
static int
token_find(struct settings *s, struct err *e)
{
	const struct setting *token = &s->rows[SETTING_TOKEN], *file = &s->rows[SETTING_TOKEN_FILE];
	_cleanup_free_ char *text = NULL;
	char from[PATH_MAX];
	size_t len;
	int r;

	if (file->value && (!token->value || file->source < token->source)) {
		if (is_public(file->value)) {
			warn(file->value, "is a token that everyone may read: not using it (chmod o-r)");
			return 0;
		}
		r = fs_read(file->value, TOKEN_FILE_MAX, E_BAD_CONFIG, &text, &len, e);
		if (r < 0)
			return r;
		s->token = strdup(str_trim(text));
		(void)snprintf(from, sizeof(from), "'%s'", file->value);
	} else if (token->value) {
		s->token = strdup(token->value);
		(void)setting_from(s, SETTING_TOKEN, from, sizeof(from));
	} else {
		return 0;
	}
	r = s->token ? token_check(s->token, from, e) : err_no_memory(e);
	if (r == 0 && http_is_open(s->rows[SETTING_SERVER].value))
		warn(s->rows[SETTING_SERVER].value, "is not https: anyone on the network can read the token");
	return r;
}

/* ---- all ---- */

static int
server_set(struct setting *server, struct err *e)
{
	char *url = http_server_url(server->value, e);

	if (!url)
		return e->code;
	free(server->value);
	server->value = url;
	return 0;
}

int
settings_load(struct settings *s, const char *const flags[SETTING_MAX], struct err *e)
{
	size_t i;
	int r;

	r = files_name(s, e);
	for (i = 0; r == 0 && i < SETTING_MAX; i++) {
		r = setting_set(s, i, FROM_FLAG, flags[i], e);
		if (r == 0)
			r = setting_set(s, i, FROM_ENVIRONMENT, getenv(names[i].variable), e);
	}
	if (r == 0)
		r = file_take(s, FROM_USER, e);
	if (r == 0)
		r = file_take(s, FROM_SYSTEM, e);
	if (r == 0)
		r = setting_set(s, SETTING_SERVER, FROM_DEFAULT,
				access(SOCKET_DEFAULT, W_OK) == 0 ? "unix:" SOCKET_DEFAULT : SERVER_DEFAULT,
				e);
	if (r == 0)
		r = server_set(&s->rows[SETTING_SERVER], e);
	return r < 0 ? r : token_find(s, e);
}

const char *
setting_from(const struct settings *s, enum setting_name i, char *buf, size_t len)
{
	char *dash;

	switch (s->rows[i].source) {
	case FROM_FLAG:
		(void)snprintf(buf, len, "--%s", names[i].name);
		while ((dash = strchr(buf, '_')))
			*dash = '-';
		break;
	case FROM_ENVIRONMENT:
		(void)snprintf(buf, len, "%s", names[i].variable);
		break;
	case FROM_USER:
	case FROM_SYSTEM:
		(void)snprintf(buf, len, "%s", s->files[s->rows[i].source - FROM_USER]);
		break;
	case FROM_DEFAULT:
		(void)snprintf(buf, len, "built in");
		break;
	}
	return buf;
}
