#include "test.h"

#include "base/str.h"
#include "checkpoint/names.h"

/* A name on disk and its canonical name; NULL: the tensor is ignored. */
static const char *const rows[][2] = {
	/* ColQwen2, layout A: transformers' class, 5.12 */
	{"vlm.visual.patch_embed.proj.weight", "vis.patch_embed.proj.weight"},
	{"vlm.visual.merger.ln_q.bias", "vis.merger.ln_q.bias"},
	{"vlm.language_model.layers.27.mlp.up_proj.weight", "lm.layers.27.mlp.up_proj.weight"},
	{"vlm.language_model.norm.weight", "lm.norm.weight"},
	{"embedding_proj_layer.weight", "proj.weight"},
	{"embedding_proj_layer.bias", "proj.bias"},
	/* B: 4.53 to 5.0 */
	{"vlm.model.visual.blocks.31.attn.qkv.weight", "vis.blocks.31.attn.qkv.weight"},
	{"vlm.model.language_model.embed_tokens.weight", "lm.embed_tokens.weight"},
	{"vlm.model.language_model.layers.0.self_attn.q_proj.bias", "lm.layers.0.self_attn.q_proj.bias"},
	{"vlm.lm_head.weight", NULL},
	/* C: before 4.52 */
	{"vlm.visual.blocks.0.norm1.weight", "vis.blocks.0.norm1.weight"},
	{"vlm.model.layers.3.input_layernorm.weight", "lm.layers.3.input_layernorm.weight"},
	{"vlm.model.embed_tokens.weight", "lm.embed_tokens.weight"},
	{"vlm.model.norm.weight", "lm.norm.weight"},
	/* D: the engine before 0.3.11 */
	{"visual.merger.mlp.0.weight", "vis.merger.mlp.0.weight"},
	{"model.layers.5.self_attn.o_proj.weight", "lm.layers.5.self_attn.o_proj.weight"},
	{"model.embed_tokens.weight", "lm.embed_tokens.weight"},
	{"model.norm.weight", "lm.norm.weight"},
	{"custom_text_proj.weight", "proj.weight"},
	{"custom_text_proj.bias", "proj.bias"},
	{"lm_head.weight", NULL},
	/* E: the engine since 0.3.11 */
	{"language_model.layers.5.mlp.down_proj.weight", "lm.layers.5.mlp.down_proj.weight"},
	{"language_model.embed_tokens.weight", "lm.embed_tokens.weight"},
	{"language_model.norm.weight", "lm.norm.weight"},
	/* F: plain Qwen2-VL since 4.52 */
	{"model.visual.blocks.1.mlp.fc2.bias", "vis.blocks.1.mlp.fc2.bias"},
	{"model.language_model.layers.1.self_attn.k_proj.weight", "lm.layers.1.self_attn.k_proj.weight"},
	{"model.language_model.norm.weight", "lm.norm.weight"},
	/* adapters and their merges */
	{"base_model.model.custom_text_proj.weight", "proj.weight"},
	{"base_model.model.model.layers.0.mlp.up_proj.lora_A.weight",
	 "lm.layers.0.mlp.up_proj.lora_A.weight"},
	/* ColPali: 5.12 */
	{"vlm.vision_tower.encoder.layers.26.self_attn.out_proj.bias",
	 "vis.encoder.layers.26.self_attn.out_proj.bias"},
	{"vlm.vision_tower.embeddings.position_embedding.weight", "vis.embeddings.position_embedding.weight"},
	{"vlm.multi_modal_projector.linear.weight", "mmproj.linear.weight"},
	{"vlm.language_model.layers.17.mlp.gate_proj.weight", "lm.layers.17.mlp.gate_proj.weight"},
	/* hub, and what 5.12 saves */
	{"vlm.vision_tower.vision_model.post_layernorm.weight", "vis.post_layernorm.weight"},
	{"vlm.language_model.model.embed_tokens.weight", "lm.embed_tokens.weight"},
	{"vlm.language_model.model.norm.weight", "lm.norm.weight"},
	{"vlm.language_model.lm_head.weight", NULL},
	/* 4.52 to 5.0 */
	{"vlm.model.vision_tower.vision_model.embeddings.patch_embedding.bias",
	 "vis.embeddings.patch_embedding.bias"},
	{"vlm.model.multi_modal_projector.linear.bias", "mmproj.linear.bias"},
	{"vlm.model.language_model.layers.2.self_attn.v_proj.weight", "lm.layers.2.self_attn.v_proj.weight"},
	/* the engine, old and new */
	{"model.vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight",
	 "vis.encoder.layers.0.mlp.fc1.weight"},
	{"model.multi_modal_projector.linear.weight", "mmproj.linear.weight"},
	{"model.language_model.model.layers.0.self_attn.q_proj.weight",
	 "lm.layers.0.self_attn.q_proj.weight"},
	{"model.language_model.lm_head.weight", NULL},
	{"model.model.vision_tower.post_layernorm.bias", "vis.post_layernorm.bias"},
	{"model.model.vision_tower.vision_model.post_layernorm.bias", "vis.post_layernorm.bias"},
	{"model.model.multi_modal_projector.linear.bias", "mmproj.linear.bias"},
	{"model.model.language_model.layers.0.input_layernorm.weight", "lm.layers.0.input_layernorm.weight"},
	{"model.lm_head.weight", NULL},
	/* Idefics3 and ModernVBERT */
	{"model.vision_model.post_layernorm.weight", "vis.post_layernorm.weight"},
	{"model.text_model.layers.0.mlp.up_proj.weight", "lm.layers.0.mlp.up_proj.weight"},
	{"linear.weight", "linear.weight"},
	{"model.connector.modality_projection.proj.weight", "connector.modality_projection.proj.weight"},
	/* buffers */
	{"vlm.visual.rotary_pos_emb.inv_freq", NULL},
	{"model.layers.0.self_attn.rotary_emb.inv_freq", NULL},
	{"model.vision_tower.vision_model.embeddings.position_ids", NULL},
	/* prefixes that training wrappers add */
	{"module.vlm.visual.merger.ln_q.bias", "vis.merger.ln_q.bias"},
	{"_orig_mod.custom_text_proj.weight", "proj.weight"},
	{"module._orig_mod.model.layers.5.self_attn.o_proj.weight", "lm.layers.5.self_attn.o_proj.weight"},
	{"encoder.model.language_model.norm.weight", "lm.norm.weight"},
	{"encoder.custom_text_proj.bias", "proj.bias"},
	{"_fsdp_wrapped_module.model.layers.0._fsdp_wrapped_module.mlp.up_proj.weight",
	 "lm.layers.0.mlp.up_proj.weight"},
	{"_fsdp_wrapped_module.vlm._orig_mod.visual.blocks.3._checkpoint_wrapped_module.norm1.weight",
	 "vis.blocks.3.norm1.weight"},
	{"base_model.model._orig_mod.model.layers.0.mlp.up_proj.lora_A.weight",
	 "lm.layers.0.mlp.up_proj.lora_A.weight"},
	{"_orig_mod", ""},
	{"a._orig_mod", "a"},
	{"a_orig_mod.b", "a_orig_mod.b"},
	/* tensors of other models */
	{"layersx.weight", "layersx.weight"},
	{"", ""},
};

TEST(test_spellings)
{
	char got[NAME_LEN_MAX];
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(name_canonical(rows[i][0], got, NULL), rows[i][1] != NULL);
		if (rows[i][1])
			assert_string_equal(got, rows[i][1]);
	}
}

/* Renaming "layers." adds three bytes. */
TEST(test_too_long)
{
	char name[NAME_LEN_MAX], got[NAME_LEN_MAX];
	struct err e = ERR_INIT;

	memset(name, 'n', sizeof(name));
	memcpy(name, "layers.", 7);
	name[NAME_LEN_MAX - 4] = '\0';
	assert_int_equal(name_canonical(name, got, &e), 1);
	assert_int_equal(strlen(got), NAME_LEN_MAX - 1);
	name[NAME_LEN_MAX - 4] = 'n';
	name[NAME_LEN_MAX - 3] = '\0';
	assert_int_equal(name_canonical(name, got, &e), E_BAD_CHECKPOINT);
	assert_error(&e, E_BAD_CHECKPOINT, "is too long");
}

/* Errors show names as the files spell them. */
TEST(test_wrapped)
{
	char name[NAME_LEN_MAX];

	assert_true(name_is_wrapped("student.custom_text_proj.weight", "proj.weight"));
	assert_true(name_is_wrapped("a.b.embedding_proj_layer.bias", "proj.bias"));
	assert_true(name_is_wrapped("x.model.layers.0.mlp.up_proj.weight", "lm.layers.0.mlp.up_proj.weight"));
	assert_false(name_is_wrapped("xcustom_text_proj.weight", "proj.weight"));
	assert_false(name_is_wrapped("custom_text_proj.weight", "proj.weight"));
	assert_false(name_is_wrapped("x.custom_text_proj.bias", "proj.weight"));
	name_spell("vis.a", name);
	assert_string_equal(name, "visual.a");
	name_spell("connector.a", name);
	assert_string_equal(name, "connector.a");
	assert_true(name_is_peft("base_model.model.x.q_proj.lora_A.default.weight"));
	assert_true(name_is_peft("x.q_proj.base_layer.weight"));
	assert_true(name_is_peft("custom_text_proj.modules_to_save.default.weight"));
	assert_false(name_is_peft("base_model.model.x.q_proj.weight"));
}

/* The first rule that matches is used. A rule matches only at the beginning of a name. */
TEST(test_rules)
{
	static const struct name_rule rules[] = {
		{"linear.", "proj."}, {"vis.head.", NULL}, {"vis.", "eye."}, {0}};
	static const char *const spelled[][2] = {
		{"linear.weight", "proj.weight"},
		{"mmproj.linear.weight", "mmproj.linear.weight"},
		{"vis.head.probe", NULL},
		{"vis.blocks.0.norm1.weight", "eye.blocks.0.norm1.weight"},
		{"lm.norm.weight", "lm.norm.weight"},
	};
	char got[NAME_LEN_MAX];
	size_t i;

	for (i = 0; i < ARRAY_LEN(spelled); i++) {
		assert_int_equal(name_rules_apply(rules, spelled[i][0], got, NULL), spelled[i][1] != NULL);
		if (spelled[i][1])
			assert_string_equal(got, spelled[i][1]);
	}
}

int
main(void)
{
	return tests_run("names", NULL, NULL);
}
