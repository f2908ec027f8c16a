/*
 * Prints a table that fits the terminal. Cells are added row by row, and control characters in them are
 * escaped. The first failure is kept and returned by table_print().
 */
#ifndef CLIENT_TABLE_H
#define CLIENT_TABLE_H

#include <stdio.h>

#include "base/err.h"

enum table_align {
	TABLE_LEFT,
	TABLE_RIGHT,
	TABLE_CUT, /* left aligned; cut at its beginning when the table is too wide; at most one column */
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

/* Prints with at most `width` columns; 0: no limit. No column is cut to less than 8. */
int table_print(const struct table *t, FILE *f, unsigned width, struct err *e);

#endif
