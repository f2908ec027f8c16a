#include "push.h"

#include <errno.h>

#include "base/base64.h"
#include "base/str.h"
#include "call.h"
#include "net/digest.h"
#include "spec/repo.h"

#define JSON_TYPE "application/json"
#define LFS_TYPE "application/vnd.git-lfs+json"
#define LINES_TYPE "application/x-ndjson"
#define SAMPLE_LEN 512
#define FILES_MAX 256         /* in one preupload request; an artifact has fewer than 100 */
#define SMALL_MAX (10u << 20) /* larger files cannot be sent within the commit */

struct run {
	const struct push *p;
	struct push_file *files;
	size_t n;
	struct hub_env env;
	struct wire wire;
	struct caller caller;
	uint64_t done, total;
	const char *detail;
};

static void
on_sent(void *ctx, int64_t n)
{
	struct run *run = ctx;

	run->done += (uint64_t)n; /* n may be negative */
	run->p->progress(run->p->ctx, run->done, run->total, run->detail);
}

static int
post(struct run *run, const char *url, const char *type, const json_t *body, json_t **ret, struct err *e)
{
	_cleanup_free_ char *text = body ? json_text(body, JSON_COMPACT) : NULL;
	const struct call call = {.method = "POST", .url = url, .type = type, .body = text};

	return text && url ? call_json(&run->caller, &call, ret, e) : err_no_memory(e);
}

/* ---- the repository ---- */

static int
repo_create(struct run *run, struct err *e)
{
	const char *slash = strchr(run->p->repo, '/');
	_cleanup_free_ char *owner = strndup(run->p->repo, (size_t)(slash - run->p->repo)), *text = NULL;
	json_auto_t *body =
		owner ? json_pack("{s:s, s:s, s:s, s:s}", "type", "model", "name", slash + 1, "organization",
				  owner, "visibility", run->p->private ? "private" : "public")
		      : NULL;
	struct call call = {.method = "POST", .url = "/api/repos/create", .type = JSON_TYPE};
	struct call_answer a;
	int r;

	call.body = text = body ? json_text(body, JSON_COMPACT) : NULL;
	if (!text)
		return err_no_memory(e);
	r = call_perform(&run->caller, &call, &a, e);
	if (r == 0 && a.status / 100 != 2 && a.status != 409) /* 409: it exists */
		r = call_refusal(&run->caller, &a, e);
	buf_release(&a.body);
	return r < 0 ? err_context(e, "creating '%s'", run->p->repo) : 0;
}

/* ---- what is missing ---- */

static int
sample_read(const struct push_file *f, struct buf *ret, struct err *e)
{
	char sample[SAMPLE_LEN];
	ssize_t n = pread(f->fd, sample, sizeof(sample), 0);

	if (n < 0)
		return err_errno(e, E_IO, errno, "cannot read '%s'", f->name);
	base64_add(ret, sample, (size_t)n);
	return buf_failed(ret, e);
}

static int
preupload_body(const struct run *run, json_t *list, struct err *e)
{
	size_t i;
	int r;

	for (i = 0; i < run->n; i++) {
		const struct push_file *f = &run->files[i];
		_cleanup_(buf_release) struct buf sample = BUF_INIT;

		r = sample_read(f, &sample, e);
		if (r < 0)
			return r;
		if (json_array_append_new(list, json_pack("{s:s, s:I, s:s}", "path", f->name, "size",
							  (json_int_t)f->size, "sample", sample.data)) < 0)
			return err_no_memory(e);
	}
	return 0;
}

/* Compares a file with the hash of the one in the repository: git's own of a small one. */
static int
is_there(const struct push_file *f, const char *oid, bool *ret, struct err *e)
{
	struct digest *d;
	char block[65536];
	uint64_t at = 0;
	ssize_t n;
	int r;

	*ret = false;
	if (!oid || !digest_etag_ok(oid))
		return 0;
	if (strlen(oid) == SHA256_HEX_LEN) {
		*ret = str_eq(oid, f->sha256);
		return 0;
	}
	r = digest_new(oid, f->size, &d, e);
	if (r < 0)
		return r;
	while ((n = pread(f->fd, block, sizeof(block), (off_t)at)) > 0) {
		digest_add(d, block, (size_t)n);
		at += (uint64_t)n;
	}
	if (n < 0)
		r = err_errno(e, E_IO, errno, "cannot read '%s'", f->name);
	*ret = digest_matches(d, oid) && r == 0;
	digest_free(&d);
	return r;
}

static int
mode_take(struct run *run, const json_t *row, struct err *e)
{
	const char *path = "", *mode = "", *oid = NULL;
	struct push_file *f;
	bool ignored = false;
	int r;

	if ((r = json_get_str(row, "", "path", JSON_REQUIRED, E_HUB_PROTOCOL, &path, e)) < 0 ||
	    (r = json_get_str(row, "", "uploadMode", JSON_REQUIRED, E_HUB_PROTOCOL, &mode, e)) < 0 ||
	    (r = json_get_str(row, "", "oid", JSON_OPTIONAL, E_HUB_PROTOCOL, &oid, e)) < 0 ||
	    (r = json_get_bool(row, "", "shouldIgnore", JSON_OPTIONAL, E_HUB_PROTOCOL, &ignored, e)) < 0)
		return r;
	f = FIND_ROW(run->files, run->n, name, path);
	if (!f || (!str_eq(mode, "lfs") && !str_eq(mode, "regular")))
		return err_set(e, E_HUB_PROTOCOL, "the Hub wants '%s' uploaded as '%s', which is not known",
			       path, mode);
	if (ignored)
		return err_set(e, E_CONFLICT,
			       "'%s' is ignored by the .gitignore of '%s'; correct that file first", path,
			       run->p->repo);
	f->large = str_eq(mode, "lfs") && f->size > 0; /* storage takes no empty files */
	if (!f->large && f->size > SMALL_MAX)
		return err_set(e, E_HUB_PROTOCOL,
			       "the Hub wants '%s' in the commit, and it is too large for that", path);
	return is_there(f, oid, &f->there, e);
}

static int
modes_get(struct run *run, struct err *e)
{
	_cleanup_free_ char *url =
		str_printf("/api/models/%s/preupload/" REPO_REVISION_DEFAULT, run->p->repo);
	json_auto_t *list = json_array(), *body = json_pack("{s:O}", "files", list), *answer = NULL;
	const json_t *files;
	json_t *row;
	size_t i;
	int r;

	if ((r = preupload_body(run, list, e)) < 0 || (r = post(run, url, JSON_TYPE, body, &answer, e)) < 0 ||
	    (r = json_get_array(answer, "", "files", JSON_REQUIRED, E_HUB_PROTOCOL, &files, e)) < 0)
		return r;
	if (json_array_size(files) != run->n)
		return err_set(e, E_HUB_PROTOCOL, "the Hub answers for %zu of %zu files",
			       json_array_size(files), run->n);
	json_array_foreach(files, i, row)
		if (r == 0)
			r = mode_take(run, row, e);
	return r;
}

/* ---- large files ---- */

static int
part_put(struct run *run, const struct push_file *f, const char *url, uint64_t from, uint64_t len,
	 char etag[128], struct err *e)
{
	const struct call call = {.method = "PUT", .url = url, .fd = f->fd, .from = from, .len = len};
	struct call_answer a;
	int r;

	r = call_perform(&run->caller, &call, &a, e);
	if (r == 0 && a.status / 100 != 2)
		r = err_set(e, E_HUB_PROTOCOL, "the storage of the Hub answers %ld", a.status);
	if (r == 0)
		(void)snprintf(etag, 128, "%s", a.etag);
	buf_release(&a.body);
	return r;
}

/* Sends a file in parts of `chunk` bytes; `header` has the address of part 1 in "1", and so on. */
static int
parts_put(struct run *run, const struct push_file *f, const json_t *header, uint64_t chunk, const char *url,
	  struct err *e)
{
	json_auto_t *parts = json_array(), *body = json_pack("{s:s, s:O}", "oid", f->sha256, "parts", parts);
	const char *address;
	char key[24], etag[128];
	uint64_t from, number = 1;
	int r;

	for (from = 0; from < f->size; from += chunk, number++) {
		(void)snprintf(key, sizeof(key), "%llu", (unsigned long long)number);
		if ((r = json_get_str(header, "header", key, JSON_REQUIRED, E_HUB_PROTOCOL, &address, e)) <
			    0 ||
		    (r = part_put(run, f, address, from, MIN(chunk, f->size - from), etag, e)) < 0)
			return err_context(e, "part %s", key);
		if (!*etag)
			return err_set(e, E_HUB_PROTOCOL, "the storage of the Hub gives part %s no ETag",
				       key);
		if (json_array_append_new(parts, json_pack("{s:I, s:s}", "partNumber", (json_int_t)number,
							   "etag", etag)) < 0)
			return err_set(e, E_HUB_PROTOCOL, "the ETag of part %s is not UTF-8", key);
	}
	return post(run, url, LFS_TYPE, body, NULL, e);
}

/* "chunk_size" may be a number or text; absent: the file goes as a whole. */
static int
chunk_read(const json_t *header, uint64_t *ret, struct err *e)
{
	const json_t *v = json_object_get(header, "chunk_size");

	*ret = 0;
	if (!v)
		return 0;
	if (json_is_integer(v) && json_integer_value(v) > 0)
		*ret = (uint64_t)json_integer_value(v);
	else if (!json_is_string(v) ||
		 str_to_u64(json_string_value(v), 1, INT64_MAX, "chunk_size", ret, NULL) < 0)
		return err_set(e, E_HUB_PROTOCOL, "the Hub asks for parts of an unknown size");
	return 0;
}

static int
large_put(struct run *run, const struct push_file *f, const json_t *actions, struct err *e)
{
	const json_t *upload, *header = NULL, *verify = NULL;
	json_auto_t *body = json_pack("{s:s, s:I}", "oid", f->sha256, "size", (json_int_t)f->size);
	const char *url, *verify_url;
	char etag[128];
	uint64_t chunk;
	int r;

	if ((r = json_get_obj(actions, "actions", "upload", JSON_REQUIRED, E_HUB_PROTOCOL, &upload, e)) < 0 ||
	    (r = json_get_str(upload, "upload", "href", JSON_REQUIRED, E_HUB_PROTOCOL, &url, e)) < 0 ||
	    (r = json_get_obj(upload, "upload", "header", JSON_OPTIONAL, E_HUB_PROTOCOL, &header, e)) < 0 ||
	    (r = json_get_obj(actions, "actions", "verify", JSON_OPTIONAL, E_HUB_PROTOCOL, &verify, e)) < 0 ||
	    (r = chunk_read(header, &chunk, e)) < 0)
		return r;
	run->detail = f->name;
	r = chunk ? parts_put(run, f, header, chunk, url, e) : part_put(run, f, url, 0, f->size, etag, e);
	if (r < 0 || !verify)
		return r;
	r = json_get_str(verify, "verify", "href", JSON_REQUIRED, E_HUB_PROTOCOL, &verify_url, e);
	return r < 0 ? r : post(run, verify_url, JSON_TYPE, body, NULL, e);
}

/* Asks where one large file goes, just before it is sent: addresses expire. */
static int
large_send(struct run *run, const struct push_file *f, struct err *e)
{
	_cleanup_free_ char *url = str_printf("/%s.git/info/lfs/objects/batch", run->p->repo);
	json_auto_t *answer = NULL,
		    *body = json_pack("{s:s, s:[s, s], s:[{s:s, s:I}], s:s, s:{s:s}}", "operation", "upload",
				      "transfers", "basic", "multipart", "objects", "oid", f->sha256, "size",
				      (json_int_t)f->size, "hash_algo", "sha256", "ref", "name",
				      REPO_REVISION_DEFAULT);
	const json_t *objects, *object, *actions = NULL, *error = NULL;
	const char *words = "";
	int r;

	if ((r = post(run, url, LFS_TYPE, body, &answer, e)) < 0 ||
	    (r = json_get_array(answer, "", "objects", JSON_REQUIRED, E_HUB_PROTOCOL, &objects, e)) < 0)
		return r;
	object = json_array_get(objects, 0);
	if ((r = json_get_obj(object, "", "error", JSON_OPTIONAL, E_HUB_PROTOCOL, &error, e)) < 0 ||
	    (r = json_get_obj(object, "", "actions", JSON_OPTIONAL, E_HUB_PROTOCOL, &actions, e)) < 0)
		return r;
	if (error) {
		(void)json_get_str(error, "", "message", JSON_OPTIONAL, E_HUB_PROTOCOL, &words, NULL);
		return err_set(e, E_HUB_PROTOCOL, "the Hub does not take it: %s", words);
	}
	if (actions)
		return large_put(run, f, actions, e);
	on_sent(run, (int64_t)f->size); /* the storage has it, of an earlier push */
	return 0;
}

/* ---- the commit ---- */

static int
line_add(struct buf *b, const char *key, json_t *value_take, struct err *e)
{
	json_auto_t *line = json_pack("{s:s, s:o}", "key", key, "value", value_take);
	_cleanup_free_ char *text = line ? json_text(line, JSON_COMPACT) : NULL;

	if (!text)
		return err_no_memory(e);
	buf_printf(b, "%s\n", text);
	return buf_failed(b, e);
}

static int
small_add(struct buf *b, const struct push_file *f, struct err *e)
{
	_cleanup_free_ char *data = malloc(f->size + 1);
	_cleanup_(buf_release) struct buf text = BUF_INIT;
	ssize_t n;

	if (!data)
		return err_no_memory(e);
	n = pread(f->fd, data, f->size, 0);
	if (n < 0)
		return err_errno(e, E_IO, errno, "cannot read '%s'", f->name);
	if ((uint64_t)n != f->size)
		return err_set(e, E_SOURCE_CHANGED, "'%s' changed while it was read", f->name);
	base64_add(&text, data, f->size);
	if (buf_failed(&text, e) < 0)
		return E_NO_MEMORY;
	return line_add(
		b, "file",
		json_pack("{s:s, s:s, s:s}", "path", f->name, "encoding", "base64", "content", text.data), e);
}

static int
commit(struct run *run, char **ret, struct err *e)
{
	_cleanup_free_ char *url = str_printf("/api/models/%s/commit/" REPO_REVISION_DEFAULT, run->p->repo);
	_cleanup_(buf_release) struct buf lines = BUF_INIT;
	const struct push_file *f;
	json_auto_t *answer = NULL;
	struct call call = {.method = "POST", .url = url, .type = LINES_TYPE, .once = true};
	const char *commit_url;
	size_t i;
	int r;

	r = line_add(&lines, "header", json_pack("{s:s, s:s}", "summary", run->p->summary, "description", ""),
		     e);
	for (i = 0; r == 0 && i < run->n; i++) {
		f = &run->files[i];
		if (f->there)
			continue;
		r = f->large ? line_add(&lines, "lfsFile",
					json_pack("{s:s, s:s, s:s, s:I}", "path", f->name, "algo", "sha256",
						  "oid", f->sha256, "size", (json_int_t)f->size),
					e)
			     : small_add(&lines, f, e);
	}
	if (r < 0)
		return r;
	call.body = lines.data;
	r = url ? call_json(&run->caller, &call, &answer, e) : err_no_memory(e);
	if (r == 0)
		r = json_get_str(answer, "", "commitUrl", JSON_REQUIRED, E_HUB_PROTOCOL, &commit_url, e);
	if (r < 0)
		return err_context(e, "the commit");
	*ret = strdup(commit_url);
	return *ret ? 0 : err_no_memory(e);
}

/* ---- all ---- */

static int
push_all(struct run *run, char **ret, struct err *e)
{
	size_t i, missing = 0;
	int r;

	r = run->p->create ? repo_create(run, e) : 0;
	if (r == 0)
		r = modes_get(run, e);
	for (i = 0; r == 0 && i < run->n; i++) {
		missing += !run->files[i].there;
		if (run->files[i].large && !run->files[i].there)
			run->total += run->files[i].size;
	}
	for (i = 0; r == 0 && i < run->n; i++)
		if (run->files[i].large && !run->files[i].there) {
			r = large_send(run, &run->files[i], e);
			if (r < 0)
				return err_context(e, "'%s'", run->files[i].name);
		}
	*ret = NULL;
	return r < 0 || !missing ? r : commit(run, ret, e);
}

int
hub_push(const struct push *p, struct push_file *files, size_t n, char **ret, struct err *e)
{
	struct run run = {.p = p, .files = files, .n = n, .detail = ""};
	int r;

	if (n > FILES_MAX)
		return err_set(e, E_TOO_LARGE, "a push takes at most %d files, not %zu", FILES_MAX, n);
	r = hub_env_read(&run.env, e);
	if (r < 0)
		return r;
	run.caller = (struct caller){
		.env = &run.env, .wire = &run.wire, .repo = p->repo, .sent = on_sent, .ctx = &run};
	if (run.env.offline)
		r = err_set(e, E_HUB_OFFLINE, "HF_HUB_OFFLINE is set, and a push needs the Hub");
	else if (!run.env.token)
		r = err_set(e, E_HUB_DENIED, "a push needs a token that may write to '%s': set HF_TOKEN",
			    p->repo);
	else
		r = wire_init(&run.wire, e);
	run.wire.fd_stop = p->fd_stop;
	if (r == 0)
		r = push_all(&run, ret, e);
	wire_release(&run.wire);
	hub_env_release(&run.env);
	return r;
}
