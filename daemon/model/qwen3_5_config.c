#include "qwen3_5_config.h"

#include "base/str.h"

#define LINEAR(field) offsetof(struct qwen3_5_linear, field)

static const struct config_int linear_rows[] = {
	{"linear_num_key_heads", 1, 1024, 16, LINEAR(key_heads)},
	{"linear_num_value_heads", 1, 1024, 32, LINEAR(value_heads)},
	{"linear_key_head_dim", 1, 65536, 128, LINEAR(key_dim)},
	{"linear_value_head_dim", 1, 65536, 128, LINEAR(value_dim)},
	{"linear_conv_kernel_dim", 1, 64, 4, LINEAR(kernel)},
};

/* Without a list every n-th layer has full attention. */
static int
interval_read(const struct config_scope *s, struct qwen2vl_text *t, struct err *e)
{
	int64_t interval = 4, i;
	int r;

	r = json_get_int(s->obj, s->path, "full_attention_interval", JSON_OPTIONAL, 1, QWEN2VL_LAYERS_MAX,
			 E_BAD_CHECKPOINT, &interval, e);
	for (i = 0; r == 0 && i < t->num_hidden_layers; i++)
		t->linear.layer[i] = (i + 1) % interval != 0;
	return r;
}

static int
layers_read(const struct config_scope *s, struct qwen2vl_text *t, struct err *e)
{
	const json_t *types = NULL, *v;
	const char *type;
	size_t i;
	int r;

	r = json_get_array(s->obj, s->path, "layer_types", JSON_OPTIONAL, E_BAD_CHECKPOINT, &types, e);
	if (r < 0)
		return r;
	if (!types)
		return interval_read(s, t, e);
	if (json_array_size(types) != (size_t)t->num_hidden_layers)
		return config_fail(s, "layer_types", E_BAD_CHECKPOINT, e,
				   "must have one word for each of the %lld layers, not %zu",
				   (long long)t->num_hidden_layers, json_array_size(types));
	json_array_foreach(types, i, v) {
		type = json_is_string(v) ? json_string_value(v) : "";
		t->linear.layer[i] = str_eq(type, "linear_attention");
		if (!t->linear.layer[i] && !str_eq(type, "full_attention"))
			return config_fail(
				s, "layer_types", E_UNSUPPORTED_MODEL, e,
				"other than 'linear_attention' and 'full_attention' are not supported");
	}
	return 0;
}

/* The elements of a head that are rotated, as the class rounds them. */
static int
rotary_read(const struct config_scope *s, const struct config_scope *rope, struct qwen2vl_text *t,
	    struct err *e)
{
	double part;
	int r = config_double(s, "partial_rotary_factor", 0.25, 1, &part, e);

	if (r == 0 && rope->obj)
		r = config_double(rope, "partial_rotary_factor", part, 1, &part, e);
	if (r < 0)
		return r;
	t->rotary_dim = (int64_t)((double)t->head_dim * part);
	if (t->rotary_dim < 2 || t->rotary_dim % 2)
		return config_fail(json_object_get(rope->obj, "partial_rotary_factor") ? rope : s,
				   "partial_rotary_factor", E_BAD_CHECKPOINT, e,
				   "rotates %lld of the %lld numbers of a head; that must be an even number "
				   "above 0",
				   (long long)t->rotary_dim, (long long)t->head_dim);
	return 0;
}

/* Refuses text models that share the name of this one but compute something else. */
static int
kind_check(const struct config_scope *s, struct err *e)
{
	static const char *const experts[] = {"num_experts", "num_local_experts", NULL};
	bool gate = true;
	int64_t count;
	int i, r;

	r = json_get_bool(s->obj, s->path, "attn_output_gate", JSON_OPTIONAL, E_BAD_CHECKPOINT, &gate, e);
	if (r < 0)
		return r;
	if (!gate)
		return config_fail(s, "attn_output_gate", E_UNSUPPORTED_MODEL, e,
				   "false is not supported: the class always has the gate");
	for (i = 0; experts[i]; i++) {
		count = 0;
		r = json_get_int(s->obj, s->path, experts[i], JSON_OPTIONAL, 0, INT32_MAX, E_BAD_CHECKPOINT,
				 &count, e);
		if (r < 0)
			return r;
		if (count)
			return config_fail(s, experts[i], E_UNSUPPORTED_MODEL, e,
					   "is %lld: mixtures of experts are not supported",
					   (long long)count);
	}
	return 0;
}

int
qwen3_5_text_read(const struct config_scope *s, const struct config_scope *rope, struct qwen2vl_text *t,
		  struct err *e)
{
	int r;

	if ((r = kind_check(s, e)) < 0 || (r = layers_read(s, t, e)) < 0 ||
	    (r = config_ints(s, linear_rows, ARRAY_LEN(linear_rows), &t->linear, e)) < 0)
		return r;
	if (t->linear.value_heads % t->linear.key_heads)
		return config_fail(s, "linear_num_value_heads", E_BAD_CHECKPOINT, e,
				   "must be a multiple of linear_num_key_heads");
	return rotary_read(s, rope, t, e);
}
