/*
 * Where workers run, and the attempts that are under way.
 *
 * A runner is a command put before the worker's and an environment: nothing for this host,
 * `srun --gres=gpu:1` for a cluster, `ssh host`, CUDA_VISIBLE_DEVICES=0. It has slots, and
 * a slot is taken from run_add() to run_remove().
 */
#ifndef RUNNER_RUNNER_H
#define RUNNER_RUNNER_H

#include "base/json.h"
#include "child.h"

#define RUNNER_SLOTS_MAX 64

struct runner {
	char *name;
	char *text;    /* what env and prefix point into */
	char **env;    /* "NAME=value", NULL-terminated */
	char **prefix; /* words, NULL-terminated */
	unsigned slots;
	unsigned busy;
	bool draining; /* it is configured no more: it loses a slot with each run that ends, and is gone with the last */
};

/* An attempt of a job. */
struct run {
	LIST_ENTRY(run) entry;
	struct runner *runner;
	struct child *child; /* of whoever made the run; NULL when it did not start */
	int64_t job;
	int attempt;
	char stage[32]; /* "": not begun */
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
 * Puts the rows of `next` in the place of those of `rs`; `next` has the old ones then. The runs go
 * on, with the runner of their own's name, or with their own as long as there are any.
 */
int runners_replace(struct runners *rs, struct runners *next, struct err *e);

/* For `slots = gpus`: a runner of one slot for each GPU of this host. */
int runners_add_gpus(struct runners *rs, struct err *e);

/*
 * From now on what workers leave behind becomes ours, to be waited for. Blocks SIGCHLD; the program
 * may have no other children. Why there is no rs->cgroup, when there is none, is in *ret_no_cgroup.
 */
int runners_adopt(struct runners *rs, struct loop *l, struct err *ret_no_cgroup, struct err *e);

/* A runner with a free slot, or NULL. */
struct runner *runners_find_free(struct runners *rs);

void run_add(struct runners *rs, struct run *run, struct runner *runner);
void run_remove(struct runners *rs, struct run *run);

/* The run of a job, or NULL. */
struct run *run_find(const struct runners *rs, int64_t job);

/* Takes what the worker says of itself, cut to the fields' sizes. A stage begins without progress. */
void run_set_stage(struct run *run, const Colconv__Stage *stage);
void run_set_progress(struct run *run, const Colconv__Progress *progress);

/* The object `progress` of proto/api.md. NULL: no memory. */
json_t *run_progress_to_json(const struct run *run);

#endif
