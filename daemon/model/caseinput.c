#include "caseinput.h"

/* One row being written. Without `ids` the tokens are only counted. */
struct row {
	int64_t *ids;
	int64_t n;
};

static void
put(struct row *r, int64_t id)
{
	if (id < 0)
		return;
	if (r->ids)
		r->ids[r->n] = id;
	r->n++;
}

/* Writes half of the words, then the images, then the other half of the words. */
static void
row_write(const struct model *m, const void *config, const struct plan_row *plan, struct rng *rng,
	  struct row *r)
{
	const struct model_tokens tok = m->tokens(config);
	int64_t k, n;
	int i;

	for (i = 0; i < plan->tokens / 2; i++)
		put(r, model_word(&tok, rng));
	for (i = 0; i < plan->n_images; i++) {
		put(r, tok.image_begin);
		n = m->image_tokens(config, plan->image[i].h, plan->image[i].w);
		for (k = 0; k < n; k++)
			put(r, tok.image);
		put(r, tok.image_end);
	}
	for (i = plan->tokens / 2; i < plan->tokens; i++)
		put(r, model_word(&tok, rng));
}

int
case_text_make(const struct model *m, const void *config, const struct plan *plan, struct rng *rng,
	       struct feeds *ret, struct err *e)
{
	const int64_t pad = MAX(m->tokens(config).pad, 0);
	int64_t dim[2] = {plan->n_rows, 0}, from, k;
	struct feed *ids, *mask;
	struct row r;
	int i;

	for (i = 0; i < plan->n_rows; i++) {
		r = (struct row){.ids = NULL};
		row_write(m, config, &plan->row[i], rng, &r);
		dim[1] = MAX(dim[1], r.n + plan->padding);
	}
	ids = feeds_add(ret, "input_ids", ELEM_I64, 2, dim);
	mask = feeds_add(ret, "attention_mask", ELEM_I64, 2, dim);
	if (!ids || !mask)
		return err_no_memory(e);
	for (k = 0; k < dim[0] * dim[1]; k++)
		((int64_t *)ids->data)[k] = pad;
	for (i = 0; i < plan->n_rows; i++) {
		r = (struct row){.ids = NULL};
		row_write(m, config, &plan->row[i], rng, &r); /* its length */
		from = i * dim[1] + (plan->pad_right ? 0 : dim[1] - r.n);
		r = (struct row){.ids = (int64_t *)ids->data + from};
		row_write(m, config, &plan->row[i], rng, &r);
		for (k = 0; k < r.n; k++)
			((int64_t *)mask->data)[from + k] = 1;
	}
	return 0;
}

void
case_fill_normal(struct rng *rng, float *data, int64_t count)
{
	int64_t i;

	for (i = 0; i < count; i++)
		data[i] = rng_normal(rng);
}
