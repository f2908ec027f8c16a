#include "config_edit.h"

#include <math.h>

#include "model/neomme_config.h"

/* clang-format off */
#define EXPAND(...) JSON(__VA_ARGS__)
static const char full[] = EXPAND({"vocab_size": 320, "embedding_rank": 20, "hidden_size": 48, "num_hidden_layers": 5,
	"num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 24, "intermediate_size": 80, "patch_size": 4,
	"embedding_dim": 24, "pad_token_id": null, "document_token_id": 300, "image_token_id": 301, 
	"norm_eps": 1e-5, "residual_multiplier": 0.25, "sliding_window": 6, "hidden_act": "relu2",
	"layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention", "full_attention"],
	"per_layer_config": {"00": {"sliding_window": 9}, "3": {"sliding_window": null}, "4": {}},
	"rope_parameters": {
		"full_attention": {"rope_type": "default", "rope_theta": 5e5, "partial_rotary_factor": 0.5},
		"sliding_attention": {"rope_type": "default", "rope_theta": 2e4}}});
/* clang-format on */

static int
read_with(const char *path, const char *value, struct neomme_config *c, struct err *e)
{
	json_auto_t *j = load(full);

	if (path)
		edit(j, path, value);
	*c = (struct neomme_config){.pad_id = 0};
	return neomme_config_read(j, c, e);
}

/* "9 6 6 - 6": the window of each layer. */
static void
windows_check(const struct neomme_config *c, const char *want)
{
	char got[256];
	size_t n = 0;
	int64_t i;

	for (i = 0; i < c->layers; i++)
		n += (size_t)snprintf(got + n, sizeof(got) - n,
				      c->layer[i].window == NEOMME_NO_WINDOW ? "%s-" : "%s%lld", i ? " " : "",
				      (long long)c->layer[i].window);
	assert_string_equal(got, want);
}

TEST(test_full)
{
	struct neomme_config c;
	struct err e = ERR_INIT;

	(void)read_with(NULL, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.patch_width, 48);
	assert_int_equal(c.pad_id, 0);
	assert_true(!c.attention_bias && !c.mlp_bias);
	assert_near(c.residual, 0.25, 0);
	windows_check(&c, "9 6 6 - 6"); /* full layers too have the window of the top */
	assert_true(c.layer[1].values && !c.layer[3].values && c.layer[4].values);
	assert_near(c.rope[NEOMME_FULL].theta, 5e5, 0);
	assert_int_equal(c.rope[NEOMME_FULL].width, 12);
	assert_near(c.rope[NEOMME_SLIDING].theta, 2e4, 0);
	assert_int_equal(c.rope[NEOMME_SLIDING].width, 24);
}

/* The class's defaults are the published model of 260 million parameters. */
TEST(test_defaults)
{
	json_auto_t *j = load("{}");
	struct neomme_config c = {.pad_id = 0};
	struct err e = ERR_INIT;

	(void)neomme_config_read(j, &c, &e);
	assert_no_error(&e);
	windows_check(&c, "256 1024 256 1024 256 - 1024 256 1024 256 1024 - 256 1024 256 1024 -");
	assert_true(c.layer[5].values && !c.layer[11].values && c.layer[16].values);
	assert_near(c.residual, 0.171498585, 1e-9);
	assert_near(c.rope[NEOMME_FULL].theta, 1e6, 0);
	assert_int_equal(c.rope[NEOMME_FULL].width, 16);
	assert_int_equal(c.rope[NEOMME_SLIDING].width, 64);
	assert_int_equal(c.patch_width, 3072);
}

/* The key decides, even with nothing in it; so does a theta at the top. */
TEST(test_windows_and_theta)
{
	json_auto_t *j = load("{\"num_hidden_layers\": 6, \"per_layer_config\": null, \"rope_theta\": 777}");
	struct neomme_config c = {.pad_id = 0};
	struct err e = ERR_INIT;

	(void)neomme_config_read(j, &c, &e);
	assert_no_error(&e);
	windows_check(&c, "256 256 256 256 256 256");
	assert_near(c.rope[NEOMME_FULL].theta, 777, 0);
	assert_near(c.rope[NEOMME_SLIDING].theta, 777, 0);
	edit(j, "per_layer_config", "{\"2\": {\"sliding_window\": 7}}");
	edit(j, "sliding_window", "5");
	(void)neomme_config_read(j, &c, &e);
	assert_no_error(&e);
	windows_check(&c, "5 5 7 5 5 5");
}

TEST(test_biases)
{
	struct neomme_config c;
	struct err e = ERR_INIT;

	(void)read_with("attention_bias", "true", &c, &e);
	assert_no_error(&e);
	assert_true(c.attention_bias && !c.mlp_bias);
	(void)read_with("mlp_bias", "true", &c, &e);
	assert_no_error(&e);
	assert_true(!c.attention_bias && c.mlp_bias);
}

int
main(void)
{
	return tests_run("config_neomme", NULL, NULL);
}
