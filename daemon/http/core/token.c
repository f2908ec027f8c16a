#include "token.h"

#include "base/fs.h"
#include "base/str.h"

#define FILE_MAX (1u << 20)
#define TOKEN_MIN 16
#define TOKEN_MAX 256
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

static const char *const scopes[] = {
	[SCOPE_READ] = "read",
	[SCOPE_SUBMIT] = "submit",
	[SCOPE_ADMIN] = "admin",
};

const char *
scope_to_str(enum scope scope)
{
	return scopes[scope];
}

static bool
scope_from_str(const char *word, enum scope *ret)
{
	size_t i;

	for (i = SCOPE_READ; i < ARRAY_LEN(scopes); i++)
		if (str_eq(scopes[i], word)) {
			*ret = (enum scope)i;
			return true;
		}
	return false;
}

static bool
token_ok(const char *s)
{
	size_t n;

	for (n = 0; s[n]; n++)
		if (s[n] <= ' ' || s[n] > '~')
			return false;
	return n >= TOKEN_MIN && n <= TOKEN_MAX;
}

/* The next word of a line, which is cut there; "" at its end. */
static char *
word_take(char **line)
{
	char *word = *line + strspn(*line, " \t\r");

	*line = word + strcspn(word, " \t\r");
	if (**line)
		*(*line)++ = '\0';
	return word;
}

static int
token_parse(char *line, struct token *ret, struct err *e)
{
	const char *name = word_take(&line), *scope = word_take(&line), *token = word_take(&line);

	if (!*token || *word_take(&line))
		return err_set(e, E_BAD_CONFIG, "a line must be 'NAME SCOPE TOKEN'");
	if (strlen(name) > TOKEN_NAME_MAX || strspn(name, NAME_CHARS) != strlen(name))
		return err_set(e, E_BAD_CONFIG, "the name must be 1 to %d letters, digits, '_', '.' or '-'",
			       TOKEN_NAME_MAX);
	if (!scope_from_str(scope, &ret->scope))
		return err_set(e, E_BAD_CONFIG, "the scope of '%s' must be read, submit or admin", name);
	if (!token_ok(token))
		return err_set(e, E_BAD_CONFIG,
			       "the token of '%s' must be %d to %d visible characters of ASCII", name,
			       TOKEN_MIN, TOKEN_MAX);
	(void)snprintf(ret->name, sizeof(ret->name), "%s", name);
	return sha256_bytes(token, strlen(token), ret->digest, e);
}

static int
token_add(struct tokens *t, char *line, struct err *e)
{
	struct token new = {.name = ""}, *v;
	size_t i;
	int r;

	r = token_parse(line, &new, e);
	if (r < 0)
		return r;
	for (i = 0; i < t->n; i++)
		if (str_eq(t->v[i].name, new.name) || sha256_eq(t->v[i].digest, new.digest))
			return err_set(e, E_BAD_CONFIG, "'%s' has the name or the token of '%s'", new.name,
				       t->v[i].name);
	v = reallocarray(t->v, t->n + 1, sizeof(*v));
	if (!v)
		return err_no_memory(e);
	t->v = v;
	v[t->n++] = new;
	return 0;
}

static int
tokens_parse(struct tokens *t, char *text, struct err *e)
{
	unsigned n = 1;
	char *line, *next;

	for (line = text; line; line = next, n++) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		line += strspn(line, " \t\r");
		if (*line && *line != '#' && token_add(t, line, e) < 0)
			return err_context(e, "line %u", n);
	}
	return t->n ? 0 : err_set(e, E_BAD_CONFIG, "the file holds no token");
}

/* Refuse a file that others can read. */
static int
mode_check(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) == 0 && st.st_mode & (S_IRWXG | S_IRWXO))
		return err_set(e, E_BAD_CONFIG, "other users can open it; set its mode to 0600, not %04o",
			       st.st_mode & 07777u);
	return 0;
}

static int
file_load(const char *path, bool credential, struct tokens *t, struct err *e)
{
	char *text;
	size_t len;
	int r;

	r = credential ? 0 : mode_check(path, e);
	if (r < 0)
		return r;
	r = fs_read(path, FILE_MAX, E_BAD_CONFIG, &text, &len, e);
	if (r < 0)
		return r;
	r = strlen(text) == len ? tokens_parse(t, text, e) : err_set(e, E_BAD_CONFIG, "the file holds a NUL");
	explicit_bzero(text, len);
	free(text);
	return r;
}

int
tokens_load(const char *path, struct tokens **ret, struct err *e)
{
	_cleanup_(tokens_free) struct tokens *t = calloc(1, sizeof(*t));
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	_cleanup_free_ char *credential = credentials ? fs_join(credentials, "tokens") : NULL;
	bool ours = !*path && credential && fs_exists(credential);

	if (!t || (credentials && !credential))
		return err_no_memory(e);
	if (!*path && !ours) {
		*ret = NULL;
		return 0;
	}
	if (file_load(ours ? credential : path, ours, t, e) < 0)
		return err_context(e, "tokens '%s'", ours ? credential : path);
	*ret = TAKE(t);
	return 0;
}

void
tokens_free(struct tokens **t)
{
	if (!*t)
		return;
	free((*t)->v);
	free(*t);
	*t = NULL;
}

const struct token *
tokens_find(const struct tokens *t, const char *text, size_t len)
{
	const struct token *found = NULL;
	char digest[SHA256_HEX_LEN + 1];
	size_t i;

	if (sha256_bytes(text, len, digest, NULL) < 0)
		return NULL;
	for (i = 0; i < t->n; i++)
		if (sha256_eq(t->v[i].digest, digest))
			found = &t->v[i];
	return found;
}

bool
tokens_have(const struct tokens *t, enum scope scope)
{
	size_t i;

	for (i = 0; t && i < t->n; i++)
		if (t->v[i].scope == scope)
			return true;
	return false;
}
