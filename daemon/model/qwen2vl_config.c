#include "qwen2vl_config.h"

#include "base/str.h"
#include "checkpoint/config_scope.h"

#define TEXT(field) offsetof(struct qwen2vl_text, field)
#define VISION(field) offsetof(struct qwen2vl_vision, field)
#define TOP(field) offsetof(struct qwen2vl_config, field)

/* Fallbacks are the original classes': they leave such values out when they save a nested config. */
static const struct config_int text_rows[] = {
	{"hidden_size", 1, 65536, CONFIG_REQUIRED, TEXT(hidden_size)},
	{"num_hidden_layers", 1, 1000, CONFIG_REQUIRED, TEXT(num_hidden_layers)},
	{"num_attention_heads", 1, 1024, CONFIG_REQUIRED, TEXT(num_attention_heads)},
	{"num_key_value_heads", 1, 1024, 0, TEXT(num_key_value_heads)},
	{"intermediate_size", 1, 1 << 20, CONFIG_REQUIRED, TEXT(intermediate_size)},
	{"vocab_size", 1, 1 << 24, 152064, TEXT(vocab_size)},
};

static const struct config_int vision_rows[] = {
	{"depth", 1, 1000, 32, VISION(depth)},
	{"embed_dim", 1, 65536, 1280, VISION(embed_dim)},
	{"num_heads", 1, 1024, 16, VISION(num_heads)},
	{"in_channels", 1, 16, 3, VISION(in_channels)},
	{"patch_size", 1, 256, 14, VISION(patch_size)},
	{"spatial_merge_size", 1, 16, 2, VISION(spatial_merge_size)},
	{"temporal_patch_size", 1, 16, 2, VISION(temporal_patch_size)},
};

static const struct config_int top_rows[] = {
	{"image_token_id", 0, INT32_MAX, 151655, TOP(image_token_id)},
	{"video_token_id", 0, INT32_MAX, 151656, TOP(video_token_id)},
	{"vision_start_token_id", 0, INT32_MAX, 151652, TOP(vision_start_token_id)},
	{"vision_end_token_id", 0, INT32_MAX, 151653, TOP(vision_end_token_id)},
};

static int
mrope_read(const struct config_scope *rope, struct qwen2vl_text *t, struct err *e)
{
	const json_t *sections = NULL, *v;
	int64_t sum = 0;
	size_t i;
	int r;

	r = json_get_array(rope->obj, rope->path, "mrope_section", JSON_REQUIRED, E_BAD_CHECKPOINT, &sections,
			   e);
	if (r < 0)
		return r;
	if (json_array_size(sections) != ARRAY_LEN(t->mrope_section))
		return config_fail(rope, "mrope_section", E_BAD_CHECKPOINT, e,
				   "must be three whole numbers above 0");
	json_array_foreach(sections, i, v) {
		if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > t->head_dim)
			return config_fail(rope, "mrope_section", E_BAD_CHECKPOINT, e,
					   "must be three whole numbers above 0");
		t->mrope_section[i] = json_integer_value(v);
		sum += t->mrope_section[i];
	}
	if (sum != t->head_dim / 2)
		return config_fail(rope, "mrope_section", E_BAD_CHECKPOINT, e,
				   "must be numbers whose sum is half of the head size, %lld",
				   (long long)t->head_dim / 2);
	return 0;
}

static int
heads_check(const struct config_scope *s, struct qwen2vl_text *t, struct err *e)
{
	if (!t->num_key_value_heads)
		t->num_key_value_heads = t->num_attention_heads;
	if (t->hidden_size % t->num_attention_heads)
		return config_fail(s, "hidden_size", E_BAD_CHECKPOINT, e,
				   "must be a multiple of num_attention_heads");
	t->head_dim = t->hidden_size / t->num_attention_heads;
	if (t->head_dim % 2)
		return config_fail(s, "hidden_size", E_BAD_CHECKPOINT, e,
				   "must be an even multiple of num_attention_heads");
	if (t->num_attention_heads % t->num_key_value_heads)
		return config_fail(s, "num_attention_heads", E_BAD_CHECKPOINT, e,
				   "must be a multiple of num_key_value_heads");
	return 0;
}

/* Layers that see a window only: no published retriever has them. */
static int
window_check(const struct config_scope *s, const struct qwen2vl_text *t, struct err *e)
{
	const json_t *types = NULL, *v;
	bool sliding = false;
	int64_t full = 80;
	size_t i;
	int r;

	if ((r = json_get_bool(s->obj, s->path, "use_sliding_window", JSON_OPTIONAL, E_BAD_CHECKPOINT,
			       &sliding, e)) < 0 ||
	    (r = json_get_int(s->obj, s->path, "max_window_layers", JSON_OPTIONAL, 0, INT32_MAX,
			      E_BAD_CHECKPOINT, &full, e)) < 0 ||
	    (r = json_get_array(s->obj, s->path, "layer_types", JSON_OPTIONAL, E_BAD_CHECKPOINT, &types, e)) <
		    0)
		return r;
	if (sliding && full < t->num_hidden_layers)
		return config_fail(s, "use_sliding_window", E_UNSUPPORTED_MODEL, e,
				   "is not supported: every layer must see all tokens");
	json_array_foreach(types, i, v) {
		if (!json_is_string(v) || !str_eq(json_string_value(v), "full_attention"))
			return config_fail(s, "layer_types", E_UNSUPPORTED_MODEL, e,
					   "other than 'full_attention' are not supported");
	}
	return 0;
}

static int
text_read(const struct config_scope *s, struct qwen2vl_text *t, struct err *e)
{
	struct config_scope rope;
	int r;

	if ((r = config_only(s, "hidden_act", "silu", "silu", e)) < 0 ||
	    (r = config_ints(s, text_rows, ARRAY_LEN(text_rows), t, e)) < 0 ||
	    (r = config_double(s, "rms_norm_eps", 1e-5, 1, &t->rms_norm_eps, e)) < 0 ||
	    (r = heads_check(s, t, e)) < 0 || (r = window_check(s, t, e)) < 0 ||
	    (r = config_rope(s, 1e6, &rope, &t->rope_theta, e)) < 0)
		return r;
	return mrope_read(&rope, t, e);
}

static int
vision_read(const struct config_scope *s, const struct qwen2vl_text *text, struct qwen2vl_vision *v,
	    struct err *e)
{
	int64_t out = 3584;
	double ratio;
	int r;

	if ((r = config_only(s, "hidden_act", "quick_gelu", "quick_gelu", e)) < 0 ||
	    (r = config_ints(s, vision_rows, ARRAY_LEN(vision_rows), v, e)) < 0 ||
	    (r = config_double(s, "mlp_ratio", 4, 64, &ratio, e)) < 0 ||
	    (r = json_get_int(s->obj, s->path, "hidden_size", JSON_OPTIONAL, 1, 65536, E_BAD_CHECKPOINT, &out,
			      e)) < 0)
		return r;
	if (v->embed_dim % v->num_heads)
		return config_fail(s, "embed_dim", E_BAD_CHECKPOINT, e, "must be a multiple of num_heads");
	v->head_dim = v->embed_dim / v->num_heads;
	if (v->head_dim % 4)
		return config_fail(s, "embed_dim", E_BAD_CHECKPOINT, e,
				   "must be num_heads times a multiple of 4");
	v->mlp_dim = (int64_t)((double)v->embed_dim * ratio);
	if (v->mlp_dim < 1)
		return config_fail(s, "mlp_ratio", E_BAD_CHECKPOINT, e, "must be at least 1 / embed_dim");
	if (v->spatial_merge_size != 2)
		return err_set(e, E_UNSUPPORTED_MODEL, "%s.spatial_merge_size %lld is not supported, only 2",
			       s->path, (long long)v->spatial_merge_size);
	if (out != text->hidden_size)
		return config_fail(s, "hidden_size", E_BAD_CHECKPOINT, e,
				   "must be that of the text, %lld, not %lld", (long long)text->hidden_size,
				   (long long)out);
	return 0;
}

static int
backbone_read(const json_t *config, struct qwen2vl_config *c, struct err *e)
{
	struct config_scope top, text, vision;
	int r;

	if ((r = config_embedding_dim(config, &c->embedding_dim, e)) < 0 ||
	    (r = config_backbone(config, &top, e)) < 0 ||
	    (r = config_sub(&top, "text_config", JSON_OPTIONAL, &text, e)) < 0 ||
	    (r = config_sub(&top, "vision_config", JSON_REQUIRED, &vision, e)) < 0)
		return r;
	if (!text.obj)
		text = top;
	if ((r = text_read(&text, &c->text, e)) < 0 ||
	    (r = vision_read(&vision, &c->text, &c->vision, e)) < 0 ||
	    (r = config_ints(&top, top_rows, ARRAY_LEN(top_rows), c, e)) < 0)
		return r;
	if (c->image_token_id >= c->text.vocab_size)
		return config_fail(&top, "image_token_id", E_BAD_CHECKPOINT, e,
				   "must be below vocab_size, %lld", (long long)c->text.vocab_size);
	return 0;
}

int
qwen2vl_config_read(const json_t *config, struct qwen2vl_config *ret, struct err *e)
{
	struct qwen2vl_config c;
	int r = backbone_read(config, &c, e);

	if (r < 0)
		return err_context(e, "config.json");
	*ret = c;
	return 0;
}
