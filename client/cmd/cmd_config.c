#include <limits.h>

#include "base/fs.h"
#include "cli.h"
#include "client/show/fact.h"
#include "client/show/table.h"
#include "client/show/text.h"

/* Do not print the token. */
static const char *
shown(const struct settings *s, enum setting_name i)
{
	return i == SETTING_TOKEN ? "(not shown)" : s->rows[i].value;
}

static json_t *
settings_to_json(const struct settings *s)
{
	json_t *j = json_object();
	char from[PATH_MAX];
	size_t i;

	for (i = 0; i < SETTING_MAX; i++)
		(void)json_object_set_new(j, setting_name(i),
					  s->rows[i].value
						  ? json_pack("{s:s, s:s}", "value", shown(s, i), "from",
							      setting_from(s, i, from, sizeof(from)))
						  : json_null());
	(void)json_object_set_new(j, "files", json_pack("[s*, s]", s->files[0], s->files[1]));
	return j;
}

static int
settings_print(const struct settings *s, struct err *e)
{
	static const struct table_column columns[] = {
		{"SETTING", TABLE_LEFT}, {"VALUE", TABLE_LEFT}, {"FROM", TABLE_LEFT}};
	_cleanup_(table_release) struct table t;
	char from[PATH_MAX];
	size_t i;
	int r;

	table_init(&t, columns, ARRAY_LEN(columns));
	for (i = 0; i < SETTING_MAX; i++) {
		table_add(&t, "%s", setting_name(i));
		table_add(&t, "%s", s->rows[i].value ? shown(s, i) : "-");
		table_add(&t, "%s", s->rows[i].value ? setting_from(s, i, from, sizeof(from)) : "-");
	}
	r = table_print(&t, stdout, 0, e);
	(void)puts("\nThe command line goes first, then the environment, then these files:");
	for (i = 0; i < ARRAY_LEN(s->files); i++) {
		if (!s->files[i])
			continue;
		(void)fputs("  ", stdout);
		text_print(stdout, s->files[i]);
		(void)puts(fs_exists(s->files[i]) ? "" : " (not there)");
	}
	return r;
}

static int
daemon_table_print(json_t *config, struct err *e)
{
	static const struct table_column columns[] = {{"SETTING", TABLE_LEFT}, {"VALUE", TABLE_LEFT}};
	_cleanup_(table_release) struct table t;
	const char *name;
	json_t *value;

	table_init(&t, columns, ARRAY_LEN(columns));
	json_object_foreach(config, name, value) {
		_cleanup_(buf_release) struct buf b = BUF_INIT;

		fact_value_add(&b, value);
		table_add(&t, "%s", name);
		table_add(&t, "%s", b.len ? b.data : "-");
	}
	return table_print(&t, stdout, 0, e);
}

static int
daemon_print(struct cli *c, struct err *e)
{
	json_t *config;
	int r;

	r = cli_request(c, "GET", "/v1/config", NULL, &config, e);
	if (r < 0)
		return r;
	if (c->json)
		cli_print_json(config, JSON_INDENT(2));
	else
		r = daemon_table_print(config, e);
	json_decref(config);
	return r;
}

int
cmd_config(struct cli *c, int argc, char **argv, struct err *e)
{
	bool daemon = false;
	const struct option_row rows[] = {
		{"daemon", 'd', NULL, option_flag, &daemon, NULL, "show the daemon's settings instead"},
		CLI_OPTIONS(c),
	};
	json_t *j;
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	r = cli_settings(c, e);
	if (r < 0)
		return r;
	if (daemon)
		return daemon_print(c, e);
	if (!c->json)
		return settings_print(&c->settings, e);
	j = settings_to_json(&c->settings);
	cli_print_json(j, JSON_INDENT(2));
	json_decref(j);
	return 0;
}
