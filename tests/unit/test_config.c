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

/* One model in every shape that was ever saved. */
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

/* Keys that are left out mean what the original class takes for them. */
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

#define T "vlm_config.text_config."
#define V "vlm_config.vision_config."

static const struct refusal qwen_refusals[] = {
	{"embedding_dim", "0", E_BAD_CHECKPOINT, "config.json: embedding_dim must be from 1 to 65536"},
	{"vlm_config", "", E_BAD_CHECKPOINT, "config.json: vlm_config is missing"},
	{"vlm_config", "[]", E_BAD_CHECKPOINT, "config.json: vlm_config must be an object"},
	{"vlm_config.vision_config", "", E_BAD_CHECKPOINT, "vlm_config.vision_config is missing"},
	{"vlm_config.text_config", "3", E_BAD_CHECKPOINT, "vlm_config.text_config must be an object"},
	{"vlm_config.text_config", "null", E_BAD_CHECKPOINT,
	 "config.json: vlm_config.hidden_size is missing"},
	{T "num_hidden_layers", "", E_BAD_CHECKPOINT,
	 "config.json: vlm_config.text_config.num_hidden_layers is missing"},
	{T "num_hidden_layers", "1001", E_BAD_CHECKPOINT,
	 "config.json: vlm_config.text_config.num_hidden_layers must be from 1 to 1000"},
	{T "num_hidden_layers", "4.5", E_BAD_CHECKPOINT, "num_hidden_layers must be a whole number"},
	{T "hidden_size", "\"96\"", E_BAD_CHECKPOINT, "hidden_size must be a whole number"},
	{T "hidden_size", "97", E_BAD_CHECKPOINT, T "hidden_size must be a multiple of num_attention_heads"},
	{T "hidden_size", "90", E_BAD_CHECKPOINT, T "hidden_size must be an even multiple"},
	{T "hidden_size", "1099511627776", E_BAD_CHECKPOINT, T "hidden_size must be from 1 to 65536"},
	{T "num_attention_heads", "0", E_BAD_CHECKPOINT, T "num_attention_heads must be from 1"},
	{T "num_key_value_heads", "4", E_BAD_CHECKPOINT,
	 T "num_attention_heads must be a multiple of num_key"},
	{T "num_key_value_heads", "-1", E_BAD_CHECKPOINT, T "num_key_value_heads must be from 1"},
	{T "intermediate_size", "0", E_BAD_CHECKPOINT, T "intermediate_size must be from 1"},
	{T "vocab_size", "0", E_BAD_CHECKPOINT, T "vocab_size must be from 1"},
	{T "rms_norm_eps", "0", E_BAD_CHECKPOINT, T "rms_norm_eps must be above 0"},
	{T "rms_norm_eps", "\"1\"", E_BAD_CHECKPOINT, T "rms_norm_eps must be a number"},
	{T "hidden_act", "\"gelu\"", E_UNSUPPORTED_MODEL,
	 T "hidden_act 'gelu' is not supported, only 'silu'"},
	{T "hidden_act", "1", E_BAD_CHECKPOINT, T "hidden_act must be a string"},
	{T "use_sliding_window", "1", E_BAD_CHECKPOINT, T "use_sliding_window must be true or false"},
	{T "layer_types", "[\"full_attention\", \"sliding_attention\"]", E_UNSUPPORTED_MODEL,
	 T "layer_types"},
	{T "layer_types", "[1]", E_UNSUPPORTED_MODEL, T "layer_types"},
	{T "rope_parameters", "", E_BAD_CHECKPOINT, T "rope_parameters.mrope_section is missing"},
	{T "rope_parameters", "[]", E_BAD_CHECKPOINT, T "rope_parameters must be an object"},
	{T "rope_parameters.rope_type", "\"yarn\"", E_UNSUPPORTED_MODEL,
	 T "rope_parameters.rope_type 'yarn' is not supported"},
	{T "rope_scaling", "{\"type\": \"dynamic\"}", E_UNSUPPORTED_MODEL, T "rope_scaling.type 'dynamic'"},
	{T "rope_parameters.rope_theta", "-1", E_BAD_CHECKPOINT,
	 T "rope_parameters.rope_theta must be above 0"},
	{T "rope_theta", "1e13", E_BAD_CHECKPOINT, T "rope_theta must be above 0 and at most 1e+12"},
	{T "rope_parameters.mrope_section", "", E_BAD_CHECKPOINT, "mrope_section is missing"},
	{T "rope_parameters.mrope_section", "[4, 4]", E_BAD_CHECKPOINT, "must be three whole numbers"},
	{T "rope_parameters.mrope_section", "[4, 4, 0.0]", E_BAD_CHECKPOINT, "must be three whole numbers"},
	{T "rope_parameters.mrope_section", "[4, 4, 0]", E_BAD_CHECKPOINT,
	 "must be three whole numbers above 0"},
	{T "rope_parameters.mrope_section", "[-1, 5, 4]", E_BAD_CHECKPOINT, "must be three whole numbers"},
	{T "rope_parameters.mrope_section", "[4, 4, 1]", E_BAD_CHECKPOINT, "sum is half of the head size, 8"},
	{V "hidden_act", "\"silu\"", E_UNSUPPORTED_MODEL,
	 V "hidden_act 'silu' is not supported, only 'quick_gelu'"},
	{V "depth", "0", E_BAD_CHECKPOINT, V "depth must be from 1"},
	{V "embed_dim", "47", E_BAD_CHECKPOINT, V "embed_dim must be a multiple of num_heads"},
	{V "embed_dim", "54", E_BAD_CHECKPOINT, V "embed_dim must be num_heads times a multiple of 4"},
	{V "mlp_ratio", "1e-3", E_BAD_CHECKPOINT, V "mlp_ratio must be at least 1 / embed_dim"},
	{V "mlp_ratio", "65", E_BAD_CHECKPOINT, V "mlp_ratio must be above 0 and at most 64"},
	{V "in_channels", "0", E_BAD_CHECKPOINT, V "in_channels must be from 1"},
	{V "patch_size", "257", E_BAD_CHECKPOINT, V "patch_size must be from 1 to 256"},
	{V "spatial_merge_size", "3", E_UNSUPPORTED_MODEL, V "spatial_merge_size 3 is not supported, only 2"},
	{V "temporal_patch_size", "0", E_BAD_CHECKPOINT, V "temporal_patch_size must be from 1"},
	{V "hidden_size", "64", E_BAD_CHECKPOINT, V "hidden_size must be that of the text, 96, not 64"},
	{"vlm_config.image_token_id", "333", E_BAD_CHECKPOINT,
	 "vlm_config.image_token_id must be below vocab_size, 333"},
	{"vlm_config.image_token_id", "-1", E_BAD_CHECKPOINT, "vlm_config.image_token_id must be from 0"},
};

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

/* In a whole model, with the sizes of the 7B where keys are left out. */
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

static const struct refusal qwen2_5_refusals[] = {
	{V "window_size", "11", E_BAD_CHECKPOINT,
	 V "window_size must be at least spatial_merge_size * patch_size, 12"},
	{V "window_size", "0", E_BAD_CHECKPOINT, V "window_size must be from 1"},
	{V "fullatt_block_indexes", "[7, 40]", E_BAD_CHECKPOINT,
	 V "fullatt_block_indexes must be numbers of blocks, from 0 to depth - 1, 39"},
	{V "fullatt_block_indexes", "[-1]", E_BAD_CHECKPOINT, "must be numbers of blocks"},
	{V "fullatt_block_indexes", "[\"7\"]", E_BAD_CHECKPOINT, "must be numbers of blocks"},
	{V "fullatt_block_indexes", "7", E_BAD_CHECKPOINT, V "fullatt_block_indexes must be an array"},
	{V "depth", "31", E_BAD_CHECKPOINT,
	 V "fullatt_block_indexes must be numbers"}, /* the default has 31 */
	{V "hidden_size", "47", E_BAD_CHECKPOINT, V "hidden_size must be a multiple of num_heads"},
	{V "out_hidden_size", "", E_BAD_CHECKPOINT,
	 V "out_hidden_size must be that of the text, 96, not 3584"},
	{V "intermediate_size", "0", E_BAD_CHECKPOINT, V "intermediate_size must be from 1"},
	{V "hidden_act", "\"gelu\"", E_UNSUPPORTED_MODEL,
	 V "hidden_act 'gelu' is not supported, only 'silu'"},
};

#define THINKER "thinker_config."
static const struct refusal omni_refusals[] = {
	{"thinker_config", "", E_BAD_CHECKPOINT, "config.json: thinker_config is missing"},
	{THINKER "image_token_index", "333", E_BAD_CHECKPOINT,
	 THINKER "image_token_index must be below vocab_size, 333"},
	{THINKER "audio_token_index", "-1", E_BAD_CHECKPOINT, THINKER "audio_token_index must be from 0"},
	{THINKER "text_config.num_key_value_heads", "5", E_BAD_CHECKPOINT,
	 THINKER "text_config.num_attention_heads must be a multiple of num_key_value_heads"},
	{THINKER "vision_config.hidden_act", "\"gelu\"", E_UNSUPPORTED_MODEL, "only 'silu'"},
};
#undef THINKER

static const struct refusal qwen3_refusals[] = {
	{"text_config.head_dim", "15", E_BAD_CHECKPOINT, "text_config.head_dim must be even"},
	{"text_config.head_dim", "18", E_BAD_CHECKPOINT, "sum is half of the head size, 9"},
	{"text_config.attention_bias", "1", E_BAD_CHECKPOINT, "attention_bias must be true or false"},
	{"text_config.rope_parameters.mrope_interleaved", "false", E_UNSUPPORTED_MODEL,
	 "text_config.rope_parameters.mrope_interleaved false is not supported"},
	{"vision_config.num_position_embeddings", "0", E_BAD_CHECKPOINT,
	 "num_position_embeddings must be from 1"},
	{"vision_config.deepstack_visual_indexes", "[1, 2, 1]", E_BAD_CHECKPOINT,
	 "deepstack_visual_indexes must be different blocks"},
	{"vision_config.deepstack_visual_indexes", "[1, 30]", E_BAD_CHECKPOINT, "from 0 to depth - 1, 29"},
	{"vision_config.deepstack_visual_indexes", "[0, 1, 2, 3, 4]", E_BAD_CHECKPOINT,
	 "must not be more than the layers of the text, 4"},
	{"vision_config.deepstack_visual_indexes", "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]",
	 E_UNSUPPORTED_MODEL, "with more than 16 blocks is not supported"},
	{"vision_config.hidden_act", "\"silu\"", E_UNSUPPORTED_MODEL, "only 'gelu_pytorch_tanh'"},
};

static void
refusals_check(const struct refusal *rows, size_t n, const char *config, enum qwen2vl_generation g)
{
	size_t i;

	for (i = 0; i < n; i++) {
		json_auto_t *j = load(config);
		struct qwen2vl_config c;
		struct err e = ERR_INIT;

		edit(j, rows[i].path, rows[i].value);
		assert_int_equal(qwen2vl_config_read(j, g, &c, &e), rows[i].code);
		assert_error(&e, rows[i].code, rows[i].error);
	}
}

TEST(test_qwen_refusals)
{
	refusals_check(qwen_refusals, ARRAY_LEN(qwen_refusals), qwen[0], QWEN2_VL);
	refusals_check(qwen2_5_refusals, ARRAY_LEN(qwen2_5_refusals), qwen2_5, QWEN2_5_VL);
	refusals_check(omni_refusals, ARRAY_LEN(omni_refusals), omni, QWEN2_5_OMNI);
	refusals_check(qwen3_refusals, ARRAY_LEN(qwen3_refusals), qwen3, QWEN3_VL);
}

/* What ColQwen3's publishers say beside the backbone. */
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
	assert_int_equal(c.gemma.image_token_id, 301);
	assert_int_equal(c.gemma.text.hidden_size, 80);
	assert_int_equal(c.gemma.text.num_hidden_layers, 2);
	assert_int_equal(c.gemma.text.num_attention_heads, 5);
	assert_int_equal(c.gemma.text.num_key_value_heads, 1);
	assert_int_equal(c.gemma.text.head_dim, 24);
	assert_int_equal(c.gemma.text.intermediate_size, 96);
	assert_int_equal(c.gemma.text.vocab_size, 350);
	assert_true(fabs(c.gemma.text.rms_norm_eps - 1e-6) < 1e-12);
	assert_true(fabs(c.rope_theta - 1e4) < 1e-9);
	assert_int_equal(c.gemma.vision.hidden_size, 48);
	assert_int_equal(c.gemma.vision.num_hidden_layers, 2);
	assert_int_equal(c.gemma.vision.head_dim, 16);
	assert_int_equal(c.gemma.vision.intermediate_size, 100);
	assert_int_equal(c.gemma.vision.num_channels, 3);
	assert_int_equal(c.gemma.vision.image_size, 90);
	assert_int_equal(c.gemma.vision.patches, 36);
	assert_true(fabs(c.gemma.vision.layer_norm_eps - 1e-6) < 1e-12);

	/* The engine's layout, with the keys' other spellings. */
	edit(engine, "image_token_index", "");
	edit(engine, "image_token_id", "302");
	edit(engine, "text_config.head_dim", "");
	edit(engine, "text_config.hidden_act", "\"gelu\"");
	edit(engine, "text_config.hidden_activation", "null");
	edit(engine, "text_config.rope_parameters", "{\"rope_type\": \"default\", \"rope_theta\": 20000.0}");
	(void)config_read(engine, NULL, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.gemma.head.dim, 0);
	assert_int_equal(c.gemma.image_token_id, 302);
	assert_int_equal(c.gemma.text.head_dim, 256);
	assert_true(fabs(c.rope_theta - 2e4) < 1e-9);
}

static const struct refusal paligemma_refusals[] = {
	{"vlm_config", "", E_BAD_CHECKPOINT, "config.json: vlm_config is missing"},
	{"embedding_dim", "65537", E_BAD_CHECKPOINT, "embedding_dim must be from 1 to 65536"},
	{"vlm_config.text_config", "", E_BAD_CHECKPOINT, "vlm_config.text_config is missing"},
	{"vlm_config.vision_config", "", E_BAD_CHECKPOINT, "vlm_config.vision_config is missing"},
	{"vlm_config.projection_dim", "81", E_BAD_CHECKPOINT,
	 "config.json: vlm_config.projection_dim must be the text's hidden_size, 80"},
	{"vlm_config.image_token_index", "-5", E_BAD_CHECKPOINT, "image_token_index must be from 0"},
	{"vlm_config.image_token_id", "\"x\"", E_BAD_CHECKPOINT, "image_token_id must be a whole number"},
	{T "model_type", "\"gemma2\"", E_UNSUPPORTED_MODEL,
	 T "model_type 'gemma2' is not supported, only 'gemma'"},
	{T "hidden_act", "\"silu\"", E_UNSUPPORTED_MODEL, T "hidden_act 'silu'"},
	{T "hidden_activation", "\"gelu\"", E_UNSUPPORTED_MODEL, T "hidden_activation 'gelu'"},
	{T "attention_bias", "true", E_UNSUPPORTED_MODEL, T "attention_bias true is not supported"},
	{T "head_dim", "25", E_BAD_CHECKPOINT, T "head_dim must be even"},
	{T "num_key_value_heads", "2", E_BAD_CHECKPOINT, T "num_attention_heads must be a multiple"},
	{T "num_key_value_heads", "", E_BAD_CHECKPOINT, T "num_key_value_heads is missing"},
	{T "num_hidden_layers", "1001", E_BAD_CHECKPOINT, T "num_hidden_layers must be from 1 to 1000"},
	{T "rope_scaling", "{\"rope_type\": \"linear\"}", E_UNSUPPORTED_MODEL,
	 T "rope_scaling.rope_type 'linear'"},
	{T "rms_norm_eps", "-1e-6", E_BAD_CHECKPOINT, T "rms_norm_eps must be above 0"},
	{V "model_type", "\"clip\"", E_UNSUPPORTED_MODEL, V "model_type 'clip'"},
	{V "hidden_act", "\"gelu\"", E_UNSUPPORTED_MODEL, V "hidden_act 'gelu'"},
	{V "hidden_size", "50", E_BAD_CHECKPOINT, V "hidden_size must be a multiple of num_attention_heads"},
	{V "image_size", "13", E_BAD_CHECKPOINT, V "image_size must be at least patch_size"},
	{V "patch_size", "0", E_BAD_CHECKPOINT, V "patch_size must be from 1"},
	{V "layer_norm_eps", "2", E_BAD_CHECKPOINT, V "layer_norm_eps must be above 0 and at most 1"},
};

TEST(test_paligemma_refusals)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(paligemma_refusals); i++) {
		const struct refusal *x = &paligemma_refusals[i];
		json_auto_t *j = load(paligemma);
		struct paligemma_config c;
		struct err e = ERR_INIT;

		edit(j, x->path, x->value);
		assert_int_equal(config_read(j, NULL, NULL, &c, &e), x->code);
		assert_error(&e, x->code, x->error);
	}
}

int
main(void)
{
	return tests_run("config", NULL, NULL);
}
