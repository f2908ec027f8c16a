#include "neomme_config.h"

#include <math.h>

#include "base/str.h"

#define FIELD(field) offsetof(struct neomme_config, field)

/* The fallbacks are the original class's. */
static const struct config_int rows[] = {
	{"vocab_size", 1, 1 << 24, 131072, FIELD(vocab_size)},
	{"embedding_rank", 1, 65536, 256, FIELD(rank)},
	{"hidden_size", 1, 65536, 1024, FIELD(hidden_size)},
	{"num_hidden_layers", 1, NEOMME_LAYERS_MAX, 17, FIELD(layers)},
	{"num_attention_heads", 1, 1024, 16, FIELD(heads)},
	{"num_key_value_heads", 1, 1024, 4, FIELD(kv_heads)},
	{"head_dim", 1, 4096, 64, FIELD(head_dim)},
	{"intermediate_size", 1, 1 << 20, 3584, FIELD(ff)},
	{"patch_size", 1, 1024, 32, FIELD(patch_size)},
	{"embedding_dim", 1, 65536, 128, FIELD(dim)},
	{"pad_token_id", 0, INT32_MAX, 0, FIELD(pad_id)},
	{"document_token_id", 0, INT32_MAX, 5, FIELD(document_id)},
	{"image_token_id", 0, INT32_MAX, 6, FIELD(image_id)},
};

/* ---- kinds and windows of the layers ---- */

static int
kinds_read(const struct config_scope *s, struct neomme_config *c, struct err *e)
{
	const json_t *types = NULL;
	const char *type;
	int64_t i, first = -1, last = -1;
	int r = json_get_array(s->obj, s->path, "layer_types", JSON_OPTIONAL, E_BAD_CHECKPOINT, &types, e);

	if (r < 0)
		return r;
	if (types && json_array_size(types) != (size_t)c->layers)
		return config_fail(s, "layer_types", E_BAD_CHECKPOINT, e,
				   "must name a type for each of the %lld layers", (long long)c->layers);
	for (i = 0; i < c->layers; i++) {
		type = types ? json_string_value(json_array_get(types, (size_t)i))
			     : ((i + 1) % 6 == 0 || i == c->layers - 1 ? "full_attention"
								       : "sliding_attention");
		if (!type || (!str_eq(type, "full_attention") && !str_eq(type, "sliding_attention")))
			return config_fail(
				s, "layer_types", E_UNSUPPORTED_MODEL, e,
				"other than 'full_attention' and 'sliding_attention' are not supported");
		c->layer[i].kind = str_eq(type, "full_attention") ? NEOMME_FULL : NEOMME_SLIDING;
		if (c->layer[i].kind == NEOMME_FULL) {
			first = first < 0 ? i : first;
			last = i;
		}
	}
	if (first < 0)
		return config_fail(s, "layer_types", E_BAD_CHECKPOINT, e,
				   "must name 'full_attention' for one layer at least");
	c->layer[first].values = c->layer[last].values = true;
	return 0;
}

/* A window at `key` of `s`; null is none. Returns 1; 0 where the key is absent. */
static int
window_read(const struct config_scope *s, const char *key, int64_t *ret, struct err *e)
{
	const json_t *v = json_object_get(s->obj, key);

	if (!v)
		return 0;
	*ret = NEOMME_NO_WINDOW;
	if (json_is_null(v))
		return 1;
	if (json_get_int(s->obj, s->path, key, JSON_REQUIRED, 1, 1 << 24, E_BAD_CHECKPOINT, ret, e) < 0)
		return e->code;
	return 1;
}

/* The layer that a key of per_layer_config means: "7", or "07". */
static int
layer_of(const struct config_scope *s, const struct neomme_config *c, const char *key, int64_t *ret,
	 struct err *e)
{
	const size_t len = strlen(key);
	size_t i;

	*ret = 0;
	for (i = 0; i < len && key[i] >= '0' && key[i] <= '9' && *ret < c->layers; i++)
		*ret = *ret * 10 + (key[i] - '0');
	if (len == 0 || len > 20 || i < len || *ret >= c->layers)
		return config_fail(s, "per_layer_config", E_BAD_CHECKPOINT, e,
				   "has the key '%.40s', which is not the number of a layer (0 to %lld)", key,
				   (long long)c->layers - 1);
	return 0;
}

/* {"1": {"sliding_window": 1024}, "05": {"sliding_window": null}} */
static int
own_windows_read(const struct config_scope *s, struct neomme_config *c, struct err *e)
{
	struct config_scope own, layer;
	const char *key, *inner;
	json_t *value, *unused;
	int64_t i;
	int r = config_sub(s, "per_layer_config", JSON_OPTIONAL, &own, e);

	if (r < 0 || !own.obj)
		return r;
	json_object_foreach((json_t *)(uintptr_t)own.obj, key, value) {
		if ((r = layer_of(s, c, key, &i, e)) < 0 ||
		    (r = config_sub(&own, key, JSON_REQUIRED, &layer, e)) < 0)
			return r;
		json_object_foreach(value, inner, unused)
			if (!str_eq(inner, "sliding_window"))
				return config_fail(
					&layer, inner, E_UNSUPPORTED_MODEL, e,
					"of one layer is not supported, only its sliding_window is");
		r = window_read(&layer, "sliding_window", &c->layer[i].window, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Every second of the sliding layers has this window where the config says nothing of single layers. */
#define WIDE_WINDOW 1024

static int
windows_read(const struct config_scope *s, struct neomme_config *c, struct err *e)
{
	const bool own = json_object_get(s->obj, "per_layer_config") != NULL;
	int64_t window = 256, i, sliding = 0;
	int r = window_read(s, "sliding_window", &window, e);

	for (i = 0; i < c->layers; i++) {
		c->layer[i].window = window;
		if (!own && c->layer[i].kind == NEOMME_FULL)
			c->layer[i].window = NEOMME_NO_WINDOW;
		else if (!own && sliding++ % 2)
			c->layer[i].window = WIDE_WINDOW;
	}
	if (r >= 0 && own)
		r = own_windows_read(s, c, e);
	for (i = 0; r >= 0 && i < c->layers; i++)
		if (c->layer[i].kind == NEOMME_SLIDING && c->layer[i].window == NEOMME_NO_WINDOW)
			return config_fail(
				s, "sliding_window", E_BAD_CHECKPOINT, e,
				"of layer %lld is null, and layer_types calls it a sliding_attention",
				(long long)i);
	return MIN(r, 0);
}

/* ---- positions ---- */

static const struct {
	const char *key;
	double theta, factor;
} ropes[] = {
	[NEOMME_FULL] = {"full_attention", 1e6, 0.25},
	[NEOMME_SLIDING] = {"sliding_attention", 1e4, 1},
};

static int
rope_read(const struct config_scope *s, const struct config_scope *kind, size_t i, struct neomme_config *c,
	  struct err *e)
{
	struct neomme_rope *rope = &c->rope[i];
	double factor = ropes[i].factor;
	int r = config_double(s, "rope_theta", ropes[i].theta, 1e12, &rope->theta, e);

	if (r == 0 && kind->obj)
		r = config_only(kind, "rope_type", "default", "default", e);
	if (r == 0 && kind->obj)
		r = config_double(kind, "rope_theta", rope->theta, 1e12, &rope->theta, e);
	if (r == 0 && kind->obj)
		r = config_double(kind, "partial_rotary_factor", factor, 1, &factor, e);
	if (r < 0)
		return r;
	rope->width = (int64_t)((double)c->head_dim * factor);
	if (rope->width < 4 || rope->width % 4)
		return config_fail(kind->obj ? kind : s, kind->obj ? "partial_rotary_factor" : "head_dim",
				   E_BAD_CHECKPOINT, e,
				   "must let a multiple of 4 of the head's elements turn, not %lld",
				   (long long)rope->width);
	return 0;
}

static int
ropes_read(const struct config_scope *s, struct neomme_config *c, struct err *e)
{
	struct config_scope all, kind = {.obj = NULL};
	const char *key;
	json_t *unused;
	size_t i;
	int r = config_sub(s, "rope_parameters", JSON_OPTIONAL, &all, e);

	if (r == 0 && all.obj)
		json_object_foreach((json_t *)(uintptr_t)all.obj, key, unused)
			if (!str_eq(key, ropes[NEOMME_FULL].key) && !str_eq(key, ropes[NEOMME_SLIDING].key))
				return config_fail(&all, key, E_UNSUPPORTED_MODEL, e,
						   "is not supported here, only 'full_attention' and "
						   "'sliding_attention' are");
	for (i = 0; i < NEOMME_KINDS && r == 0; i++) {
		if (all.obj)
			r = config_sub(&all, ropes[i].key, JSON_OPTIONAL, &kind, e);
		if (r == 0)
			r = rope_read(s, &kind, i, c, e);
	}
	return r;
}

static int
sizes_check(const struct config_scope *s, const struct neomme_config *c, struct err *e)
{
	if (c->heads % c->kv_heads)
		return config_fail(s, "num_key_value_heads", E_BAD_CHECKPOINT, e,
				   "must divide num_attention_heads");
	if (c->image_id >= c->vocab_size || c->document_id >= c->vocab_size || c->pad_id >= c->vocab_size)
		return config_fail(s, "vocab_size", E_BAD_CHECKPOINT, e,
				   "must be above pad_token_id, document_token_id and image_token_id");
	/* Before the first token comes a pad token, after which an image token would be a page's header. */
	if (c->document_id == c->pad_id)
		return config_fail(s, "document_token_id", E_UNSUPPORTED_MODEL, e,
				   "equal to pad_token_id is not supported");
	return 0;
}

int
neomme_config_read(const json_t *json, struct neomme_config *c, struct err *e)
{
	const struct config_scope s = {.obj = json};
	int r;

	if ((r = config_ints(&s, rows, ARRAY_LEN(rows), c, e)) < 0 ||
	    (r = config_only(&s, "hidden_act", "relu2", "relu2", e)) < 0 ||
	    (r = json_get_bool(json, "", "attention_bias", JSON_OPTIONAL, E_BAD_CHECKPOINT,
			       &c->attention_bias, e)) < 0 ||
	    (r = json_get_bool(json, "", "mlp_bias", JSON_OPTIONAL, E_BAD_CHECKPOINT, &c->mlp_bias, e)) < 0 ||
	    (r = config_double(&s, "norm_eps", 1e-6, 1, &c->eps, e)) < 0 ||
	    (r = config_double(&s, "residual_multiplier", pow(2.0 * (double)c->layers, -0.5), 1e6,
			       &c->residual, e)) < 0 ||
	    (r = sizes_check(&s, c, e)) < 0 || (r = kinds_read(&s, c, e)) < 0 ||
	    (r = windows_read(&s, c, e)) < 0)
		return r;
	c->patch_width = 3 * c->patch_size * c->patch_size;
	return ropes_read(&s, c, e);
}
