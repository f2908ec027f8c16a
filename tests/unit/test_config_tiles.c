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
	assert_true(fabs(c.text.rope.theta - 5000) < 1e-9);
	assert_int_equal(c.tiles.image_token_id, 301);
	assert_int_equal(c.tiles.factor, 4);
	assert_int_equal(c.tiles.tokens, 4); /* 8 x 8 patches, 4 x 4 to a token */
	assert_int_equal(c.tiles.hidden, 96);
	assert_true(c.tiles.partial);
	/* published configs do not have these keys */
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
	assert_true(fabs(c.text.rope.theta - 20000) < 1e-9);
}

/*
 * A config that only names the text model it came from: the thetas are in that model's config, and the reader must
 * not guess them.
 */
TEST(test_thetas_are_not_guessed)
{
	_cleanup_free_ void *c = calloc(1, model_colmodernvbert.config_size);
	json_auto_t *j = load(modernvbert);
	struct err e = ERR_INIT;

	assert_non_null(c);
	edit(j, "vlm_config.text_config.local_rope_theta", "");
	edit(j, "vlm_config.text_config.text_model_name", "\"jhu-clsp/ettin-encoder-150m\"");
	(void)model_colmodernvbert.config_read(j, NULL, NULL, c, &e);
	assert_error(&e, E_BAD_CHECKPOINT,
		     "vlm_config.text_config.local_rope_theta is missing: add it, with the value that "
		     "config.json of 'jhu-clsp/ettin-encoder-150m' has");
}

int
main(void)
{
	return tests_run("config_tiles", NULL, NULL);
}
