/* Initializers: constants inside the file, and weights as references to the data file. */
#include "emit_private.h"

#include <inttypes.h>

#include "checkpoint/convert.h"
#include "rounding.h"

static size_t
tensor_count(size_t n_dims, const int64_t *dims)
{
	size_t i, count = 1;

	for (i = 0; i < n_dims; i++)
		count *= (size_t)dims[i];
	return count;
}

static Onnx__TensorProto *
tensor_new(struct emit *em, const char *name, int32_t type, size_t n_dims, const int64_t *dims)
{
	Onnx__TensorProto *t = emit_take(em, sizeof(*t));
	int64_t *copy = emit_take(em, n_dims * sizeof(*dims));

	if (em->code)
		return NULL;
	onnx__tensor_proto__init(t);
	t->name = STR(name);
	t->has_data_type = true;
	t->data_type = type;
	t->n_dims = n_dims;
	t->dims = n_dims ? memcpy(copy, dims, n_dims * sizeof(*dims)) : NULL;
	return t;
}

static bool
tensor_equals(const Onnx__TensorProto *t, int32_t type, size_t n_dims, const int64_t *dims, const void *data,
	      size_t len)
{
	return t->has_raw_data && t->data_type == type && t->n_dims == n_dims && t->raw_data.len == len &&
	       (n_dims == 0 || memcmp(t->dims, dims, n_dims * sizeof(*dims)) == 0) &&
	       memcmp(t->raw_data.data, data, len) == 0;
}

const char *
emit_table(struct emit *em, const char *name, enum elem elem, size_t n_dims, const int64_t *dims,
	   const void *data)
{
	const bool half = em->half && elem == ELEM_F32;
	const size_t count = tensor_count(n_dims, dims);
	size_t i, len = count * (half ? sizeof(uint16_t) : elem_size(elem));
	int32_t type = half ? elem_onnx(ELEM_F16) : elem_onnx(elem);
	void *copy = emit_take(em, len);
	Onnx__TensorProto *t;

	if (em->code)
		return "";
	if (half)
		convert(ELEM_F32, ELEM_F16, data, count, copy);
	else
		memcpy(copy, data, len);
	for (i = 0; i < em->initializers.n; i++) {
		t = em->initializers.at[i];
		if (tensor_equals(t, type, n_dims, dims, copy, len))
			return t->name;
	}
	t = tensor_new(em, name ? name : emit_format(em, "const.%zu", em->initializers.n), type, n_dims,
		       dims);
	if (!t)
		return "";
	t->has_raw_data = true;
	t->raw_data.len = len;
	t->raw_data.data = copy;
	emit_list_add(em, &em->initializers, t);
	return t->name;
}

const char *
emit_i64(struct emit *em, int64_t v)
{
	return emit_table(em, NULL, ELEM_I64, 0, NULL, &v);
}

const char *
emit_i64s(struct emit *em, size_t n, const int64_t *v)
{
	const int64_t dims[] = {(int64_t)n};

	return emit_table(em, NULL, ELEM_I64, 1, dims, v);
}

const char *
emit_f32(struct emit *em, double v)
{
	const float f = (float)v;

	return emit_table(em, NULL, ELEM_F32, 0, NULL, &f);
}

const char *
emit_zeros(struct emit *em, int64_t n)
{
	const float *zeros = emit_take(em, (size_t)n * sizeof(*zeros));

	return zeros ? emit_table(em, NULL, ELEM_F32, 1, &n, zeros) : "";
}

const char *
emit_bool(struct emit *em, bool v)
{
	return emit_table(em, NULL, ELEM_BOOL, 0, NULL, &v);
}

void
emit_default_none(struct emit *em, const struct ir_value *v)
{
	int64_t dims[IR_RANK_MAX];
	Onnx__TensorProto *t;
	int i;

	if (v->shape.rank == 0 || (!dim_eq(v->shape.dim[0], dim_symbol(SYM_IMAGES)) &&
				   !dim_eq(v->shape.dim[0], dim_symbol(SYM_PATCHES))))
		return;
	for (i = 0; i < v->shape.rank; i++)
		dims[i] = dim_is_const(v->shape.dim[i]) ? v->shape.dim[i].num : 0;
	t = tensor_new(em, v->name, elem_onnx(v->elem), (size_t)v->shape.rank, dims);
	if (!t)
		return;
	t->has_raw_data = true;
	emit_list_add(em, &em->initializers, t);
}

static void
external_set(struct emit *em, Onnx__TensorProto *t, const struct extdata_place *place)
{
	char file[EXTDATA_NAME_LEN];
	const char *const pairs[3][2] = {
		{"location", emit_format(em, "%s", extdata_file_name(em->job->data, place->file, file))},
		{"offset", emit_format(em, "%" PRIu64, place->offset)},
		{"length", emit_format(em, "%" PRIu64, place->len)},
	};
	Onnx__StringStringEntryProto *entry = emit_take(em, ARRAY_LEN(pairs) * sizeof(*entry));
	Onnx__StringStringEntryProto **entries = emit_take(em, ARRAY_LEN(pairs) * sizeof(*entries));
	size_t i;

	if (em->code)
		return;
	for (i = 0; i < ARRAY_LEN(pairs); i++) {
		onnx__string_string_entry_proto__init(&entry[i]);
		entry[i].key = STR(pairs[i][0]);
		entry[i].value = STR(pairs[i][1]);
		entries[i] = &entry[i];
	}
	t->n_external_data = ARRAY_LEN(pairs);
	t->external_data = entries;
	t->has_data_location = true;
	t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}

static void
external_add(struct emit *em, Onnx__TensorProto *t, const struct weight *w, const struct extdata_form *form)
{
	struct extdata_place place;

	em->code = extdata_add(em->job->data, w, form, &place, em->e);
	if (em->code)
		return;
	external_set(em, t, &place);
	emit_list_add(em, &em->initializers, t);
}

static void
embedded_add(struct emit *em, Onnx__TensorProto *t, const struct weight *w, const struct extdata_form *form)
{
	struct embedded *m = emit_take(em, sizeof(*m));

	if (!m)
		return;
	*m = (struct embedded){.weight = w, .form = *form, .proto = t, .len = extdata_form_len(w, form)};
	emit_list_add(em, &em->embedded, m);
}

/* Gets the sizes of a shape without symbols. */
static size_t
dims_get(struct emit *em, const struct ir_value *v, int64_t dims[IR_RANK_MAX])
{
	static const struct sizes none;
	int i;

	for (i = 0; i < v->shape.rank; i++) {
		dims[i] = dim_eval(v->shape.dim[i], &none);
		if (dims[i] <= 0 && em->code == 0)
			em->code = err_set(em->e, E_INTERNAL, "'%s' has no constant shape", v->name);
	}
	return (size_t)v->shape.rank;
}

static const struct store {
	enum elem elem;
	const char *suffix;
	bool matrices; /* only for unchanged matrices: vectors are too short to be worth a cast, and 1 + w
                        * would be rounded differently */
} stores[] = {
#define STORE(sym, name, elem, suffix, matrices) {ELEM_##elem, suffix, matrices},
#include "stores.def"
#undef STORE
};

_Static_assert(ARRAY_LEN(stores) == STORE_MAX, "a row for each way to store weights");

/* NULL: the weight is not rounded. */
static const struct rounded *
rounded_get(const struct emit *em, const struct ir_value *v)
{
	const struct rounding *r = em->job->options->rounding;

	return r && v->kind == IR_WEIGHT ? rounding_find(r, v->weight) : NULL;
}

/* How a weight is stored for the current node. */
static const struct store *
store_get(const struct emit *em, const struct ir_value *v)
{
	const struct store *s = &stores[em->job->options->store];
	const struct rounded *m = rounded_get(em, v);

	if (em->half || (m && m->kept))
		return &stores[STORE_F16];
	return s->matrices && (v->shape.rank < 2 || v->transform != IR_AS_IS) ? &stores[STORE_SAME] : s;
}

/* Whether the current node computes with another type than the weight is stored in. */
static bool
store_casts(const struct emit *em, const struct store *s)
{
	return s->elem != (em->half ? ELEM_F16 : ELEM_F32);
}

/* Makes the initializer of a weight, or of numbers that belong to it. */
static void
tensor_store(struct emit *em, const char *name, const struct weight *w, const struct extdata_form *form,
	     size_t n_dims, const int64_t *dims)
{
	Onnx__TensorProto *t = tensor_new(em, name, elem_onnx(form->dtype), n_dims, dims);

	if (!t)
		return;
	if (em->job->options->embed)
		embedded_add(em, t, w, form);
	else
		external_add(em, t, w, form);
	em->job->weight_bytes += extdata_form_len(w, form);
}

/* Returns the name of the initializer; makes it when it is missing. */
static const char *
weight_store(struct emit *em, const struct ir_value *v, bool transposed)
{
	const struct store *store = store_get(em, v);
	struct extdata_form form = {.dtype = store->elem, .transform = v->transform};
	const char **name = &em->value[v->id].stored[em->half][transposed];
	int64_t dims[IR_RANK_MAX];
	size_t n_dims = dims_get(em, v, dims);

	if (em->code)
		return "";
	if (*name)
		return *name;
	if (tensor_count(n_dims, dims) != (size_t)v->weight->tensor->count) {
		em->code = err_set(em->e, E_INTERNAL,
				   "'%s' has %" PRId64 " elements, but its shape has another number", v->name,
				   v->weight->tensor->count);
		return "";
	}
	if (transposed) {
		form.rows = dims[0];
		form.cols = dims[1];
		dims[0] = form.cols;
		dims[1] = form.rows;
	}
	*name = emit_format(em, "%s%s%s", v->name, transposed ? ".T" : "", store->suffix);
	tensor_store(em, *name, v->weight, &form, n_dims, dims);
	return em->code ? "" : *name;
}

/* Numbers in memory that belong to a weight; equal ones are one initializer, which `known` remembers. */
static const char *
floats_store(struct emit *em, const char **known, const char *name, const struct weight *w,
	     const float *floats, size_t n_dims, const int64_t *dims)
{
	const struct extdata_form form = {
		.dtype = ELEM_F32, .floats = floats, .n_floats = tensor_count(n_dims, dims)};

	if (!*known && em->code == 0) {
		*known = name;
		tensor_store(em, name, w, &form, n_dims, dims);
	}
	return em->code ? "" : *known;
}

struct known_input *
emit_known_input(struct emit *em, const struct rounding_input *in)
{
	struct known_input *known;
	size_t i;

	for (i = 0; i < em->inputs.n; i++) {
		known = em->inputs.at[i];
		if (known->input == in)
			return known;
	}
	known = emit_take(em, sizeof(*known));
	if (known) {
		known->input = in;
		emit_list_add(em, &em->inputs, known);
	}
	return known;
}

static const char *
unsmooth_store(struct emit *em, const struct rounded *m)
{
	const int64_t dims[] = {(int64_t)m->cols};
	struct known_input *known = emit_known_input(em, m->input);

	return known ? floats_store(em, &known->unsmooth, emit_format(em, "%s.unsmooth", m->input->name),
				    m->weight, m->input->unsmooth, 1, dims)
		     : "";
}

bool
emit_in_rounded(struct emit *em, const struct ir_value *v, struct emit_rounded *ret)
{
	const struct rounded *m = em->half ? NULL : rounded_get(em, v);
	const struct extdata_form form = {.dtype = ELEM_I8,
					  .rounded = m,
					  .rows = m && m->input ? (int64_t)m->rows : 0,
					  .cols = m && m->input ? (int64_t)m->cols : 0};
	struct known_value *known = &em->value[v->id];
	int64_t dims[2];

	if (!m || m->kept)
		return false;
	*ret = (struct emit_rounded){.input = m->input, .unsmooth = NULL};
	dims[0] = (int64_t)(m->input ? m->cols : m->rows);
	dims[1] = (int64_t)(m->input ? m->rows : m->cols);
	if (!known->rounded) {
		known->rounded = emit_format(em, "%s%s.int8", v->name, m->input ? ".T" : "");
		tensor_store(em, known->rounded, v->weight, &form, 2, dims);
	}
	ret->weight = em->code ? "" : known->rounded;
	dims[0] = (int64_t)m->rows;
	dims[1] = 1;
	ret->scale = floats_store(em, &known->scale, emit_format(em, "%s.scale", v->name), v->weight,
				  m->scale, m->input ? 1 : 2, dims);
	if (m->input && m->input->unsmooth)
		ret->unsmooth = unsmooth_store(em, m);
	return true;
}

/* Adds the cast where the weight is used: a weight that only one branch needs is cast in that branch. */
static const char *
weight_get(struct emit *em, const struct ir_value *v, bool transposed)
{
	const char *name = weight_store(em, v, transposed);

	if (!store_casts(em, store_get(em, v)))
		return name;
	name = emit_op(em, "weight", "Cast", name);
	emit_attr_elem(em, "to", ELEM_F32);
	return name;
}

/* Makes an initializer with the name of the value. */
static const char *
table_get(struct emit *em, const struct ir_value *v)
{
	const char **name = &em->value[v->id].stored[em->half][0];
	int64_t dims[IR_RANK_MAX];
	size_t n_dims = dims_get(em, v, dims);
	const char *suffix = em->half && v->elem == ELEM_F32 ? stores[STORE_F16].suffix : "";

	if (!*name)
		*name = emit_table(em, emit_format(em, "%s%s", v->name, suffix), v->elem, n_dims, dims,
				   v->data);
	return *name;
}

const char *
emit_in(struct emit *em, const struct ir_value *v)
{
	const struct known_value *known = &em->value[v->id];

	if (v->kind == IR_WEIGHT)
		return weight_get(em, v, /*transposed=*/false);
	if (v->kind == IR_CONST)
		return table_get(em, v);
	if (v->elem == ELEM_F32 && known->half != em->half)
		return emit_cast_known(em, v);
	return known->name;
}

const char *
emit_in_stored(struct emit *em, const struct ir_value *v)
{
	if (v->kind != IR_WEIGHT || !store_casts(em, store_get(em, v)))
		return NULL;
	return weight_store(em, v, /*transposed=*/false);
}

const char *
emit_in_transposed(struct emit *em, const struct ir_value *v)
{
	const char *name;

	if (v->kind == IR_WEIGHT)
		return weight_get(em, v, /*transposed=*/true);
	name = emit_op(em, "weight", "Transpose", emit_in(em, v));
	emit_attr_ints(em, "perm", 2, (const int64_t[]){1, 0});
	return name;
}
