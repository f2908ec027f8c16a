/* config.json of the families whose images are cut into tiles. */
#include "config_edit.h"

#include <math.h>

#include "base/str.h"
#include "model/colidefics3.c" /* for its config, which no other file sees */

/* clang-format off */
static const char idefics3[] = JSON({"model_type": "idefics3", "architectures": ["ColIdefics3"], "image_token_id": 301, "scale_factor": 4,
	"text_config": {"model_type": "llama", "hidden_size": 96, "num_hidden_layers": 4, "num_attention_heads": 6,
		"num_key_value_heads": 2, "intermediate_size": 160, "vocab_size": 333, "rope_theta": 5000.0},
	"vision_config": {"model_type": "idefics3", "hidden_size": 48, "num_attention_heads": 3, "image_size": 128,
		"patch_size": 16}});

static const char modernvbert[] = JSON({"model_type": "colmodernvbert", "embedding_dim": 128, "vlm_config": {
	"model_type": "modernvbert", "image_token_id": 301, "pixel_shuffle_factor": 3,
	"text_config": {"model_type": "modernbert", "hidden_size": 96, "num_hidden_layers": 4, "num_attention_heads": 6,
		"intermediate_size": 160, "vocab_size": 333, "global_rope_theta": 160000.0, "local_rope_theta": 10000.0},
	"vision_config": {"model_type": "siglip_vision_model", "hidden_size": 48, "num_attention_heads": 3, "image_size": 96,
		"patch_size": 16}}});
/* clang-format on */

TEST(test_idefics3)
{
	json_auto_t *j = load(idefics3);
	struct idefics3_config c;
	struct err e = ERR_INIT;

	(void)config_read(j, NULL, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.text.head_dim, 16);
	assert_true(fabs(c.text.rms_norm_eps - 1e-5) < 1e-12);
	assert_true(fabs(c.text.rope_theta - 5000) < 1e-9);
	assert_int_equal(c.tiles.image_token_id, 301);
	assert_int_equal(c.tiles.factor, 4);
	assert_int_equal(c.tiles.tokens, 4); /* 8 x 8 patches, 4 x 4 to a token */
	assert_int_equal(c.tiles.hidden, 96);
	assert_true(c.tiles.partial);
	/* what the published configs leave out */
	assert_int_equal(c.tiles.vision.num_hidden_layers, 12);
	assert_int_equal(c.tiles.vision.intermediate_size, 3072);
	assert_true(fabs(c.tiles.vision.layer_norm_eps - 1e-6) < 1e-12);

	edit(j, "text_config.head_dim", "10");
	edit(j, "text_config.num_key_value_heads", "");
	edit(j, "text_config.rope_scaling", "null");
	edit(j, "text_config.rope_parameters", "{\"rope_type\": \"default\", \"rope_theta\": 20000.0}");
	edit(j, "vision_config.model_type", "\"idefics3_vision\"");
	(void)config_read(j, NULL, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.text.head_dim, 10);
	assert_int_equal(c.text.num_key_value_heads, 6);
	assert_true(fabs(c.text.rope_theta - 20000) < 1e-9);
}

/* An edit of a config.json, and the error that it leads to. */
#define T "text_config."
#define V "vision_config."

static const struct refusal idefics3_refusals[] = {
	{"text_config", "", E_BAD_CHECKPOINT, "config.json: text_config is missing"},
	{"image_token_id", "-1", E_BAD_CHECKPOINT, "image_token_id must be from 0"},
	{"scale_factor", "3", E_BAD_CHECKPOINT,
	 "config.json: scale_factor must divide the 8 patches that a tile has on each side"},
	{"scale_factor", "0", E_BAD_CHECKPOINT, "scale_factor must be from 1 to 64"},
	{T "model_type", "\"phi3\"", E_UNSUPPORTED_MODEL,
	 T "model_type 'phi3' is not supported, only 'llama'"},
	{T "hidden_act", "\"gelu\"", E_UNSUPPORTED_MODEL, T "hidden_act 'gelu'"},
	{T "attention_bias", "true", E_UNSUPPORTED_MODEL, T "attention_bias true is not supported"},
	{T "mlp_bias", "true", E_UNSUPPORTED_MODEL, T "mlp_bias true is not supported"},
	{T "head_dim", "15", E_BAD_CHECKPOINT, T "head_dim must be even"},
	{T "num_key_value_heads", "4", E_BAD_CHECKPOINT, T "num_attention_heads must be a multiple"},
	{T "vocab_size", "", E_BAD_CHECKPOINT, T "vocab_size is missing"},
	{T "rope_scaling", "{\"rope_type\": \"llama3\"}", E_UNSUPPORTED_MODEL,
	 T "rope_scaling.rope_type 'llama3'"},
	{T "rms_norm_eps", "0", E_BAD_CHECKPOINT, T "rms_norm_eps must be above 0"},
	{V "model_type", "\"clip\"", E_UNSUPPORTED_MODEL, V "model_type 'clip'"},
	{V "image_size", "96", E_UNSUPPORTED_MODEL,
	 V "image_size 96 is not supported: it must be patch_size times"},
	{V "patch_size", "0", E_BAD_CHECKPOINT, V "patch_size must be from 1"},
	{V "num_attention_heads", "5", E_BAD_CHECKPOINT,
	 V "hidden_size must be a multiple of num_attention_heads"},
};

#undef T
#undef V
#define T "vlm_config.text_config."
#define V "vlm_config.vision_config."

static const struct refusal modernvbert_refusals[] = {
	{"vlm_config.pixel_shuffle_factor", "4", E_BAD_CHECKPOINT,
	 "vlm_config.pixel_shuffle_factor must divide the 6 patches that a tile has on each side"},
	{"vlm_config.additional_vocab_size", "-1", E_BAD_CHECKPOINT, "additional_vocab_size must be from 0"},
	{T "model_type", "\"bert\"", E_UNSUPPORTED_MODEL,
	 T "model_type 'bert' is not supported, only 'modernbert'"},
	{T "hidden_activation", "\"silu\"", E_UNSUPPORTED_MODEL, T "hidden_activation 'silu'"},
	{T "norm_bias", "true", E_UNSUPPORTED_MODEL, T "norm_bias true is not supported"},
	{T "attention_bias", "true", E_UNSUPPORTED_MODEL, T "attention_bias true is not supported"},
	{T "mlp_bias", "true", E_UNSUPPORTED_MODEL, T "mlp_bias true is not supported"},
	{T "hidden_size", "95", E_BAD_CHECKPOINT,
	 T "hidden_size must be an even multiple of num_attention_heads"},
	{T "num_hidden_layers", "1001", E_BAD_CHECKPOINT, T "num_hidden_layers must be from 1 to 1000"},
	{T "local_attention", "-1", E_BAD_CHECKPOINT, T "local_attention must be from 1"},
	{T "global_attn_every_n_layers", "0", E_BAD_CHECKPOINT,
	 T "global_attn_every_n_layers must be from 1"},
	{T "layer_types", "[\"full_attention\"]", E_BAD_CHECKPOINT,
	 T "layer_types must name a type for each of the 4 layers"},
	{T "layer_types", "[\"full_attention\", \"chunked_attention\", 3, null]", E_UNSUPPORTED_MODEL,
	 T "layer_types other than 'full_attention' and 'sliding_attention'"},
	{T "rope_parameters",
	 "{\"full_attention\": {\"rope_type\": \"yarn\", \"rope_theta\": 1e4}, \"sliding_attention\": {}}",
	 E_UNSUPPORTED_MODEL, T "rope_parameters.full_attention.rope_type 'yarn'"},
	{T "local_rope_theta", "0", E_BAD_CHECKPOINT, T "local_rope_theta must be above 0"},
	{V "model_type", "\"clip\"", E_UNSUPPORTED_MODEL, V "model_type 'clip'"},
	{V "embed_dim", "\"x\"", E_BAD_CHECKPOINT, V "embed_dim must be a whole number"},
};

static void
refused(const struct model *m, const char *text, const struct refusal *x)
{
	json_auto_t *j = load(text);
	_cleanup_free_ void *config = calloc(1, m->config_size);
	struct err e = ERR_INIT;

	edit(j, x->path, x->value);
	assert_non_null(config);
	assert_int_equal(m->config_read(j, NULL, NULL, config, &e), x->code);
	assert_error(&e, x->code, x->error);
}

TEST(test_refusals)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(idefics3_refusals); i++)
		refused(&model_colidefics3, idefics3, &idefics3_refusals[i]);
	for (i = 0; i < ARRAY_LEN(modernvbert_refusals); i++)
		refused(&model_colmodernvbert, modernvbert, &modernvbert_refusals[i]);
}

/* A config that names the model whose config has the thetas: no theta is guessed. */
TEST(test_thetas_are_not_guessed)
{
	const struct refusal unknown = {"vlm_config.text_config.text_model_name",
					"\"jhu-clsp/ettin-encoder-150m\"", E_BAD_CHECKPOINT,
					"vlm_config.text_config.local_rope_theta is missing: add it, with "
					"the value that config.json of "
					"'jhu-clsp/ettin-encoder-150m' has"};
	json_auto_t *j = load(modernvbert);
	_cleanup_free_ char *text = NULL;

	edit(j, "vlm_config.text_config.local_rope_theta", "");
	text = json_dumps(j, 0);
	refused(&model_colmodernvbert, text, &unknown);
}

int
main(void)
{
	return tests_run("config_tiles", NULL, NULL);
}
