#include "qwen2vl_config.h"

#include "base/str.h"
#include "checkpoint/config_scope.h"
#include "qwen3_5_config.h"

#define TEXT(field) offsetof(struct qwen2vl_text, field)
#define VISION(field) offsetof(struct qwen2vl_vision, field)
#define TOP(field) offsetof(struct qwen2vl_config, field)

/* The fallbacks are the original classes' own: they leave such values out when they save a nested config. */
static const struct config_int text_rows[] = {
	{"hidden_size", 1, 65536, CONFIG_REQUIRED, TEXT(hidden_size)},
	{"num_hidden_layers", 1, QWEN2VL_LAYERS_MAX, CONFIG_REQUIRED, TEXT(num_hidden_layers)},
	{"num_attention_heads", 1, 1024, CONFIG_REQUIRED, TEXT(num_attention_heads)},
	{"num_key_value_heads", 1, 1024, 0, TEXT(num_key_value_heads)},
	{"intermediate_size", 1, 1 << 20, CONFIG_REQUIRED, TEXT(intermediate_size)},
};

#define TEXT_ROWS_MAX 2
#define VISION_ROWS_MAX 10

/* clang-format off */
#define QWEN2_5_VISION                                                         \
	{{"depth", 1, QWEN2VL_DEPTH_MAX, 32, VISION(depth)},                   \
	 {"hidden_size", 1, 65536, 3584, VISION(embed_dim)},                   \
	 {"intermediate_size", 1, 1 << 20, 3420, VISION(mlp_dim)},             \
	 {"num_heads", 1, 1024, 16, VISION(num_heads)},                        \
	 {"in_channels", 1, 16, 3, VISION(in_channels)},                       \
	 {"patch_size", 1, 256, 14, VISION(patch_size)},                       \
	 {"spatial_merge_size", 1, 16, 2, VISION(spatial_merge_size)},         \
	 {"temporal_patch_size", 1, 16, 2, VISION(temporal_patch_size)},       \
	 {"window_size", 1, 1 << 20, 112, VISION(window)}}
/* clang-format on */

/* Of the 7B. A nested config is saved without the values that are those of its class. */
static const struct qwen2vl_text omni_text = {
	.hidden_size = 3584,
	.num_hidden_layers = 28,
	.num_attention_heads = 28,
	.num_key_value_heads = 4,
	.intermediate_size = 18944,
};

/* Of the 9B. A nested config is saved without the values that are those of its class. */
static const struct qwen2vl_text qwen3_5_text = {
	.hidden_size = 4096,
	.num_hidden_layers = 32,
	.num_attention_heads = 16,
	.num_key_value_heads = 4,
	.intermediate_size = 12288,
};

/* Differences between the generations. A list ends with an empty row. */
static const struct generation {
	struct config_int text[TEXT_ROWS_MAX], vision[VISION_ROWS_MAX];
	const char *width_key; /* of the tower */
	const char *out_key;   /* of the features that it gives to the decoder */
	const char *act;
	double rms_norm_eps, rope_theta;
	const struct qwen2vl_text
		*left_out; /* sizes of the text that config.json may leave out; NULL: none */
} generations[] = {
	[QWEN2_VL] = {{{"vocab_size", 1, 1 << 24, 152064, TEXT(vocab_size)}},
		      {{"depth", 1, QWEN2VL_DEPTH_MAX, 32, VISION(depth)},
		       {"embed_dim", 1, 65536, 1280, VISION(embed_dim)},
		       {"num_heads", 1, 1024, 16, VISION(num_heads)},
		       {"in_channels", 1, 16, 3, VISION(in_channels)},
		       {"patch_size", 1, 256, 14, VISION(patch_size)},
		       {"spatial_merge_size", 1, 16, 2, VISION(spatial_merge_size)},
		       {"temporal_patch_size", 1, 16, 2, VISION(temporal_patch_size)}},
		      "embed_dim",
		      "hidden_size",
		      "quick_gelu",
		      1e-5,
		      1e6},
	[QWEN2_5_VL] = {{{"vocab_size", 1, 1 << 24, 152064, TEXT(vocab_size)}},
			QWEN2_5_VISION,
			"hidden_size",
			"out_hidden_size",
			"silu",
			1e-5,
			1e6},
	[QWEN2_5_OMNI] = {{{"vocab_size", 1, 1 << 24, 152064, TEXT(vocab_size)}},
			  QWEN2_5_VISION,
			  "hidden_size",
			  "out_hidden_size",
			  "silu",
			  1e-6,
			  1e6,
			  &omni_text},
	[QWEN3_VL] = {{{"vocab_size", 1, 1 << 24, 151936, TEXT(vocab_size)},
		       {"head_dim", 1, 65536, 128, TEXT(head_dim)}},
		      {{"depth", 1, QWEN2VL_DEPTH_MAX, 27, VISION(depth)},
		       {"hidden_size", 1, 65536, 1152, VISION(embed_dim)},
		       {"intermediate_size", 1, 1 << 20, 4304, VISION(mlp_dim)},
		       {"num_heads", 1, 1024, 16, VISION(num_heads)},
		       {"in_channels", 1, 16, 3, VISION(in_channels)},
		       {"patch_size", 1, 256, 16, VISION(patch_size)},
		       {"spatial_merge_size", 1, 16, 2, VISION(spatial_merge_size)},
		       {"temporal_patch_size", 1, 16, 2, VISION(temporal_patch_size)},
		       {"num_position_embeddings", 1, 1 << 20, 2304, VISION(num_position_embeddings)}},
		      "hidden_size",
		      "out_hidden_size",
		      "gelu_pytorch_tanh",
		      1e-6,
		      500000},
	[QWEN3_5] = {{{"vocab_size", 1, 1 << 24, 248320, TEXT(vocab_size)},
		      {"head_dim", 1, 65536, 256, TEXT(head_dim)}},
		     {{"depth", 1, QWEN2VL_DEPTH_MAX, 27, VISION(depth)},
		      {"hidden_size", 1, 65536, 1152, VISION(embed_dim)},
		      {"intermediate_size", 1, 1 << 20, 4304, VISION(mlp_dim)},
		      {"num_heads", 1, 1024, 16, VISION(num_heads)},
		      {"in_channels", 1, 16, 3, VISION(in_channels)},
		      {"patch_size", 1, 256, 16, VISION(patch_size)},
		      {"spatial_merge_size", 1, 16, 2, VISION(spatial_merge_size)},
		      {"temporal_patch_size", 1, 16, 2, VISION(temporal_patch_size)},
		      {"num_position_embeddings", 1, 1 << 20, 2304, VISION(num_position_embeddings)}},
		     "hidden_size",
		     "out_hidden_size",
		     "gelu_pytorch_tanh",
		     1e-6,
		     10000,
		     &qwen3_5_text},
};

static size_t
rows_count(const struct config_int *rows, size_t max)
{
	size_t n = 0;

	while (n < max && rows[n].key)
		n++;
	return n;
}

/* Of Qwen2.5-Omni, in addition: the older names come last and count, if they are there. */
static const struct config_int omni_rows[] = {
	{"audio_token_id", 0, INT32_MAX, 151646, TOP(audio_token_id)},
	{"image_token_index", 0, INT32_MAX, 151655, TOP(image_token_id)},
	{"video_token_index", 0, INT32_MAX, 151656, TOP(video_token_id)},
	{"audio_token_index", 0, INT32_MAX, 151646, TOP(audio_token_id)},
};

static int
mrope_read(const struct config_scope *rope, enum json_need need, struct qwen2vl_text *t, struct err *e)
{
	static const int64_t fallback[] = {11, 11, 10};
	const json_t *sections = NULL, *v;
	int64_t sum = 0;
	size_t i;
	int r;

	memcpy(t->mrope_section, fallback, sizeof(fallback));
	r = json_get_array(rope->obj, rope->path, "mrope_section", need, E_BAD_CHECKPOINT, &sections, e);
	if (r < 0 || !sections)
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
	if (sum != t->rotary_dim / 2)
		return config_fail(rope, "mrope_section", E_BAD_CHECKPOINT, e,
				   "must be numbers whose sum is half of the %s, %lld",
				   t->rotary_dim == t->head_dim ? "head size" : "rotated part of a head",
				   (long long)t->rotary_dim / 2);
	return 0;
}

/* Without its own key, head_dim is hidden_size divided by the number of heads. */
static int
heads_check(const struct config_scope *s, enum qwen2vl_generation g, struct qwen2vl_text *t, struct err *e)
{
	if (!t->num_key_value_heads)
		t->num_key_value_heads = t->num_attention_heads;
	if (t->num_attention_heads % t->num_key_value_heads)
		return config_fail(s, "num_attention_heads", E_BAD_CHECKPOINT, e,
				   "must be a multiple of num_key_value_heads");
	if (g >= QWEN3_VL && t->head_dim % 2)
		return config_fail(s, "head_dim", E_BAD_CHECKPOINT, e, "must be even");
	if (g >= QWEN3_VL)
		return 0;
	if (t->hidden_size % t->num_attention_heads)
		return config_fail(s, "hidden_size", E_BAD_CHECKPOINT, e,
				   "must be a multiple of num_attention_heads");
	t->head_dim = t->hidden_size / t->num_attention_heads;
	if (t->head_dim % 2)
		return config_fail(s, "hidden_size", E_BAD_CHECKPOINT, e,
				   "must be an even multiple of num_attention_heads");
	return 0;
}

/* Refuses layers that see only a window: no published retriever has them. */
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

/* Reads the attention's settings, apart from the sizes. */
static int
attention_read(const struct config_scope *s, const struct config_scope *rope, enum qwen2vl_generation g,
	       struct qwen2vl_text *t, struct err *e)
{
	bool turns = true;
	int r;

	t->qk_norm = t->mrope_interleaved = g >= QWEN3_VL;
	t->o_bias = false;
	t->qkv_bias = g < QWEN3_VL;
	t->rotary_dim = t->head_dim;
	if (g < QWEN3_VL)
		return 0;
	r = json_get_bool(s->obj, s->path, "attention_bias", JSON_OPTIONAL, E_BAD_CHECKPOINT, &t->o_bias, e);
	if (r < 0)
		return r;
	t->qkv_bias = t->o_bias;
	if (g == QWEN3_5)
		return qwen3_5_text_read(s, rope, t, e);
	r = json_get_bool(rope->obj, rope->path, "mrope_interleaved", JSON_OPTIONAL, E_BAD_CHECKPOINT, &turns,
			  e);
	if (r == 0 && !turns)
		return config_fail(rope, "mrope_interleaved", E_UNSUPPORTED_MODEL, e,
				   "false is not supported: the class always interleaves the axes");
	return r;
}

static int
text_read(const struct config_scope *s, enum qwen2vl_generation g, struct qwen2vl_text *t, struct err *e)
{
	const struct generation *k = &generations[g];
	struct config_scope rope;
	int r;

	if (k->left_out)
		*t = *k->left_out;
	if ((r = config_only(s, "hidden_act", "silu", "silu", e)) < 0 ||
	    (r = config_ints_over(s, text_rows, ARRAY_LEN(text_rows), t, e)) < 0 ||
	    (r = config_ints(s, k->text, rows_count(k->text, TEXT_ROWS_MAX), t, e)) < 0 ||
	    (r = config_double(s, "rms_norm_eps", k->rms_norm_eps, 1, &t->rms_norm_eps, e)) < 0 ||
	    (r = heads_check(s, g, t, e)) < 0 || (g < QWEN3_5 && (r = window_check(s, t, e)) < 0) ||
	    (r = config_rope(s, k->rope_theta, &rope, &t->rope_theta, e)) < 0 ||
	    (r = attention_read(s, &rope, g, t, e)) < 0)
		return r;
	return mrope_read(&rope, g == QWEN3_5 ? JSON_OPTIONAL : JSON_REQUIRED, t, e);
}

/* In Qwen2-VL the width of the feed-forward parts is a multiple of the hidden size. */
static int
ratio_read(const struct config_scope *s, struct qwen2vl_vision *v, struct err *e)
{
	double ratio;
	int r = config_double(s, "mlp_ratio", 4, 64, &ratio, e);

	if (r < 0)
		return r;
	v->mlp_dim = (int64_t)((double)v->embed_dim * ratio);
	if (v->mlp_dim < 1)
		return config_fail(s, "mlp_ratio", E_BAD_CHECKPOINT, e, "must be at least 1 / embed_dim");
	return 0;
}

/* Reads a list of block numbers, each in 0..depth-1. Writes *count of them, at most `max`. */
static int
blocks_read(const struct config_scope *s, const char *key, const struct qwen2vl_vision *v,
	    const int64_t *fallback, size_t n_fallback, size_t max, int64_t *ret, size_t *count,
	    struct err *e)
{
	const json_t *list = NULL, *x;
	size_t i;
	int r;

	r = json_get_array(s->obj, s->path, key, JSON_OPTIONAL, E_BAD_CHECKPOINT, &list, e);
	if (r < 0)
		return r;
	*count = list ? json_array_size(list) : n_fallback;
	if (*count > max)
		return config_fail(s, key, E_UNSUPPORTED_MODEL, e,
				   "with more than %zu blocks is not supported", max);
	for (i = 0; i < *count; i++) {
		x = json_array_get(list, i);
		if (list && !json_is_integer(x))
			ret[i] = -1;
		else
			ret[i] = list ? json_integer_value(x) : fallback[i];
		if (ret[i] < 0 || ret[i] >= v->depth)
			return config_fail(s, key, E_BAD_CHECKPOINT, e,
					   "must be numbers of blocks, from 0 to depth - 1, %lld",
					   (long long)v->depth - 1);
	}
	return 0;
}

/* window_size is in pixels. */
static int
windows_read(const struct config_scope *s, struct qwen2vl_vision *v, struct err *e)
{
	static const int64_t fallback[] = {7, 15, 23, 31};
	int64_t at[QWEN2VL_DEPTH_MAX];
	size_t count, i;
	int r;

	v->window = v->window / v->spatial_merge_size / v->patch_size;
	if (v->window < 1)
		return config_fail(s, "window_size", E_BAD_CHECKPOINT, e,
				   "must be at least spatial_merge_size * patch_size, %lld",
				   (long long)(v->spatial_merge_size * v->patch_size));
	r = blocks_read(s, "fullatt_block_indexes", v, fallback, ARRAY_LEN(fallback), ARRAY_LEN(at), at,
			&count, e);
	if (r < 0)
		return r;
	for (i = 0; i < count; i++)
		v->whole[at[i]] = true;
	return 0;
}

static int
deepstack_read(const struct config_scope *s, enum qwen2vl_generation g, const struct qwen2vl_text *text,
	       struct qwen2vl_vision *v, struct err *e)
{
	static const int64_t fallback[] = {8, 16, 24};
	size_t count, i, k;
	int r;

	while ((v->table_side + 1) * (v->table_side + 1) <= v->num_position_embeddings)
		v->table_side++;
	r = blocks_read(s, "deepstack_visual_indexes", v, fallback, g == QWEN3_5 ? 0 : ARRAY_LEN(fallback),
			ARRAY_LEN(v->deep), v->deep, &count, e);
	if (r < 0)
		return r;
	if (g == QWEN3_5 && count)
		return config_fail(s, "deepstack_visual_indexes", E_UNSUPPORTED_MODEL, e,
				   "other than [] is not supported: the class adds no such features");
	v->n_deep = (int64_t)count;
	for (i = 0; i < count; i++)
		for (k = 0; k < i; k++)
			if (v->deep[k] == v->deep[i])
				return config_fail(s, "deepstack_visual_indexes", E_BAD_CHECKPOINT, e,
						   "must be different blocks");
	if (v->n_deep > text->num_hidden_layers)
		return config_fail(s, "deepstack_visual_indexes", E_BAD_CHECKPOINT, e,
				   "must not be more than the layers of the text, %lld",
				   (long long)text->num_hidden_layers);
	return 0;
}

static int
vision_check(const struct config_scope *s, const struct generation *g, const struct qwen2vl_text *text,
	     struct qwen2vl_vision *v, struct err *e)
{
	int64_t out = 3584;
	int r;

	r = json_get_int(s->obj, s->path, g->out_key, JSON_OPTIONAL, 1, 65536, E_BAD_CHECKPOINT, &out, e);
	if (r < 0)
		return r;
	if (v->embed_dim % v->num_heads)
		return config_fail(s, g->width_key, E_BAD_CHECKPOINT, e, "must be a multiple of num_heads");
	v->head_dim = v->embed_dim / v->num_heads;
	if (v->head_dim % 4)
		return config_fail(s, g->width_key, E_BAD_CHECKPOINT, e,
				   "must be num_heads times a multiple of 4");
	if (v->spatial_merge_size != 2)
		return err_set(e, E_UNSUPPORTED_MODEL, "%s.spatial_merge_size %lld is not supported, only 2",
			       s->path, (long long)v->spatial_merge_size);
	if (out != text->hidden_size)
		return config_fail(s, g->out_key, E_BAD_CHECKPOINT, e,
				   "must be that of the text, %lld, not %lld", (long long)text->hidden_size,
				   (long long)out);
	return 0;
}

static int
vision_read(const struct config_scope *s, enum qwen2vl_generation g, const struct qwen2vl_text *text,
	    struct qwen2vl_vision *v, struct err *e)
{
	const struct generation *k = &generations[g];
	int r;

	if ((r = config_only(s, "hidden_act", k->act, k->act, e)) < 0 ||
	    (r = config_ints(s, k->vision, rows_count(k->vision, VISION_ROWS_MAX), v, e)) < 0 ||
	    (r = vision_check(s, k, text, v, e)) < 0)
		return r;
	if (g == QWEN2_VL)
		return ratio_read(s, v, e);
	return g >= QWEN3_VL ? deepstack_read(s, g, text, v, e) : windows_read(s, v, e);
}

/* The ids that mark images follow each other in the published vocabularies. */
static int
tokens_read(const struct config_scope *s, struct qwen2vl_config *c, struct err *e)
{
	const int64_t first = c->generation == QWEN3_5 ? 248053 : 151652;
	const struct config_int rows[] = {
		{"vision_start_token_id", 0, INT32_MAX, first, TOP(vision_start_token_id)},
		{"vision_end_token_id", 0, INT32_MAX, first + 1, TOP(vision_end_token_id)},
		{"image_token_id", 0, INT32_MAX, first + 3, TOP(image_token_id)},
		{"video_token_id", 0, INT32_MAX, first + 4, TOP(video_token_id)},
	};
	const char *image = "image_token_id";
	size_t i;
	int r;

	c->audio_token_id = -1;
	r = config_ints(s, rows, ARRAY_LEN(rows), c, e);
	for (i = 0; c->generation == QWEN2_5_OMNI && i < ARRAY_LEN(omni_rows) && r == 0; i++) {
		if (i > 0 && !json_object_get(s->obj, omni_rows[i].key))
			continue;
		r = config_ints(s, &omni_rows[i], 1, c, e);
		if (omni_rows[i].offset == TOP(image_token_id))
			image = omni_rows[i].key;
	}
	if (r == 0 && c->image_token_id >= c->text.vocab_size)
		return config_fail(s, image, E_BAD_CHECKPOINT, e, "must be below vocab_size, %lld",
				   (long long)c->text.vocab_size);
	return r;
}

/* A whole Qwen2.5-Omni also has the parts that speak; the retriever is made of the one that thinks. */
static int
thinker_enter(const json_t *config, struct config_scope *top, struct err *e)
{
	const struct config_scope whole = *top;
	const char *type = json_string_value(json_object_get(config, "model_type"));
	int r;

	r = config_sub(&whole, "thinker_config",
		       type && str_eq(type, "qwen2_5_omni") ? JSON_REQUIRED : JSON_OPTIONAL, top, e);
	if (r == 0 && !top->obj)
		*top = whole;
	return r;
}

static int
backbone_read(const json_t *config, struct qwen2vl_config *c, struct err *e)
{
	const enum qwen2vl_generation g = c->generation;
	struct config_scope top, text, vision;
	int r;

	if ((r = config_embedding_dim(config, &c->head.dim, e)) < 0 ||
	    (r = config_backbone(config, &top, e)) < 0 ||
	    (g == QWEN2_5_OMNI && (r = thinker_enter(config, &top, e)) < 0) ||
	    (r = config_sub(&top, "text_config", JSON_OPTIONAL, &text, e)) < 0 ||
	    (r = config_sub(&top, "vision_config", JSON_REQUIRED, &vision, e)) < 0)
		return r;
	if (!text.obj)
		text = top;
	if ((r = text_read(&text, g, &c->text, e)) < 0 ||
	    (r = vision_read(&vision, g, &c->text, &c->vision, e)) < 0 || (r = tokens_read(&top, c, e)) < 0)
		return r;
	c->vision.apart = g == QWEN2_5_OMNI;
	return 0;
}

int
qwen2vl_config_read(const json_t *config, enum qwen2vl_generation g, struct qwen2vl_config *ret,
		    struct err *e)
{
	struct qwen2vl_config c = {.generation = g};
	int r;

	r = backbone_read(config, &c, e);
	if (r < 0)
		return err_context(e, "config.json");
	*ret = c;
	return 0;
}
