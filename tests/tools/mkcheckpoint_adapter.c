/* A random LoRA adapter of every linear layer of a base's language model, and of its projection. */
#include "base/fs.h"
#include "base/str.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/names.h"
#include "checkpoint/stwriter.h"
#include "mkcheckpoint.h"

#define BLOCK_VALUES (1u << 16)

enum part { PART_A, PART_B, PART_MAGNITUDE, PART_MAX };

static const char *const part_names[] = {"lora_A.weight", "lora_B.weight", "lora_magnitude_vector"};

static bool
is_adapted(const struct weight *w)
{
	return w->tensor->rank == 2 && str_ends(w->name, ".weight") &&
	       (str_starts(w->name, "lm.layers.") || str_starts(w->name, "proj."));
}

/* "q_proj" + "lora_A.weight"; for a task "q_proj" + "lora_A.code.weight". */
static void
part_name(const char *module, int len, int part, const char *task, int task_len, char *ret, size_t size)
{
	if (task_len && part != PART_MAGNITUDE)
		(void)snprintf(ret, size, "%.*s.lora_%c.%.*s.weight", len, module, "AB"[part], task_len,
			       task);
	else
		(void)snprintf(ret, size, "%.*s.%s", len, module, part_names[part]);
}

/* The parts of one weight's adapter, all float32. */
static void
parts_make(const struct mkc_adapter *o, const struct weight *w, const char *task, int task_len,
	   struct mkc_tensor ret[PART_MAX])
{
	const struct st_tensor *t = w->tensor;
	const int64_t shapes[][2] = {
		{(int64_t)o->rank, t->shape[1]}, {t->shape[0], (int64_t)o->rank}, {t->shape[0], 1}};
	int i;

	for (i = 0; i < PART_MAX; i++) {
		part_name(w->name, (int)(strlen(w->name) - strlen(".weight")), i, task, task_len, ret[i].name,
			  sizeof(ret[i].name));
		ret[i].kind = i == PART_MAGNITUDE ? MKC_NORM : MKC_LINEAR;
		ret[i].rank = i == PART_MAGNITUDE ? 1 : 2;
		memcpy(ret[i].shape, shapes[i], sizeof(shapes[i]));
		ret[i].values = (uint64_t)(shapes[i][0] * shapes[i][1]);
	}
}

static int
part_write(struct stw *s, const struct mkc_adapter *o, const struct mkc_tensor *t, struct err *e)
{
	const struct mkc_fill fill = mkc_fill(o->seed, t->name, t->kind, (uint64_t)t->shape[t->rank - 1]);
	_cleanup_free_ float *block = malloc(BLOCK_VALUES * sizeof(*block));
	uint64_t at, n;
	int r = block ? 0 : err_no_memory(e);

	for (at = 0; at < t->values && r == 0; at += n) {
		n = MIN(t->values - at, BLOCK_VALUES);
		mkc_fill_block(&fill, ELEM_F32, at, n, block);
		r = stw_data(s, block, n * sizeof(*block), e);
	}
	return r;
}

/* Once to declare the tensors, once for their bytes. */
static int
task_walk(struct stw *s, const struct mkc_adapter *o, const struct checkpoint *base, const char *task,
	  int task_len, bool declare, struct err *e)
{
	const int parts = str_eq(o->kind, "dora") ? PART_MAX : PART_MAGNITUDE;
	struct mkc_tensor part[PART_MAX];
	char module[NAME_LEN_MAX + 64], name[NAME_LEN_MAX + 128];
	size_t i;
	int k, r = 0;

	for (i = 0; i < checkpoint_count(base); i++) {
		const struct weight *w = checkpoint_get(base, i);

		if (!is_adapted(w))
			continue;
		parts_make(o, w, task, task_len, part);
		for (k = 0; k < parts && r == 0; k++) {
			(void)snprintf(module, sizeof(module), "base_model.model.%.*s",
				       (int)(strlen(w->tensor->name) - strlen(".weight")), w->tensor->name);
			part_name(module, (int)strlen(module), k, task, task_len, name, sizeof(name));
			r = declare ? stw_add(s, name, ELEM_F32, part[k].rank, part[k].shape, e)
				    : part_write(s, o, &part[k], e);
		}
	}
	return r;
}

/* An adapter for each task, or one. */
static int
weights_walk(struct stw *s, const struct mkc_adapter *o, const struct checkpoint *base, bool declare,
	     struct err *e)
{
	const char *task = o->tasks ? o->tasks : "";
	size_t n;
	int r = 0;

	do {
		n = strcspn(task, ",");
		r = task_walk(s, o, base, task, (int)n, declare, e);
		task += n + (task[n] == ',');
	} while (r == 0 && *task);
	return r;
}

static int
config_write(const struct mkc_adapter *o, const char *path, struct err *e)
{
	_cleanup_free_ char *base = realpath(o->base, NULL);
	json_auto_t *config =
		json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:b, s:b, s:s}", "peft_type", "LORA", "task_type",
			  "FEATURE_EXTRACTION", "base_model_name_or_path", base ? base : o->base, "r",
			  (json_int_t)o->rank, "lora_alpha", (json_int_t)o->rank, "bias", "none",
			  "use_rslora", str_eq(o->kind, "rslora"), "use_dora", str_eq(o->kind, "dora"),
			  "target_modules", "all-linear");

	return config ? json_write(path, config, e) : err_no_memory(e);
}

static void
checkpoint_freep(struct checkpoint **c)
{
	checkpoint_free(c);
}

static void
stw_freep(struct stw **w)
{
	stw_free(w);
}

int
mkc_adapter_write(const struct mkc_adapter *o, const char *dir, struct err *e)
{
	_cleanup_free_ char *weights = fs_join(dir, "adapter_model.safetensors");
	_cleanup_free_ char *config = fs_join(dir, "adapter_config.json");
	_cleanup_(checkpoint_freep) struct checkpoint *base = NULL;
	_cleanup_(stw_freep) struct stw *s = NULL;
	int r;

	if (!weights || !config)
		return err_no_memory(e);
	if ((r = checkpoint_open(o->base, NULL, &base, e)) < 0 || (r = fs_mkdir_p(dir, 0755, e)) < 0 ||
	    (r = stw_new(weights, &s, e)) < 0 || (r = weights_walk(s, o, base, /*declare=*/true, e)) < 0 ||
	    (r = stw_begin(s, e)) < 0 || (r = weights_walk(s, o, base, /*declare=*/false, e)) < 0 ||
	    (r = stw_finish(s, e)) < 0)
		return r;
	return config_write(o, config, e);
}
