#include "rounded.h"

/* What may be kept in float16, of all rounded matrices: more in each round, and then the form is not worth its name. */
static const double shares[] = {1.0 / 32, 1.0 / 16, 1.0 / 8, 1.0 / 4};

int
rounded_begin(struct conversion *c, struct err *e)
{
	int v, r;

	if (c->spec.storage != SPEC_STORAGE_INT8)
		return 0;
	r = rounding_new(model_rounds, &c->rounding, e);
	for (v = 0; v < VARIANT_MAX && r == 0; v++)
		if (c->graph[v])
			r = rounding_add_graph(c->rounding, c->graph[v], e);
	return r;
}

bool
rounded_keep_more(struct conversion *c)
{
	size_t n = 0;

	while (c->rounding && n == 0 && c->keep_rounds < ARRAY_LEN(shares))
		n = rounding_keep_more(c->rounding, shares[c->keep_rounds++]);
	return n > 0;
}

static uint64_t
bytes_of(const struct rounded *m)
{
	return m->rows * m->cols * (m->kept ? sizeof(uint16_t) : sizeof(int8_t)) +
	       (m->kept ? 0 : m->rows * sizeof(float));
}

static json_t *
kept_to_json(const struct rounded *m)
{
	return json_pack("{s:s, s:I, s:f}", "weight", m->weight->name, "bytes", (json_int_t)bytes_of(m),
			 "error", m->error);
}

json_t *
rounded_to_json(const struct conversion *c)
{
	json_int_t matrices = 0, smoothed = 0, bytes[2] = {0, 0};
	const struct rounded *m;
	json_t *kept;
	size_t i;
	int failed = 0;

	if (!c->rounding)
		return json_null();
	kept = json_array();
	for (i = 0; i < rounding_count(c->rounding); i++) {
		m = rounding_get(c->rounding, i);
		if (m->both)
			continue;
		matrices++;
		smoothed += m->input && m->input->smooth && !m->kept;
		bytes[m->kept] += (json_int_t)bytes_of(m);
		if (m->kept)
			failed |= json_array_append_new(kept, kept_to_json(m));
	}
	if (failed) {
		json_decref(kept);
		return NULL;
	}
	return json_pack("{s:I, s:I, s:o, s:I, s:I, s:I}", "matrices", matrices, "smoothed", smoothed, "kept",
			 kept, "bytes", bytes[0], "bytes_kept", bytes[1], "rounds",
			 (json_int_t)c->keep_rounds);
}
