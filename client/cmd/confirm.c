#include "confirm.h"

#include <stdarg.h>
#include <strings.h>
#include <unistd.h>

#include "base/str.h"

#define ANSWER_LEN 64

bool
confirm_can(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

bool
confirm_ask(const char *fmt, ...)
{
	char answer[ANSWER_LEN];
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputs("? [y/N] ", stderr);
	(void)fflush(stderr);
	if (!fgets(answer, sizeof(answer), stdin)) {
		(void)fputc('\n', stderr);
		return false;
	}
	answer[strcspn(answer, "\r\n")] = '\0';
	return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}
