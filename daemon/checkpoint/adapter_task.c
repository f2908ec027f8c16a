#include "adapter_task.h"

#include "base/str.h"
#include "names.h"

void
adapter_name_drop(char *name, const char *part)
{
	const size_t n = strlen(part);
	char *at = name;

	while ((at = strstr(at, part))) {
		if (at[n] == '.' || at[n] == '\0')
			memmove(at, at + n, strlen(at + n) + 1);
		else
			at += n;
	}
}

size_t
adapter_task_find(const char *name, const char **ret)
{
	static const char *const before[] = {".lora_A.", ".lora_B."};
	const char *at;
	size_t i, n;

	for (i = 0; i < ARRAY_LEN(before); i++) {
		at = strstr(name, before[i]);
		if (!at)
			continue;
		at += strlen(before[i]);
		n = strcspn(at, ".");
		if (!str_eq(at + n, ".weight"))
			continue;
		*ret = at;
		return n;
	}
	return 0;
}

/* Copies the name of the tensor's task; "" for none. */
static void
task_copy(const struct st_tensor *t, char ret[NAME_LEN_MAX])
{
	char bare[NAME_LEN_MAX];
	const char *task = "";
	size_t n;

	(void)snprintf(bare, sizeof(bare), "%s", t->name); /* st_open() refuses longer names */
	adapter_name_drop(bare, ".default");
	n = adapter_task_find(bare, &task);
	(void)snprintf(ret, NAME_LEN_MAX, "%.*s", (int)n, task);
}

bool
adapter_task_is(const struct st_tensor *t, const char *task, bool *ret_any)
{
	char own[NAME_LEN_MAX];

	task_copy(t, own);
	*ret_any = own[0] != '\0';
	return *ret_any && task && str_eq(own, task);
}

bool
adapter_tasks_has(const struct adapter_tasks *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (str_eq(t->name[i], name))
			return true;
	return false;
}

static int
task_add(struct adapter_tasks *t, const char *name, struct err *e)
{
	char *copy;

	if (adapter_tasks_has(t, name))
		return 0;
	if (t->n == ADAPTER_TASKS_MAX)
		return err_set(e, E_UNSUPPORTED_MODEL, "the adapter has more than %d tasks",
			       ADAPTER_TASKS_MAX);
	copy = strdup(name);
	if (!copy)
		return err_no_memory(e);
	t->name[t->n++] = copy;
	return 0;
}

static int
cmp_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
adapter_tasks_read(const struct st_file *f, struct adapter_tasks *ret, struct err *e)
{
	char task[NAME_LEN_MAX];
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < st_count(f); i++) {
		task_copy(st_get(f, i), task);
		if (task[0])
			r = task_add(ret, task, e);
	}
	qsort(ret->name, ret->n, sizeof(*ret->name), cmp_name);
	return r;
}

int
adapter_tasks_order(struct adapter_tasks *t, const json_t *names, const struct st_file *f, struct err *e)
{
	struct adapter_tasks ordered = {.n = 0};
	const char *name;
	size_t i;
	int r = 0;

	if (t->n == 0 || json_array_size(names) == 0)
		return 0;
	for (i = 0; r == 0 && i < json_array_size(names); i++) {
		name = json_string_value(json_array_get(names, i));
		if (name && adapter_tasks_has(t, name))
			r = task_add(&ordered, name, e);
		else
			r = err_set(e, E_BAD_CHECKPOINT,
				    "config.json: task_names has %s%s%s, and '%s' has no adapter for it",
				    name ? "'" : "", name ? name : "a value that is not a string",
				    name ? "'" : "", st_path(f));
	}
	if (r < 0) {
		adapter_tasks_release(&ordered);
		return r;
	}
	adapter_tasks_release(t);
	*t = ordered;
	return 0;
}

void
adapter_tasks_put(const struct adapter_tasks *t, struct buf *b)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		buf_printf(b, "%s%s", i ? ", " : "", t->name[i]);
}

void
adapter_tasks_release(struct adapter_tasks *t)
{
	while (t->n)
		free(t->name[--t->n]);
}
