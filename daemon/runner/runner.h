/*
 * Where workers run, and the attempts that are under way.
 *
 * A runner is a command that is put before the worker's command line, and environment variables: no command for this
 * host, `srun --gres=gpu:1` for a cluster, `ssh host`, CUDA_VISIBLE_DEVICES=0. It has a number of slots; a run takes
 * one from run_add() to run_remove().
 */
#ifndef RUNNER_RUNNER_H
#define RUNNER_RUNNER_H

#include "base/json.h"
#include "child.h"

#define RUNNER_SLOTS_MAX 64

struct runner {
	char *name;
	char *text;    /* holds the strings of env and prefix */
	char **env;    /* "NAME=value", NULL-terminated */
	char **prefix; /* words, NULL-terminated */
	unsigned slots;
	unsigned busy;
	bool draining; /* removed from the configuration: it loses a slot with each run that ends, and is freed with the last */
};

/* An attempt of a job. */
struct run {
	LIST_ENTRY(run) entry;
	struct runner *runner;
	struct child *child; /* owned by the caller of run_add(); NULL if it did not start */
	int64_t job;
	int attempt;
	char stage[32]; /* "": no stage yet */
	struct {
		uint64_t done;
		uint64_t total; /* 0: not known yet */
		char unit[16];
		char detail[128];
	} progress;
};

struct runners {
	struct runner *rows;
	size_t n;
	LIST_HEAD(, run) runs;
	pid_t own; /* a child of the daemon that is no worker, and that its owner waits for; 0: none */
	struct cgroup cgroup; /* of the runs, where there is one */
	struct loop *loop;
	struct loop_fd orphans; /* a signal comes when one of our children has ended */
	struct loop_timer reap;
};

void runners_init(struct runners *rs);
void runners_release(struct runners *rs);

/* A line of the configuration: NAME SLOTS [VARIABLE=VALUE]... [COMMAND...], words without quotes. Before any run. */
int runners_add(struct runners *rs, const char *line, struct err *e);

/*
 * Exchange the rows of `rs` and `next`. Current runs continue: each moves to the new runner of the same name, or
 * keeps its old runner until it ends.
 */
int runners_replace(struct runners *rs, struct runners *next, struct err *e);

/* For `slots = gpus`: a runner of one slot for each GPU of this host. */
int runners_add_gpus(struct runners *rs, struct err *e);

/*
 * Become the parent of processes that workers leave behind, and wait for them. Blocks SIGCHLD; the program must have
 * no other children. If control groups cannot be used, *ret_no_cgroup says why.
 */
int runners_adopt(struct runners *rs, struct loop *l, struct err *ret_no_cgroup, struct err *e);

/* A runner with a free slot, or NULL. */
struct runner *runners_find_free(struct runners *rs);

void run_add(struct runners *rs, struct run *run, struct runner *runner);
void run_remove(struct runners *rs, struct run *run);

/* The run of a job, or NULL. */
struct run *run_find(const struct runners *rs, int64_t job);

/* Store the stage or progress that a worker reported; long text is cut. A new stage resets the progress. */
void run_set_stage(struct run *run, const Colconv__Stage *stage);
void run_set_progress(struct run *run, const Colconv__Progress *progress);

/* The object `progress` of proto/api.md. NULL: no memory. */
json_t *run_progress_to_json(const struct run *run);

#endif
