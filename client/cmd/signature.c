#include "signature.h"

#include <errno.h>

#include "base/base64.h"
#include "base/fs.h"
#include "base/str.h"
#include "client/show/job.h"
#include "tree.h"
#include "verify.h"

#define BUNDLE_TYPE "application/vnd.dev.sigstore.bundle.v0.3+json"
#define PAYLOAD_TYPE "application/vnd.in-toto+json"
#define STATEMENT_TYPE "https://in-toto.io/Statement/v1"
#define PREDICATE_TYPE "https://model_signing/signature/v1.0"
#define BUNDLE_LEN_MAX (16u << 20)

static const char *const skipped[] = {SIGNATURE_FILE, ".git", ".gitattributes", ".github", ".gitignore"};

bool
signature_skips(const char *name)
{
	size_t i, n;

	for (i = 0; i < ARRAY_LEN(skipped); i++) {
		n = strlen(skipped[i]);
		if (str_starts(name, skipped[i]) && (name[n] == '\0' || name[n] == '/'))
			return true;
	}
	return false;
}

/* ---- the statement ---- */

static void
hex_add(struct buf *b, const char *hex)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char byte;

	for (; hex[0] && hex[1]; hex += 2) {
		byte = (unsigned char)((strchr(digits, hex[0]) - digits) << 4 |
				       (strchr(digits, hex[1]) - digits));
		buf_add(b, &byte, 1);
	}
}

/* The files' hashes in their order, hashed: the digest of the statement's subject. */
static int
resources_make(const json_t *files, json_t *ret, char ret_root[SHA256_HEX_LEN + 1], struct err *e)
{
	_cleanup_(buf_release) struct buf raw = BUF_INIT;
	const char *name, *sha256;
	json_t *row;
	size_t i;
	int lost = 0, r;

	json_array_foreach(files, i, row) {
		name = job_str(row, "name");
		sha256 = job_str(row, "sha256");
		if (signature_skips(name))
			continue;
		hex_add(&raw, sha256);
		lost |= json_array_append_new(ret, json_pack("{s:s, s:s, s:s}", "name", name, "algorithm",
							     "sha256", "digest", sha256));
	}
	r = buf_failed(&raw, e);
	if (r < 0 || lost)
		return err_no_memory(e);
	return sha256_bytes(raw.data ? raw.data : "", raw.len, ret_root, e);
}

/* The name of the folder, also for "." */
static char *
folder_name(const char *dir)
{
	_cleanup_free_ char *path = realpath(dir, NULL);

	return strdup(path ? fs_basename(path) : dir);
}

static int
statement_make(const char *dir, const json_t *files, char **ret, struct err *e)
{
	_cleanup_free_ char *name = folder_name(dir);
	json_auto_t *resources = json_array(), *ignored = json_array(), *doc = NULL;
	char root[SHA256_HEX_LEN + 1];
	size_t i;
	int lost = 0, r;

	for (i = 0; i < ARRAY_LEN(skipped); i++)
		lost |= json_array_append_new(ignored, json_string(skipped[i]));
	r = resources_make(files, resources, root, e);
	if (r < 0)
		return r;
	doc = json_pack("{s:s, s:[{s:s, s:{s:s}}], s:s, s:{s:{s:s, s:s, s:b, s:O}, s:O}}", "_type",
			STATEMENT_TYPE, "subject", "name", name ? name : "", "digest", "sha256", root,
			"predicateType", PREDICATE_TYPE, "predicate", "serialization", "method", "files",
			"hash_type", "sha256", "allow_symlinks", 0, "ignore_paths", ignored, "resources",
			resources);
	*ret = doc && name && !lost ? json_text(doc, JSON_COMPACT) : NULL;
	return *ret ? 0 : err_no_memory(e);
}

/* The bytes that are signed: DSSE's encoding of a payload before its signature. */
static int
signed_bytes(const char *payload, size_t len, struct buf *ret, struct err *e)
{
	buf_printf(ret, "DSSEv1 %zu %s %zu ", strlen(PAYLOAD_TYPE), PAYLOAD_TYPE, len);
	buf_add(ret, payload, len);
	return buf_failed(ret, e);
}

/* ---- writing ---- */

static int
bundle_make(const char *payload, const struct ec_key *key, char **ret, struct err *e)
{
	_cleanup_(buf_release) struct buf bytes = BUF_INIT, sig = BUF_INIT, payload64 = BUF_INIT,
					  sig64 = BUF_INIT;
	json_auto_t *doc = NULL;
	char id[SHA256_HEX_LEN + 1];
	int r;

	if ((r = ec_key_id(key, id, e)) < 0 || (r = signed_bytes(payload, strlen(payload), &bytes, e)) < 0 ||
	    (r = ec_key_sign(key, bytes.data, bytes.len, &sig, e)) < 0)
		return r;
	base64_add(&payload64, payload, strlen(payload));
	base64_add(&sig64, sig.data, sig.len);
	if (buf_failed(&payload64, e) < 0 || buf_failed(&sig64, e) < 0)
		return err_no_memory(e);
	doc = json_pack("{s:s, s:{s:{s:s}, s:[]}, s:{s:s, s:s, s:[{s:s, s:s}]}}", "mediaType", BUNDLE_TYPE,
			"verificationMaterial", "publicKey", "hint", id, "tlogEntries", "dsseEnvelope",
			"payload", payload64.data, "payloadType", PAYLOAD_TYPE, "signatures", "sig",
			sig64.data, "keyid", "");
	*ret = doc ? json_text(doc, JSON_COMPACT) : NULL;
	return *ret ? 0 : err_no_memory(e);
}

int
signature_write(const char *dir, const json_t *files, const struct ec_key *key, struct err *e)
{
	_cleanup_free_ char *payload = NULL, *text = NULL, *path = fs_join(dir, SIGNATURE_FILE);
	int r;

	if (!path)
		return err_no_memory(e);
	r = statement_make(dir, files, &payload, e);
	if (r == 0)
		r = bundle_make(payload, key, &text, e);
	return r < 0 ? r : fs_write_file(path, text, strlen(text), e);
}

/* ---- checking ---- */

/* Compares the signed list with the files. */
static int
resources_check(const json_t *resources, const json_t *files, struct err *e)
{
	json_t *row, *file;
	size_t i, k;
	bool listed;

	json_array_foreach(resources, i, row) {
		file = tree_find(files, job_str(row, "name"));
		if (!file)
			return err_set(e, E_MISMATCH, "'%s' was signed and is missing", job_str(row, "name"));
		if (!str_eq(job_str(row, "algorithm"), "sha256") ||
		    !str_eq(job_str(row, "digest"), job_str(file, "sha256")))
			return err_set(e, E_MISMATCH, "'%s' has changed since it was signed",
				       job_str(row, "name"));
	}
	json_array_foreach(files, k, file) {
		listed = signature_skips(job_str(file, "name"));
		json_array_foreach(resources, i, row)
			listed = listed || str_eq(job_str(row, "name"), job_str(file, "name"));
		if (!listed)
			return err_set(e, E_MISMATCH, "'%s' was not signed", job_str(file, "name"));
	}
	return 0;
}

static int
payload_check(const struct buf *payload, const json_t *files, struct err *e)
{
	const json_t *predicate, *resources;
	json_auto_t *doc = NULL;
	int r;

	r = json_parse_answer(payload->data, payload->len, "the signed statement", E_MISMATCH, &doc, e);
	if (r < 0)
		return r;
	predicate = json_object_get(doc, "predicate");
	resources = json_object_get(predicate, "resources");
	if (!str_eq(job_str(doc, "_type"), STATEMENT_TYPE) ||
	    !str_eq(job_str(doc, "predicateType"), PREDICATE_TYPE) || !json_is_array(resources) ||
	    !str_eq(job_str(json_object_get(predicate, "serialization"), "method"), "files"))
		return err_set(e, E_MISMATCH, "it is not a signature of model signing 1.0 over whole files");
	return resources_check(resources, files, e);
}

static int
bundle_check(const json_t *bundle, const json_t *files, const struct ec_key *key, struct err *e)
{
	const json_t *envelope = json_object_get(bundle, "dsseEnvelope");
	const json_t *first = json_array_get(json_object_get(envelope, "signatures"), 0);
	const json_t *public = json_object_get(json_object_get(bundle, "verificationMaterial"), "publicKey");
	_cleanup_(buf_release) struct buf payload = BUF_INIT, sig = BUF_INIT, bytes = BUF_INIT;
	char id[SHA256_HEX_LEN + 1];
	int r;

	if (!str_eq(job_str(bundle, "mediaType"), BUNDLE_TYPE) ||
	    !str_eq(job_str(envelope, "payloadType"), PAYLOAD_TYPE) ||
	    !base64_decode(job_str(envelope, "payload"), &payload) ||
	    !base64_decode(job_str(first, "sig"), &sig))
		return err_set(e, E_MISMATCH, "it is not a signature of model signing 1.0");
	r = ec_key_id(key, id, e);
	if (r == 0)
		r = signed_bytes(payload.data, payload.len, &bytes, e);
	if (r < 0)
		return r;
	if (*job_str(public, "hint") && !str_eq(job_str(public, "hint"), id))
		return err_set(e, E_MISMATCH, "it was made with another key");
	if (!ec_key_verify(key, bytes.data, bytes.len, sig.data, sig.len))
		return err_set(e, E_MISMATCH, "the signature is wrong: the list of files was changed");
	return payload_check(&payload, files, e);
}

int
signature_check(const char *dir, const json_t *files, const struct ec_key *key, json_t *problems,
		struct err *e)
{
	_cleanup_free_ char *path = fs_join(dir, SIGNATURE_FILE);
	json_auto_t *bundle = NULL;
	struct err what = ERR_INIT;
	int r;

	if (!path)
		return err_no_memory(e);
	if (!fs_exists(path)) {
		(void)err_set(&what, E_MISMATCH, "there is no " SIGNATURE_FILE);
		return problem_add(problems, &what, e);
	}
	r = json_read(path, BUNDLE_LEN_MAX, E_MISMATCH, &bundle, &what);
	if (r == 0)
		r = bundle_check(bundle, files, key, &what);
	if (r == 0)
		return 0;
	if (r != E_MISMATCH)
		return err_set(e, r, "%s", what.msg);
	(void)err_context(&what, SIGNATURE_FILE);
	return problem_add(problems, &what, e);
}
