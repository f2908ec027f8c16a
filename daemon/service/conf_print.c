/* Prints the table of settings for people: help, a configuration file, a manual page; and as JSON. */
#include "conf_table.h"

#include <inttypes.h>

#include "base/buf.h"

/* Prints the words of `text` in lines of at most `width`, each after `indent`. */
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
range_print(FILE *f, const char *indent, const struct conf_setting *s)
{
	if (s->type == CONF_IS_NUMBER)
		(void)fprintf(f, "%sFrom %" PRIu64 " to %" PRIu64 "%s%s.\n", indent, s->min, s->max,
			      *s->unit ? " " : "", s->unit);
	else if (s->type == CONF_IS_LIST)
		(void)fprintf(f, "%sMay be given several times.\n", indent);
	if (s->when == CONF_ON_START)
		(void)fprintf(f, "%sA change needs a restart.\n", indent);
}

void
conf_print_help(FILE *f)
{
	const struct conf_setting *s;
	const char *p;
	size_t i;

	(void)fprintf(f,
		      "Usage: colconvd [OPTION VALUE]...\n\n"
		      "Takes jobs over HTTP and has workers convert retrieval models to ONNX.\n\n"
		      "  --config\n        Configuration file. Default: '%s', if it exists.\n",
		      CONF_FILE_DEFAULT);
	for (s = conf_settings; s < conf_settings + CONF_SETTINGS; s++) {
		(void)fputs("  --", f);
		for (p = s->name; *p; p++)
			(void)fputc(*p == '_' ? '-' : *p, f);
		(void)fputc('\n', f);
		paragraph(f, "        ", 72, s->help);
		range_print(f, "        ", s);
		(void)fprintf(f, "        Default: '%s'.\n", s->def);
	}
	for (i = 0; i < CONF_ACTIONS; i++)
		(void)fprintf(f, "  --%s\n        %s\n", conf_actions[i].name, conf_actions[i].help);
}

void
conf_print_file(FILE *f)
{
	const struct conf_setting *s;

	(void)fputs("# Settings of colconvd, all at their defaults. Made by colconvd --print-config.\n", f);
	for (s = conf_settings; s < conf_settings + CONF_SETTINGS; s++) {
		(void)fputc('\n', f);
		paragraph(f, "# ", 90, s->help);
		range_print(f, "# ", s);
		(void)fprintf(f, "#%s =%s%s\n", s->name, *s->def ? " " : "", s->def);
	}
}

/* Prints our own text in troff. No line of ours begins with troff's control characters. */
static void
manual_text(FILE *f, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\')
			(void)fputs("\\e", f);
		else if (*text == '-')
			(void)fputs("\\-", f);
		else if (*text == '\'')
			(void)fputs("\\(aq", f);
		else
			(void)fputc(*text, f);
	}
}

void
conf_print_manual(FILE *f)
{
	const struct conf_setting *s;

	(void)fputs(".TH COLCONVD.CONF 5 \"\" \"colconv\" \"File formats\"\n"
		    ".SH NAME\ncolconvd.conf \\- settings of colconvd\n"
		    ".SH DESCRIPTION\n"
		    "A line of the file is\n.IR \"name \" = \" value\" ,\nempty, or a comment that begins "
		    "with #.\n"
		    "A value goes to the end of its line; there are no quotes.\n"
		    "A setting may appear only once, unless its description says that it may be given "
		    "several times.\n"
		    "Each setting is also an option of\n.BR colconvd (8)\n(with \\- for _), which overrides "
		    "the file.\n"
		    ".PP\n.B colconvd \\-\\-check\\-config\nchecks the file.\n"
		    "On\n.B SIGHUP\nthe daemon reads it again: a file with an error changes nothing.\n"
		    ".SH SETTINGS\n",
		    f);
	for (s = conf_settings; s < conf_settings + CONF_SETTINGS; s++) {
		(void)fprintf(f, ".TP\n.B %s\n", s->name);
		manual_text(f, s->help);
		(void)fputc('\n', f);
		range_print(f, "", s);
		(void)fputs("Default: ", f);
		manual_text(f, *s->def ? s->def : "empty");
		(void)fputs(".\n", f);
	}
	(void)fprintf(f, ".SH FILES\n.I %s\n.SH SEE ALSO\n.BR colconvd (8)\n", CONF_FILE_DEFAULT);
}

/* Whether a word is NAME=VALUE, as in the environment. --name=value is not. */
static bool
is_assignment(const char *word, size_t len)
{
	static const char name[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
	const size_t n = strspn(word, name);

	return n > 0 && n < len && word[n] == '=';
}

static json_t *
text_to_json(const char *text)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	size_t n;

	for (; *text; text += n) {
		n = strcspn(text, " \t");
		if (n && is_assignment(text, n))
			buf_printf(&b, "%.*s=...", (int)strcspn(text, "="), text);
		else
			buf_add(&b, text, n ? n : (n = 1));
	}
	return b.failed ? NULL : json_string(b.data ? b.data : "");
}

static json_t *
list_to_json(const struct conf_list *l)
{
	json_t *j = json_array();
	size_t i;

	for (i = 0; i < l->n; i++)
		(void)json_array_append_new(j, text_to_json(l->v[i]));
	return j;
}

json_t *
conf_to_json(const struct conf *c)
{
	const struct conf_setting *s;
	json_t *j = json_object();

	for (s = conf_settings; s < conf_settings + CONF_SETTINGS; s++) {
		const void *field = conf_field(c, s);
		json_t *value = s->type == CONF_IS_NUMBER
					? json_integer((json_int_t) * (const uint64_t *)field)
				: s->type == CONF_IS_TEXT ? text_to_json(*(char *const *)field)
							  : list_to_json(field);

		(void)json_object_set_new(j, s->name, value);
	}
	return j;
}
