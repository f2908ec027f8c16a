#include "cli.h"
#include "client/show/job.h"
#include "listing.h"

static void
job_add(struct table *t, const json_t *row)
{
	cell_whole(t, row, "job");
}

static void
age_add(struct table *t, const json_t *row)
{
	char age[24];

	table_add(t, "%s", job_age(row, "published", age, sizeof(age)));
}

static void
published_add(struct table *t, const json_t *row)
{
	cell_str(t, row, "published");
}

static void
files_add(struct table *t, const json_t *row)
{
	cell_whole(t, row, "files");
}

static void
size_add(struct table *t, const json_t *row)
{
	cell_bytes(t, row, "bytes");
}

static void
model_add(struct table *t, const json_t *row)
{
	cell_str(t, row, "model");
}

static const struct column columns[] = {
	{"JOB", TABLE_RIGHT, false, job_add},           {"AGE", TABLE_RIGHT, false, age_add},
	{"PUBLISHED", TABLE_LEFT, true, published_add}, {"FILES", TABLE_RIGHT, false, files_add},
	{"SIZE", TABLE_RIGHT, false, size_add},         {"MODEL", TABLE_CUT, false, model_add},
};

int
cmd_artifacts(struct cli *c, int argc, char **argv, struct err *e)
{
	struct listing l = {.member = "artifacts", .columns = columns, .columns_len = ARRAY_LEN(columns)};
	_cleanup_(buf_release) struct buf path = BUF_INIT;
	struct page page = PAGE_INIT;
	const struct option_row rows[] = {PAGE_OPTIONS(&page), TABLE_OPTIONS(c)};
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	buf_puts(&path, "/v1/artifacts");
	return listing_run(c, &l, &page, &path, e);
}
