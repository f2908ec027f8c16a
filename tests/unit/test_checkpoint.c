#include "test.h"

#include "base/str.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/names.h"
#include "checkpoint/stwriter.h"
#include "tmpdir.h"

/* Every test has a folder of its own below *state. */
static char *
folder(void **state, const char *name)
{
	char *dir = fs_join(*state, name);

	assert_int_equal(fs_mkdir(dir, 0700, NULL), 0);
	return dir;
}

static void
put(const char *dir, const char *name, const char *text)
{
	tmpdir_write(dir, name, text, strlen(text));
}

/* Writes a file with tensors of shape (2, 3). Their names end with NULL. */
static void
put_tensors(const char *dir, const char *file, enum elem dtype, const char *const *names)
{
	static const unsigned char bytes[6 * 8];
	_cleanup_free_ char *path = fs_join(dir, file);
	struct err e = ERR_INIT;
	struct stw *w = NULL;
	size_t i;

	(void)stw_new(path, &w, &e);
	for (i = 0; names[i]; i++)
		(void)stw_add(w, names[i], dtype, 2, (const int64_t[]){2, 3}, &e);
	(void)stw_begin(w, &e);
	for (i = 0; names[i]; i++)
		(void)stw_data(w, bytes, 6 * elem_size(dtype), &e);
	(void)stw_finish(w, &e);
	stw_free(&w);
	assert_no_error(&e);
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
assert_refused(const char *dir, int code, const char *words)
{
	struct checkpoint *c = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(checkpoint_open(dir, NULL, &c, &e), code);
	assert_null(c);
	assert_error(&e, code, words);
}

TEST(test_one_file)
{
	_cleanup_free_ char *dir = folder(state, "one");
	struct checkpoint *c = NULL;
	const struct weight *w;
	struct err e = ERR_INIT;

	put(dir, "config.json", "{\"model_type\": \"colqwen2\"}");
	put_tensors(
		dir, "model.safetensors", ELEM_BF16,
		NAMES("vlm.model.norm.weight", "vlm.lm_head.weight", "embedding_proj_layer.weight", "other"));
	(void)checkpoint_open(dir, NULL, &c, &e);
	assert_no_error(&e);
	assert_string_equal(checkpoint_dir(c), dir);
	assert_string_equal(json_string_value(json_object_get(checkpoint_config(c), "model_type")),
			    "colqwen2");
	assert_int_equal(checkpoint_count(c), 3);
	assert_string_equal(checkpoint_get(c, 0)->name, "lm.norm.weight");
	assert_string_equal(checkpoint_get(c, 1)->name, "other");
	assert_string_equal(checkpoint_get(c, 2)->name, "proj.weight");
	assert_null(checkpoint_find(c, "lm_head.weight"));
	w = checkpoint_find(c, "proj.weight");
	assert_string_equal(w->tensor->name, "embedding_proj_layer.weight");
	assert_int_equal(w->tensor->dtype, ELEM_BF16);
	assert_int_equal(checkpoint_file_count(c), 1);
	assert_ptr_equal(w->file, checkpoint_file(c, 0));
	checkpoint_free(&c);
	assert_null(c);
	checkpoint_free(&c);
}

TEST(test_rename)
{
	static const struct name_rule rules[] = {{"linear.", "proj."}, {"other", NULL}, {0}};
	static const struct name_rule clash[] = {{"proj.", "lm.norm."}, {0}};
	_cleanup_free_ char *dir = folder(state, "rename");
	struct checkpoint *c = NULL;
	struct err e = ERR_INIT;

	put(dir, "config.json", "{}");
	put_tensors(dir, "model.safetensors", ELEM_F32, NAMES("linear.weight", "model.norm.weight", "other"));
	(void)checkpoint_open(dir, NULL, &c, &e);
	assert_int_equal(checkpoint_rename(c, rules, &e), 0);
	assert_int_equal(checkpoint_count(c), 2);
	assert_null(checkpoint_find(c, "linear.weight"));
	assert_string_equal(checkpoint_find(c, "proj.weight")->tensor->name, "linear.weight");
	assert_non_null(checkpoint_find(c, "lm.norm.weight"));
	assert_int_equal(checkpoint_rename(c, clash, &e), E_BAD_CHECKPOINT);
	assert_error(&e, E_BAD_CHECKPOINT, "are the same tensor, 'lm.norm.weight'");
	checkpoint_free(&c);
}

TEST(test_require)
{
	_cleanup_free_ char *dir = folder(state, "require");
	struct checkpoint *c = NULL;
	const struct weight *w = NULL;
	struct err e = ERR_INIT;

	put(dir, "config.json", "{}");
	put_tensors(dir, "model.safetensors", ELEM_F32, NAMES("custom_text_proj.weight"));
	(void)checkpoint_open(dir, NULL, &c, &e);
	(void)checkpoint_require(c, "proj.weight", 2, (const int64_t[]){2, 3}, &w, &e);
	assert_no_error(&e);
	assert_ptr_equal(w, checkpoint_find(c, "proj.weight"));

	assert_int_equal(checkpoint_require(c, "proj.bias", 1, (const int64_t[]){2}, &w, &e),
			 E_BAD_CHECKPOINT);
	assert_error(&e, E_BAD_CHECKPOINT, "has no tensor 'custom_text_proj.bias'");
	err_clear(&e);
	assert_int_equal(checkpoint_require(c, "proj.weight", 2, (const int64_t[]){3, 2}, &w, &e),
			 E_BAD_CHECKPOINT);
	assert_error(&e, E_BAD_CHECKPOINT, "tensor 'custom_text_proj.weight' in '");
	assert_error(&e, E_BAD_CHECKPOINT, "model.safetensors' has the shape (2, 3) instead of (3, 2)");
	err_clear(&e);
	assert_int_equal(checkpoint_require(c, "proj.weight", 0, NULL, &w, &e), E_BAD_CHECKPOINT);
	assert_error(&e, E_BAD_CHECKPOINT, "(2, 3) instead of ()");
	checkpoint_free(&c);
}

TEST(test_folder)
{
	_cleanup_free_ char *dir = folder(state, "folder"), *none = fs_join(*state, "none");
	_cleanup_free_ char *config = fs_join(dir, "config.json");
	_cleanup_free_ char *big = calloc(1, (1 << 20) + 1);

	assert_refused(none, E_BAD_CHECKPOINT, "is not a folder");
	assert_refused(dir, E_BAD_CHECKPOINT, "has no config.json");
	put(dir, "config.json", "[]");
	assert_refused(dir, E_BAD_CHECKPOINT, "config.json' must hold a JSON object");
	put(dir, "config.json", "{");
	assert_refused(dir, E_BAD_CHECKPOINT, "config.json: line 1");
	put(dir, "config.json", "{\"a\": 1, \"a\": 2}");
	assert_refused(dir, E_BAD_CHECKPOINT, "duplicate");
	tmpdir_write(dir, "config.json", big, (1 << 20) + 1);
	assert_refused(dir, E_BAD_CHECKPOINT, "more than the 1048576 allowed");
	(void)unlink(config);
	assert_int_equal(fs_mkdir(config, 0700, NULL), 0);
	assert_refused(dir, E_BAD_CHECKPOINT, "not a regular file");
}

TEST(test_no_weights)
{
	static const char *const pickles[] = {"model.ckpt", "model.pth", "model.pt", "a.bin"};
	_cleanup_free_ char *dir = folder(state, "pickled");
	size_t i;

	put(dir, "config.json", "{}");
	assert_refused(dir, E_BAD_CHECKPOINT,
		       "has neither model.safetensors nor model.safetensors.index.json");
	for (i = 0; i < ARRAY_LEN(pickles); i++) {
		_cleanup_free_ char *path = fs_join(dir, pickles[i]);

		put(dir, pickles[i], "x");
		assert_refused(dir, E_BAD_CHECKPOINT, pickles[i]);
		assert_refused(dir, E_BAD_CHECKPOINT, "save the model again as safetensors");
		(void)unlink(path);
	}
	put(dir, "model.safetensors", "x");
	assert_refused(dir, E_BAD_CHECKPOINT, "model.safetensors': it has 1 bytes");
}

TEST(test_weights)
{
	_cleanup_free_ char *dir = folder(state, "weights");

	put(dir, "config.json", "{}");
	put_tensors(dir, "model.safetensors", ELEM_F32, NAMES("visual.x", "y", "vlm.visual.x"));
	assert_refused(dir, E_BAD_CHECKPOINT, "are the same tensor, 'vis.x'");
	assert_refused(dir, E_BAD_CHECKPOINT, "'vlm.visual.x' in '");
}

/* Checks the error for a weight of shape (2, 3) that the model needs. */
static void
assert_unusable(const char *dir, const char *name, int code, const char *words)
{
	struct checkpoint *c = NULL;
	const struct weight *w = NULL;
	struct err e = ERR_INIT;

	(void)checkpoint_open(dir, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(checkpoint_require(c, name, 2, (const int64_t[]){2, 3}, &w, &e), code);
	assert_null(w);
	assert_error(&e, code, words);
	checkpoint_free(&c);
}

/* A tensor of whole numbers is an error only if the model needs it. */
TEST(test_dtypes)
{
	_cleanup_free_ char *dir = folder(state, "dtypes");
	struct checkpoint *c = NULL;
	struct err e = ERR_INIT;

	put(dir, "config.json", "{}");
	put_tensors(dir, "model.safetensors", ELEM_I64, NAMES("my.step_counter", "visual.x"));
	(void)checkpoint_open(dir, NULL, &c, &e);
	assert_no_error(&e);
	checkpoint_free(&c);
	assert_unusable(dir, "vis.x", E_UNSUPPORTED_MODEL,
			"is of dtype I64, so the checkpoint is quantized; convert the checkpoint that it");
	put_tensors(dir, "model.safetensors", ELEM_F8_E4M3,
		    NAMES("visual.x", "visual.x_scale", "visual.weight_scale_inv"));
	assert_unusable(dir, "vis.x", E_UNSUPPORTED_MODEL, "tensor 'visual.x' in '");
	assert_unusable(dir, "vis.x", E_UNSUPPORTED_MODEL,
			"dtype F8_E4M3, so the checkpoint is quantized by FP8");
}

/* Errors name a tensor as the files spell it, or as they would spell a missing one. */
TEST(test_missing)
{
	_cleanup_free_ char *dir = folder(state, "missing");

	put(dir, "config.json", "{}");
	put_tensors(dir, "model.safetensors", ELEM_F32,
		    NAMES("vlm.model.layers.0.mlp.up_proj.weight", "vlm.visual.x",
			  "head.custom_text_proj.weight"));
	assert_unusable(dir, "lm.norm.weight", E_BAD_CHECKPOINT, "' has no tensor 'vlm.model.norm.weight'");
	assert_unusable(dir, "lm.layers.1.mlp.up_proj.weight", E_BAD_CHECKPOINT,
			"'vlm.model.layers.1.mlp.up_proj.weight'");
	assert_unusable(dir, "vis.y", E_BAD_CHECKPOINT, "'vlm.visual.y'");
	assert_unusable(dir, "mmproj.y", E_BAD_CHECKPOINT, "'multi_modal_projector.y'");
	assert_unusable(dir, "proj.weight", E_BAD_CHECKPOINT,
			"has 'head.custom_text_proj.weight', whose name has an unknown prefix");
	put_tensors(dir, "model.safetensors", ELEM_F32, NAMES("model.layers.0.mlp.up_proj.qweight"));
	assert_unusable(dir, "lm.layers.0.mlp.up_proj.weight", E_UNSUPPORTED_MODEL,
			"is quantized by GPTQ or AWQ");
}

/* DeepSpeed ZeRO-3 saves a weight that it did not gather with the shape (0). */
TEST(test_empty)
{
	_cleanup_free_ char *dir = folder(state, "empty"), *path = fs_join(dir, "model.safetensors");
	struct err e = ERR_INIT;
	struct stw *w = NULL;

	put(dir, "config.json", "{}");
	(void)stw_new(path, &w, &e);
	(void)stw_add(w, "visual.x", ELEM_F32, 1, (const int64_t[]){0}, &e);
	(void)stw_begin(w, &e);
	(void)stw_finish(w, &e);
	stw_free(&w);
	assert_no_error(&e);
	assert_unusable(dir, "vis.x", E_BAD_CHECKPOINT,
			"is empty, as DeepSpeed's ZeRO-3 leaves weights that were not gathered");
}

TEST(test_unmerged)
{
	static const char *const names[] = {"base_model.model.visual.x.base_layer.weight",
					    "base_model.model.visual.x.lora_A.default.weight",
					    "custom_text_proj.modules_to_save.default.weight"};
	_cleanup_free_ char *dir = folder(state, "unmerged");
	size_t i;

	put(dir, "config.json", "{}");
	for (i = 0; i < ARRAY_LEN(names); i++) {
		put_tensors(dir, "model.safetensors", ELEM_F32, NAMES("visual.y", names[i]));
		assert_refused(dir, E_UNSUPPORTED_MODEL, "under PEFT that was not merged (tensor '");
		assert_refused(dir, E_UNSUPPORTED_MODEL, names[i]);
	}
}

TEST(test_quantized)
{
	static const struct {
		const char *config, *method;
	} rows[] = {
		{"{\"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": 4}}", "'gptq'"},
		{"{\"quantization_config\": {\"quant_method\": \"awq\"}}", "'awq'"},
		{"{\"quantization_config\": {\"quant_method\": \"fp8\"}}", "'fp8'"},
		{"{\"quantization_config\": {\"load_in_4bit\": true}}", "'bitsandbytes'"},
		{"{\"quantization_config\": {\"load_in_8bit\": true}}", "'bitsandbytes'"},
		{"{\"quantization_config\": {\"bits\": 4}}", "'an unnamed method'"},
		{"{\"vlm_config\": {\"quantization_config\": {\"quant_method\": \"compressed-tensors\"}}}",
		 "'compressed-tensors' (quantization_config)"},
		{"{\"text_config\": {\"compression_config\": {\"quant_method\": \"compressed-tensors\"}}}",
		 "'compressed-tensors' (compression_config)"},
	};
	static const char *const fine[] = {"{\"quantization_config\": null}", "{\"quantization_config\": {}}",
					   "{\"vlm_config\": 1}"};
	_cleanup_free_ char *dir = folder(state, "quantized");
	struct checkpoint *c = NULL;
	struct err e = ERR_INIT;
	size_t i;

	put_tensors(dir, "model.safetensors", ELEM_F32, NAMES("visual.x"));
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		put(dir, "config.json", rows[i].config);
		assert_refused(dir, E_UNSUPPORTED_MODEL, rows[i].method);
	}
	for (i = 0; i < ARRAY_LEN(fine); i++) {
		put(dir, "config.json", fine[i]);
		(void)checkpoint_open(dir, NULL, &c, &e);
		assert_no_error(&e);
		checkpoint_free(&c);
	}
}

/* A clone without git-lfs leaves a pointer file, and a proxy leaves an HTML page, in place of any of these files. */
TEST(test_strangers)
{
	static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
	_cleanup_free_ char *dir = folder(state, "strangers"), *weights = fs_join(dir, "model.safetensors");

	put(dir, "config.json", pointer);
	assert_refused(dir, E_BAD_CHECKPOINT, "config.json': it is a Git LFS pointer");
	put(dir, "config.json", "<!DOCTYPE html><html>");
	assert_refused(dir, E_BAD_CHECKPOINT, "config.json': it is an HTML page");
	put(dir, "config.json", "{}");
	put(dir, "model.safetensors", pointer);
	assert_refused(dir, E_BAD_CHECKPOINT, "model.safetensors': it is a Git LFS pointer");
	assert_refused(dir, E_BAD_CHECKPOINT, "'git lfs pull'");
	(void)unlink(weights);
	put(dir, "model.safetensors.index.json", pointer);
	assert_refused(dir, E_BAD_CHECKPOINT, "index.json': it is a Git LFS pointer");
}

/* A folder may be named with a slash at its end. */
TEST(test_slash)
{
	_cleanup_free_ char *dir = folder(state, "slash"), *slash = str_printf("%s//", dir);
	struct checkpoint *c = NULL;
	struct err e = ERR_INIT;

	put(dir, "config.json", "{}");
	put_tensors(dir, "model.safetensors", ELEM_F32, NAMES("visual.x"));
	(void)checkpoint_open(slash, NULL, &c, &e);
	assert_no_error(&e);
	assert_string_equal(checkpoint_dir(c), dir);
	checkpoint_free(&c);
}

/* A tensor that is never read may have any dtype. */
TEST(test_ignored)
{
	_cleanup_free_ char *dir = folder(state, "ignored");
	struct checkpoint *c = NULL;
	struct err e = ERR_INIT;

	put(dir, "config.json", "{}");
	put_tensors(dir, "model.safetensors", ELEM_I64, NAMES("vision_tower.embeddings.position_ids"));
	(void)checkpoint_open(dir, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(checkpoint_count(c), 0);
	checkpoint_free(&c);
}

#define SHARD1 "model-00001-of-00002.safetensors"
#define SHARD2 "model-00002-of-00002.safetensors"

static void
put_map(const char *dir, const char *map)
{
	_cleanup_free_ char *text =
		str_printf("{\"metadata\": {\"total_size\": 1}, \"weight_map\": %s}", map);

	put(dir, "model.safetensors.index.json", text);
}

TEST(test_shards)
{
	_cleanup_free_ char *dir = folder(state, "shards");
	struct checkpoint *c = NULL;
	struct err e = ERR_INIT;

	put(dir, "config.json", "{}");
	put_tensors(dir, SHARD1, ELEM_F32, NAMES("visual.a", "model.norm.weight"));
	put_tensors(dir, SHARD2, ELEM_F16, NAMES("visual.b", "not.in.the.map"));
	put_map(dir, "{\"visual.b\": \"" SHARD2 "\", \"visual.a\": \"" SHARD1
		     "\", \"model.norm.weight\": \"" SHARD1 "\"}");
	(void)checkpoint_open(dir, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(checkpoint_count(c), 4);
	assert_int_equal(checkpoint_file_count(c), 2);
	assert_non_null(strstr(st_path(checkpoint_file(c, 0)), SHARD1));
	assert_ptr_equal(checkpoint_find(c, "vis.b")->file, checkpoint_file(c, 1));
	checkpoint_free(&c);
}

TEST(test_index)
{
	static const struct {
		const char *index, *error;
	} rows[] = {
		{"{", "model.safetensors.index.json: line 1"},
		{"{\"weight_map\": {\"visual.a\": \"" SHARD1 "\"}, \"weight_map\": {}}",
		 "weight_map is there twice"},
		{"{\"weight_map\": {\"visual.a\": \"" SHARD1 "\"}} x", "the text should end here"},
		{"[]", "must hold a JSON object"},
		{"{}", "weight_map is missing"},
		{"{\"weight_map\": []}", "weight_map must be an object"},
		{"{\"weight_map\": {}}", "weight_map names no file"},
		{"{\"weight_map\": {\"visual.a\": 1}}", "gives no file name for 'visual.a'"},
		{"{\"weight_map\": {\"visual.a\": \"../x.safetensors\"}}",
		 "'../x.safetensors' is not the plain name"},
		{"{\"weight_map\": {\"visual.a\": \"/etc/passwd\"}}", "'/etc/passwd' is not the plain name"},
		{"{\"weight_map\": {\"visual.a\": \"..\"}}", "'..' is not the plain name"},
		{"{\"weight_map\": {\"visual.a\": \"model.bin\"}}", "'model.bin' is not the plain name"},
		{"{\"weight_map\": {\"visual.a\": \"gone.safetensors\"}}", "gone.safetensors' is missing"},
		{"{\"weight_map\": {\"visual.a\": \"" SHARD1 "\", \"visual.b\": \"" SHARD2
		 "\", \"twice\": \"" SHARD1 "\"}}",
		 "tensor 'twice' is in '" SHARD2 "', but weight_map says '" SHARD1 "'"},
		{"{\"weight_map\": {\"visual.a\": \"" SHARD1 "\", \"visual.b\": \"" SHARD2 "\"}}",
		 "are the same tensor, 'twice'"},
		{"{\"weight_map\": {\"visual.a\": \"damaged.safetensors\"}}",
		 "damaged.safetensors': it has 1 bytes"},
	};
	_cleanup_free_ char *dir = folder(state, "index");
	size_t i;

	put(dir, "config.json", "{}");
	put(dir, "damaged.safetensors", "x");
	put_tensors(dir, SHARD1, ELEM_F32, NAMES("visual.a", "twice"));
	put_tensors(dir, SHARD2, ELEM_F32, NAMES("visual.b", "twice"));
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		put(dir, "model.safetensors.index.json", rows[i].index);
		assert_refused(dir, E_BAD_CHECKPOINT, rows[i].error);
	}
}

/* A tensor that the index lists but no shard contains is an error only if the model needs it. */
TEST(test_lost)
{
	_cleanup_free_ char *dir = folder(state, "lost");
	struct checkpoint *c = NULL;
	struct err e = ERR_INIT;

	put(dir, "config.json", "{}");
	put_tensors(dir, SHARD1, ELEM_F32, NAMES("visual.a"));
	put_map(dir, "{\"visual.a\": \"" SHARD1 "\", \"lm_head.weight\": \"" SHARD1
		     "\", \"visual.z\": \"" SHARD1 "\"}");
	(void)checkpoint_open(dir, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(checkpoint_lost(c)->count, 2);
	assert_string_equal(checkpoint_lost(c)->name[0], "lm_head.weight");
	assert_string_equal(checkpoint_lost(c)->name[1], "visual.z");
	assert_string_equal(checkpoint_lost(c)->shard[1], SHARD1);
	checkpoint_free(&c);
	assert_unusable(dir, "vis.z", E_BAD_CHECKPOINT,
			"tensor 'visual.z' is not in '" SHARD1
			"', where model.safetensors.index.json says it is");
}

TEST(test_too_many_shards)
{
	_cleanup_free_ char *dir = folder(state, "many"), *map = NULL;
	json_auto_t *j = json_object();
	char name[32];
	int i;

	for (i = 0; i <= 1000; i++) {
		(void)snprintf(name, sizeof(name), "%d.safetensors", i);
		(void)json_object_set_new(j, name, json_string(name));
	}
	map = json_dumps(j, 0);
	put(dir, "config.json", "{}");
	put_map(dir, map);
	assert_refused(dir, E_BAD_CHECKPOINT, "weight_map names more than 1000 files");
}

int
main(void)
{
	return tests_run("checkpoint", tmpdir_setup, tmpdir_teardown);
}
