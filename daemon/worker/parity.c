#include "parity.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/proc.h"
#include "base/str.h"

#define REPORT_FILE "parity.json"
#define REPORT_LEN_MAX (16u << 20)

/* A growing command line that owns its strings. */
struct args {
	char **item;
	size_t n, cap;
	bool failed;
};

static void
args_release(struct args *a)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		free(a->item[i]);
	free(a->item);
}

/* Takes the string; NULL means that memory ran out. */
static void
args_add_take(struct args *a, char *s)
{
	char **p;

	if (a->n + 2 > a->cap) {
		p = realloc(a->item, (a->cap + 16) * sizeof(*p));
		if (!p) {
			free(s);
			a->failed = true;
			return;
		}
		a->item = p;
		a->cap += 16;
	}
	a->failed |= s == NULL;
	a->item[a->n++] = s;
	a->item[a->n] = NULL;
}

static void
args_add(struct args *a, const char *s)
{
	args_add_take(a, strdup(s));
}

/* The error from the child's last line, such as "colconv-parity: no_runtime: text". */
static int
child_error(const char *said, int status, struct err *e)
{
	static const char prefix[] = "colconv-parity: ";
	const char *p = NULL, *next, *colon;
	char how[64], name[64];

	for (next = said; (next = strstr(next, prefix)); next++)
		p = next + strlen(prefix);
	colon = p ? strstr(p, ": ") : NULL;
	if (!colon || (size_t)(colon - p) >= sizeof(name))
		return err_set(e, E_WORKER_CRASHED, "colconv-parity ended with %s",
			       proc_status_str(status, how, sizeof(how)));
	memcpy(name, p, (size_t)(colon - p));
	name[colon - p] = '\0';
	return err_set(e, err_from_name(name), "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
}

/* A line of the child's progress: "case 3 7 text-long". */
static void
progress_tell(struct report *r, char *line)
{
	unsigned long long done, total;
	char *p;

	if (!str_starts(line, "case "))
		return;
	done = strtoull(line + 5, &p, 10);
	total = strtoull(p, &p, 10);
	report_progress(r, done, total, "cases", *p == ' ' ? p + 1 : p);
}

/* Reads the child's stdout to its end and tells its progress as it comes. */
static void
child_hear(FILE *out, struct report *r)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, out)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (r)
			progress_tell(r, line);
	}
	free(line);
}

static void
fclosep(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

/* Run colconv-parity; it inherits the open references if it needs them. Its stderr goes to a file in memory, because a
 * second pipe could fill up while we read the first. */
static int
child_run(const struct args *a, const struct sources *s, struct report *r, struct err *e)
{
	const int memory = memfd_create("colconv-parity's words", MFD_CLOEXEC);
	_cleanup_(fclosep) FILE *out = NULL, *words = fdopen(memory, "w+");
	struct proc child = PROC_INIT;
	struct proc_spec spec = {.argv = a->item, .fd_in = -1, .keep_group = true};
	_cleanup_free_ char *said = NULL;
	size_t len = 4096;
	int fd[2], k, status;

	if (s) {
		spec.keep = sources_reference_fds(s);
		spec.n_keep = sources_reference_count(s);
	}
	if (a->failed)
		return err_no_memory(e);
	if (!words || pipe2(fd, O_CLOEXEC) < 0)
		return err_errno(e, E_IO, errno, "cannot run colconv-parity");
	spec.fd_out = fd[1];
	spec.fd_err = fileno(words);
	k = proc_spawn(&spec, &child, e);
	(void)close(fd[1]);
	out = fdopen(fd[0], "r");
	if (k < 0)
		return k;
	if (r)
		report_child(r, child.pid);
	if (out)
		child_hear(out, r);
	else
		(void)close(fd[0]);
	k = proc_wait(&child, &status, /*ret_usage=*/NULL, e);
	if (r)
		report_child(r, 0);
	if (k < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
		return k;
	said = calloc(1, len);
	if (!said)
		return err_no_memory(e);
	if (fseek(words, 0, SEEK_END) == 0 && ftell(words) >= (long)len)
		(void)fseek(words, -(long)(len - 1), SEEK_END);
	else
		rewind(words);
	(void)fread(said, 1, len - 1, words);
	(void)fputs(said, stderr);
	return child_error(said, status, e);
}

static int
args_begin(struct args *a, struct err *e)
{
	char *program;
	int r = fs_sibling("colconv-parity", &program, e);

	if (r == 0)
		args_add_take(a, program);
	return r;
}

int
parity_probe(struct err *e)
{
	_cleanup_(args_release) struct args a = {.item = NULL};
	int r = args_begin(&a, e);

	args_add(&a, "--runtime-version");
	return r < 0 ? r : child_run(&a, NULL, NULL, e);
}

int
parity_run(struct conversion *c, struct err *e)
{
	_cleanup_free_ char *report = fs_join(c->job->out_dir, REPORT_FILE);
	_cleanup_(args_release) struct args a = {.item = NULL};
	size_t i;
	int r, v;

	if (!report)
		return err_no_memory(e);
	r = args_begin(&a, e);
	args_add(&a, "--progress");
	args_add_take(&a, str_printf("--output=%s", report));
	args_add_take(&a, str_printf("--max-abs=%.17g", c->spec.max_abs));
	args_add_take(&a, str_printf("--min-cosine=%.17g", c->spec.min_cosine));
	for (v = 0; v < VARIANT_MAX; v++)
		if (c->graph[v]) {
			_cleanup_free_ char *path = conversion_path(c, c->graph_file[v]);

			args_add_take(&a,
				      path ? str_printf("--model=%s=%s", variant_name((enum variant)v), path)
					   : NULL);
		}
	args_add_take(&a, str_printf("--cases=%s", c->case_dir));
	for (i = 0; i < sources_reference_count(c->sources); i++)
		args_add_take(&a, str_printf("--case-fd=%d:%s", sources_reference_fds(c->sources)[i],
					     sources_reference(c->sources, i)));
	if (r == 0)
		r = child_run(&a, c->sources, c->report, e);
	return r < 0 ? r : json_read(report, REPORT_LEN_MAX, E_INTERNAL, &c->parity, e);
}
