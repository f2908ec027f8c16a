#include "config_edit.h"

#include <math.h>

#include "model/colpali.c" /* for its config, which no other file sees */
#include "model/qwen2vl_config.h"

/* clang-format off */
#define QWEN_TEXT(...) \
	"hidden_size": 96, "num_hidden_layers": 4, "num_attention_heads": 6, "num_key_value_heads": 2, \
	"intermediate_size": 160, "vocab_size": 333, "rms_norm_eps": 1e-6, "hidden_act": "silu", __VA_ARGS__
#define QWEN_V4 "rope_theta": 5000.0, "rope_scaling": {"type": "mrope", "mrope_section": [1, 4, 3]}
#define QWEN_V5 "rope_parameters": {"rope_type": "default", "rope_theta": 5000.0, "mrope_section": [1, 4, 3]}
#define QWEN_VISION \
	"image_token_id": 301, "vision_config": {"depth": 2, "embed_dim": 48, "num_heads": 3, "mlp_ratio": 3, \
						 "hidden_size": 96, "in_chans": 3, "spatial_patch_size": 14}

/* The same model, as each version of the libraries saved it. */
#define EXPAND(...) JSON(__VA_ARGS__)
static const char *const qwen[] = {
	EXPAND({"model_type": "colqwen2", "embedding_dim": 64, "vlm_config": {"model_type": "qwen2_vl", QWEN_VISION,
		"text_config": {QWEN_TEXT(QWEN_V5)}}}),
	EXPAND({"model_type": "colqwen2", "embedding_dim": 64, "vlm_config": {"model_type": "qwen2_vl", QWEN_VISION,
		"hidden_size": 1, "rope_theta": 1, "text_config": {QWEN_TEXT(QWEN_V4)}}}),
	EXPAND({"model_type": "colqwen2", "embedding_dim": 64, "vlm_config": {QWEN_VISION, QWEN_TEXT(QWEN_V4)}}),
	EXPAND({"model_type": "qwen2_vl", QWEN_VISION, QWEN_TEXT(QWEN_V4)}),
	EXPAND({"model_type": "qwen2_vl", QWEN_VISION, "text_config": {QWEN_TEXT(QWEN_V5)}}),
	EXPAND({"model_type": "qwen2_vl", QWEN_VISION, "text_config": null, "vlm_config": null,
		QWEN_TEXT("rope_theta": 5000, "rope_parameters": null,
			"rope_scaling": {"type": "default", "rope_type": "mrope", "mrope_section": [1, 4, 3]})}),
};

/* A key that is missing has the original class's default. */
static const char qwen2_5[] = EXPAND({"model_type": "colqwen2", "vlm_config": {"model_type": "qwen2_5_vl",
	"image_token_id": 301, "text_config": {QWEN_TEXT(QWEN_V5)}, "vision_config": {"depth": 40, "hidden_size": 48,
		"out_hidden_size": 96, "num_heads": 3, "window_size": 90, "patch_size": 6}}});
static const char omni[] = EXPAND({"model_type": "qwen2_5_omni", "architectures": ["ColQwen2_5Omni"], "talker_config": {},
	"thinker_config": {"model_type": "qwen2_5_omni_thinker", "image_token_index": 301, "audio_token_index": 302,
		"text_config": {"hidden_size": 192, "num_attention_heads": 12, "vocab_size": 333, QWEN_V5},
		"vision_config": {"hidden_size": 48, "out_hidden_size": 192, "num_heads": 3}}});
static const char qwen3[] = EXPAND({"model_type": "qwen3_vl", "image_token_id": 301,
	"text_config": {QWEN_TEXT(QWEN_V5), "head_dim": 16},
	"vision_config": {"depth": 30, "hidden_size": 48, "out_hidden_size": 96, "num_heads": 3,
		"num_position_embeddings": 50, "deepstack_visual_indexes": [5, 2]}});

static const char paligemma[] = EXPAND({"model_type": "colpali", "embedding_dim": 96, "vlm_config": {
	"model_type": "paligemma", "image_token_index": 301, "projection_dim": 80,
	"text_config": {"model_type": "gemma", "hidden_size": 80, "num_hidden_layers": 2, "num_attention_heads": 5,
		"num_key_value_heads": 1, "head_dim": 24, "intermediate_size": 96, "vocab_size": 350},
	"vision_config": {"model_type": "siglip_vision_model", "hidden_size": 48, "num_hidden_layers": 2,
		"num_attention_heads": 3, "intermediate_size": 100, "image_size": 90, "patch_size": 14}}});
/* clang-format on */

TEST(test_qwen2vl)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(qwen); i++) {
		json_auto_t *j = load(qwen[i]);
		struct qwen2vl_config c;
		struct err e = ERR_INIT;

		(void)qwen2vl_config_read(j, QWEN2_VL, &c, &e);
		assert_no_error(&e);
		assert_int_equal(c.text.hidden_size, 96);
		assert_int_equal(c.text.num_hidden_layers, 4);
		assert_int_equal(c.text.num_attention_heads, 6);
		assert_int_equal(c.text.num_key_value_heads, 2);
		assert_int_equal(c.text.head_dim, 16);
		assert_int_equal(c.text.intermediate_size, 160);
		assert_int_equal(c.text.vocab_size, 333);
		assert_true(fabs(c.text.rms_norm_eps - 1e-6) < 1e-12);
		assert_true(fabs(c.text.rope_theta - 5000) < 1e-9);
		assert_int_equal(c.text.mrope_section[0], 1);
		assert_int_equal(c.text.mrope_section[1], 4);
		assert_int_equal(c.text.mrope_section[2], 3);
		assert_int_equal(c.vision.depth, 2);
		assert_int_equal(c.vision.embed_dim, 48);
		assert_int_equal(c.vision.head_dim, 16);
		assert_int_equal(c.vision.mlp_dim, 144);
		assert_int_equal(c.vision.in_channels, 3);
		assert_int_equal(c.vision.patch_size, 14);
		assert_int_equal(c.vision.spatial_merge_size, 2);
		assert_int_equal(c.vision.temporal_patch_size, 2);
		assert_int_equal(c.image_token_id, 301);
		assert_int_equal(c.vision_start_token_id, 151652);
		assert_int_equal(c.vision_end_token_id, 151653);
		assert_int_equal(c.head.dim, i < 3 ? 64 : 0);
	}
}

TEST(test_qwen2vl_defaults)
{
	static const char *const gone[] = {"rms_norm_eps", "num_key_value_heads", "rope_theta", "hidden_act"};
	json_auto_t *j = load(qwen[3]);
	struct qwen2vl_config c;
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(gone); i++)
		edit(j, gone[i], "");
	edit(j, "vision_config", "{\"hidden_size\": 96}");
	edit(j, "use_sliding_window", "true");
	edit(j, "max_window_layers", "4");
	edit(j, "layer_types", "[\"full_attention\"]");
	(void)qwen2vl_config_read(j, QWEN2_VL, &c, &e);
	assert_no_error(&e);
	assert_true(fabs(c.text.rms_norm_eps - 1e-5) < 1e-12);
	assert_true(fabs(c.text.rope_theta - 1e6) < 1e-3);
	assert_int_equal(c.text.num_key_value_heads, 6);
	assert_int_equal(c.vision.depth, 32);
	assert_int_equal(c.vision.mlp_dim, 5120);
	assert_int_equal(c.vision.head_dim, 80);
}

TEST(test_qwen2_5vl)
{
	json_auto_t *j = load(qwen2_5);
	struct qwen2vl_config c;
	struct err e = ERR_INIT;
	int i;

	(void)qwen2vl_config_read(j, QWEN2_5_VL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.vision.embed_dim, 48);
	assert_int_equal(c.vision.mlp_dim, 3420);
	assert_int_equal(c.vision.window, 7); /* 90 / 2 / 6 */
	for (i = 0; i < 40; i++)
		assert_int_equal(c.vision.whole[i], i == 7 || i == 15 || i == 23 || i == 31);
	assert_true(c.text.qkv_bias && !c.text.o_bias && !c.text.qk_norm && !c.text.mrope_interleaved);
}

/* The thinker within a whole model. Keys that are missing have the values of the 7B model. */
TEST(test_qwen2_5_omni)
{
	json_auto_t *j = load(omni);
	struct qwen2vl_config c;
	struct err e = ERR_INIT;

	(void)qwen2vl_config_read(j, QWEN2_5_OMNI, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.text.num_hidden_layers, 28);
	assert_int_equal(c.text.num_key_value_heads, 4);
	assert_int_equal(c.text.intermediate_size, 18944);
	assert_true(fabs(c.text.rms_norm_eps - 1e-6) < 1e-12);
	assert_true(c.vision.apart);
	assert_int_equal(c.image_token_id, 301);
	assert_int_equal(c.video_token_id, 151656);
	assert_int_equal(c.audio_token_id, 302);
	edit(j, "thinker_config.audio_token_index", "");
	edit(j, "thinker_config.image_token_index", "");
	edit(j, "thinker_config.image_token_id", "303");
	edit(j, "thinker_config.audio_token_id", "304");
	(void)qwen2vl_config_read(j, QWEN2_5_OMNI, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.image_token_id, 303);
	assert_int_equal(c.audio_token_id, 304);
}

TEST(test_qwen3vl)
{
	json_auto_t *j = load(qwen3);
	struct qwen2vl_config c;
	struct err e = ERR_INIT;

	edit(j, "text_config.hidden_size", "100");
	edit(j, "text_config.rms_norm_eps", "");
	edit(j, "vision_config.out_hidden_size", "100");
	(void)qwen2vl_config_read(j, QWEN3_VL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.text.head_dim, 16); /* not 100 / 6 */
	assert_true(fabs(c.text.rms_norm_eps - 1e-6) < 1e-12);
	assert_int_equal(c.vision.mlp_dim, 4304);
	assert_int_equal(c.vision.table_side, 7); /* 7 * 7 of 50 */
	assert_int_equal(c.vision.n_deep, 2);
	assert_int_equal(c.vision.deep[0], 5);
	assert_int_equal(c.vision.deep[1], 2);
	assert_true(!c.text.qkv_bias && !c.text.o_bias && c.text.qk_norm && c.text.mrope_interleaved);
	edit(j, "text_config.attention_bias", "true");
	(void)qwen2vl_config_read(j, QWEN3_VL, &c, &e);
	assert_no_error(&e);
	assert_true(c.text.qkv_bias && c.text.o_bias);
}

/* The keys that each publisher of ColQwen3 adds to the backbone's. */
TEST(test_colqwen3)
{
	static const struct {
		const char *type, *key, *value;
		int64_t projection, dim;
		const char *error; /* NULL: none */
	} rows[] = {
		{"qwen3_vl", "embedding_dim", "48", 48, 48, NULL},
		{"colqwen3", "embed_dim", "320", 320, 320, NULL},
		{"colqwen3", "embed_dim", "0", 0, 0, "config.json: embed_dim must be from 1"},
		{"ops_colqwen3", "dims", "24", 96, 24, NULL},
		{"ops_colqwen3", "other", "24", 96, 96, NULL},
		{"ops_colqwen3", "dims", "97", 0, 0, "config.json: dims must be from 1 to 96"},
		{"qwen3_vl_nemotron_embed", "pooling", "\"colbert\"", 0, 96, NULL},
		{"qwen3_vl_nemotron_embed", "pooling", "\"avg\"", 0, 0,
		 "config.json: pooling 'avg' is not supported"},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const struct model_spelling spelling = {.type = rows[i].type};
		const struct model_found as = {.spelling = &spelling, .head = HEAD_MULTI_VECTOR};
		json_auto_t *j = load(qwen3);
		struct qwen2vl_config c;
		struct err e = ERR_INIT;
		int r;

		edit(j, rows[i].key, rows[i].value);
		r = model_colqwen3.config_read(j, NULL, &as, &c, &e);
		if (rows[i].error) {
			assert_error(&e, r, rows[i].error);
			continue;
		}
		assert_no_error(&e);
		assert_int_equal(c.projection, rows[i].projection);
		assert_int_equal(c.head.dim, rows[i].dim);
		assert_int_equal(c.sees_all, str_eq(rows[i].type, "qwen3_vl_nemotron_embed"));
	}
}

TEST(test_qwen2vl_window)
{
	json_auto_t *j = load(qwen[3]);
	struct qwen2vl_config c;
	struct err e = ERR_INIT;

	edit(j, "use_sliding_window", "true");
	edit(j, "max_window_layers", "3");
	assert_int_equal(qwen2vl_config_read(j, QWEN2_VL, &c, &e), E_UNSUPPORTED_MODEL);
	assert_error(&e, E_UNSUPPORTED_MODEL, "config.json: use_sliding_window is not supported");
}

TEST(test_paligemma)
{
	json_auto_t *j = load(paligemma);
	json_t *engine = json_object_get(j, "vlm_config");
	struct paligemma_config c;
	struct err e = ERR_INIT;

	(void)config_read(j, NULL, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.gemma.head.dim, 96);
	assert_int_equal(c.gemma.images.image_token_id, 301);
	assert_int_equal(c.gemma.text.hidden_size, 80);
	assert_int_equal(c.gemma.text.num_hidden_layers, 2);
	assert_int_equal(c.gemma.text.num_attention_heads, 5);
	assert_int_equal(c.gemma.text.num_key_value_heads, 1);
	assert_int_equal(c.gemma.text.head_dim, 24);
	assert_int_equal(c.gemma.text.intermediate_size, 96);
	assert_int_equal(c.gemma.text.vocab_size, 350);
	assert_true(fabs(c.gemma.text.rms_norm_eps - 1e-6) < 1e-12);
	assert_true(fabs(c.rope_theta - 1e4) < 1e-9);
	assert_int_equal(c.gemma.images.vision.hidden_size, 48);
	assert_int_equal(c.gemma.images.vision.num_hidden_layers, 2);
	assert_int_equal(c.gemma.images.vision.head_dim, 16);
	assert_int_equal(c.gemma.images.vision.intermediate_size, 100);
	assert_int_equal(c.gemma.images.vision.num_channels, 3);
	assert_int_equal(c.gemma.images.vision.image_size, 90);
	assert_int_equal(c.gemma.images.vision.patches, 36);
	assert_true(fabs(c.gemma.images.vision.layer_norm_eps - 1e-6) < 1e-12);

	/* The layout of colpali-engine, with the other spellings of the keys. */
	edit(engine, "image_token_index", "");
	edit(engine, "image_token_id", "302");
	edit(engine, "text_config.head_dim", "");
	edit(engine, "text_config.hidden_act", "\"gelu\"");
	edit(engine, "text_config.hidden_activation", "null");
	edit(engine, "text_config.rope_parameters", "{\"rope_type\": \"default\", \"rope_theta\": 20000.0}");
	(void)config_read(engine, NULL, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.gemma.head.dim, 0);
	assert_int_equal(c.gemma.images.image_token_id, 302);
	assert_int_equal(c.gemma.text.head_dim, 256);
	assert_true(fabs(c.rope_theta - 2e4) < 1e-9);
}

int
main(void)
{
	return tests_run("config", NULL, NULL);
}
