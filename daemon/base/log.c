#include "log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "str.h"

static enum log_level level_max = LOG_LEVEL_INFO;
static bool numbered; /* lines begin with "<6>" */

static const struct {
	enum log_level level;
	const char *name;
	const char *prefix; /* for a person */
} levels[] = {
	{LOG_LEVEL_ERR, "err", "error: "}, {LOG_LEVEL_WARNING, "warning", "warning: "},
	{LOG_LEVEL_NOTICE, "notice", ""},  {LOG_LEVEL_INFO, "info", ""},
	{LOG_LEVEL_DEBUG, "debug", ""},
};

/*
 * systemd names the journal's socket as DEVICE:INODE. Check it, because another program may have redirected
 * stderr since.
 */
static bool
stderr_is_journal(void)
{
	const char *journal = getenv("JOURNAL_STREAM");
	char here[64];
	struct stat st;

	if (!journal || fstat(STDERR_FILENO, &st) < 0)
		return false;
	(void)snprintf(here, sizeof(here), "%" PRIuMAX ":%" PRIuMAX, (uintmax_t)st.st_dev,
		       (uintmax_t)st.st_ino);
	return str_eq(journal, here);
}

void
log_setup(enum log_level max)
{
	level_max = max;
	numbered = numbered || stderr_is_journal();
}

void
log_set_numbered(void)
{
	numbered = true;
}

/* Writes the prefix for a line of this level to `line`, and returns its length. */
static int
prefix_print(enum log_level level, char *line, size_t len)
{
	size_t i;

	if (numbered)
		return snprintf(line, len, "<%d>", (int)level);
	for (i = 0; i < ARRAY_LEN(levels); i++)
		if (levels[i].level == level)
			return snprintf(line, len, "%s", levels[i].prefix);
	return 0;
}

int
log_level_from_str(const char *name, enum log_level *ret, struct err *e)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(levels); i++)
		if (str_eq(levels[i].name, name)) {
			*ret = levels[i].level;
			return 0;
		}
	return err_set(e, E_BAD_CONFIG, "log level must be err, warning, notice, info or debug, not '%s'",
		       name);
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	char line[2048];
	va_list ap;
	int n, m;

	if (level > level_max)
		return;
	n = prefix_print(level, line, sizeof(line));
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (m < 0)
		return;
	n = MIN(n + m, (int)sizeof(line) - 2);
	line[n] = '\0';
	str_clean(line);
	line[n++] = '\n';
	(void)!write(STDERR_FILENO, line,
		     (size_t)n); /* one write, so that lines of several processes do not mix */
}
