#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "fs.h"
#include "proc.h"
#include "str.h"

#define SAID_MAX 4096 /* the last bytes of its stderr that are kept */

void
helper_init(struct helper *h, const char *program)
{
	*h = (struct helper){.program = program};
}

void
helper_release(struct helper *h)
{
	size_t i;

	for (i = 0; i < h->n; i++)
		free(h->item[i]);
	free(h->item);
	h->item = NULL;
	h->n = h->cap = 0;
}

/* Takes the string; NULL means that memory ran out. */
static void
arg_take(struct helper *h, char *s)
{
	char **p;

	if (h->n + 2 > h->cap) {
		p = realloc(h->item, (h->cap + 16) * sizeof(*p));
		if (!p) {
			free(s);
			h->failed = true;
			return;
		}
		h->item = p;
		h->cap += 16;
	}
	h->failed |= s == NULL;
	h->item[h->n++] = s;
	h->item[h->n] = NULL;
}

/*
 * The program's path is the first word. It is found when the first argument is added, or when the program
 * runs.
 */
static int
program_find(struct helper *h, struct err *e)
{
	char *path;
	int r = h->n ? 0 : fs_sibling(h->program, &path, e);

	if (r == 0 && !h->n)
		arg_take(h, path);
	return r;
}

void
helper_arg(struct helper *h, const char *fmt, ...)
{
	va_list ap;

	if (program_find(h, NULL) < 0) {
		h->failed = true;
		return;
	}
	va_start(ap, fmt);
	arg_take(h, str_vprintf(fmt, ap));
	va_end(ap);
}

/* Makes an error from the program's last line, such as "colconv-parity: no_runtime: text". */
static int
said_error(const struct helper *h, const char *said, int status, struct err *e)
{
	const char *p = NULL, *next, *colon;
	const size_t len = strlen(h->program);
	char how[64], name[64];

	for (next = said; (next = strstr(next, h->program)); next++)
		if (str_starts(next + len, ": "))
			p = next + len + 2;
	colon = p ? strstr(p, ": ") : NULL;
	if (!colon || (size_t)(colon - p) >= sizeof(name))
		return err_set(e, E_WORKER_CRASHED, "%s ended with %s", h->program,
			       proc_status_str(status, how, sizeof(how)));
	memcpy(name, p, (size_t)(colon - p));
	name[colon - p] = '\0';
	return err_set(e, err_from_name(name), "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
}

/* Reads its stdout to the end, and passes the lines on as they arrive. */
static void
lines_hear(const struct helper *h, FILE *out)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, out)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (h->line)
			h->line(h->arg, line);
	}
	free(line);
}

static void
fclosep(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

/* Its stderr goes to a file in memory, because a second pipe could fill up while we read the first. */
static int
words_read(const struct helper *h, FILE *words, int status, struct err *e)
{
	_cleanup_free_ char *said = calloc(1, SAID_MAX);

	if (!said)
		return err_no_memory(e);
	if (fseek(words, 0, SEEK_END) == 0 && ftell(words) >= SAID_MAX)
		(void)fseek(words, -(long)(SAID_MAX - 1), SEEK_END);
	else
		rewind(words);
	(void)fread(said, 1, SAID_MAX - 1, words);
	if (h->repeat)
		(void)fputs(said, stderr);
	return said_error(h, said, status, e);
}

int
helper_run(struct helper *h, struct err *e)
{
	_cleanup_(fclosep) FILE *words = fdopen(memfd_create("words", MFD_CLOEXEC), "w+"), *out = NULL;
	struct proc child = PROC_INIT;
	struct proc_spec spec = {.fd_in = -1, .keep = h->keep, .n_keep = h->n_keep, .keep_group = true};
	int fd[2], r, status;

	r = program_find(h, e);
	if (r == 0 && h->failed)
		r = err_no_memory(e);
	if (r < 0)
		return r;
	if (!words || pipe2(fd, O_CLOEXEC) < 0)
		return err_errno(e, E_IO, errno, "cannot run %s", h->program);
	spec.argv = h->item;
	spec.fd_out = fd[1];
	spec.fd_err = fileno(words);
	r = proc_spawn(&spec, &child, e);
	(void)close(fd[1]);
	out = fdopen(fd[0], "r");
	if (r < 0)
		return r;
	if (h->started)
		h->started(h->arg, child.pid);
	if (out)
		lines_hear(h, out);
	else
		(void)close(fd[0]);
	r = proc_wait(&child, &status, /*ret_usage=*/NULL, e);
	if (h->started)
		h->started(h->arg, 0);
	if (r < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
		return r;
	return words_read(h, words, status, e);
}
