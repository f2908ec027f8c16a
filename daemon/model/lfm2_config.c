#include "lfm2_config.h"

#include <math.h>

#include "base/str.h"

#define DEFAULT_BASE "LiquidAI/LFM2-VL-450M"

#define TEXT(field) offsetof(struct lfm2_text, field)

/* The fallbacks are the original class's own. */
static const struct config_int text_rows[] = {
	{"hidden_size", 1, 65536, 2560, TEXT(hidden_size)},
	{"num_hidden_layers", 1, LFM2_LAYERS_MAX, 32, TEXT(num_hidden_layers)},
	{"num_attention_heads", 1, 1024, 32, TEXT(num_attention_heads)},
	{"num_key_value_heads", 1, 1024, 8, TEXT(num_key_value_heads)},
	{"head_dim", 0, 65536, 0, TEXT(head_dim)},
	{"vocab_size", 1, 1 << 24, 65536, TEXT(vocab_size)},
	{"conv_L_cache", 1, 1024, 3, TEXT(kernel)},
};

/* LFM2-VL-450M's, whose config.json a ColLFM2 without sizes is saved without. */
static const char text_450m[] =
	"{\"hidden_size\": 1024, \"num_hidden_layers\": 16, \"num_attention_heads\": 16, "
	"\"num_key_value_heads\": 8, \"block_ff_dim\": 6656, \"full_attn_idxs\": [2, 5, 8, 10, 12, 14]}";
static const char vision_450m[] = "{}";

static int
heads_check(const struct config_scope *s, struct lfm2_text *t, struct err *e)
{
	if (!t->head_dim && t->hidden_size % t->num_attention_heads)
		return config_fail(s, "hidden_size", E_BAD_CHECKPOINT, e,
				   "must be a multiple of num_attention_heads");
	if (!t->head_dim)
		t->head_dim = t->hidden_size / t->num_attention_heads;
	if (t->head_dim % 2)
		return config_fail(s, "head_dim", E_BAD_CHECKPOINT, e, "must be even");
	if (t->num_attention_heads % t->num_key_value_heads)
		return config_fail(s, "num_attention_heads", E_BAD_CHECKPOINT, e,
				   "must be a multiple of num_key_value_heads");
	return 0;
}

/*
 * LiquidAI's key is `theta`. Where it differs from `rope_theta`, the versions of transformers disagree: 4 uses the
 * first, 5 the second.
 */
static int
theta_read(const struct config_scope *s, struct lfm2_text *t, struct err *e)
{
	struct config_scope rope;
	double theta, used;
	int r;

	r = config_double(s, "theta", 1e6, 1e12, &theta, e);
	if (r == 0)
		r = config_rope(s, theta, &rope, &used, e);
	if (r < 0)
		return r;
	if (json_object_get(s->obj, "theta") && used != theta)
		return config_fail(s, "theta", E_BAD_CHECKPOINT, e,
				   "is %g but rope_theta is %g, and the versions of transformers disagree on "
				   "which counts: keep the one that the model was trained with",
				   theta, used);
	t->rope = (struct rope){.theta = used};
	return 0;
}

/* layer_types, or else the numbers of the layers with attention; without both all have attention. */
static int
layers_read(const struct config_scope *s, struct lfm2_text *t, struct err *e)
{
	const json_t *types = NULL, *full = NULL, *v;
	size_t i;
	int r;

	r = json_get_array(s->obj, s->path, "layer_types", JSON_OPTIONAL, E_BAD_CHECKPOINT, &types, e);
	if (r == 0)
		r = json_get_array(s->obj, s->path, "full_attn_idxs", JSON_OPTIONAL, E_BAD_CHECKPOINT, &full,
				   e);
	if (r < 0)
		return r;
	if (types && json_array_size(types) != (size_t)t->num_hidden_layers)
		return config_fail(s, "layer_types", E_BAD_CHECKPOINT, e, "must be one for each layer, %lld",
				   (long long)t->num_hidden_layers);
	for (i = 0; i < (size_t)t->num_hidden_layers; i++) {
		v = json_array_get(types, i);
		t->conv[i] = types ? json_is_string(v) && str_eq(json_string_value(v), "conv") : full != NULL;
	}
	json_array_foreach(types ? NULL : full, i, v) {
		if (!json_is_integer(v) || json_integer_value(v) < 0 ||
		    json_integer_value(v) >= t->num_hidden_layers)
			return config_fail(s, "full_attn_idxs", E_BAD_CHECKPOINT, e,
					   "must be numbers of layers, from 0 to %lld",
					   (long long)t->num_hidden_layers - 1);
		t->conv[json_integer_value(v)] = false;
	}
	return 0;
}

/* The width of the feed-forward parts: two thirds of what config.json states, rounded up, unless it says not to. */
static int
ff_read(const struct config_scope *s, struct lfm2_text *t, struct err *e)
{
	int64_t stated = 12288, multiple = 256;
	bool adjust = true;
	double by = 1;
	int r;

	if ((r = json_get_int(s->obj, s->path, "intermediate_size", JSON_OPTIONAL, 1, 1 << 20,
			      E_BAD_CHECKPOINT, &stated, e)) < 0 ||
	    (r = json_get_int(s->obj, s->path, "block_ff_dim", JSON_OPTIONAL, 1, 1 << 20, E_BAD_CHECKPOINT,
			      &stated, e)) < 0 ||
	    (r = json_get_int(s->obj, s->path, "block_multiple_of", JSON_OPTIONAL, 1, 1 << 20,
			      E_BAD_CHECKPOINT, &multiple, e)) < 0 ||
	    (r = json_get_bool(s->obj, s->path, "block_auto_adjust_ff_dim", JSON_OPTIONAL, E_BAD_CHECKPOINT,
			       &adjust, e)) < 0 ||
	    (r = config_double(s, "block_ffn_dim_multiplier", 1, 64, &by, e)) < 0)
		return r;
	t->ff = stated;
	if (!adjust)
		return 0;
	t->ff = (int64_t)(by * (double)(2 * stated / 3));
	t->ff = (t->ff + multiple - 1) / multiple * multiple;
	return 0;
}

static int
text_read(const struct config_scope *s, struct lfm2_text *t, struct err *e)
{
	int r;

	if ((r = config_only(s, "model_type", "lfm2", "lfm2", e)) < 0 ||
	    (r = config_ints(s, text_rows, ARRAY_LEN(text_rows), t, e)) < 0 ||
	    (r = heads_check(s, t, e)) < 0 || (r = theta_read(s, t, e)) < 0 ||
	    (r = layers_read(s, t, e)) < 0 || (r = ff_read(s, t, e)) < 0 ||
	    (r = json_get_bool(s->obj, s->path, "conv_bias", JSON_OPTIONAL, E_BAD_CHECKPOINT, &t->conv_bias,
			       e)) < 0)
		return r;
	return config_double(s, "norm_eps", 1e-5, 1, &t->norm_eps, e);
}

/* What the tensors say better than config.json. */
static int
tensors_read(const struct checkpoint *ck, struct lfm2_config *c, struct err *e)
{
	const struct weight *w = checkpoint_find(ck, "lm.layers.0.feed_forward.w1.weight");
	char name[64];
	int64_t il;
	int r;

	if (w) {
		r = checkpoint_usable(ck, w, e);
		if (r < 0)
			return r;
		c->text.ff = w->tensor->shape[0]; /* a tensor of another rank fails where it is used */
	}
	for (il = 0; il < c->text.num_hidden_layers; il++) {
		(void)snprintf(name, sizeof(name), "lm.layers.%lld.conv.conv.weight", (long long)il);
		c->text.conv[il] = checkpoint_find(ck, name) != NULL;
	}
	c->images.norm = checkpoint_find(ck, "mmproj.layer_norm.weight") != NULL;
	return 0;
}

static int
projector_read(const struct config_scope *s, struct naflex_config *c, struct err *e)
{
	int64_t factor = NAFLEX_MERGE;
	int r;

	c->inner = 2560;
	c->bias = c->norm = true;
	if ((r = config_only(s, "projector_hidden_act", "gelu", "gelu", e)) < 0 ||
	    (r = json_get_int(s->obj, s->path, "projector_hidden_size", JSON_OPTIONAL, 1, 1 << 20,
			      E_BAD_CHECKPOINT, &c->inner, e)) < 0 ||
	    (r = json_get_bool(s->obj, s->path, "projector_bias", JSON_OPTIONAL, E_BAD_CHECKPOINT, &c->bias,
			       e)) < 0 ||
	    (r = json_get_bool(s->obj, s->path, "projector_use_layernorm", JSON_OPTIONAL, E_BAD_CHECKPOINT,
			       &c->norm, e)) < 0 ||
	    (r = json_get_int(s->obj, s->path, "downsample_factor", JSON_OPTIONAL, 1, 64, E_BAD_CHECKPOINT,
			      &factor, e)) < 0)
		return r;
	if (factor != NAFLEX_MERGE)
		return config_fail(s, "downsample_factor", E_UNSUPPORTED_MODEL, e,
				   "%lld is not supported, only %d", (long long)factor, NAFLEX_MERGE);
	return 0;
}

static int
image_id_read(const struct config_scope *s, struct lfm2_config *c, struct err *e)
{
	const char *key = json_object_get(s->obj, "image_token_id") ? "image_token_id" : "image_token_index";
	int r;

	c->images.image_token_id = 396;
	r = json_get_int(s->obj, s->path, key, JSON_OPTIONAL, 0, INT32_MAX, E_BAD_CHECKPOINT,
			 &c->images.image_token_id, e);
	if (r == 0 && c->images.image_token_id >= c->text.vocab_size)
		return config_fail(s, key, E_BAD_CHECKPOINT, e, "must be below vocab_size, %lld",
				   (long long)c->text.vocab_size);
	return r;
}

/* Enters a part whose sizes are there, or else those of the base that config.json names or the class is made of. */
static int
part_enter(const struct config_scope *top, const char *key, json_t *fallback, struct config_scope *ret,
	   struct err *e)
{
	const char *base = DEFAULT_BASE;
	int r;

	r = json_get_str(top->obj, top->path, "base_model", JSON_OPTIONAL, E_BAD_CHECKPOINT, &base, e);
	if (r == 0)
		r = config_sub(top, key, JSON_OPTIONAL, ret, e);
	if (r < 0 || ret->obj)
		return r;
	if (!str_eq(base, DEFAULT_BASE))
		return config_fail(top, key, E_BAD_CHECKPOINT, e,
				   "is missing, and the sizes of '%s' are not known: copy text_config and "
				   "vision_config of its config.json into this one",
				   base);
	ret->obj = fallback;
	return fallback ? 0 : err_no_memory(e);
}

static int
backbone_read(const json_t *config, struct lfm2_config *c, struct err *e)
{
	json_auto_t *text_known = json_loads(text_450m, 0, NULL),
		    *vision_known = json_loads(vision_450m, 0, NULL);
	const struct config_scope top = {.obj = config};
	struct config_scope text, vision;
	int r;

	if ((r = config_embedding_dim(config, &c->head.dim, e)) < 0 ||
	    (r = part_enter(&top, "text_config", text_known, &text, e)) < 0 ||
	    (r = part_enter(&top, "vision_config", vision_known, &vision, e)) < 0 ||
	    (r = text_read(&text, &c->text, e)) < 0 || (r = naflex_vision_read(&vision, &c->images, e)) < 0 ||
	    (r = projector_read(&top, &c->images, e)) < 0)
		return r;
	c->images.hidden = c->text.hidden_size;
	return image_id_read(&top, c, e);
}

int
lfm2_config_read(const json_t *config, const struct checkpoint *ck, struct lfm2_config *ret, struct err *e)
{
	int r;

	*ret = (struct lfm2_config){.head = {.dim = 0}};
	r = backbone_read(config, ret, e);
	if (r < 0)
		return err_context(e, "config.json");
	return ck ? tensors_read(ck, ret, e) : 0;
}
