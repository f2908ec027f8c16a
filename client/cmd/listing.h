/*
 * Prints the daemon's lists, page by page, in the form that the user asked for: a table that fits the
 * terminal; one with all columns (-o wide); only names (-o name, the first column); or JSON.
 */
#ifndef CLIENT_LISTING_H
#define CLIENT_LISTING_H

#include "cli.h"
#include "client/show/table.h"

#define PAGE_DEFAULT 50
#define PAGE_MAX 1000

struct column {
	const char *title;
	enum table_align align;
	bool wide;                                       /* only in wide tables */
	void (*add)(struct table *t, const json_t *row); /* one cell */
};

struct listing {
	const char *member; /* the array's name in the daemon's answer */
	const struct column *columns;
	size_t columns_len;
	bool titled; /* the titles were printed above an earlier page */
};

/* Selects a page. */
struct page {
	uint64_t limit;
	bool all;
};

/* clang-format off */
#define PAGE_INIT {.limit = PAGE_DEFAULT}
#define PAGE_OPTIONS(p)                                                                                      \
	{"limit", 'n', "N", option_number, &(p)->limit, NULL, "the newest N (50)"},                          \
	{"all", 'a', NULL, option_flag, &(p)->all, NULL, "all of them, page by page"}
/* clang-format on */

/* "&name=value"; a value of NULL adds nothing. */
void query_add(struct buf *path, const char *name, const char *value);

/* Requests `path`, which may have a query, and prints the list. */
int listing_run(struct cli *c, struct listing *l, const struct page *p, const struct buf *path,
		struct err *e);

/* Prints a list that was received already, as one page. */
int listing_print(const struct cli *c, struct listing *l, const json_t *rows, struct err *e);

/*
 * Prints a whole answer, in any form. `more` prints below the table the parts of the answer that are not rows; NULL:
 * nothing.
 */
int listing_reply(struct cli *c, struct listing *l, const json_t *reply, void (*more)(const json_t *reply),
		  struct err *e);

/*
 * A whole command: takes the options of a table, requests `path` and prints the answer as above.
 */
int listing_command(struct cli *c, struct listing *l, int argc, char **argv, const char *path,
		    void (*more)(const json_t *reply), struct err *e);

/* Cells that many lists share. */
void cell_str(struct table *t, const json_t *obj, const char *key); /* "-" when it is missing */
void cell_whole(struct table *t, const json_t *obj, const char *key);
void cell_bytes(struct table *t, const json_t *obj, const char *key);
void cell_words(struct table *t, const json_t *words,
		const char *between); /* an array of strings or numbers */

#endif
