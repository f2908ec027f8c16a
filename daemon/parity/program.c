#include "program.h"

#include <sched.h>

#include "base/map.h"
#include "base/str.h"
#include "ort.h"

#include "config.h"

/* For the handler of a mapped file that was cut, which gets only the error. */
static const char *program_name;

static void
error_tell(const struct err *e)
{
	(void)fprintf(stderr, "%s: %s: %s\n", program_name, err_name(e->code), e->msg);
}

/* As many as the process may use: fewer than the machine has in a container, or under taskset. */
static int
cpus_count(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return CPU_COUNT(&set);
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

void
program_init(struct program *p, const char *name, const char *help)
{
	*p = (struct program){
		.name = name,
		.help = help,
		.threads = cpus_count(),
	};
	program_name = name;
	map_catch(error_tell);
}

static int
threads_parse(struct program *p, struct err *e)
{
	uint64_t n;
	int r = str_to_u64(optarg, 1, 1024, "--threads", &n, e);

	if (r == 0)
		p->threads = (int)n;
	return r;
}

int
program_take(struct program *p, int opt, char *const *argv, struct err *e)
{
	switch (opt) {
	case PROGRAM_OUTPUT:
		p->output = optarg;
		return 0;
	case PROGRAM_RUNTIME:
		p->runtime = optarg;
		return 0;
	case PROGRAM_THREADS:
		return threads_parse(p, e);
	case PROGRAM_PROGRESS:
		p->progress = true;
		return 0;
	case PROGRAM_HELP:
		(void)fputs(p->help, stdout);
		exit(0);
	case PROGRAM_VERSION:
		(void)printf("%s %s\n", p->name, PACKAGE_VERSION);
		exit(0);
	case ':':
		return err_set(e, E_USAGE, "option '%s' needs a value", argv[optind - 1]);
	default:
		return err_set(e, E_USAGE, "unknown option '%s'", argv[optind - 1]);
	}
}

int
program_end(int r, const struct err *e)
{
	ort_close();
	if (r < 0)
		error_tell(e);
	return err_exit_status(r);
}
