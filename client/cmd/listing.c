#include "listing.h"

#include <inttypes.h>

#include "base/str.h"
#include "client/show/job.h"
#include "client/show/text.h"
#include "net/url.h"

void
query_add(struct buf *path, const char *name, const char *value)
{
	_cleanup_free_ char *escaped = value ? url_escape(value) : NULL;

	if (!value)
		return;
	if (!escaped)
		path->failed = true;
	else
		buf_printf(path, "%c%s=%s", strchr(path->data, '?') ? '&' : '?', name, escaped);
}

void
cell_str(struct table *t, const json_t *obj, const char *key)
{
	const char *s = job_str(obj, key);

	table_add(t, "%s", *s ? s : "-");
}

void
cell_whole(struct table *t, const json_t *obj, const char *key)
{
	table_add(t, "%" PRIu64, job_whole(obj, key));
}

void
cell_bytes(struct table *t, const json_t *obj, const char *key)
{
	char s[16];

	table_add(t, "%s", str_bytes(job_whole(obj, key), s, sizeof(s)));
}

void
cell_words(struct table *t, const json_t *words, const char *between)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	json_t *word;
	size_t i;

	json_array_foreach(words, i, word) {
		if (b.len)
			buf_puts(&b, between);
		if (json_is_string(word))
			buf_puts(&b, json_string_value(word));
		else
			buf_printf(&b, "%" JSON_INTEGER_FORMAT, json_integer_value(word));
	}
	t->failed = t->failed || b.failed;
	table_add(t, "%s", b.len ? b.data : "-");
}

int
listing_print(const struct cli *c, struct listing *l, const json_t *rows, struct err *e)
{
	_cleanup_free_ struct table_column *titles = calloc(l->columns_len, sizeof(*titles));
	_cleanup_free_ const struct column **shown = calloc(l->columns_len, sizeof(struct column *));
	_cleanup_(table_release) struct table t;
	size_t i, k, n = 0;
	json_t *row;

	if (!titles || !shown)
		return err_no_memory(e);
	for (i = 0; i < l->columns_len; i++) {
		if ((l->columns[i].wide && !c->wide) || (c->names && n))
			continue;
		titles[n] = (struct table_column){l->columns[i].title,
						  c->names ? TABLE_LEFT : l->columns[i].align};
		shown[n++] = &l->columns[i];
	}
	table_init(&t, titles, n);
	t.untitled = l->titled || c->names;
	json_array_foreach(rows, i, row)
		for (k = 0; k < n; k++)
			shown[k]->add(&t, row);
	l->titled = true;
	return table_print(&t, stdout, c->wide ? 0 : text_columns(stdout), e);
}

int
listing_reply(struct cli *c, struct listing *l, const json_t *reply, void (*more)(const json_t *reply),
	      struct err *e)
{
	int r;

	if (c->json) {
		cli_print_json(reply, JSON_INDENT(2));
		return 0;
	}
	r = listing_print(c, l, json_object_get(reply, l->member), e);
	if (more && !c->names)
		more(reply);
	return r;
}

int
listing_command(struct cli *c, struct listing *l, int argc, char **argv, const char *path,
		void (*more)(const json_t *reply), struct err *e)
{
	const struct option_row rows[] = {TABLE_OPTIONS(c)};
	json_t *reply;
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	r = cli_request(c, "GET", path, NULL, &reply, e);
	if (r < 0)
		return r;
	r = listing_reply(c, l, reply, more, e);
	json_decref(reply);
	return r;
}

/* ---- pages ---- */

#define PAGES_MAX 5000 /* a broken daemon could name another page for ever */

/* Prints all pages as one document, page by page. */
static void
json_page_print(const struct listing *l, const json_t *rows, bool first)
{
	json_t *row;
	size_t i;

	if (first)
		(void)printf("{\n  \"%s\": [", l->member);
	json_array_foreach(rows, i, row) {
		(void)fputs(first && i == 0 ? "\n" : ",\n", stdout);
		cli_dump_json(row, JSON_COMPACT);
	}
}

/*
 * *ret, for the caller to free, is the cursor of the next page; NULL after the last. *ret_empty becomes false
 * when a row is printed.
 */
static int
page_run(struct cli *c, struct listing *l, const struct page *p, const char *path, bool first, char **ret,
	 bool *ret_empty, struct err *e)
{
	const json_t *rows;
	json_t *reply;
	int r;

	*ret = NULL;
	r = cli_request(c, "GET", path, NULL, &reply, e);
	if (r < 0)
		return r;
	rows = json_object_get(reply, l->member);
	*ret_empty = *ret_empty && json_array_size(rows) == 0;
	if (c->json && p->all)
		json_page_print(l, rows, first);
	else if (c->json)
		cli_print_json(reply, JSON_INDENT(2));
	else if (json_array_size(rows))
		r = listing_print(c, l, rows, e);
	*ret = *job_str(reply, "next") ? strdup(job_str(reply, "next")) : NULL;
	json_decref(reply);
	return r;
}

int
listing_run(struct cli *c, struct listing *l, const struct page *p, const struct buf *path, struct err *e)
{
	_cleanup_free_ char *cursor = NULL;
	char limit[24], *next;
	bool empty = true;
	unsigned pages = 0;
	int r = 0;

	if (p->limit < 1 || p->limit > PAGE_MAX)
		return err_set(e, E_USAGE, "--limit must be from 1 to %d", PAGE_MAX);
	(void)snprintf(limit, sizeof(limit), "%" PRIu64, p->all ? PAGE_MAX : p->limit);
	do {
		_cleanup_(buf_release) struct buf url = BUF_INIT;

		buf_add(&url, path->data, path->len);
		query_add(&url, "limit", limit);
		query_add(&url, "cursor", cursor);
		if (buf_failed(&url, e) < 0 || buf_failed(path, e) < 0)
			return e->code;
		r = page_run(c, l, p, url.data, pages == 0, &next, &empty, e);
		if (r == 0 && p->all && next && ((cursor && str_eq(next, cursor)) || ++pages == PAGES_MAX))
			r = err_set(e, E_INTERNAL, "the list of %s at '%s' does not end, after %u pages",
				    l->member, cli_server(c), pages);
		free(cursor);
		cursor = next;
		if (r < 0)
			return r;
	} while (p->all && cursor);
	if (empty && !c->json && !c->names)
		(void)fprintf(stderr, "colconvctl: no %s found\n", l->member);
	if (c->json && p->all)
		(void)puts("\n  ],\n  \"next\": null\n}");
	return 0;
}
