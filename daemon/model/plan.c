#include "plan.h"

static const struct plan plans[] = {
#define PLAN(name, kind, right, padding, rows, ...) \
	{name, PLAN_ROLE_NONE, PLAN_##kind, right, padding, rows, {__VA_ARGS__}},
#include "plans.def"
#undef PLAN
};

size_t
plan_count(void)
{
	return ARRAY_LEN(plans);
}

const struct plan *
plan_get(size_t i)
{
	return &plans[i];
}

/* Row k of all documents: tiles have one size, patches have some small ones. */
static struct plan_row
document_row(size_t k, bool page, bool tiles)
{
	struct plan_row row = {.tokens = page ? 4 + (int)(k % 4) : 12 + (int)(k * 5 % 13)};

	if (!page)
		return row;
	row.n_images = 1;
	row.image[0].h = tiles ? 1 : 2 + 2 * (int)(k % 3);
	row.image[0].w = tiles ? 1 : 2 + 2 * (int)(k / 3 % 3);
	return row;
}

bool
plan_ranked(size_t i, unsigned kinds, size_t pages, struct plan *ret)
{
	const bool tiles = kinds & PLAN_TILES;
	const size_t pages_done = MIN(pages, PLAN_RANKED), queries = DIV_ROUND_UP(PLAN_RANKED, PLAN_ROWS_MAX);
	size_t first, end, k;

	*ret = (struct plan){.kind = PLAN_TEXT, .role = PLAN_ROLE_DOCUMENT};
	if (i < queries) {
		(void)snprintf(ret->name, sizeof(ret->name), "query-%zu", i + 1);
		ret->role = PLAN_ROLE_QUERY;
		for (k = i * PLAN_ROWS_MAX; k < MIN((i + 1) * PLAN_ROWS_MAX, PLAN_RANKED); k++)
			ret->row[ret->n_rows++] = (struct plan_row){.tokens = 4 + (int)(k * 7 % 9)};
		return true;
	}
	i -= queries;
	(void)snprintf(ret->name, sizeof(ret->name), "document-%zu", i + 1);
	/* Pages first, each plan with pages or texts alone. */
	first = i * PLAN_ROWS_MAX;
	end = pages_done;
	if (first >= end) {
		first = pages_done + (i - DIV_ROUND_UP(pages_done, PLAN_ROWS_MAX)) * PLAN_ROWS_MAX;
		end = PLAN_RANKED;
	} else {
		ret->kind = tiles ? PLAN_TILES : kinds & PLAN_PAGES ? PLAN_PAGES : PLAN_IMAGE;
	}
	for (k = first; k < MIN(first + PLAN_ROWS_MAX, end); k++)
		ret->row[ret->n_rows++] = document_row(k, k < pages_done, tiles);
	return ret->n_rows > 0;
}

bool
plan_has_images(const struct plan *p)
{
	return plan_image_count(p) > 0;
}

int64_t
plan_image_count(const struct plan *p)
{
	int64_t n = 0;
	int i;

	for (i = 0; i < p->n_rows; i++)
		n += p->row[i].n_images;
	return n;
}

struct sizes
plan_images_sizes(const struct plan *p)
{
	struct sizes s = {{0}};
	int64_t patches;
	int i, k;

	s.of[SYM_IMAGES] = plan_image_count(p);
	for (i = 0; i < p->n_rows; i++)
		for (k = 0; k < p->row[i].n_images; k++) {
			patches = (int64_t)p->row[i].image[k].h * p->row[i].image[k].w;
			s.of[SYM_PATCHES] = MAX(s.of[SYM_PATCHES], patches);
		}
	return s;
}
