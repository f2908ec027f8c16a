#include "card.h"

#include <inttypes.h>

#include "base/fs.h"
#include "base/str.h"
#include "spec/manifest.h"
#include "card_example.h"

static const char *
fact(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

/* Prints a name from outside on one line, without control characters. */
static void
name_put(struct buf *b, const char *s)
{
	_cleanup_free_ char *copy = strdup(s);

	if (copy)
		str_clean(copy);
	buf_puts(b, copy ? copy : "");
}

/* ---- the YAML head ---- */

/* The licence in the adapter's card comes first: its author chose it for adapter and base together. */
static const char *
licence_of(const json_t *source)
{
	const char *own = fact(source, "license");

	return *own ? own : fact(json_object_get(source, "base"), "license");
}

static void
head_put(struct buf *b, const struct conversion *c, const json_t *facts)
{
	const json_t *source = json_object_get(facts, "source");
	const char *licence = licence_of(source), *repo = fact(source, "repo_today");

	buf_puts(b, "---\n");
	if (*licence)
		buf_printf(b, "license: %s\n", licence);
	if (*repo)
		buf_printf(b, "base_model: %s\nbase_model_relation: quantized\n", repo);
	buf_printf(b,
		   "library_name: %s\n"
		   "pipeline_tag: visual-document-retrieval\n"
		   "tags:\n- onnx\n- %s\n- %s\n"
		   "---\n",
		   spec_profile(&c->spec)->library, fact(facts, "architecture"),
		   c->found.head == HEAD_MULTI_VECTOR ? "multi-vector" : "single-vector");
}

/* ---- what it is ---- */

static void
source_put(struct buf *b, const json_t *source, const char *asked)
{
	const char *repo = fact(source, "repo_today");

	if (*repo)
		buf_printf(b, "`%s` at commit `%s`", repo, fact(source, "commit"));
	else {
		buf_puts(b, "the folder `");
		name_put(b, fs_basename(asked));
		buf_puts(b, "`");
	}
}

static void
intro_put(struct buf *b, const struct conversion *c, const json_t *facts)
{
	const json_t *source = json_object_get(facts, "source"), *base = json_object_get(source, "base");
	const json_t *versions = json_object_get(facts, "versions");
	const char *licence = licence_of(source), *experimental = class_experimental(c->found.class);

	buf_printf(b, "\n# %s for ONNX Runtime\n\n%s, converted by colconv %s from ", fact(facts, "title"),
		   fact(facts, "title"), fact(versions, "colconv"));
	source_put(b, source, c->spec.model);
	if (base) {
		buf_puts(b, ", an adapter over ");
		source_put(b, base, fact(base, "path"));
	}
	if (json_is_integer(json_object_get(facts, "dim")))
		buf_printf(b,
			   ". %" JSON_INTEGER_FORMAT " parameters; vectors of %" JSON_INTEGER_FORMAT
			   " numbers. ",
			   json_integer_value(json_object_get(facts, "parameters")),
			   json_integer_value(json_object_get(facts, "dim")));
	else
		buf_puts(b, ". It prepares pictures for the model, and gives no embeddings. ");
	if (*licence)
		buf_printf(b, "The source declares the license `%s`.\n", licence);
	else
		buf_puts(b, "The source declares no license.\n");
	if (json_object_get(facts, "pages_of"))
		buf_printf(b,
			   "\nThe vectors are of queries alone, for the pages of %s%s%s, whose vectors are "
			   "as long: convert that "
			   "checkpoint for the graph of pages. Do not scale the vectors of queries to length "
			   "1; leave out "
			   "those where the output `mask` is 0.\n",
			   *fact(facts, "pages_of") ? "`" : "the model that it was made for",
			   fact(facts, "pages_of"), *fact(facts, "pages_of") ? "`" : "");
	if (experimental)
		buf_printf(b, "\n> This conversion is %s.\n", experimental);
}

/* Of families whose checkpoints differ in it: whether tokens see later ones. */
static void
direction_put(struct buf *b, const struct conversion *c)
{
	const struct model_direction *d = c->model->direction ? c->model->direction(c->config) : NULL;

	if (!d)
		return;
	buf_printf(b, "\n%s, by `%s`.\n",
		   d->bidirectional ? "A token attends to all tokens" : "A token attends to those before it",
		   d->how);
	if (d->warning)
		buf_printf(b, "\n**Check this**: %s.\n", d->warning);
}

/* "The input `task` has a number for each row: 0 retrieval, 1 code." */
static void
tasks_put(struct buf *b, const json_t *facts)
{
	const char *name, *comma = "";
	json_t *number;

	if (!json_object_get(facts, "tasks"))
		return;
	buf_puts(b, "\nThe input `" MANIFEST_TASK_INPUT "` has a number for each row, that of its task:");
	json_object_foreach(json_object_get(facts, "tasks"), name, number) {
		buf_printf(b, "%s %" JSON_INTEGER_FORMAT " %s", comma, json_integer_value(number), name);
		comma = ",";
	}
	buf_puts(b, ". A call with another number fails.\n");
}

static void
names_put(struct buf *b, const json_t *values)
{
	const char *key;
	bool more = false;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)values, key, v) {
		buf_printf(b, "%s`%s` %s %s", more ? ", " : "", key, fact(v, "type"), fact(v, "shape"));
		more = true;
	}
}

static void
graphs_put(struct buf *b, const json_t *facts)
{
	const char *name;
	json_t *g;

	buf_puts(
		b,
		"\n## Graphs\n\n| graph | file | ONNX Runtime | inputs | outputs |\n|---|---|---|---|---|\n");
	json_object_foreach(json_object_get(facts, "graphs"), name, g) {
		buf_printf(b, "| %s | `%s` | %s and newer | ", name, fact(g, "file"), fact(g, "onnxruntime"));
		names_put(b, json_object_get(g, "inputs"));
		buf_puts(b, " | ");
		names_put(b, json_object_get(g, "outputs"));
		buf_puts(b, " |\n");
	}
	buf_puts(b, "\n`manifest.json` has the details: options, versions, token ids, and the sha256 of each "
		    "file. It is a model package of ONNX Runtime.\n");
	tasks_put(b, facts);
}

/* ---- parity ---- */

static double
number(const json_t *j, const char *key)
{
	return json_number_value(json_object_get(j, key));
}

/* Prints all cases of a graph as one row. */
static void
graph_row_put(struct buf *b, const json_t *cases, const char *graph)
{
	double max_abs = 0, min_cosine = 1;
	json_int_t vectors = 0;
	unsigned n = 0;
	json_t *run;
	size_t i;

	json_array_foreach(cases, i, run) {
		if (!str_eq(fact(run, "model"), graph))
			continue;
		n++;
		vectors += json_integer_value(json_object_get(run, "tokens"));
		max_abs = MAX(max_abs, number(run, "max_abs"));
		min_cosine = MIN(min_cosine, number(run, "min_cosine"));
	}
	buf_printf(b, "| %s | %u | %" JSON_INTEGER_FORMAT " | %.1e | %.7f |\n", graph, n, vectors, max_abs,
		   min_cosine);
}

/* Prints a row for each output beside the embeddings. */
static void
outputs_put(struct buf *b, const json_t *outputs)
{
	const json_t *limits, *worst;
	const char *name;
	json_t *x;

	if (json_object_size(outputs))
		buf_puts(b, "\n| output | limits | worst of all cases |\n|---|---|---|\n");
	json_object_foreach((json_t *)(uintptr_t)outputs, name, x) {
		limits = json_object_get(x, "limits");
		worst = json_object_get(x, "worst");
		buf_printf(b, "| `%s` | ", name);
		if (json_object_get(limits, "differing"))
			buf_printf(b, "equal | %.0f elements differ |\n", number(worst, "differing"));
		else
			buf_printf(b, "difference %.1e, cosine %.7f | difference %.1e, cosine %.7f |\n",
				   number(limits, "max_abs"), number(limits, "min_cosine"),
				   number(worst, "max_abs"), number(worst, "min_cosine"));
	}
}

static void
rankings_put(struct buf *b, const json_t *rankings)
{
	json_t *k;
	size_t i;

	json_array_foreach(rankings, i, k) {
		if (i == 0)
			buf_puts(b, "\n| ranking by | queries | documents | largest change of a score | "
				    "Kendall's tau | top-1 | "
				    "top-5 |\n|---|---|---|---|---|---|---|\n");
		buf_printf(b,
			   "| %s, %s | %" JSON_INTEGER_FORMAT " | %" JSON_INTEGER_FORMAT
			   " | %.1e | %.4f | %.4f | %.4f |\n",
			   fact(k, "queries_model"), fact(k, "documents_model"),
			   json_integer_value(json_object_get(k, "queries")),
			   json_integer_value(json_object_get(k, "documents")), number(k, "max_score_change"),
			   number(k, "mean_tau"), number(k, "top1"), number(k, "top5"));
	}
}

static void
rounding_put(struct buf *b, const json_t *rounding)
{
	if (!json_is_object(rounding))
		return;
	buf_printf(b,
		   "\nThe weights are rounded to 8 bits, so that the embeddings differ from the original's "
		   "by what these "
		   "tables say. %" JSON_INTEGER_FORMAT
		   " weights are meant to be rounded; %zu of them are kept in float16 "
		   "because their error was too large.\n",
		   json_integer_value(json_object_get(rounding, "matrices")),
		   json_array_size(json_object_get(rounding, "kept")));
}

static void
parity_put(struct buf *b, const struct conversion *c, const json_t *facts)
{
	const json_t *limits = json_object_get(c->parity, "limits");
	const char *graph;
	json_t *g;

	buf_puts(b, "\n## Parity\n\n");
	if (!c->parity) {
		buf_puts(b, "Not checked: the job turned the parity check off.\n");
		return;
	}
	buf_printf(
		b,
		"ONNX Runtime %s compared with libtorch %s running the checkpoint, on inputs whose shapes "
		"the export never saw. The limits were a difference of %.1e for an element and a cosine "
		"of %.7f for a vector.\n\n"
		"| graph | cases | vectors | largest difference | smallest cosine |\n|---|---|---|---|---|\n",
		fact(json_object_get(facts, "versions"), "onnxruntime"),
		fact(json_object_get(facts, "versions"), "libtorch"), number(limits, "max_abs"),
		number(limits, "min_cosine"));
	json_object_foreach(json_object_get(facts, "graphs"), graph, g)
		graph_row_put(b, json_object_get(c->parity, "cases"), graph);
	outputs_put(b, json_object_get(json_object_get(facts, "parity"), "outputs"));
	rankings_put(b, json_object_get(json_object_get(facts, "parity"), "ranking"));
	rounding_put(b, json_object_get(facts, "rounding"));
}

/* ---- prompts ---- */

static void
prompt_put(struct buf *b, const char *what, const char *text)
{
	buf_printf(b, "%s:\n\n    ", what);
	json_print_str(b, text);
	buf_puts(b, "\n\n");
}

/* Prints a table cell. A '|' needs a backslash before it, even inside code. */
static void
cell_put(struct buf *b, const char *text)
{
	_cleanup_(buf_release) struct buf quoted = BUF_INIT;
	const char *p;

	json_print_str(&quoted, text);
	buf_puts(b, " `");
	for (p = quoted.data; p && *p; p++)
		buf_printf(b, "%s%c", *p == '|' ? "\\" : "", *p);
	buf_puts(b, "` |");
}

static void
prompts_put(struct buf *b, const json_t *facts)
{
	const json_t *processing = json_object_get(facts, "processing");
	const json_t *own = json_object_get(processing, "prompt");
	json_t *row;
	size_t i;

	if (!json_is_object(own))
		return;
	buf_printf(
		b,
		"\n## Prompts\n\nA prompt that the model was not trained with lowers retrieval without any "
		"error. These are those of %s (%s), as JSON strings; `{image}` stands for the image "
		"tokens. Rows of a batch are padded on the %s.\n\n",
		fact(own, "library"), fact(own, "versions"), fact(processing, "padding_side"));
	prompt_put(b, "Query", fact(own, "query"));
	if (json_is_string(json_object_get(own, "document")))
		prompt_put(b, "Page", fact(own, "document"));
	else
		buf_puts(b,
			 "The prompt of a page is not known: the checkpoint has no chat template that sets "
			 "the message before it.\n\n");
	buf_puts(b, "What other libraries' processors add, for a model that was trained with one of them:\n\n"
		    "| library | versions | query | page |\n|---|---|---|---|\n");
	json_array_foreach(json_object_get(processing, "prompts"), i, row) {
		buf_printf(b, "| %s | %s |", fact(row, "library"), fact(row, "versions"));
		cell_put(b, fact(row, "query"));
		if (json_is_string(json_object_get(row, "document")))
			cell_put(b, fact(row, "document"));
		else
			buf_puts(b, " not known |");
		buf_puts(b, "\n");
	}
}

int
card_write(const struct conversion *c, const json_t *facts, struct err *e)
{
	_cleanup_free_ char *path = fs_join(c->job->out_dir, CARD_FILE);
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	int r;

	if (!path)
		return err_no_memory(e);
	head_put(&b, c, facts);
	intro_put(&b, c, facts);
	direction_put(&b, c);
	card_example_put(&b, c, facts);
	graphs_put(&b, facts);
	prompts_put(&b, facts);
	parity_put(&b, c, facts);
	r = buf_failed(&b, e);
	return r < 0 ? r : fs_write_file(path, b.data, b.len, e);
}
