#include <inttypes.h>

#include "cli.h"
#include "fetch.h"
#include "job_options.h"

static int
fetch(struct cli *c, uint64_t id, const struct fetch_options *o, struct err *e)
{
	json_t *files, *j;
	int r;

	r = fetch_files(c, id, o, &files, e);
	if (r < 0)
		return r;
	if (c->json) {
		j = json_pack("{s:I, s:s, s:O}", "id", (json_int_t)id, "dir", o->dir, "files", files);
		cli_print_json(j, JSON_INDENT(2));
		json_decref(j);
	} else {
		(void)puts(o->dir);
	}
	json_decref(files);
	return 0;
}

int
cmd_fetch(struct cli *c, int argc, char **argv, struct err *e)
{
	struct fetch_options o = FETCH_INIT;
	json_t *wanted = json_object();
	const struct option_row rows[] = {
		{"output", 'o', "DIR", option_str, &o.dir, NULL, "where to put the files (job-ID)"},
		{"file", 0, "NAME", job_option_append, wanted, "names", "only this file; repeatable"},
		FETCH_OPTIONS(&o),
		COMMON_OPTIONS(c),
	};
	char dir_default[32];
	uint64_t id;
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		goto out;
	r = cli_id_parse(c, argv[0], &id, e);
	if (r < 0)
		goto out;
	(void)snprintf(dir_default, sizeof(dir_default), "job-%" PRIu64, id);
	o.dir = o.dir ? o.dir : dir_default;
	o.names = json_object_get(wanted, "names");
	r = fetch(c, id, &o, e);
out:
	json_decref(wanted);
	return r;
}
