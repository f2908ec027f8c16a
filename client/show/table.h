/*
 * A table of text that fits the terminal. Cells are added row by row and made harmless;
 * the first failure is remembered and told by table_print().
 */
#ifndef CLIENT_TABLE_H
#define CLIENT_TABLE_H

#include <stdio.h>

#include "base/err.h"

enum table_align {
	TABLE_LEFT,
	TABLE_RIGHT,
	TABLE_CUT, /* left; loses its beginning when the table is too wide: one column at most */
};

struct table_column {
	const char *title;
	enum table_align align;
};

struct table {
	const struct table_column *columns;
	size_t columns_len;
	char **cells; /* owned; row after row */
	size_t cells_len;
	size_t cells_cap;
	bool untitled; /* print no titles; the columns are as wide as with them */
	bool failed;
};

void table_init(struct table *t, const struct table_column *columns, size_t columns_len); /* borrowed */
void table_release(struct table *t);

void table_add(struct table *t, const char *fmt, ...) _printf_(2, 3);

/* `width` columns at most; 0: as wide as it is. Nothing is cut to less than 8 columns. */
int table_print(const struct table *t, FILE *f, unsigned width, struct err *e);

#endif
