#include "config_edit.h"

#include "model/colministral3.c" /* for its config, which no other file sees */

/* clang-format off */
static const char full[] = JSON({"model_type": "mistral3", "image_token_index": 151, "spatial_merge_size": 3,
	"multimodal_projector_bias": true, "vision_feature_layer": -2, "dim": 64,
	"text_config": {"model_type": "ministral3", "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
		"num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 72, "vocab_size": 160, "rms_norm_eps": 1e-6,
		"sliding_window": null, "rope_parameters": {"rope_type": "yarn", "type": "yarn", "rope_theta": 2e6, "factor": 4.0,
			"original_max_position_embeddings": 24, "beta_fast": 16.0, "mscale": 1.0, "mscale_all_dim": 0.5,
			"llama_4_scaling_beta": 0.2}},
	"vision_config": {"model_type": "pixtral", "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2,
		"intermediate_size": 56, "patch_size": 4, "hidden_act": "silu", "rope_theta": 5e3}});

/* All that tools leave out. */
static const char sparse[] = JSON({"model_type": "mistral3", "text_config": {}, "vision_config": {}});
/* clang-format on */

static int
read_text(const char *text, const char *path, const char *value, struct ministral3_config *c, struct err *e)
{
	json_auto_t *j = load(text);

	if (path)
		edit(j, path, value);
	return config_read(j, NULL, NULL, c, e);
}

TEST(test_full)
{
	struct ministral3_config c;
	struct err e = ERR_INIT;

	(void)read_text(full, NULL, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.image_token_id, 151);
	assert_int_equal(c.head.dim, 64);
	assert_true(c.head.no_bias);
	assert_int_equal(c.text.head_dim, 16);
	assert_near(c.text.rms_norm_eps, 1e-6, 1e-12);
	assert_near(c.text.rope.theta, 2e6, 1e-9);
	assert_near(c.text.rope.factor, 4, 1e-9);
	assert_int_equal(c.text.rope.trained, 24);
	assert_near(c.text.rope.beta_fast, 16, 1e-9);
	assert_near(c.text.rope.beta_slow, 1, 1e-9);
	/* (0.1 log 4 + 1) / (0.05 log 4 + 1) */
	assert_near(c.text.rope.magnitude, 1.138629436 / 1.069314718, 1e-8);
	assert_near(c.growth, 0.2, 1e-9);
	assert_int_equal(c.vision.merge, 3);
	assert_int_equal(c.vision.used, 3);
	assert_true(c.vision.out_bias);
	assert_false(c.vision.gelu);
	assert_near(c.vision.theta, 5e3, 1e-9);
	assert_near(c.vision.out_eps, 1e-6, 1e-12);
	assert_int_equal(c.vision.out, 48);
}

TEST(test_sparse)
{
	struct ministral3_config c;
	struct err e = ERR_INIT;

	(void)read_text(sparse, NULL, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.image_token_id, 10);
	assert_int_equal(c.text.hidden_size, 4096);
	assert_int_equal(c.text.num_hidden_layers, 34);
	assert_int_equal(c.text.head_dim, 128);
	assert_int_equal(c.text.intermediate_size, 14336);
	assert_near(c.text.rope.theta, 1e6, 1e-9);
	assert_near(c.text.rope.factor, 16, 1e-9);
	assert_int_equal(c.text.rope.trained, 16384);
	assert_near(c.text.rope.magnitude, 1, 1e-12);
	assert_near(c.growth, 0.1, 1e-9);
	assert_int_equal(c.vision.merge, 2);
	assert_int_equal(c.vision.used, 24);
	assert_int_equal(c.vision.patch_size, 16);
	assert_true(c.vision.gelu);
}

/* Not scaled; what is left out of a scaled kind; a layer by its number from the front. */
TEST(test_kinds)
{
	struct ministral3_config c;
	struct err e = ERR_INIT;

	(void)read_text(full, "text_config.rope_parameters",
			"{\"rope_type\": \"default\", \"rope_theta\": 3e4, \"llama_4_scaling_beta\": 0.1, "
			"\"original_max_position_embeddings\": 9}",
			&c, &e);
	assert_no_error(&e);
	assert_near(c.text.rope.factor, 0, 1e-12);
	assert_near(c.text.rope.theta, 3e4, 1e-9);
	(void)read_text(full, "text_config.rope_parameters.mscale", "0", &c, &e);
	assert_no_error(&e);
	assert_near(c.text.rope.magnitude, 1.138629436, 1e-8);
	(void)read_text(full, "text_config.rope_parameters.attention_factor", "1.5", &c, &e);
	assert_no_error(&e);
	assert_near(c.text.rope.magnitude, 1.5, 1e-9);
	(void)read_text(full, "vision_feature_layer", "1", &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.vision.used, 1);
	(void)read_text(full, "vision_config.rope_parameters",
			"{\"rope_type\": \"axial\", \"rope_theta\": 7e3}", &c, &e);
	assert_no_error(&e);
	assert_near(c.vision.theta, 7e3, 1e-9);
}

int
main(void)
{
	return tests_run("config_ministral3", NULL, NULL);
}
