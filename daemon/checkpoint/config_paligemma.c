#include "base/str.h"
#include "config.h"
#include "config_scope.h"

#define TEXT(field) offsetof(struct paligemma_text, field)
#define VISION(field) offsetof(struct paligemma_vision, field)

static const struct config_int text_rows[] = {
	{"hidden_size", 1, 65536, CONFIG_REQUIRED, TEXT(hidden_size)},
	{"num_hidden_layers", 1, 1000, CONFIG_REQUIRED, TEXT(num_hidden_layers)},
	{"num_attention_heads", 1, 1024, CONFIG_REQUIRED, TEXT(num_attention_heads)},
	{"num_key_value_heads", 1, 1024, CONFIG_REQUIRED, TEXT(num_key_value_heads)},
	{"head_dim", 2, 4096, 256, TEXT(head_dim)},
	{"intermediate_size", 1, 1 << 20, CONFIG_REQUIRED, TEXT(intermediate_size)},
	{"vocab_size", 1, 1 << 24, CONFIG_REQUIRED, TEXT(vocab_size)},
};

static const struct config_int vision_rows[] = {
	{"hidden_size", 1, 65536, CONFIG_REQUIRED, VISION(hidden_size)},
	{"num_hidden_layers", 1, 1000, CONFIG_REQUIRED, VISION(num_hidden_layers)},
	{"num_attention_heads", 1, 1024, CONFIG_REQUIRED, VISION(num_attention_heads)},
	{"intermediate_size", 1, 1 << 20, CONFIG_REQUIRED, VISION(intermediate_size)},
	{"num_channels", 1, 16, 3, VISION(num_channels)},
	{"image_size", 1, 8192, CONFIG_REQUIRED, VISION(image_size)},
	{"patch_size", 1, 256, CONFIG_REQUIRED, VISION(patch_size)},
};

/*
 * Gemma's activation has two keys. The newer one counts where it is set; without it even an
 * older "gelu" meant the tanh form.
 */
static int
act_check(const struct config_scope *s, struct err *e)
{
	const char *newer = NULL;
	int r;

	r = json_get_str(s->obj, s->path, "hidden_activation", JSON_OPTIONAL, E_BAD_CHECKPOINT, &newer, e);
	if (r < 0)
		return r;
	return newer ? config_only(s, "hidden_activation", "gelu_pytorch_tanh", "gelu_pytorch_tanh", e)
		     : config_only(s, "hidden_act", "gelu_pytorch_tanh", "gelu", e);
}

static int
text_read(const struct config_scope *s, struct paligemma_text *t, struct err *e)
{
	struct config_scope rope;
	bool bias = false;
	int r;

	if ((r = config_only(s, "model_type", "gemma", "gemma", e)) < 0 || (r = act_check(s, e)) < 0 ||
	    (r = json_get_bool(s->obj, s->path, "attention_bias", JSON_OPTIONAL, E_BAD_CHECKPOINT, &bias,
			       e)) < 0 ||
	    (r = config_ints(s, text_rows, ARRAY_LEN(text_rows), t, e)) < 0 ||
	    (r = config_double(s, "rms_norm_eps", 1e-6, 1, &t->rms_norm_eps, e)) < 0 ||
	    (r = config_rope(s, 1e4, &rope, &t->rope_theta, e)) < 0)
		return r;
	if (bias)
		return config_fail(s, "attention_bias", E_UNSUPPORTED_MODEL, e, "true is not supported");
	if (t->head_dim % 2)
		return config_fail(s, "head_dim", E_BAD_CHECKPOINT, e, "must be even");
	if (t->num_attention_heads % t->num_key_value_heads)
		return config_fail(s, "num_attention_heads", E_BAD_CHECKPOINT, e,
				   "must be a multiple of num_key_value_heads");
	return 0;
}

static int
vision_read(const struct config_scope *s, struct paligemma_vision *v, struct err *e)
{
	int64_t side;
	int r;

	if ((r = config_only(s, "model_type", "siglip_vision_model", "siglip_vision_model", e)) < 0 ||
	    (r = config_only(s, "hidden_act", "gelu_pytorch_tanh", "gelu_pytorch_tanh", e)) < 0 ||
	    (r = config_ints(s, vision_rows, ARRAY_LEN(vision_rows), v, e)) < 0 ||
	    (r = config_double(s, "layer_norm_eps", 1e-6, 1, &v->layer_norm_eps, e)) < 0)
		return r;
	if (v->hidden_size % v->num_attention_heads)
		return config_fail(s, "hidden_size", E_BAD_CHECKPOINT, e,
				   "must be a multiple of num_attention_heads");
	if (v->image_size < v->patch_size)
		return config_fail(s, "image_size", E_BAD_CHECKPOINT, e, "must be at least patch_size");
	v->head_dim = v->hidden_size / v->num_attention_heads;
	side = v->image_size / v->patch_size;
	v->patches = side * side;
	return 0;
}

/* `image_token_index`, and its later name. */
static int
image_token_read(const struct config_scope *top, int64_t *ret, struct err *e)
{
	int r;

	*ret = 257152;
	r = json_get_int(top->obj, top->path, "image_token_index", JSON_OPTIONAL, 0, INT32_MAX,
			 E_BAD_CHECKPOINT, ret, e);
	if (r < 0)
		return r;
	return json_get_int(top->obj, top->path, "image_token_id", JSON_OPTIONAL, 0, INT32_MAX,
			    E_BAD_CHECKPOINT, ret, e);
}

static int
backbone_read(const json_t *config, struct paligemma_config *c, struct err *e)
{
	struct config_scope top, text, vision;
	int64_t projection;
	int r;

	if ((r = config_embedding_dim(config, &c->embedding_dim, e)) < 0 ||
	    (r = config_backbone(config, &top, e)) < 0 ||
	    (r = config_sub(&top, "text_config", JSON_REQUIRED, &text, e)) < 0 ||
	    (r = config_sub(&top, "vision_config", JSON_REQUIRED, &vision, e)) < 0 ||
	    (r = text_read(&text, &c->text, e)) < 0 || (r = vision_read(&vision, &c->vision, e)) < 0 ||
	    (r = image_token_read(&top, &c->image_token_id, e)) < 0)
		return r;
	projection = c->text.hidden_size;
	r = json_get_int(top.obj, top.path, "projection_dim", JSON_OPTIONAL, 1, 65536, E_BAD_CHECKPOINT,
			 &projection, e);
	if (r < 0)
		return r;
	if (projection != c->text.hidden_size)
		return config_fail(&top, "projection_dim", E_BAD_CHECKPOINT, e,
				   "must be the text's hidden_size, %lld", (long long)c->text.hidden_size);
	return 0;
}

int
config_paligemma(const json_t *config, struct paligemma_config *ret, struct err *e)
{
	struct paligemma_config c;
	int r = backbone_read(config, &c, e);

	if (r < 0)
		return err_context(e, "config.json");
	*ret = c;
	return 0;
}
