#include "option.h"

#include "base/str.h"
#include "guess.h"
#include "client/show/text.h"

#define HELP_COLUMN 26
#define HELP_WIDTH_MAX 100 /* longer lines are hard to read */
#define HELP_WIDTH_PIPE 80

int
option_flag(const struct option_row *o, const char *value _unused_, struct err *e _unused_)
{
	*(bool *)o->ret = true;
	return 0;
}

int
option_str(const struct option_row *o, const char *value, struct err *e _unused_)
{
	*(const char **)o->ret = value;
	return 0;
}

int
option_number(const struct option_row *o, const char *value, struct err *e)
{
	char what[64];

	(void)snprintf(what, sizeof(what), "--%s", o->name);
	return str_to_u64(value, 0, INT64_MAX, what, o->ret, e);
}

int
option_seconds(const struct option_row *o, const char *value, struct err *e)
{
	static const struct {
		char letter;
		uint64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	size_t i, n = strspn(value, "0123456789");
	_cleanup_free_ char *digits = strndup(value, n);
	uint64_t unit = value[n] ? 0 : 1;

	if (!digits)
		return err_no_memory(e);
	for (i = 0; i < ARRAY_LEN(units) && value[n] && !value[n + 1]; i++)
		if (units[i].letter == value[n])
			unit = units[i].seconds;
	if (!unit || str_to_u64(digits, 0, INT64_MAX / 86400, "a time", o->ret, NULL) < 0)
		return err_set(e, E_USAGE, "--%s must be a time such as 90, 5m, 2h or 30d, not '%s'", o->name,
			       value);
	*(uint64_t *)o->ret *= unit;
	return 0;
}

int
option_bytes(const struct option_row *o, const char *value, struct err *e)
{
	char what[64];

	(void)snprintf(what, sizeof(what), "--%s", o->name);
	return str_to_bytes(value, what, o->ret, e);
}

static const struct option_row *
name_find(const struct option_row *rows, const char *name, size_t len)
{
	for (; rows->name; rows++)
		if (strncmp(rows->name, name, len) == 0 && rows->name[len] == '\0')
			return rows;
	return NULL;
}

static const struct option_row *
letter_find(const struct option_row *rows, char letter)
{
	for (; rows->name; rows++)
		if (rows->letter && rows->letter == letter)
			return rows;
	return NULL;
}

static int
unknown(const struct option_row *rows, const char *word, struct err *e)
{
	struct guess g = {.typed = word + 2, .len = strcspn(word + 2, "=")};

	if (word[1] == '-')
		for (; rows->name; rows++)
			guess_try(&g, rows->name);
	return g.word ? err_set(e, E_USAGE, "unknown option '%s'; did you mean '--%s'?", word, g.word)
		      : err_set(e, E_USAGE, "unknown option '%s'", word);
}

/* Parses the option at argv[*i]; leaves *i at the last word used. */
static int
option_take(const struct option_row *rows, int argc, char **argv, int *i, struct err *e)
{
	const char *word = argv[*i], *value = NULL;
	const struct option_row *o;
	size_t len;

	if (word[1] == '-') {
		len = strcspn(word + 2, "=");
		o = name_find(rows, word + 2, len);
		if (word[2 + len])
			value = word + 2 + len + 1;
	} else {
		o = letter_find(rows, word[1]);
		if (word[2])
			value = word + 2;
	}
	if (!o)
		return unknown(rows, word, e);
	if (!o->value && value)
		return err_set(e, E_USAGE, "--%s takes no value, but there is '%s'", o->name, word);
	if (o->value && !value) {
		if (*i + 1 == argc)
			return err_set(e, E_USAGE, "--%s needs a value, %s", o->name, o->value);
		value = argv[++*i];
	}
	return o->set(o, value, e);
}

int
option_parse(const struct option_row *rows, enum option_order order, int *argc, char **argv, struct err *e)
{
	int i, r, n = 0;

	for (i = 0; i < *argc; i++) {
		if (str_eq(argv[i], "--")) {
			i++;
			break;
		}
		if (argv[i][0] == '-' && argv[i][1]) {
			r = option_take(rows, *argc, argv, &i, e);
			if (r < 0)
				return r;
		} else if (order == OPTION_LEADING) {
			break;
		} else {
			argv[n++] = argv[i];
		}
	}
	for (; i < *argc; i++)
		argv[n++] = argv[i];
	*argc = n;
	return 0;
}

void
option_help_line(FILE *f, const char *left, int column, const char *words)
{
	const unsigned columns = text_columns(f);
	const int width = (int)MIN(columns ? columns : HELP_WIDTH_PIPE, HELP_WIDTH_MAX);
	int n, used = fprintf(f, "%*s%-*s", column ? 2 : 0, "", column, left);

	for (; *words; words += n, words += *words == ' ') {
		n = (int)strcspn(words, " ");
		if (used + 1 + n >= width || (used > column + 2 && strlen(left) > (size_t)column)) {
			(void)fprintf(f, "\n%*s", column ? column + 2 : 0, "");
			used = column ? column + 2 : 0;
			left = "";
		}
		used += fprintf(f, "%s%.*s", used ? " " : "", n, words);
	}
	(void)fputc('\n', f);
}

void
option_help(const struct option_row *rows, FILE *f)
{
	char left[64];
	int n;

	for (; rows->name; rows++) {
		n = rows->letter ? snprintf(left, sizeof(left), "-%c, ", rows->letter)
				 : snprintf(left, sizeof(left), "    ");
		(void)snprintf(left + n, sizeof(left) - (size_t)n, "--%s%s%s", rows->name,
			       rows->value ? " " : "", rows->value ? rows->value : "");
		option_help_line(f, left, HELP_COLUMN, rows->help);
	}
}
