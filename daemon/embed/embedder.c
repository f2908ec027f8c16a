#include "embedder.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"
#include "document/inputs.h"
#include "spec/manifest.h"

#define TEXT_MARK "{text}"
#define QUERY_LEN_MAX (1 << 20)

/*
 * Size for an axis of an image's tensor that a text does not determine: the patches of the smallest image, 2
 * x 2.
 */
#define BLANK_DIM 4

void
embedder_release(struct embedder *m)
{
	ort_session_free(&m->session);
	tokenizer_free(&m->tokenizer);
	document_free(&m->document);
}

void
embedding_release(struct embedding *v)
{
	free(v->data);
	v->data = NULL;
}

static int
graph_load(struct embedder *m, bool page, struct err *e)
{
	_cleanup_free_ char *path = NULL;
	enum variant v;
	int r;

	r = artifact_graph_for(m->artifact, page, &v, e);
	if (r < 0 || (m->session && m->loaded == v))
		return r;
	ort_session_free(&m->session);
	r = artifact_graph(m->artifact, v, &path, e);
	if (r == 0)
		r = ort_session_new(path, m->threads, &m->session, e);
	m->loaded = v;
	return r;
}

/* Takes the only row of the graph's output. */
static int
embedding_take(struct embedder *m, struct ort_tensor *out, struct embedding *ret, struct err *e)
{
	const int rank = m->artifact->one_each ? 2 : 3;

	if (out->rank != rank || out->shape[0] != 1)
		return err_set(e, E_BAD_ONNX, "the %s graph gives an output of %d axes instead of [1, %sdim]",
			       variant_name(m->loaded), out->rank, rank == 3 ? "tokens, " : "");
	if (m->dim && out->shape[rank - 1] != m->dim)
		return err_set(e, E_BAD_ONNX,
			       "the %s graph gives vectors of %lld numbers, another graph gave %lld",
			       variant_name(m->loaded), (long long)out->shape[rank - 1], (long long)m->dim);
	m->dim = out->shape[rank - 1];
	ret->tokens = rank == 3 ? (size_t)out->shape[1] : 1;
	ret->dim = (size_t)m->dim;
	ret->data = out->data;
	out->data = NULL;
	return 0;
}

/* Runs the graph with these tensors by name; the other inputs, which belong to images, get empty tensors. */
static int
graph_run(struct embedder *m, const struct document_inputs *made, struct embedding *ret, struct err *e)
{
	const size_t count = ort_input_count(m->session);
	_cleanup_free_ struct ort_tensor *feed = calloc(count, sizeof(*feed));
	_cleanup_(ort_tensor_release) struct ort_tensor out = {0};
	const struct document_input *x;
	const struct ort_input *in;
	const struct document_input task = {.name = MANIFEST_TASK_INPUT,
					    .elem = ELEM_I64,
					    .rank = 1,
					    .dim = {1},
					    .data = &m->task,
					    .len = sizeof(m->task)};
	char nothing[1] = {0}; /* an address for tensors without elements */
	size_t i;
	int k, r;

	if (!feed)
		return err_no_memory(e);
	for (i = 0; i < count; i++) {
		in = ort_input_get(m->session, i);
		x = m->task >= 0 && str_eq(in->name, task.name) ? &task : document_input_find(made, in->name);
		feed[i] = (struct ort_tensor){.type = in->type, .rank = x ? x->rank : in->rank};
		if (x && x->elem != in->type)
			return err_set(e, E_BAD_ONNX, "input '%s' of the %s graph is not %s", in->name,
				       variant_name(m->loaded), elem_word(x->elem));
		if (!x && (in->rank == 0 || in->shape[0] >= 0))
			return err_set(e, E_BAD_ONNX, "the %s graph wants the input '%s', which is not known",
				       variant_name(m->loaded), in->name);
		for (k = 0; k < feed[i].rank; k++)
			feed[i].shape[k] = x                   ? x->dim[k]
					   : k == 0            ? 0
					   : in->shape[k] >= 0 ? in->shape[k]
							       : BLANK_DIM;
		feed[i].data = x ? x->data : nothing;
		feed[i].len = x ? x->len : 0;
	}
	r = ort_run(m->session, feed, &out, e);
	return r < 0 ? r : embedding_take(m, &out, ret, e);
}

/* ---- queries ---- */

static int
tokenizer_get(struct embedder *m, struct err *e)
{
	_cleanup_free_ char *path = fs_join(m->artifact->dir, "tokenizer.json");

	if (!path)
		return err_no_memory(e);
	if (m->tokenizer)
		return 0;
	if (!fs_exists(path))
		return err_set(e, E_USAGE, "'%s' has no tokenizer.json: convert a checkpoint that has one",
			       m->artifact->dir);
	return tokenizer_open(path, &m->tokenizer, e);
}

/* Checks the user's text. The rest of the prompt comes from the manifest. */
static int
text_check(const struct embedder *m, const char *text, struct err *e)
{
	const json_int_t image = json_integer_value(
		json_object_get(json_object_get(m->artifact->processing, "tokens"), "image"));
	_cleanup_(ids_release) struct ids ids = IDS_INIT;
	const size_t len = strlen(text);
	size_t at = 0, n = 1, i;
	int r;

	while (at < len && (n = str_utf8_len(text + at, len - at)))
		at += n;
	if (at < len)
		return err_set(e, E_BAD_REQUEST, "the query is not UTF-8: byte %zu is wrong", at + 1);
	if (len == 0)
		return err_set(e, E_BAD_REQUEST, "the query is empty");
	if (len > QUERY_LEN_MAX)
		return err_set(e, E_BAD_REQUEST, "the query has %zu bytes, more than %d", len, QUERY_LEN_MAX);
	r = tokenizer_encode(m->tokenizer, text, len, /*with_special=*/false, &ids, e);
	for (i = 0; r == 0 && i < ids.n; i++)
		if (ids.id[i] == image)
			return err_set(e, E_BAD_REQUEST,
				       "the query '%s' has the token that stands for an image", text);
	return r < 0 ? r : ids_failed(&ids, e);
}

static int
prompt_fill(const struct embedder *m, const char *text, struct buf *ret, struct err *e)
{
	const json_t *prompt = json_object_get(m->artifact->processing, "prompt");
	const char *query = json_string_value(json_object_get(prompt, "query"));
	const char *mark = query ? strstr(query, TEXT_MARK) : NULL;

	if (!mark)
		return err_set(
			e, E_USAGE,
			"the manifest of '%s' has no prompt for queries: it is not known for this model",
			m->artifact->dir);
	buf_add(ret, query, (size_t)(mark - query));
	buf_puts(ret, text);
	buf_puts(ret, mark + strlen(TEXT_MARK));
	return buf_failed(ret, e);
}

static int
ids_add_row(struct document_inputs *in, const char *name, const struct ids *ids, bool ones, struct err *e)
{
	struct document_input *x = &in->input[in->n];
	int64_t *row = calloc(ids->n + 1, sizeof(*row));
	size_t i;

	if (!row)
		return err_no_memory(e);
	for (i = 0; i < ids->n; i++)
		row[i] = ones ? 1 : ids->id[i];
	*x = (struct document_input){.name = name,
				     .elem = ELEM_I64,
				     .rank = 2,
				     .dim = {1, (int64_t)ids->n},
				     .data = row,
				     .len = ids->n * sizeof(*row)};
	in->n++;
	return 0;
}

int
embedder_query(struct embedder *m, const char *text, struct embedding *ret, struct err *e)
{
	_cleanup_(document_inputs_release) struct document_inputs in = DOCUMENT_INPUTS_INIT;
	_cleanup_(ids_release) struct ids ids = IDS_INIT;
	_cleanup_(buf_release) struct buf prompt = BUF_INIT;
	int r;

	r = prompt_fill(m, text, &prompt, e);
	if (r == 0)
		r = tokenizer_get(m, e);
	if (r == 0)
		r = text_check(m, text, e);
	if (r == 0)
		r = tokenizer_encode(m->tokenizer, prompt.data, prompt.len, /*with_special=*/false, &ids, e);
	if (r == 0)
		r = ids_failed(&ids, e);
	if (r == 0)
		r = ids_add_row(&in, "input_ids", &ids, /*ones=*/false, e);
	if (r == 0)
		r = ids_add_row(&in, "attention_mask", &ids, /*ones=*/true, e);
	if (r == 0)
		r = graph_load(m, /*page=*/false, e);
	return r < 0 ? r : graph_run(m, &in, ret, e);
}

/* ---- pages ---- */

static int
document_get(struct embedder *m, struct err *e)
{
	struct document_tile_text tiles;
	struct document_spec spec;
	int r;

	if (m->document)
		return 0;
	r = document_spec_from_json(m->artifact->processing, &spec, &tiles, e);
	if (r == 0 && spec.rule == PREPARE_NONE)
		r = err_set(
			e, E_USAGE,
			"colconv does not prepare the pictures of this model ('%s'): use its own processor",
			m->artifact->dir);
	return r < 0 ? r : document_open(m->artifact->dir, m->artifact->dir, &spec, &m->document, e);
}

/* A graph that takes the picture itself. */
static int
picture_feed(const struct picture *p, struct document_inputs *ret, struct err *e)
{
	const size_t len = (size_t)(p->height * p->width * 3);
	void *copy = malloc(len);

	if (!copy)
		return err_no_memory(e);
	memcpy(copy, p->rgb, len);
	ret->input[ret->n++] = (struct document_input){.name = "image",
						       .elem = ELEM_U8,
						       .rank = 3,
						       .dim = {p->height, p->width, 3},
						       .data = copy,
						       .len = len};
	return 0;
}

int
embedder_page(struct embedder *m, const char *path, struct embedding *ret, struct err *e)
{
	_cleanup_(document_inputs_release) struct document_inputs in = DOCUMENT_INPUTS_INIT;
	_cleanup_(picture_release) struct picture picture = PICTURE_INIT;
	enum variant v;
	int r;

	r = artifact_graph_for(m->artifact, /*page=*/true, &v, e);
	if (r == 0)
		r = picture_open(path, &picture, e); /* names the file itself */
	if (r < 0)
		return r;
	if (v == VARIANT_PAGE)
		r = picture_feed(&picture, &in, e);
	else if ((r = document_get(m, e)) == 0)
		r = document_inputs_make(m->document, &picture, &in, e);
	if (r == 0)
		r = graph_load(m, /*page=*/true, e);
	if (r == 0)
		r = graph_run(m, &in, ret, e);
	return r == E_BAD_REQUEST || r == E_BAD_ONNX ? err_context(e, "page '%s'", path) : r;
}
