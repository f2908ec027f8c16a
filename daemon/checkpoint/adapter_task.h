/*
 * The tasks of an adapter file that has an adapter for each: the names of its tensors have the task behind lora_A or
 * lora_B, as in q_proj.lora_A.code.weight.
 */
#ifndef CHECKPOINT_ADAPTER_TASK_H
#define CHECKPOINT_ADAPTER_TASK_H

#include "base/buf.h"
#include "base/json.h"
#include "safetensors.h"

#define ADAPTER_TASKS_MAX 32

struct adapter_tasks {
	char *name[ADAPTER_TASKS_MAX];
	size_t n;
};

/* Removes a part of a name: ".default" in "q_proj.lora_A.default.weight". */
void adapter_name_drop(char *name, const char *part);

/*
 * Finds the task in a tensor's name, without ".default". Returns its length, 0 for a tensor that belongs to no task.
 */
size_t adapter_task_find(const char *name, const char **ret);

/* Whether the tensor belongs to that task; *ret_any when it belongs to one. */
bool adapter_task_is(const struct st_tensor *t, const char *task, bool *ret_any);

/* Adds the tasks that the file has adapters for, sorted; none for an adapter without tasks. */
int adapter_tasks_read(const struct st_file *f, struct adapter_tasks *ret, struct err *e);

/*
 * Takes the order of `names`, a list in config.json, and drops tasks that are not in it; NULL and an empty list change
 * nothing. E_BAD_CHECKPOINT for a name that the file has no adapter for.
 */
int adapter_tasks_order(struct adapter_tasks *t, const json_t *names, const struct st_file *f, struct err *e);

bool adapter_tasks_has(const struct adapter_tasks *t, const char *name);
void adapter_tasks_put(const struct adapter_tasks *t, struct buf *b); /* "retrieval, code" */
void adapter_tasks_release(struct adapter_tasks *t);

#endif
