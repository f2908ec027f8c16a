#include "config_edit.h"

#include "base/rng.h"
#include "base/str.h"
#include "checkpoint/stwriter.h"
#include "model/decoder.h"
#include "model/model.h"
#include "tmpdir.h"

TEST(test_find)
{
	static const struct {
		const char *config, *family;
		enum library library;
	} rows[] = {
		{"{\"model_type\": \"colqwen2\", \"vlm_config\": {\"model_type\": \"qwen2_vl\"}}", "colqwen2",
		 LIBRARY_TRANSFORMERS},
		{"{\"model_type\": \"colqwen2\", \"vlm_config\": {}}", "colqwen2", LIBRARY_TRANSFORMERS},
		{"{\"model_type\": \"qwen2_vl\", \"architectures\": [\"ColQwen2\"]}", "colqwen2",
		 LIBRARY_ENGINE},
		{"{\"model_type\": \"qwen2_vl\", \"vlm_config\": null}", "colqwen2", LIBRARY_ENGINE},
		{"{\"model_type\": \"colpali\", \"vlm_config\": {\"model_type\": \"paligemma\"}}", "colpali",
		 LIBRARY_TRANSFORMERS},
		{"{\"model_type\": \"paligemma\"}", "colpali", LIBRARY_ENGINE},
		{"{\"model_type\": \"paligemma\", \"architectures\": null}", "colpali", LIBRARY_ENGINE},
		{"{\"model_type\": \"paligemma\", \"architectures\": []}", "colpali", LIBRARY_ENGINE},
		{"{\"model_type\": \"paligemma\", \"architectures\": [\"ColPali\"]}", "colpali",
		 LIBRARY_ENGINE},
		{"{\"model_type\": \"paligemma\", \"architectures\": "
		 "[\"PaliGemmaForConditionalGeneration\"]}",
		 "colpali", LIBRARY_ENGINE},
		{"{\"model_type\": \"qwen2_vl\", \"architectures\": [\"Qwen2VLForConditionalGeneration\"]}",
		 "colqwen2", LIBRARY_ENGINE},
		{"{\"model_type\": \"colmodernvbert\", \"vlm_config\": {\"model_type\": \"modernvbert\"}, "
		 "\"architectures\": [\"ColModernVBertForRetrieval\"]}",
		 "colmodernvbert", LIBRARY_TRANSFORMERS},
		{"{\"model_type\": \"modernvbert\", \"architectures\": [\"ColModernVBert\"]}",
		 "colmodernvbert", LIBRARY_ENGINE},
		{"{\"model_type\": \"idefics3\", \"architectures\": [\"ColIdefics3\"]}", "colidefics3",
		 LIBRARY_ENGINE},
		{"{\"model_type\": \"gemma3\", \"architectures\": [\"ColGemma3\"]}", "colgemma3",
		 LIBRARY_ENGINE},
		{"{\"model_type\": \"granitevisionemb\", \"architectures\": [\"GraniteVisionEmb\"]}",
		 "granitevisionemb", LIBRARY_IBM},
		{"{\"model_type\": \"mistral3\", \"architectures\": [\"ColMinistral3\"]}", "colministral3",
		 LIBRARY_SAUERKRAUT},
		{"{\"model_type\": \"mistral3\", \"architectures\": "
		 "[\"Mistral3ForConditionalGeneration\"]}",
		 "colministral3", LIBRARY_SAUERKRAUT},
		{"{\"model_type\": \"qwen2_vl\", \"auto_map\": {\"AutoConfig\": "
		 "\"configuration_x.MyConfig\", "
		 "\"AutoModel\": \"owner/name--modeling_x.ColQwen2\"}}",
		 "colqwen2", LIBRARY_ENGINE},
		{"{\"model_type\": \"colqwen2\", \"vlm_config\": {\"model_type\": \"qwen2_5_vl\"}}",
		 "colqwen2_5", LIBRARY_TRANSFORMERS},
		{"{\"model_type\": \"qwen2_5_omni_thinker\", \"architectures\": [\"ColQwen2_5Omni\"]}",
		 "colqwen_omni", LIBRARY_ENGINE},
		{"{\"model_type\": \"qwen2_5_omni\"}", "colqwen_omni", LIBRARY_ENGINE},
		{"{\"model_type\": \"collfm2\"}", "collfm2", LIBRARY_SAUERKRAUT},
		{"{\"model_type\": \"lfm2_vl\", \"architectures\": [\"Lfm2VlForConditionalGeneration\"]}",
		 "collfm2", LIBRARY_SAUERKRAUT},
		{"{\"model_type\": \"qwen2_5_vl\", \"architectures\": [\"ColQwen2_5\"]}", "colqwen2_5",
		 LIBRARY_ENGINE},
		{"{\"model_type\": \"qwen3_vl\", \"architectures\": [\"ColQwen3\"]}", "colqwen3",
		 LIBRARY_ENGINE},
		{"{\"model_type\": \"colqwen3\", \"architectures\": [\"ColQwen3\"]}", "colqwen3",
		 LIBRARY_ENGINE},
		{"{\"model_type\": \"ops_colqwen3\", \"architectures\": [\"OpsColQwen3Model\"]}", "colqwen3",
		 LIBRARY_OPENSEARCH},
		{"{\"model_type\": \"llama_nemotron_vl\", \"architectures\": [\"LlamaNemotronVLModel\"]}",
		 "nemotron_vl", LIBRARY_NVIDIA},
		{"{\"model_type\": \"modernbert\", \"architectures\": [\"ModernBertModel\"]}", "colnanovdr",
		 LIBRARY_NANOVDR},
		{"{\"model_type\": \"qwen3_vl_nemotron_embed\", "
		 "\"architectures\": [\"Qwen3VLNemotronEmbedModel\"]}",
		 "colqwen3", LIBRARY_NVIDIA},
		{"{\"model_type\": \"qwen3_5\", \"architectures\": [\"ColQwen3_5\"]}", "colqwen3_5",
		 LIBRARY_ENGINE},
		{"{\"model_type\": \"colqwen3_5\", \"auto_map\": {\"AutoModel\": \"modeling_x.ColQwen3_5\"}}",
		 "colqwen3_5", LIBRARY_ENGINE},
		{"{\"model_type\": \"topk_embed\", \"architectures\": [\"TopkEmbedModel\"]}", "colqwen3_5",
		 LIBRARY_TOPK},
		{"{\"model_type\": \"qwen3_5\", \"architectures\": [\"Qwen3_5Model\"]}", "colqwen3_5",
		 LIBRARY_PERPLEXITY},
		{"{\"model_type\": \"neomme\", \"architectures\": [\"NeoMMEForRetrieval\"]}", "neomme",
		 LIBRARY_TRANSFORMERS},
		{"{\"model_type\": \"neomme\", \"architectures\": [\"NeoMMEModel\"]}", "neomme",
		 LIBRARY_TRANSFORMERS},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		json_auto_t *j = load(rows[i].config);
		struct model_found f = {.model = NULL};
		struct err e = ERR_INIT;

		(void)model_find(j, HEAD_AUTO, &f, &e);
		assert_no_error(&e);
		assert_string_equal(f.model->arch->family, rows[i].family);
		assert_int_equal(f.class->library, rows[i].library);
		assert_int_equal(f.head, HEAD_MULTI_VECTOR);
	}
}

/* Only the name of the class says whether a checkpoint gives one vector for each row, and how it pools. */
TEST(test_find_single_vector)
{
	static const struct {
		const char *config, *family;
		enum head head;
	} rows[] = {
		{"{\"model_type\": \"modernvbert\", \"architectures\": [\"BiModernVBert\"]}",
		 "colmodernvbert", HEAD_MEAN},
		{"{\"model_type\": \"idefics3\", \"architectures\": [\"BiIdefics3\"]}", "colidefics3",
		 HEAD_LAST_TOKEN},
		{"{\"model_type\": \"gemma3\", \"architectures\": [\"BiGemma3\"]}", "colgemma3",
		 HEAD_LAST_TOKEN},
		{"{\"model_type\": \"paligemma\", \"architectures\": [\"BiPali\"]}", "colpali", HEAD_MEAN},
		{"{\"model_type\": \"qwen2_vl\", \"architectures\": [\"BiQwen2\"]}", "colqwen2",
		 HEAD_LAST_TOKEN},
		{"{\"model_type\": \"qwen2_5_vl\", \"architectures\": [\"BiQwen2_5\"]}", "colqwen2_5",
		 HEAD_LAST_TOKEN},
		{"{\"model_type\": \"qwen3_vl\", \"architectures\": [\"BiQwen3\"]}", "colqwen3",
		 HEAD_LAST_TOKEN},
		{"{\"model_type\": \"qwen3_5\", \"architectures\": [\"BiQwen3_5\"]}", "colqwen3_5",
		 HEAD_LAST_TOKEN},
	};
	struct model_found f;
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		json_auto_t *j = load(rows[i].config);

		(void)model_find(j, HEAD_AUTO, &f, &e);
		assert_no_error(&e);
		assert_string_equal(f.model->arch->family, rows[i].family);
		assert_int_equal(f.head, rows[i].head);
	}
}

/* A job may only request a head that the class has. */
TEST(test_heads)
{
#define BARE(more) "{\"model_type\": \"qwen2_5_vl\"" more "}"
#define CLASS(type, name) "{\"model_type\": \"" type "\", \"architectures\": [\"" name "\"]}"
	static const struct {
		const char *config;
		enum head asked, head;
		const char *family, *error;
	} rows[] = {
		/* a plain backbone has no head of its own */
		{BARE(""), HEAD_AUTO, HEAD_MULTI_VECTOR, "colqwen2_5", NULL},
		{BARE(""), HEAD_LAST_TOKEN, HEAD_LAST_TOKEN, "colqwen2_5", NULL},
		{CLASS("qwen2_5_vl", "Qwen2_5_VLForConditionalGeneration"), HEAD_LAST_TOKEN, HEAD_LAST_TOKEN,
		 "colqwen2_5", NULL},
		{CLASS("qwen2_5_vl", "Qwen2_5_VLForConditionalGeneration"), HEAD_AUTO, HEAD_MULTI_VECTOR,
		 "colqwen2_5", NULL},
		{CLASS("modernvbert", "ModernVBertModel"), HEAD_MEAN, HEAD_MEAN, "colmodernvbert", NULL},
		/* pooling is an argument of these classes */
		{CLASS("qwen2_vl", "BiQwen2"), HEAD_MEAN, HEAD_MEAN, "colqwen2", NULL},
		{CLASS("paligemma", "BiPali"), HEAD_CLS, HEAD_CLS, "colpali", NULL},
		{CLASS("qwen2_vl", "BiQwen2"), HEAD_MULTI_VECTOR, 0, NULL,
		 "the head 'multi-vector' is not one of the class 'BiQwen2' that config.json names, which "
		 "has "
		 "last-token, mean, cls"},
		/* the class or the model_type names a vector for each token */
		{CLASS("qwen2_vl", "ColQwen2"), HEAD_MULTI_VECTOR, HEAD_MULTI_VECTOR, "colqwen2", NULL},
		{CLASS("qwen2_vl", "ColQwen2"), HEAD_LAST_TOKEN, 0, NULL,
		 "the head 'last-token' is not one of the class 'ColQwen2' that config.json names"},
		{"{\"model_type\": \"colqwen2\"}", HEAD_MEAN, 0, NULL,
		 "'ColQwen2ForRetrieval' that config.json "
		 "is taken for"},
		{CLASS("qwen3_vl_nemotron_embed", "Qwen3VLNemotronEmbedModel"), HEAD_MEAN, 0, NULL,
		 "'Qwen3VLNemotronEmbedModel'"},
		{"{\"model_type\": \"qwen2_vl\", \"architectures\": [\"Qwen2VLModel\"], \"auto_map\": "
		 "{\"AutoModel\": \"modeling_x.ColQwen2\"}}",
		 HEAD_MEAN, 0, NULL, "the class 'ColQwen2'"},
		/* jina-embeddings-v4 has two */
		{"{\"architectures\": [\"JinaEmbeddingsV4Model\"]}", HEAD_AUTO, HEAD_MULTI_VECTOR, "jina_v4",
		 NULL},
		{"{\"architectures\": [\"JinaEmbeddingsV4Model\"]}", HEAD_IMAGE_MEAN, HEAD_IMAGE_MEAN,
		 "jina_v4", NULL},
		{"{\"architectures\": [\"JinaEmbeddingsV4Model\"]}", HEAD_MEAN, 0, NULL,
		 "which has multi-vector, image-mean"},
		{CLASS("qwen2_5_vl", "JinaV4MultiVector"), HEAD_AUTO, HEAD_MULTI_VECTOR, "jina_v4", NULL},
		{CLASS("qwen2_5_vl", "Qwen2_5_VLForConditionalGeneration"), HEAD_IMAGE_MEAN, HEAD_IMAGE_MEAN,
		 "jina_v4", NULL},
		{CLASS("qwen2_vl", "Qwen2VLModel"), HEAD_IMAGE_MEAN, 0, NULL, "the head 'image-mean'"},
	};
#undef BARE
#undef CLASS
	struct model_found f;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		json_auto_t *j = load(rows[i].config);
		struct err e = ERR_INIT;
		int r = model_find(j, rows[i].asked, &f, &e);

		if (rows[i].error) {
			assert_int_equal(r, E_BAD_REQUEST);
			assert_error(&e, E_BAD_REQUEST, rows[i].error);
			continue;
		}
		assert_no_error(&e);
		assert_int_equal(f.head, rows[i].head);
		assert_string_equal(f.model->arch->family, rows[i].family);
	}
}

TEST(test_not_supported)
{
	static const struct {
		const char *config, *error;
	} rows[] = {
		{"{}", "model_type 'none' (architectures 'none') is not supported; supported are ColQwen2"},
		{"{\"model_type\": 3, \"architectures\": [7]}", "model_type 'none' (architectures 'none')"},
		{"{\"model_type\": \"smolvlm\", \"architectures\": [\"ColSmolVLM\"]}",
		 "model_type 'smolvlm' (architectures 'ColSmolVLM')"},
		{"{\"model_type\": \"colqwen2\", \"vlm_config\": {\"model_type\": \"qwen2_6_vl\"}}",
		 "model_type 'colqwen2' over 'qwen2_6_vl'"},
		{"{\"model_type\": \"qwen2_6_vl\"}", "ColPali (ColPaliForRetrieval, ColPali, BiPali)"},
		{"{\"model_type\": \"qwen2_5_vl\", \"architectures\": [\"ColQwen2\"]}",
		 "the class 'ColQwen2'"},
		{"{\"model_type\": \"qwen3_vl_nemotron_embed\", \"architectures\": "
		 "[\"Qwen3VLNemotronVLModel\"]}",
		 "the class 'Qwen3VLNemotronVLModel'"},
		{"{\"model_type\": \"colpali\", \"vlm_config\": {\"model_type\": \"qwen2_vl\"}}",
		 "over 'qwen2_vl'"},
		{"{\"model_type\": \"qwen3_5\", \"architectures\": [\"ArgusColQwen35Wrapper\"]}",
		 "this is Argus ("},
		{"{\"model_type\": \"qwen3_5_moe\"}", "this is a model over Qwen3.5 with experts"},
		{"{\"model_type\": \"qwen3_omni_moe\"}", "this is a model over Qwen3-Omni"},
		{"{\"model_type\": \"qwen3_omni_moe_thinker\", \"architectures\": [\"ColQwen3Omni\"]}",
		 "this is a model over Qwen3-Omni"},
		{"{\"model_type\": \"modernvbert\", \"architectures\": [\"ColUltraVBERT\"]}",
		 "this is ColUltraVBERT"},
		{"{\"model_type\": \"llama_nemoretrievercolembed\"}",
		 "this is Llama Nemoretriever ColEmbed v1"},
		/* the model_type is supported, the class is not */
		{"{\"model_type\": \"paligemma\", \"architectures\": [\"BiPaliProj\"]}",
		 "the class 'BiPaliProj' is not supported; classes that compute what ColPali does are "
		 "ColPaliForRetrieval, ColPali, "},
		{"{\"model_type\": \"paligemma\", \"architectures\": \"BiPaliProj\"}",
		 "the class 'BiPaliProj'"},
		{"{\"model_type\": \"qwen2_vl\", \"architectures\": [\"BiQwen2_5\"]}",
		 "the class 'BiQwen2_5' is not supported; classes that compute what ColQwen2 does are "
		 "ColQwen2"},
		{"{\"model_type\": \"qwen2_vl\", \"architectures\": [\"ColQwen2\", \"MyOwn\"]}",
		 "the class 'MyOwn'"},
		{"{\"model_type\": \"qwen2_vl\", \"architectures\": [\"ColQwen2\"], "
		 "\"auto_map\": {\"AutoModelForVision2Seq\": \"modeling_my.Pooled\"}}",
		 "the class 'Pooled'"},
		{"{\"model_type\": \"colqwen2\", \"architectures\": [\"ColQwen3\"], \"vlm_config\": {}}",
		 "the class 'ColQwen3'"},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		json_auto_t *j = load(rows[i].config);
		struct model_found f;
		struct err e = ERR_INIT;

		assert_int_equal(model_find(j, HEAD_AUTO, &f, &e), E_UNSUPPORTED_MODEL);
		assert_error(&e, E_UNSUPPORTED_MODEL, rows[i].error);
	}
}

/* Each family has every member that the rest of the tree uses. */
TEST(test_rows)
{
	const struct model *const all[] = {
#define ARCHITECTURE(family, ...) &model_##family,
#include "spec/architectures.def"
#undef ARCHITECTURE
	};
	const struct model_prompt *p;
	const struct class *c;
	bool known[LIBRARY_MAX];
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(all); i++) {
		const struct model *m = all[i];

		assert_ptr_equal(m->arch, &architectures[i]);
		assert_true(m->plans & PLAN_TEXT);
		if (m->arch->variants & 1u << VARIANT_IMAGE) {
			assert_non_null(m->image_inputs[0].name);
			assert_true(m->plans & (PLAN_IMAGE | PLAN_TILES | PLAN_PAGES));
		}
		memset(known, 0, sizeof(known));
		for (p = m->prompts; p->versions; p++) {
			known[p->library] = true;
			if (m->arch->variants & 1u << VARIANT_IMAGE)
				assert_non_null(strstr(p->document, "{image}"));
		}
		for (k = 0; m->spellings[k].type || m->spellings[k].class; k++)
			assert_non_null(class_find(m->arch, m->spellings[k].class));
		assert_true(k > 0);
		for (c = class_next(m->arch, NULL); c; c = class_next(m->arch, c))
			/* The prompts of the first two are the chat templates of their repositories; IBM's have a token whose text is not known. */
			assert_true(known[c->library] || c->library == LIBRARY_NVIDIA ||
				    c->library == LIBRARY_TOPK || c->library == LIBRARY_IBM);
	}
}

/* Every id that is not special is drawn, and no special one, even if all ids but one are special. */
TEST(test_words)
{
	static const struct {
		struct model_tokens t;
		int words;
	} rows[] = {
		{{.vocab = 9, .image = 5, .image_begin = 3, .image_end = 4, .video = 0, .audio = 6}, 4},
		{{.vocab = 5, .image = 0, .image_begin = 1, .image_end = 2, .video = 4, .audio = -1}, 1},
		{{.vocab = 5, .image = 3, .image_begin = -1, .image_end = -1, .video = 3, .audio = -1}, 4},
		{{.vocab = 2, .image = 99, .image_begin = -1, .image_end = -1, .video = -1, .audio = -1}, 2},
		{{.vocab = 1, .image = 0, .image_begin = -1, .image_end = -1, .video = -1, .audio = -1}, 0},
		{{.vocab = 3, .image = 1, .image_begin = 0, .image_end = 2, .video = 2, .audio = -1}, 0},
	};
	struct rng rng = {7};
	size_t i;
	int k;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const struct model_tokens *t = &rows[i].t;
		bool seen[9] = {false};
		int n = 0;

		assert_int_equal(model_words(t), rows[i].words);
		for (k = 0; rows[i].words && k < 500; k++) {
			int64_t id = model_word(t, &rng);

			assert_true(id >= 0 && id < t->vocab);
			assert_true(id != t->image && id != t->image_begin && id != t->image_end &&
				    id != t->video && id != t->audio);
			n += !seen[id];
			seen[id] = true;
		}
		assert_int_equal(n, rows[i].words);
	}
}

/* A checkpoint with only special ids must be refused: no word could be drawn, and the worker would loop forever. */
TEST(test_special_tokens_only)
{
	static const char config[] =
		"{\"model_type\": \"qwen2_vl\", \"image_token_id\": 0, \"vocab_size\": 1, \"hidden_size\": 8,"
		" \"num_hidden_layers\": 1, \"num_attention_heads\": 1, \"intermediate_size\": 4,"
		" \"rope_scaling\": {\"type\": \"mrope\", \"mrope_section\": [2, 1, 1]},"
		" \"vision_config\": {\"hidden_size\": 8}}";
	_cleanup_free_ char *path = fs_join(*state, "model.safetensors");
	struct model_found f = {.model = NULL};
	struct checkpoint *ck = NULL;
	struct err e = ERR_INIT;
	struct stw *w = NULL;
	void *c;

	tmpdir_write(*state, "config.json", config, strlen(config));
	(void)stw_new(path, &w, &e);
	(void)stw_add(w, "custom_text_proj.weight", ELEM_F32, 2, (const int64_t[]){1, 8}, &e);
	(void)stw_begin(w, &e);
	(void)stw_data(w, (const float[8]){0}, 8 * sizeof(float), &e);
	(void)stw_finish(w, &e);
	stw_free(&w);
	(void)checkpoint_open(*state, NULL, &ck, &e);
	(void)model_find(checkpoint_config(ck), HEAD_AUTO, &f, &e);
	assert_no_error(&e);
	c = calloc(1, f.model->config_size);
	assert_int_equal(model_config_read(&f, ck, c, &e), E_BAD_CHECKPOINT);
	assert_error(&e, E_BAD_CHECKPOINT, "vocab_size is 1, and each of these ids is a special token");
	free(c);
	checkpoint_free(&ck);
}

/* One layer of a decoder as text. */
static void
decoder_dump(const struct decoder *d, int64_t pairs, struct buf *ret)
{
	const struct sizes sizes = {.of = {[SYM_BATCH] = 2, [SYM_SEQUENCE] = 7}};
	const struct shape ids = shape_of(2, sym(SYM_BATCH), sym(SYM_SEQUENCE));
	const struct shape angles = shape_of(3, sym(SYM_SEQUENCE), n(1), n(pairs));
	struct decoder_attention kind[2] = {{NULL}};
	struct ir_graph *g = NULL;
	struct trace *t = NULL;
	struct ir_value *x, *mask, *out;
	struct err e = ERR_INIT;

	(void)trace_new("decoder", /*ck=*/NULL, &sizes, &t, &e);
	x = tr_input(t, "x", ELEM_F32, shape_of(3, sym(SYM_BATCH), sym(SYM_SEQUENCE), n(d->hidden)));
	mask = tr_input(t, "mask", ELEM_BOOL, ids);
	kind[0].cos = tr_input(t, "cos", ELEM_F32, angles);
	kind[0].sin = tr_input(t, "sin", ELEM_F32, angles);
	kind[0].mask = mask;
	kind[0].see = IR_MASK_CAUSAL;
	kind[1] = kind[0];
	kind[1].mask = tr_name(t, tr_not(t, mask), "window");
	kind[1].see = IR_MASK_FULL;
	out = decoder_build(t, d, x, kind);
	(void)trace_finish(t, out, "out", &g, &e);
	assert_no_error(&e);
	graph_dump(g, ret);
	graph_free(&g);
	trace_free(&t);
}

static const int twice_arg;

static struct ir_value *
twice(struct trace *t, struct ir_value *x, int il, const void *arg)
{
	assert_ptr_equal(arg, &twice_arg);
	return il == 0 ? tr_name(t, tr_add(t, x, x), "twice") : x;
}

TEST(test_decoder)
{
	static const bool sliding[] = {false, true};
	const struct decoder plain = {
		.hidden = 8, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 6, .ff = 10, .eps = 1e-6};
	_cleanup_(buf_release) struct buf a = BUF_INIT, b = BUF_INIT;
	struct decoder d = plain;

	decoder_dump(&plain, 3, &a);
	assert_non_null(strstr(
		a.data, "lm.00.attn.q = linear(lm.00.attn.norm, lm.layers.0.self_attn.q_proj.weight)"));
	assert_non_null(strstr(
		a.data,
		"lm.01.mlp.norm = rms_norm(lm.01.attn.out, lm.layers.1.post_attention_layernorm.weight"));
	assert_non_null(strstr(a.data, "= silu(lm.00.mlp.gate)"));
	assert_non_null(strstr(a.data, ", mask, causal, 0.408248)"));
	assert_null(strstr(a.data, "q_norm"));
	assert_null(strstr(a.data, ", window,"));
	assert_null(strstr(a.data, ".bias"));

	d.norm = DECODER_NORM_ONE_PLUS;
	d.act = DECODER_GELU_TANH;
	d.qkv_bias = d.o_bias = BLK_BIAS;
	d.qk_norm = d.after_norms = true;
	d.scale = 0.25;
	d.sliding = sliding;
	d.after = twice;
	d.after_arg = &twice_arg;
	decoder_dump(&d, 2, &b);
	assert_non_null(strstr(
		b.data, "lm.00.attn.k.norm = rms_norm(lm.00.attn.k.heads, "
			"lm.layers.0.self_attn.k_norm.weight+1, 1e-06)    f32 [batch, sequence, 2, 6]"));
	assert_non_null(strstr(b.data, "lm.layers.1.self_attn.o_proj.bias)"));
	assert_non_null(strstr(b.data, "lm.layers.0.self_attn.v_proj.bias)"));
	assert_non_null(strstr(
		b.data,
		"lm.00.attn.after = rms_norm(lm.00.attn.o, lm.layers.0.post_attention_layernorm.weight+1"));
	assert_non_null(strstr(
		b.data,
		"lm.00.mlp.norm = rms_norm(lm.00.attn.out, lm.layers.0.pre_feedforward_layernorm.weight+1"));
	assert_non_null(strstr(b.data, "lm.00.mlp.after = rms_norm(lm.00.mlp.down, "
				       "lm.layers.0.post_feedforward_layernorm.weight+1"));
	assert_non_null(strstr(b.data, "= gelu_tanh(lm.01.mlp.gate)"));
	assert_non_null(strstr(b.data, "= rope(lm.01.attn.q.norm, cos, sin)    f32 [batch, sequence, 4, 6]"));
	assert_non_null(strstr(b.data, "lm.01.attn.q.rope, lm.01.attn.k.rope, lm.01.attn.v.heads, window, "
				       "full, 0.25)"));
	assert_non_null(strstr(b.data, "lm.00.attn.q.rope, lm.00.attn.k.rope, lm.00.attn.v.heads, mask, "
				       "causal, 0.25)"));
	assert_non_null(strstr(b.data, "lm.00.mlp.twice = add(lm.00.mlp.out, lm.00.mlp.out)"));
}

/* Two constants with the same name are merged only if their numbers are the same. */
TEST(test_constants)
{
	static const float a[] = {1, 2}, b[] = {1, 3};
	const struct sizes sizes = {.of = {[SYM_BATCH] = 2}};
	struct trace *t = NULL;
	struct ir_value *first, *other;
	struct err e = ERR_INIT;

	(void)trace_new("constants", /*ck=*/NULL, &sizes, &t, &e);
	first = tr_table(t, "table", shape_of(1, n(2)), a);
	other = tr_table(t, "table", shape_of(1, n(2)), b);
	assert_ptr_not_equal(first, other);
	assert_string_equal(other->name, "table.2");
	assert_ptr_equal(tr_table(t, "table", shape_of(1, n(2)), a), first);
	assert_ptr_equal(tr_table(t, "table", shape_of(1, n(2)), b), other);
	assert_ptr_not_equal(tr_table(t, "table", shape_of(2, n(2), n(1)), a), first);
	assert_ptr_equal(tr_i64(t, 7), tr_i64(t, 7));
	assert_ptr_not_equal(tr_weight(t, shape_of(1, n(4)), "w"),
			     tr_weight_as(t, shape_of(2, n(2), n(2)), shape_of(1, n(4)), "w"));
	trace_free(&t);
}

int
main(void)
{
	return tests_run("model", tmpdir_setup, tmpdir_teardown);
}
