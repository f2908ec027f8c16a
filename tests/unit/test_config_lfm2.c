#include "config_edit.h"

#include "model/lfm2_config.h"

/* clang-format off */
#define EXPAND(...) JSON(__VA_ARGS__)
static const char lfm2[] = EXPAND({"model_type": "lfm2_vl", "image_token_id": 301, "projector_hidden_size": 40,
	"text_config": {"model_type": "lfm2", "hidden_size": 48, "num_hidden_layers": 4, "num_attention_heads": 6,
		"num_key_value_heads": 2, "intermediate_size": 100, "block_multiple_of": 16, "vocab_size": 320,
		"norm_eps": 1e-6, "conv_L_cache": 4,
		"layer_types": ["conv", "full_attention", "conv", "anything"],
		"rope_parameters": {"rope_type": "default", "rope_theta": 2e4}},
	"vision_config": {"model_type": "siglip2_vision_model", "hidden_size": 32, "num_hidden_layers": 2,
		"num_attention_heads": 4, "intermediate_size": 56, "num_patches": 36, "patch_size": 4}});

static const char minimal[] = EXPAND({"model_type": "collfm2", "base_model": "LiquidAI/LFM2-VL-450M", "dim": 128,
	"hidden_size": 1024});
/* clang-format on */

TEST(test_full)
{
	json_auto_t *j = load(lfm2);
	struct lfm2_config c;
	struct err e = ERR_INIT;

	edit(j, "text_config.conv_bias", "true");
	(void)lfm2_config_read(j, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.text.hidden_size, 48);
	assert_int_equal(c.text.head_dim, 8);
	assert_int_equal(c.text.ff, 80); /* 2 * 100 / 3 = 66, and up to 16s */
	assert_int_equal(c.text.kernel, 4);
	assert_true(c.text.conv_bias);
	assert_true(c.text.conv[0] && !c.text.conv[1] && c.text.conv[2] && !c.text.conv[3]);
	assert_near(c.text.rope.theta, 2e4, 1e-9);
	assert_near(c.text.norm_eps, 1e-6, 1e-12);
	assert_int_equal(c.images.table_side, 6);
	assert_int_equal(c.images.inner, 40);
	assert_int_equal(c.images.hidden, 48);
	assert_int_equal(c.images.image_token_id, 301);
	assert_true(c.images.norm && c.images.bias);
}

/* Sizes that are missing are those of LFM2-VL-450M. */
TEST(test_minimal)
{
	static const int64_t full[] = {2, 5, 8, 10, 12, 14};
	json_auto_t *j = load(minimal);
	struct lfm2_config c;
	struct err e = ERR_INIT;
	size_t i, k = 0;

	(void)lfm2_config_read(j, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.text.hidden_size, 1024);
	assert_int_equal(c.text.ff, 4608);
	for (i = 0; i < 16; i++) {
		assert_int_equal(c.text.conv[i], k == ARRAY_LEN(full) || (int64_t)i != full[k]);
		k += !c.text.conv[i];
	}
	assert_int_equal(k, ARRAY_LEN(full));
	assert_int_equal(c.images.table_side, 16);
	assert_int_equal(c.images.image_token_id, 396);
	edit(j, "base_model", "");
	(void)lfm2_config_read(j, NULL, &c, &e);
	assert_no_error(&e);
	edit(j, "base_model", "\"LiquidAI/LFM2-VL-1.6B\"");
	assert_int_equal(lfm2_config_read(j, NULL, &c, &e), E_BAD_CHECKPOINT);
	assert_error(&e, E_BAD_CHECKPOINT,
		     "config.json: text_config is missing, and the sizes of 'LiquidAI/LFM2-VL-1.6B' are not "
		     "known: "
		     "copy text_config");
}

/* Other keys say the same. */
TEST(test_other_keys)
{
	json_auto_t *j = load(lfm2);
	struct lfm2_config c;
	struct err e = ERR_INIT;

	edit(j, "image_token_id", "");
	edit(j, "image_token_index", "302");
	edit(j, "text_config.layer_types", "null");
	edit(j, "text_config.full_attn_idxs", "[3, 1]");
	edit(j, "text_config.block_ff_dim", "200"); /* and not intermediate_size */
	edit(j, "text_config.block_ffn_dim_multiplier", "0.5");
	edit(j, "text_config.rope_parameters", "");
	edit(j, "text_config.theta", "3e4");
	(void)lfm2_config_read(j, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.images.image_token_id, 302);
	assert_true(c.text.conv[0] && !c.text.conv[1] && c.text.conv[2] && !c.text.conv[3]);
	assert_int_equal(c.text.ff, 80); /* 133 / 2 = 66 */
	assert_near(c.text.rope.theta, 3e4, 1e-9);
	edit(j, "text_config.full_attn_idxs", "null");
	edit(j, "text_config.block_auto_adjust_ff_dim", "false");
	(void)lfm2_config_read(j, NULL, &c, &e);
	assert_no_error(&e);
	assert_true(!c.text.conv[0] && !c.text.conv[2]);
	assert_int_equal(c.text.ff, 200);
}

TEST(test_attention_of_a_layer_that_is_not_there)
{
	json_auto_t *j = load(lfm2);
	struct lfm2_config c;
	struct err e = ERR_INIT;

	edit(j, "text_config.layer_types", "null");
	edit(j, "text_config.full_attn_idxs", "[1, 4]");
	assert_int_equal(lfm2_config_read(j, NULL, &c, &e), E_BAD_CHECKPOINT);
	assert_error(&e, E_BAD_CHECKPOINT,
		     "text_config.full_attn_idxs must be numbers of layers, from 0 to 3");
}

int
main(void)
{
	return tests_run("config_lfm2", NULL, NULL);
}
