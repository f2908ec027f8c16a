#include "log.h"

#include <stdarg.h>

#include "str.h"

static enum log_level level_max = LOG_LEVEL_INFO;
static bool plain;

static const struct {
	enum log_level level;
	const char *name;
} levels[] = {
	{LOG_LEVEL_ERR, "err"},   {LOG_LEVEL_WARNING, "warning"}, {LOG_LEVEL_NOTICE, "notice"},
	{LOG_LEVEL_INFO, "info"}, {LOG_LEVEL_DEBUG, "debug"},
};

void
log_setup(enum log_level max)
{
	level_max = max;
	plain = isatty(STDERR_FILENO) == 1;
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
	int n = 0, m;

	if (level > level_max)
		return;
	if (!plain)
		n = snprintf(line, sizeof(line), "<%d>", (int)level);
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
