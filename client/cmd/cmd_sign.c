/*
 * sign: the key belongs to the person who publishes an artifact, never to the daemon, whose workers read
 * checkpoints of strangers.
 */
#include "base/fs.h"
#include "cli.h"
#include "client/show/job.h"
#include "client/show/text.h"
#include "signature.h"
#include "verify.h"

static int
key_read(struct cli *c, struct ec_key **ret, struct err *e)
{
	const struct setting *s = &c->settings.rows[SETTING_SIGN_KEY];
	int r;

	r = cli_settings(c, e);
	if (r < 0)
		return r;
	if (!s->value)
		return err_set(
			e, E_USAGE,
			"there is no key to sign with: give --sign-key FILE, COLCONV_SIGN_KEY or the setting "
			"'sign_key'");
	return ec_key_read_private(s->value, ret, e);
}

static int
sign(const struct cli *c, const char *dir, const struct ec_key *key, struct err *e)
{
	_cleanup_free_ char *path = fs_join(dir, SIGNATURE_FILE);
	json_auto_t *files = NULL, *j = NULL;
	char id[SHA256_HEX_LEN + 1];
	int r;

	if (!path)
		return err_no_memory(e);
	if ((r = ec_key_id(key, id, e)) < 0 || (r = verify_artifact(dir, "sign", &files, e)) < 0 ||
	    (r = signature_write(dir, files, key, e)) < 0)
		return r;
	if (c->json) {
		j = json_pack("{s:s, s:s, s:O}", "path", path, "key", id, "files", files);
		cli_print_json(j, JSON_INDENT(2));
	} else {
		text_print(stdout, path);
		(void)fputc('\n', stdout);
	}
	return 0;
}

int
cmd_sign(struct cli *c, int argc, char **argv, struct err *e)
{
	const struct option_row rows[] = {
		{"sign-key", 0, "FILE", option_str, &c->flags[SETTING_SIGN_KEY], NULL,
		 "the private key: EC P-256 in PEM form (COLCONV_SIGN_KEY)"},
		CLI_OPTIONS(c),
	};
	_cleanup_(ec_key_free) struct ec_key *key = NULL;
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	r = key_read(c, &key, e);
	return r < 0 ? r : sign(c, argv[0], key, e);
}
