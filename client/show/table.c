#include "table.h"

#include "base/str.h"
#include "text.h"

#define GAP 2
#define CUT_MIN 8

void
table_init(struct table *t, const struct table_column *columns, size_t columns_len)
{
	*t = (struct table){.columns = columns, .columns_len = columns_len};
}

void
table_release(struct table *t)
{
	size_t i;

	for (i = 0; i < t->cells_len; i++)
		free(t->cells[i]);
	free(t->cells);
	table_init(t, NULL, 0);
}

static char *
cell_clean(const char *s)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;

	text_add(&b, s, strlen(s));
	return buf_take(&b);
}

static bool
cells_grow(struct table *t)
{
	size_t cap = t->cells_cap ? 2 * t->cells_cap : 64;
	char **cells = reallocarray(t->cells, cap, sizeof(*cells));

	if (!cells)
		return false;
	t->cells = cells;
	t->cells_cap = cap;
	return true;
}

void
table_add(struct table *t, const char *fmt, ...)
{
	_cleanup_free_ char *raw = NULL;
	char *clean;
	va_list ap;

	va_start(ap, fmt);
	raw = str_vprintf(fmt, ap);
	va_end(ap);
	clean = raw ? cell_clean(raw) : NULL;
	if (!clean || (t->cells_len == t->cells_cap && !cells_grow(t))) {
		free(clean);
		t->failed = true;
		return;
	}
	t->cells[t->cells_len++] = clean;
}

/* Computes the columns' widths, and narrows the one that may be cut until the table fits. */
static void
widths_set(const struct table *t, unsigned width, size_t *ret)
{
	size_t i, c, excess, total = (t->columns_len - 1) * GAP;

	for (c = 0; c < t->columns_len; c++) {
		ret[c] = text_width(t->columns[c].title);
		for (i = c; i < t->cells_len; i += t->columns_len)
			ret[c] = MAX(ret[c], text_width(t->cells[i]));
		total += ret[c];
	}
	excess = width && total > width ? total - width : 0;
	for (c = 0; c < t->columns_len; c++)
		if (t->columns[c].align == TABLE_CUT && ret[c] > CUT_MIN)
			ret[c] -= MIN(excess, ret[c] - CUT_MIN);
}

static void
pad(FILE *f, size_t n)
{
	(void)fprintf(f, "%*s", (int)n, "");
}

static void
cell_print(FILE *f, const char *s, size_t width, enum table_align align, bool last)
{
	size_t n = text_width(s);

	if (n > width) {
		(void)fprintf(f, "...%s", text_tail(s, width - 3));
		n = width;
	} else if (align == TABLE_RIGHT) {
		pad(f, width - n);
		(void)fputs(s, f);
	} else {
		(void)fputs(s, f);
	}
	if (last)
		(void)fputc('\n', f);
	else
		pad(f, GAP + (align == TABLE_RIGHT ? 0 : width - n));
}

int
table_print(const struct table *t, FILE *f, unsigned width, struct err *e)
{
	_cleanup_free_ size_t *widths = calloc(t->columns_len, sizeof(*widths));
	size_t i, c;

	if (t->failed || !widths)
		return err_no_memory(e);
	assert(t->cells_len % t->columns_len == 0);
	widths_set(t, width, widths);
	for (c = 0; c < t->columns_len && !t->untitled; c++)
		cell_print(f, t->columns[c].title, widths[c], t->columns[c].align, c + 1 == t->columns_len);
	for (i = 0; i < t->cells_len; i++) {
		c = i % t->columns_len;
		cell_print(f, t->cells[i], widths[c], t->columns[c].align, c + 1 == t->columns_len);
	}
	return 0;
}
