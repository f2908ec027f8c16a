#include "config_edit.h"

#include "model/colgemma3.c" /* for its config, which no other file sees */

/* clang-format off */
#define EXPAND(...) JSON(__VA_ARGS__)
static const char gemma3[] = EXPAND({"model_type": "gemma3", "architectures": ["ColGemma3"], "image_token_index": 301,
	"boi_token_index": 302, "eoi_token_index": 303, "mm_tokens_per_image": 9,
	"text_config": {"model_type": "gemma3_text", "hidden_size": 80, "num_hidden_layers": 3, "num_attention_heads": 6,
		"num_key_value_heads": 2, "head_dim": 24, "intermediate_size": 96, "vocab_size": 350, "rms_norm_eps": 1e-5,
		"query_pre_attn_scalar": 20, "sliding_window": 12, "attn_logit_softcapping": null,
		"layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
		"rope_parameters": {
			"full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 2e6},
			"sliding_attention": {"rope_type": "default", "rope_theta": 3e4}}},
	"vision_config": {"model_type": "siglip_vision_model", "hidden_size": 48, "num_hidden_layers": 2,
		"num_attention_heads": 3, "intermediate_size": 100, "image_size": 85, "patch_size": 14}});

/* A config.json without the keys that tools leave out. */
static const char sparse[] = EXPAND({"model_type": "gemma3", "text_config": {
		"hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34,
		"rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024},
	"vision_config": {"hidden_size": 1152, "num_hidden_layers": 27, "num_attention_heads": 16,
		"intermediate_size": 4304, "image_size": 896, "patch_size": 14}});
/* clang-format on */

TEST(test_full)
{
	json_auto_t *j = load(gemma3);
	struct gemma3_config c;
	struct err e = ERR_INIT;

	(void)config_read(j, NULL, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.gemma.text.hidden_size, 80);
	assert_int_equal(c.gemma.text.num_hidden_layers, 3);
	assert_int_equal(c.gemma.text.num_attention_heads, 6);
	assert_int_equal(c.gemma.text.num_key_value_heads, 2);
	assert_int_equal(c.gemma.text.head_dim, 24);
	assert_int_equal(c.gemma.text.intermediate_size, 96);
	assert_int_equal(c.gemma.text.vocab_size, 350);
	assert_near(c.gemma.text.rms_norm_eps, 1e-5, 1e-12);
	assert_near(c.query_pre_attn_scalar, 20, 1e-9);
	assert_int_equal(c.sliding_window, 12);
	assert_true(c.sliding[0] && !c.sliding[1] && c.sliding[2]);
	assert_near(c.theta, 2e6, 1e-9);
	assert_near(c.factor, 4, 1e-9);
	assert_near(c.theta_sliding, 3e4, 1e-9);
	assert_int_equal(c.gemma.images.vision.patches, 36);
	assert_int_equal(c.gemma.images.image_tokens, 9);
	assert_int_equal(c.side, 3);
	assert_int_equal(c.gemma.images.image_token_id, 301);
	assert_int_equal(c.image_begin_id, 302);
	assert_int_equal(c.image_end_id, 303);
	assert_int_equal(c.gemma.head.dim, 0);
}

TEST(test_sparse)
{
	json_auto_t *j = load(sparse);
	struct gemma3_config c;
	struct err e = ERR_INIT;
	int64_t il;

	(void)config_read(j, NULL, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.gemma.text.num_attention_heads, 8);
	assert_int_equal(c.gemma.text.num_key_value_heads, 4);
	assert_int_equal(c.gemma.text.head_dim, 256);
	assert_int_equal(c.gemma.text.vocab_size, 262208);
	assert_near(c.gemma.text.rms_norm_eps, 1e-6, 1e-12);
	assert_near(c.query_pre_attn_scalar, 256, 1e-9);
	for (il = 0; il < 34; il++)
		assert_int_equal(c.sliding[il], il != 5 && il != 11 && il != 17 && il != 23 && il != 29);
	assert_near(c.theta, 1e6, 1e-9);
	assert_near(c.factor, 8, 1e-9);
	assert_near(c.theta_sliding, 1e4, 1e-9);
	assert_int_equal(c.gemma.images.image_tokens, 256);
	assert_int_equal(c.side, 16);
	assert_int_equal(c.gemma.images.image_token_id, 262144);
	assert_int_equal(c.image_begin_id, 255999);
	assert_int_equal(c.image_end_id, 256000);

	/* The older keys of the text model, and a rope type that does not scale. */
	edit(j, "image_token_id", "7");
	edit(j, "text_config.sliding_window", "");
	edit(j, "text_config.sliding_window_pattern", "2");
	edit(j, "text_config.rope_theta", "5e5");
	edit(j, "text_config.rope_local_base_freq", "2e4");
	edit(j, "text_config.rope_scaling", "{\"factor\": 8.0, \"rope_type\": \"default\"}");
	(void)config_read(j, NULL, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.sliding_window, 4096);
	for (il = 0; il < 34; il++)
		assert_int_equal(c.sliding[il], il % 2 == 0);
	assert_near(c.theta, 5e5, 1e-9);
	assert_near(c.factor, 1, 1e-9);
	assert_near(c.theta_sliding, 2e4, 1e-9);
	assert_int_equal(c.gemma.images.image_token_id, 7);
}

int
main(void)
{
	return tests_run("config_gemma3", NULL, NULL);
}
