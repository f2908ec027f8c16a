#include "output.h"

#include <math.h>

#include "base/json.h"
#include "parity/compare.h"

static int
finite_check(const struct item *items, size_t n, struct err *e)
{
	const struct item *i;
	size_t k;

	for (i = items; i < items + n; i++)
		for (k = 0; k < i->v.tokens * i->v.dim; k++)
			if (!isfinite(i->v.data[k]))
				return err_set(e, E_BAD_ONNX,
					       "the embeddings of '%s' have NaN or infinite numbers",
					       i->name);
	return 0;
}

static const char *
similarity(const struct artifact *a)
{
	return a->one_each ? "cosine" : "maxsim";
}

/* ---- embeddings ---- */

/* Nine digits are enough to read back the same float32. */
static void
vector_put(struct buf *b, const float *v, size_t dim)
{
	size_t i;

	for (i = 0; i < dim; i++)
		buf_printf(b, "%s%.9g", i ? ", " : "[", (double)v[i]);
	buf_puts(b, "]");
}

static void
item_put(struct buf *b, const struct artifact *a, const struct item *item)
{
	size_t i;

	buf_printf(b, "  {\"%s\": ", item->page ? "image" : "query");
	json_print_str(b, item->name);
	buf_puts(b, a->one_each ? ", \"embedding\": " : ", \"embeddings\": [");
	for (i = 0; i < item->v.tokens; i++) {
		buf_puts(b, i ? ",\n   " : "");
		vector_put(b, item->v.data + i * item->v.dim, item->v.dim);
	}
	buf_puts(b, a->one_each ? "}" : "]}");
}

int
output_json(const struct artifact *a, const struct item *items, size_t n, struct buf *ret, struct err *e)
{
	size_t i;
	int r = finite_check(items, n, e);

	if (r < 0)
		return r;
	buf_printf(ret,
		   "{\"format\": \"colconv-embeddings/1\", \"similarity\": \"%s\", \"dim\": %zu,\n "
		   "\"items\": [\n",
		   similarity(a), items[0].v.dim);
	for (i = 0; i < n; i++) {
		buf_puts(ret, i ? ",\n" : "");
		item_put(ret, a, &items[i]);
	}
	buf_puts(ret, "]}\n");
	return buf_failed(ret, e);
}

/*
 *	93 'NUMPY' 1 0   length of the header (2 bytes)   a Python dict, filled up with spaces to a multiple of 64 bytes
 *
 * and then the array. Little-endian, as all machines that colconv runs on.
 */
static void
npy_header_put(struct buf *b, const char *shape)
{
	static const char magic[] = "\x93NUMPY\x01";
	char dict[128];
	size_t used, whole;
	uint16_t len;

	(void)snprintf(dict, sizeof(dict), "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }",
		       shape);
	used = sizeof(magic) + sizeof(len) + strlen(dict) + 1;
	whole = (used + 63) / 64 * 64;
	len = (uint16_t)(whole - sizeof(magic) - sizeof(len));
	buf_add(b, magic, sizeof(magic)); /* with its NUL, the minor version */
	buf_add(b, &len, sizeof(len));
	buf_printf(b, "%s%*s\n", dict, (int)(whole - used), "");
}

int
output_npy(const struct artifact *a, const struct item *items, size_t n, struct buf *ret, struct err *e)
{
	const size_t dim = items[0].v.dim;
	size_t most = 0, i, len;
	char shape[64], *room;
	int r = finite_check(items, n, e);

	if (r < 0)
		return r;
	for (i = 0; i < n; i++)
		most = MAX(most, items[i].v.tokens);
	if (a->one_each)
		(void)snprintf(shape, sizeof(shape), "%zu, %zu", n, dim);
	else
		(void)snprintf(shape, sizeof(shape), "%zu, %zu, %zu", n, most, dim);
	npy_header_put(ret, shape);
	for (i = 0; i < n; i++) {
		room = buf_reserve(ret, most * dim * sizeof(float));
		if (!room)
			break;
		len = items[i].v.tokens * dim * sizeof(float);
		memcpy(room, items[i].v.data, len);
		memset(room + len, 0, most * dim * sizeof(float) - len);
		ret->len += most * dim * sizeof(float);
	}
	return buf_failed(ret, e);
}

/* ---- ranking ---- */

struct place {
	const struct item *page;
	double score;
};

/* The best first; among equals, the one that was given first. */
static int
place_cmp(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->page < y->page ? -1 : x->page > y->page;
}

/* The cosine of two unit vectors equals MaxSim with one token each. */
static int
score(const struct embedding *q, const struct embedding *d, double *ret, struct err *e)
{
	const size_t most = MAX(q->tokens, d->tokens);
	_cleanup_free_ bool *valid = malloc(most * sizeof(*valid) + 1);

	if (!valid)
		return err_no_memory(e);
	memset(valid, true, most * sizeof(*valid));
	*ret = compare_maxsim(q->data, valid, q->tokens, d->data, valid, d->tokens, q->dim);
	return 0;
}

static int
query_put(struct buf *b, const struct item *query, const struct item *items, size_t n, struct err *e)
{
	_cleanup_free_ struct place *places = calloc(n, sizeof(*places));
	size_t i, count = 0;
	int r = places ? 0 : err_no_memory(e);

	for (i = 0; r == 0 && i < n; i++)
		if (items[i].page) {
			places[count].page = &items[i];
			r = score(&query->v, &items[i].v, &places[count++].score, e);
		}
	if (r < 0)
		return r;
	qsort(places, count, sizeof(*places), place_cmp);
	buf_puts(b, "  {\"query\": ");
	json_print_str(b, query->name);
	buf_puts(b, ", \"pages\": [");
	for (i = 0; i < count; i++) {
		buf_puts(b, i ? ",\n    {\"image\": " : "\n    {\"image\": ");
		json_print_str(b, places[i].page->name);
		buf_puts(b, ", \"score\": ");
		json_print_real(b, places[i].score);
		buf_puts(b, "}");
	}
	buf_puts(b, "]}");
	return buf_failed(b, e);
}

int
output_ranking(const struct artifact *a, const struct item *items, size_t n, struct buf *ret, struct err *e)
{
	bool first = true;
	size_t i;
	int r = finite_check(items, n, e);

	buf_printf(ret, "{\"format\": \"colconv-ranking/1\", \"similarity\": \"%s\",\n \"queries\": [\n",
		   similarity(a));
	for (i = 0; r == 0 && i < n; i++) {
		if (items[i].page)
			continue;
		buf_puts(ret, first ? "" : ",\n");
		r = query_put(ret, &items[i], items, n, e);
		first = false;
	}
	buf_puts(ret, "]}\n");
	return r < 0 ? r : buf_failed(ret, e);
}
