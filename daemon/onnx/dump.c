/* An ONNX file as text. */
#include "onnx.h"

#include <inttypes.h>

#include "base/str.h"
#include "read.h"
#include "tally.h"

#define VALUES_SHOWN_MAX 8

struct dump {
	struct buf *b;
	struct tally tally;
};

static const char *
or_empty(const char *s)
{
	return s ? s : "";
}

static void
dims_put(struct buf *b, size_t n, const int64_t *dims)
{
	size_t i;

	buf_puts(b, " [");
	for (i = 0; i < n; i++)
		buf_printf(b, "%s%" PRId64, i ? ", " : "", dims[i]);
	buf_puts(b, "]");
}

static void
value_put(struct buf *b, const char *what, const Onnx__ValueInfoProto *v)
{
	const Onnx__TypeProto__Tensor *t = v->type ? v->type->tensor_type : NULL;
	const Onnx__TensorShapeProto__Dimension *d;
	size_t i;

	buf_printf(b, "%s %s    %s", what, or_empty(v->name), t ? onnx_type_name(t->elem_type) : "");
	for (i = 0; t && t->shape && i < t->shape->n_dim; i++) {
		d = t->shape->dim[i];
		buf_puts(b, i ? ", " : " [");
		if (d->has_dim_value)
			buf_printf(b, "%" PRId64, d->dim_value);
		else
			buf_puts(b, d->dim_param ? d->dim_param : "?");
	}
	buf_puts(b, t && t->shape && t->shape->n_dim ? "]\n" : "\n");
}

/* Prints the values of a small table that is stored in the file. */
static void
raw_put(struct buf *b, const Onnx__TensorProto *t)
{
	size_t i, size = t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 ? 8 : 4;
	size_t n = t->raw_data.len / size;
	int64_t whole;
	float f;

	if (n > VALUES_SHOWN_MAX || (t->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__INT64 &&
				     t->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT))
		return;
	buf_puts(b, " =");
	for (i = 0; i < n; i++) {
		if (size == 8) {
			memcpy(&whole, t->raw_data.data + i * size, size);
			buf_printf(b, " %" PRId64, whole);
		} else {
			memcpy(&f, t->raw_data.data + i * size, size);
			buf_printf(b, " %.9g", (double)f);
		}
	}
}

static void
initializer_put(struct buf *b, const Onnx__TensorProto *t)
{
	size_t i;

	buf_printf(b, "initializer %s    %s", or_empty(t->name), onnx_type_name(t->data_type));
	dims_put(b, t->n_dims, t->dims);
	if (t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
		for (i = 0; i < t->n_external_data; i++)
			buf_printf(b, " %s=%s", or_empty(t->external_data[i]->key),
				   or_empty(t->external_data[i]->value));
	else if (t->has_raw_data)
		raw_put(b, t);
	buf_puts(b, "\n");
}

static void
attr_put(struct buf *b, const Onnx__AttributeProto *a)
{
	size_t i;

	buf_printf(b, " %s=", or_empty(a->name));
	if (a->has_i)
		buf_printf(b, "%" PRId64, a->i);
	else if (a->has_f)
		buf_printf(b, "%g", (double)a->f);
	else if (a->has_s)
		buf_printf(b, "'%.*s'", (int)MIN(a->s.len, 256), (const char *)a->s.data);
	for (i = 0; i < a->n_ints; i++)
		buf_printf(b, "%s%" PRId64, i ? "," : "", a->ints[i]);
}

static void
strings_put(struct buf *b, size_t n, char **s)
{
	size_t i;

	for (i = 0; i < n; i++)
		buf_printf(b, "%s%s", i ? ", " : "", s[i]);
}

static bool
nodes_put(struct dump *d, const Onnx__GraphProto *g, int indent)
{
	const Onnx__NodeProto *n;
	size_t i, k;

	for (i = 0; i < g->n_node; i++) {
		n = g->node[i];
		if (!tally_add(&d->tally, or_empty(n->op_type)))
			return false;
		buf_printf(d->b, "%*s", indent, "");
		strings_put(d->b, n->n_output, n->output);
		buf_printf(d->b, " = %s(", or_empty(n->op_type));
		strings_put(d->b, n->n_input, n->input);
		buf_puts(d->b, ")");
		for (k = 0; k < n->n_attribute; k++)
			if (!n->attribute[k]->g)
				attr_put(d->b, n->attribute[k]);
		buf_puts(d->b, "\n");
		for (k = 0; k < n->n_attribute; k++) {
			if (!n->attribute[k]->g)
				continue;
			buf_printf(d->b, "%*s%s\n", indent, "", or_empty(n->attribute[k]->name));
			if (!nodes_put(d, n->attribute[k]->g, indent + 4))
				return false;
		}
	}
	for (i = 0; indent && i < g->n_output; i++)
		buf_printf(d->b, "%*s-> %s\n", indent, "", or_empty(g->output[i]->name));
	return true;
}

static int
model_put(struct dump *d, const Onnx__ModelProto *m, struct err *e)
{
	const Onnx__GraphProto *g = m->graph;
	struct buf *b = d->b;
	size_t i;

	buf_printf(b, "graph %s    ir %" PRId64 ", made by %s %s\n", or_empty(g->name), m->ir_version,
		   or_empty(m->producer_name), or_empty(m->producer_version));
	for (i = 0; i < m->n_opset_import; i++)
		buf_printf(b, "opset %" PRId64 "%s%s\n", m->opset_import[i]->version,
			   m->opset_import[i]->domain ? " of " : "", or_empty(m->opset_import[i]->domain));
	for (i = 0; i < m->n_metadata_props; i++)
		buf_printf(b, "meta %s    %s\n", or_empty(m->metadata_props[i]->key),
			   or_empty(m->metadata_props[i]->value));
	for (i = 0; i < g->n_input; i++)
		value_put(b, "input", g->input[i]);
	for (i = 0; i < g->n_initializer; i++)
		initializer_put(b, g->initializer[i]);
	if (!nodes_put(d, g, 0))
		return err_no_memory(e);
	for (i = 0; i < g->n_output; i++)
		value_put(b, "output", g->output[i]);
	tally_sort(&d->tally);
	buf_printf(b, "%zu nodes\n", d->tally.total);
	for (i = 0; i < d->tally.n; i++)
		buf_printf(b, "%8zu %s\n", d->tally.row[i].n, d->tally.row[i].type);
	if (b->data)
		str_clean_lines(b->data); /* names come from the file */
	return buf_failed(b, e);
}

int
onnx_dump(const char *path, struct buf *ret, struct err *e)
{
	_cleanup_(onnx_read_close) struct onnx_read o = ONNX_READ_INIT;
	struct dump d = {.b = ret};
	int r;

	r = onnx_read_open(path, &o, e);
	if (r == 0)
		r = model_put(&d, o.model, e);
	tally_release(&d.tally);
	return r;
}
