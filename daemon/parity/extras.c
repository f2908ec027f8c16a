#include "extras.h"

#include <float.h>
#include <math.h>

#include "base/str.h"

/* What a program may add to half a step when it divides and rounds in float32. */
#define HALF_STEP 0.5001

/* Elements of a vector, and how many vectors there are. */
struct vectors {
	const float *at;
	size_t n, dim;
};

static bool
has(const struct ort_tensor *t, enum elem type, size_t count)
{
	return t->type == type && t->len == count * elem_size(type);
}

static int
shape_error(const char *name, struct err *e)
{
	return err_set(e, E_PARITY, "the output '%s' has another type or shape than the embeddings ask for",
		       name);
}

static int
bits_check(const struct vectors *v, const struct ort_tensor *t, const char *name, struct err *e)
{
	const unsigned char *got = t->data;
	size_t i;

	if (v->dim % 8 || !has(t, ELEM_U8, v->n * v->dim / 8))
		return shape_error(name, e);
	for (i = 0; i < v->n * v->dim; i++)
		if ((got[i / 8] >> (7 - i % 8) & 1) != (v->at[i] > 0))
			return err_set(
				e, E_PARITY,
				"bit %zu of vector %zu of the output '%s' is not the sign of the embedding",
				i % v->dim, i / v->dim, name);
	return 0;
}

/* The scale of a vector comes after its int8. */
static int
int8_check(const struct vectors *v, const struct ort_tensor *t, const char *name, struct err *e)
{
	const int8_t *got = t[0].data;
	const float *scale = t[1].data;
	size_t i, k;
	float top;

	if (!has(&t[0], ELEM_I8, v->n * v->dim) || !has(&t[1], ELEM_F32, v->n))
		return shape_error(name, e);
	for (i = 0; i < v->n; i++) {
		for (top = 0, k = 0; k < v->dim; k++) {
			const double x = v->at[i * v->dim + k];

			top = MAX(top, fabsf((float)x));
			if (!(fabs(x - (double)got[i * v->dim + k] * (double)scale[i]) <=
			      HALF_STEP * (double)scale[i]))
				return err_set(e, E_PARITY,
					       "element %zu of vector %zu of the output '%s' is %d, not the "
					       "embedding's %.9g / %.9g",
					       k, i, name, got[i * v->dim + k], x, (double)scale[i]);
		}
		if (!(fabs((double)top - 127 * (double)scale[i]) <=
		      1e-5 * (double)top + 127 * (double)FLT_MIN))
			return err_set(e, E_PARITY,
				       "the scale of vector %zu of the output '%s' is %.9g, and the largest "
				       "magnitude / 127 is %.9g",
				       i, name, (double)scale[i], (double)top / 127);
	}
	return 0;
}

static int64_t
id_get(const struct st_tensor *ids, int64_t i)
{
	int64_t id;

	memcpy(&id, ids->data + i * (int64_t)sizeof(id), sizeof(id));
	return id;
}

static int
image_token_check(const struct parity_case *c, const struct ort_tensor *t, const char *name, struct err *e)
{
	const struct st_tensor *ids = case_input_find(c, "input_ids");
	const bool *got = t->data;
	int64_t i, image = -1;

	if (!ids || ids->dtype != ELEM_I64)
		return 0;
	if (!has(t, ELEM_BOOL, (size_t)ids->count))
		return shape_error(name, e);
	for (i = 0; i < ids->count && image < 0; i++)
		if (got[i])
			image = id_get(ids, i);
	if (image < 0 && c->has_pixels && !c->has_picture)
		return err_set(e, E_PARITY, "the output '%s' names no token of a case with images", name);
	for (i = 0; i < ids->count; i++)
		if (got[i] != (image >= 0 && id_get(ids, i) == image))
			return err_set(e, E_PARITY, "the output '%s' is wrong at token %lld", name,
				       (long long)i);
	return 0;
}

bool
extras_any(const struct ort_session *s)
{
	const char *name;
	size_t i;

	for (i = 1; i < ort_output_count(s); i++) {
		name = ort_output_name(s, i);
		if (str_ends(name, "_bits") || str_ends(name, "_int8") || str_eq(name, "is_image_token"))
			return true;
	}
	return false;
}

int
extras_check(const struct parity_case *c, const struct ort_session *s, const struct ort_tensor *out,
	     struct err *e)
{
	const struct vectors v = {out[0].data, c->batch * c->tokens, c->dim};
	const size_t n = ort_output_count(s);
	const char *name;
	size_t i;
	int r = 0;

	for (i = 1; r == 0 && i < n; i++) {
		name = ort_output_name(s, i);
		if (str_ends(name, "_bits"))
			r = bits_check(&v, &out[i], name, e);
		else if (str_ends(name, "_int8") && i + 1 < n)
			r = int8_check(&v, &out[i], name, e);
		else if (str_eq(name, "is_image_token"))
			r = image_token_check(c, &out[i], name, e);
	}
	return r;
}
