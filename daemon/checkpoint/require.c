/* Errors here use the names in the files: the user knows these, and has never seen a canonical name. */
#include "checkpoint.h"

#include <inttypes.h>

#include "base/fs.h"
#include "base/str.h"
#include "names.h"

#define SHAPE_LEN_MAX (24 * TENSOR_RANK_MAX)

/* Tensors that quantization methods store beside the weights or instead of them. */
static const struct {
	const char *suffix, *method;
} quantized[] = {
	{".qweight", "GPTQ or AWQ"},
	{".weight_packed", "compressed-tensors"},
	{".weight.absmax", "bitsandbytes (4 bits)"},
	{".SCB", "bitsandbytes (8 bits)"},
	{".weight_scale", "FP8 or compressed-tensors"},
	{".weight_scale_inv", "FP8"},
};

/* "(1536, 8960)" */
static const char *
shape_str(int rank, const int64_t *shape, char buf[SHAPE_LEN_MAX])
{
	size_t n = 1;
	int i;

	(void)snprintf(buf, SHAPE_LEN_MAX, "(");
	for (i = 0; i < rank && n < SHAPE_LEN_MAX; i++)
		n += (size_t)snprintf(buf + n, SHAPE_LEN_MAX - n, "%s%" PRId64, i ? ", " : "", shape[i]);
	if (n < SHAPE_LEN_MAX)
		(void)snprintf(buf + n, SHAPE_LEN_MAX - n, ")");
	return buf;
}

/* The quantization method that the checkpoint's tensors show; NULL: none, or an unknown one. */
static const char *
quantized_by(const struct checkpoint *c)
{
	size_t i, k;

	for (i = 0; i < checkpoint_count(c); i++)
		for (k = 0; k < ARRAY_LEN(quantized); k++)
			if (str_ends(checkpoint_get(c, i)->tensor->name, quantized[k].suffix))
				return quantized[k].method;
	return NULL;
}

static size_t
common_len(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

/*
 * Guesses how the files would spell a weight that they do not have. It takes the closest neighbour whose
 * name on disk differs from its canonical name only in the beginning: beside
 * "vlm.model.layers.0.mlp.up_proj.weight" the weight "lm.norm.weight" would be "vlm.model.norm.weight".
 */
static void
name_on_disk(const struct checkpoint *c, const char *name, char ret[NAME_LEN_MAX])
{
	const size_t part_len = strcspn(name, ".") + 1;
	size_t i, n, best = 0;

	name_spell(name, ret);
	for (i = 0; i < checkpoint_count(c); i++) {
		const struct weight *w = checkpoint_get(c, i);

		n = common_len(w->name, name);
		if (n < part_len || n <= best || !str_ends(w->tensor->name, w->name + part_len))
			continue;
		best = n;
		(void)snprintf(ret, NAME_LEN_MAX, "%.*s%s",
			       (int)(strlen(w->tensor->name) - strlen(w->name + part_len)), w->tensor->name,
			       name + part_len);
	}
}

const struct weight *
checkpoint_find_wrapped(const struct checkpoint *c, const char *name)
{
	size_t i;

	for (i = 0; i < checkpoint_count(c); i++)
		if (name_is_wrapped(checkpoint_get(c, i)->tensor->name, name))
			return checkpoint_get(c, i);
	return NULL;
}

/* The shard that should hold a weight according to the index, but does not; NULL when there is none. */
static const char *
lost_shard(const struct checkpoint *c, const char *name, const char **ret_tensor)
{
	const struct index_lost *l = checkpoint_lost(c);
	char canonical[NAME_LEN_MAX];
	size_t i;

	for (i = 0; i < ARRAY_LEN(l->name) && l->name[i]; i++) {
		if (name_canonical(l->name[i], canonical, NULL) > 0 && str_eq(canonical, name)) {
			*ret_tensor = l->name[i];
			return l->shard[i];
		}
	}
	return NULL;
}

int
checkpoint_missing(const struct checkpoint *c, const char *name, struct err *e)
{
	const struct weight *wrapped = checkpoint_find_wrapped(c, name);
	const char *method = quantized_by(c), *tensor, *shard = lost_shard(c, name, &tensor);
	char spelled[NAME_LEN_MAX];

	if (method)
		return err_set(e, E_UNSUPPORTED_MODEL,
			       "'%s' is quantized by %s; convert the checkpoint that it was made from",
			       checkpoint_dir(c), method);
	if (shard)
		return err_set(e, E_BAD_CHECKPOINT,
			       "tensor '%s' is not in '%s', where " INDEX_NAME
			       " says it is; download that file again",
			       tensor, shard);
	if (wrapped)
		return err_set(e, E_BAD_CHECKPOINT,
			       "'%s' has '%s', whose name has an unknown prefix; save the model itself, "
			       "not what wraps it",
			       st_path(wrapped->file), wrapped->tensor->name);
	name_on_disk(c, name, spelled);
	return err_set(e, E_BAD_CHECKPOINT, "'%s' has no tensor '%s'", checkpoint_dir(c), spelled);
}

int
checkpoint_usable(const struct checkpoint *c, const struct weight *w, struct err *e)
{
	const struct st_tensor *t = w->tensor;
	const char *method = quantized_by(c);

	if (t->count == 0)
		return err_set(
			e, E_BAD_CHECKPOINT,
			"tensor '%s' in '%s' is empty, as DeepSpeed's ZeRO-3 leaves weights that were not "
			"gathered; save with stage3_gather_16bit_weights_on_model_save, or run "
			"zero_to_fp32.py on the training's checkpoint",
			t->name, st_path(w->file));
	if (elem_is_weight(t->dtype))
		return 0;
	return err_set(e, E_UNSUPPORTED_MODEL,
		       "tensor '%s' in '%s' is of dtype %s, so the checkpoint is quantized%s%s; convert the "
		       "checkpoint that it was made from",
		       t->name, st_path(w->file), elem_name(t->dtype), method ? " by " : "",
		       method ? method : "");
}

int
checkpoint_require(const struct checkpoint *c, const char *name, int rank, const int64_t *shape,
		   const struct weight **ret, struct err *e)
{
	const struct weight *w = checkpoint_find(c, name);
	char found[SHAPE_LEN_MAX], want[SHAPE_LEN_MAX];
	int r;

	if (!w)
		return checkpoint_missing(c, name, e);
	r = checkpoint_usable(c, w, e);
	if (r < 0)
		return r;
	if (w->tensor->rank != rank || memcmp(w->tensor->shape, shape, (size_t)rank * sizeof(*shape)) != 0)
		return err_set(e, E_BAD_CHECKPOINT, "tensor '%s' in '%s' has the shape %s instead of %s",
			       w->tensor->name, st_path(w->file),
			       shape_str(w->tensor->rank, w->tensor->shape, found),
			       shape_str(rank, shape, want));
	*ret = w;
	return 0;
}
