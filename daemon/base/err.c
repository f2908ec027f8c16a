#include "err.h"

#include <errno.h>
#include <stdarg.h>

#include "str.h"

static const struct err_row {
	const char *name;
	int http_status;
	int exit_status;
	bool retryable;
	const char *meaning;
	const char *remedy;
} rows[] = {
	{"ok", 200, 0, false, "no error", ""},
#define ERR(sym, name, http, exit, retry, meaning, remedy) {name, http, exit, retry, meaning, remedy},
#include "errors.def"
#undef ERR
};

static const struct err_row *
row_get(int code)
{
	if (code > 0 || -code >= ERR_INDEX_MAX)
		code = E_INTERNAL;
	return &rows[-code];
}

/* Messages quote strings from outside, and may have been cut inside a character: str_clean() after each step. */
static void
msg_set(struct err *e, int code, const char *fmt, va_list ap)
{
	e->code = code;
	(void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	str_clean(e->msg);
}

int
err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	assert(code < 0);
	if (e && e->code == 0) {
		va_start(ap, fmt);
		msg_set(e, code, fmt, ap);
		va_end(ap);
	}
	return code;
}

int
err_no_memory(struct err *e)
{
	return err_set(e, E_NO_MEMORY, "memory ran out");
}

int
err_errno(struct err *e, int code, int errnum, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (errnum == ENOSPC || errnum == EDQUOT || errnum == EFBIG)
		code = E_NO_SPACE;
	else if (errnum == ENOMEM)
		code = E_NO_MEMORY;
	else if (errnum == EMFILE || errnum == ENFILE)
		code = E_BUSY;
	if (e && e->code == 0) {
		va_start(ap, fmt);
		msg_set(e, code, fmt, ap);
		va_end(ap);
		n = strlen(e->msg);
		(void)snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", strerror(errnum));
	}
	return code;
}

int
err_context(struct err *e, const char *fmt, ...)
{
	char old[sizeof(e->msg)];
	va_list ap;
	size_t n;

	if (!e)
		return E_INTERNAL;
	memcpy(old, e->msg, sizeof(old));
	va_start(ap, fmt);
	msg_set(e, e->code, fmt, ap);
	va_end(ap);
	n = strlen(e->msg);
	(void)snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", old);
	str_clean(e->msg);
	return e->code;
}

void
err_clear(struct err *e)
{
	e->code = 0;
	e->msg[0] = '\0';
}

const char *
err_name(int code)
{
	return row_get(code)->name;
}

const char *
err_meaning(int code)
{
	return row_get(code)->meaning;
}

const char *
err_remedy(int code)
{
	return row_get(code)->remedy;
}

int
err_http_status(int code)
{
	return row_get(code)->http_status;
}

int
err_exit_status(int code)
{
	return row_get(code)->exit_status;
}

bool
err_retryable(int code)
{
	return row_get(code)->retryable;
}

int
err_from_name(const char *name)
{
	int i;

	for (i = 1; i < ERR_INDEX_MAX; i++)
		if (strcmp(rows[i].name, name) == 0)
			return -i;
	return E_INTERNAL;
}
