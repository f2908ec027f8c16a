#include "program_files.h"

#include "base/fs.h"
#include "base/str.h"

/* ---- transformers: export.json, schema 1 ---- */

/* The class in config.json, or else the family's own. */
static const char *
class_of(const struct conversion *c)
{
	const json_t *classes = json_object_get(checkpoint_config(c->checkpoint), "architectures");
	const char *class = json_string_value(json_array_get(classes, 0));

	return class ? class : class_next(c->model->arch, NULL)->name;
}

/* One node of torch's pytree: {"type", "context", "children_spec"}. Takes `children`. */
static json_t *
tree_node(const char *type, const char *context, json_t *children)
{
	return json_pack("{s:s?, s:s?, s:o}", "type", type, "context", context, "children_spec", children);
}

/* A node with `n` leaves as children, named by the list `names`. */
static json_t *
tree_named(const char *type, const json_t *names)
{
	_cleanup_free_ char *context = json_text(names, 0);
	json_t *leaves = json_array();
	size_t i, n = json_array_size(names);
	int failed = context ? 0 : -1;

	for (i = 0; i < n; i++)
		failed |= json_array_append_new(leaves, tree_node(NULL, NULL, json_array()));
	leaves = json_whole(leaves, failed);
	return leaves ? tree_node(type, context, leaves) : NULL;
}

/* The text that torch writes: the format's version (1), then the tree. Takes `tree`. */
static json_t *
tree_text(json_t *tree)
{
	json_auto_t *both = json_pack("[i, o]", 1, tree);
	_cleanup_free_ char *text = both ? json_text(both, 0) : NULL;

	return text ? json_string(text) : NULL;
}

/* Describes a call without positional arguments. */
static json_t *
in_spec(const json_t *names)
{
	json_t *children = json_pack("[o, o]", tree_node("builtins.tuple", "null", json_array()),
				     tree_named("builtins.dict", names));

	return children ? tree_text(tree_node("builtins.tuple", "null", children)) : NULL;
}

/*
 * Describes what the class returns. The retrievers in transformers itself have their own output class;
 * others return a dict.
 */
static json_t *
out_spec(const struct conversion *c)
{
	json_auto_t *names = json_pack("[s]", conversion_output(c));
	const char *type = json_string_value(json_object_get(checkpoint_config(c->checkpoint), "model_type"));
	_cleanup_free_ char *class = NULL;

	if (c->found.class->library == LIBRARY_TRANSFORMERS && type &&
	    str_ends(class_of(c), "ForRetrieval")) {
		class = str_printf("transformers.models.%s.modeling_%s.%sOutput", type, type, class_of(c));
		if (!class)
			return NULL;
	}
	return tree_text(tree_named(class ? class : "builtins.dict", names));
}

static const struct ir_graph *
graph_only(const struct conversion *c)
{
	int v = 0;

	while (!c->graph[v])
		v++;
	return c->graph[v];
}

static json_t *
export_make(const struct conversion *c)
{
	const struct ir_graph *g = graph_only(c);
	json_auto_t *names = json_array();
	json_t *kwargs = json_object();
	int failed = 0;
	size_t i;

	for (i = 0; i < g->n_value; i++) {
		const struct ir_value *v = g->value[i];

		if (v->kind != IR_INPUT)
			continue;
		failed |= json_array_append_new(names, json_string(v->name));
		failed |= json_object_set_new(kwargs, v->name,
					      json_pack("{s:i, s:s}", "rank", v->shape.rank, "dtype",
							v->elem == ELEM_I64 ? "int64" : "float32"));
	}
	kwargs = json_whole(kwargs, failed);
	if (!kwargs)
		return NULL;
	return json_pack(
		"{s:i, s:s, s:{s:{s:s, s:{s:s, s:{}, s:{s:b, s:s}, s:s, s:s, s:o, s:o, s:o, s:{}, s:[]}}}}",
		"schema_version", 1, "export_format", "onnx", "components", "model", "file",
		variant_file(VARIANT_UNIFIED), "metadata", "architecture", class_of(c), "packages",
		"export_config", "dynamic", 1, "export_format", "onnx", "export_dtype", "float32",
		"export_device", "cpu", "kwargs", kwargs, "in_spec", in_spec(names), "out_spec", out_spec(c),
		"in_constants", "out_constants");
}

/* ---- sentence-transformers ---- */

#define MASK_FOLDER "1_MultiVectorMask"

static json_t *
modules_make(const struct conversion *c _unused_)
{
	return json_pack("[{s:i, s:s, s:s, s:s}, {s:i, s:s, s:s, s:s}]", "idx", 0, "name", "0", "path", "",
			 "type", "sentence_transformers.base.modules.transformer.Transformer", "idx", 1,
			 "name", "1", "path", MASK_FOLDER, "type",
			 "sentence_transformers.multi_vector_encoder.modules.multi_vector_mask."
			 "MultiVectorMask");
}

static json_t *
mask_make(const struct conversion *c _unused_)
{
	return json_pack("{s:[]}", "skiplist_words");
}

/* The task under which the package knows models that project, normalise and mask their output themselves. */
static json_t *
transformer_make(const struct conversion *c)
{
	const char *output = conversion_output(c);

	return json_pack("{s:s, s:{s:{s:s, s:s}, s:{s:s, s:s}}, s:s}", "transformer_task", "retrieval",
			 "modality_config", "text", "method", "forward", "method_output_name", output,
			 "image", "method", "forward", "method_output_name", output, "module_output_name",
			 "token_embeddings");
}

/* The processor already puts the prompts around the text, so the package must not add any. */
static json_t *
encoder_make(const struct conversion *c _unused_)
{
	return json_pack("{s:s, s:{s:s, s:s}, s:n, s:s}", "model_type", "MultiVectorEncoder", "prompts",
			 "query", "", "document", "", "default_prompt_name", "similarity_fn_name", "maxsim");
}

/* ---- fastembed: two files of the processor, as it reads them ---- */

#define TOKENIZER_FILE "tokenizer_config.json"
#define PICTURES_FILE "preprocessor_config.json"
#define CONFIG_LEN_MAX (32u << 20)
#define TOKENS_MAX 8192 /* what Gemma and ModernBERT take when config.json does not say */

/* A file of the checkpoint that was copied into the artifact; NULL: it has none, or one that is not JSON. */
static json_t *
copied(const struct conversion *c, const char *name)
{
	_cleanup_free_ char *path = fs_join(c->job->out_dir, name);
	json_t *j = NULL;

	if (!path || !fs_exists(path) || json_read(path, CONFIG_LEN_MAX, E_BAD_CHECKPOINT, &j, NULL) < 0)
		return NULL;
	return j;
}

static bool
is_limit(const json_t *j)
{
	return json_is_integer(j) && json_integer_value(j) > 0;
}

/* The longest text of the model, wherever config.json has its text's part; the vision tower has patches. */
static json_int_t
tokens_max(const json_t *config)
{
	const json_t *own = json_object_get(config, "max_position_embeddings");
	json_int_t found = is_limit(own) ? json_integer_value(own) : 0;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)config, key, value)
		if (!found && json_is_object(value) && !str_eq(key, "vision_config"))
			found = tokens_max(value);
	return found;
}

static bool
tokenizer_is(const struct conversion *c)
{
	json_auto_t *j = copied(c, TOKENIZER_FILE);

	return json_is_object(j);
}

/* fastembed refuses a tokenizer without a limit; transformers writes 10^30, or nothing. */
static json_t *
tokenizer_make(const struct conversion *c)
{
	const json_int_t max = tokens_max(checkpoint_config(c->checkpoint)) ?: TOKENS_MAX;
	json_t *j = copied(c, TOKENIZER_FILE);

	if (is_limit(json_object_get(j, "model_max_length")) || is_limit(json_object_get(j, "max_length")))
		return j;
	return json_whole(j, json_object_set_new(j, "model_max_length", json_integer(max)));
}

/* transformers 5 writes the pictures' part into processor_config.json. */
static json_t *
pictures_read(const struct conversion *c)
{
	json_auto_t *processor = NULL;
	json_t *j = copied(c, PICTURES_FILE);

	if (!j) {
		processor = copied(c, "processor_config.json");
		j = json_incref(json_object_get(processor, "image_processor"));
	}
	return j;
}

static bool
pictures_are(const struct conversion *c)
{
	json_auto_t *j = pictures_read(c);

	return json_is_object(j);
}

/* fastembed knows the classes by the names that they had first: SiglipImageProcessor, not SiglipImageProcessorFast. */
static json_t *
pictures_make(const struct conversion *c)
{
	static const char key[] = "image_processor_type", fast[] = "Fast";
	json_t *j = pictures_read(c);
	const char *class = json_string_value(json_object_get(j, key));

	if (!class || !str_ends(class, fast))
		return j;
	return json_whole(j, json_object_set_new(j, key, json_stringn(class, strlen(class) - strlen(fast))));
}

/* ---- */

static const struct row {
	enum spec_word profile;
	const char *name;
	json_t *(*make)(const struct conversion *c);
	bool (*is)(const struct conversion *c); /* it can be made for this checkpoint; NULL: always */
} rows[] = {
	{SPEC_PROFILE_TRANSFORMERS, "export.json", export_make, NULL},
	{SPEC_PROFILE_SENTENCE_TRANSFORMERS, "modules.json", modules_make, NULL},
	{SPEC_PROFILE_SENTENCE_TRANSFORMERS, "config_sentence_transformers.json", encoder_make, NULL},
	{SPEC_PROFILE_SENTENCE_TRANSFORMERS, "sentence_bert_config.json", transformer_make, NULL},
	{SPEC_PROFILE_SENTENCE_TRANSFORMERS, MASK_FOLDER "/config.json", mask_make, NULL},
	{SPEC_PROFILE_FASTEMBED, TOKENIZER_FILE, tokenizer_make, tokenizer_is},
	{SPEC_PROFILE_FASTEMBED, PICTURES_FILE, pictures_make, pictures_are},
};

static bool
row_fits(const struct conversion *c, const struct row *row)
{
	return row->profile == c->spec.profile && (!row->is || row->is(c));
}

const char *
program_file(const struct conversion *c, size_t i)
{
	const struct row *row;

	for (row = rows; row < rows + ARRAY_LEN(rows); row++)
		if (row_fits(c, row) && i-- == 0)
			return row->name;
	return NULL;
}

bool
program_file_is(const struct conversion *c, const char *name)
{
	const char *own;
	size_t i;

	for (i = 0; (own = program_file(c, i)); i++)
		if (str_eq(own, name))
			return true;
	return false;
}

static int
row_write(const struct conversion *c, const struct row *row, struct err *e)
{
	_cleanup_free_ char *path = fs_join(c->job->out_dir, row->name);
	_cleanup_free_ char *folder = path ? strndup(path, (size_t)(fs_basename(path) - path)) : NULL;
	json_auto_t *j = row->make(c);
	int r;

	if (!folder || !j)
		return err_no_memory(e);
	r = fs_mkdir_p(folder, 0755, e);
	return r < 0 ? r : json_write(path, j, e);
}

int
program_files_write(const struct conversion *c, struct err *e)
{
	const struct row *row;
	int r = 0;

	for (row = rows; r == 0 && row < rows + ARRAY_LEN(rows); row++)
		if (row_fits(c, row))
			r = row_write(c, row, e);
	return r;
}
