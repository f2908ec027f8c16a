#include "card_example.h"

#include "base/fs.h"
#include "base/str.h"
#include "processing.h"
#include "spec/manifest.h"

static const char head[] =
	"\n## Use\n\nA program for the files here, started as `python example.py FOLDER PAGE.png ...`:\n\n"
	"```python\n"
	"import sys\n"
	"import numpy\n"
	"import onnxruntime\n";

/*
 * ONNX Runtime lists the inputs that have no default. Inputs that a call with text does not use get an empty
 * tensor.
 */
static const char run[] = "\n"
			  "folder = sys.argv[1] if len(sys.argv) > 1 else \".\"\n"
			  "types = {\"tensor(float)\": \"float32\", \"tensor(int64)\": \"int64\"}\n"
			  "\n"
			  "\n"
			  "def load(file):\n"
			  "    return onnxruntime.InferenceSession(f\"{folder}/{file}\", "
			  "providers=[\"CPUExecutionProvider\"])\n"
			  "\n"
			  "\n"
			  "def embed(model, **given):\n";

/* Which task it is, for graphs that ask. */
static const char run_task[] = "    given[\"" MANIFEST_TASK_INPUT "\"] = numpy.array([%lld])  # %s\n";

static const char run_model[] =
	"    inputs = {}\n"
	"    for i in model.get_inputs():\n"
	"        shape = [size if isinstance(size, int) else 0 for size in i.shape]\n"
	"        inputs[i.name] = numpy.asarray(given.get(i.name, numpy.zeros(shape, types.get(i.type))))\n"
	"    return model.run(None, inputs)[0][0].astype(\"float32\")\n"
	"\n"
	"\n";

static const char scores_multi[] = "def score(query, page):\n"
				   "    return (query @ page.T).max(axis=1).sum()  # MaxSim\n";

static const char scores_single[] = "def score(query, page):\n"
				    "    return query @ page  # cosine: both have the length 1\n";

static const char query_own[] =
	"\n"
	"\n"
	"tokenizer = tokenizers.Tokenizer.from_file(f\"{folder}/tokenizer.json\")\n"
	"prompt = %s\n"
	"ids = tokenizer.encode(prompt.replace(\"{text}\", \"How much did revenue grow?\"), "
	"add_special_tokens=False).ids\n";

static const char query_none[] =
	"\n"
	"\n"
	"ids = [1, 2, 3]  # the checkpoint came without tokenizer.json: take the ids of its tokenizer\n";

static const char query[] =
	"query = embed(load(\"%s\"), input_ids=numpy.array([ids]), attention_mask=numpy.ones((1, len(ids)), "
	"\"int64\"))\n"
	"print(\"query:\", query.shape)\n";

static const char pages_raw[] =
	"if sys.argv[2:]:\n"
	"    from PIL import Image\n"
	"\n"
	"    model = load(\"%s\")\n"
	"for file in sys.argv[2:]:\n"
	"    page = embed(model, image=numpy.asarray(Image.open(file).convert(\"RGB\")))\n"
	"    print(file, score(query, page))\n";

static const char pages_processor[] =
	"if sys.argv[2:]:\n"
	"    from PIL import Image\n"
	"    from transformers import AutoProcessor  # needs torch\n"
	"\n"
	"    model, processor = load(\"%s\"), AutoProcessor.from_pretrained(folder)\n"
	"for file in sys.argv[2:]:\n"
	"    page = embed(model, **processor(images=[Image.open(file).convert(\"RGB\")], "
	"return_tensors=\"pt\"))\n"
	"    print(file, score(query, page))\n";

static const char *
graph_file(const json_t *facts, enum variant v)
{
	const json_t *g = json_object_get(json_object_get(facts, "graphs"), variant_name(v));

	return json_string_value(json_object_get(g, "file"));
}

/* Finds the smallest graph that takes rows with images, or rows without. NULL: the artifact has none. */
static const char *
graph_for(const json_t *facts, bool images)
{
	const char *file = NULL;
	int v;

	for (v = 0; v < VARIANT_MAX && !file; v++)
		if (variant_takes((enum variant)v, images))
			file = graph_file(facts, (enum variant)v);
	return file;
}

static bool
has(const struct conversion *c, const char *name)
{
	_cleanup_free_ char *path = fs_join(c->job->out_dir, name);

	return path && fs_exists(path);
}

static void
query_put(struct buf *b, const struct conversion *c, const char *file)
{
	_cleanup_free_ char *text = c->prompt ? prompt_query(c->prompt) : NULL;
	_cleanup_(buf_release) struct buf quoted = BUF_INIT;

	if (text && has(c, "tokenizer.json")) {
		json_print_str(&quoted, text);
		buf_printf(b, query_own, quoted.data ? quoted.data : "\"\"");
	} else {
		buf_puts(b, query_none);
	}
	buf_printf(b, query, file);
}

void
card_example_put(struct buf *b, const struct conversion *c, const json_t *facts)
{
	const bool processor = has(c, "preprocessor_config.json") || has(c, "processor_config.json");
	const char *texts = graph_for(facts, false), *images = graph_for(facts, true);

	const char *picture = graph_file(facts, VARIANT_PAGE), *task;
	json_t *number;

	if (!texts)
		return;
	buf_puts(b, head);
	if (c->prompt && has(c, "tokenizer.json"))
		buf_puts(b, "import tokenizers\n");
	buf_puts(b, run);
	json_object_foreach(json_object_get(facts, "tasks"), task, number) {
		buf_printf(b, run_task, (long long)json_integer_value(number), task);
		break; /* the first stands for all, which are listed above */
	}
	buf_puts(b, run_model);
	buf_puts(b, c->found.head == HEAD_MULTI_VECTOR ? scores_multi : scores_single);
	query_put(b, c, texts);
	if (picture)
		buf_printf(b, pages_raw, picture);
	else if (images && processor && has(c, "tokenizer.json") &&
		 c->found.class->library == LIBRARY_TRANSFORMERS)
		buf_printf(b, pages_processor, images);
	buf_puts(b, "```\n");
}
