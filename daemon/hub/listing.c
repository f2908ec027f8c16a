#include "listing.h"

#include "base/str.h"

int
listing_parse(const char *text, size_t len, const char *repo, struct listing *ret, struct err *e)
{
	_cleanup_(listing_release) struct listing l = {.repo = repo};
	const char *sha = NULL;
	const json_t *files = NULL;
	int r;

	r = json_parse_answer(text, len, "the Hub's answer", E_HUB_PROTOCOL, &l.doc, e);
	if (r < 0)
		return r;
	if (!json_is_object(l.doc))
		return err_set(e, E_HUB_PROTOCOL, "the Hub's answer is not a JSON object; check HF_ENDPOINT");
	if ((r = json_get_str(l.doc, "", "sha", JSON_REQUIRED, E_HUB_PROTOCOL, &sha, e)) < 0 ||
	    (r = json_get_array(l.doc, "", "siblings", JSON_REQUIRED, E_HUB_PROTOCOL, &files, e)) < 0 ||
	    (r = json_get_str(l.doc, "", "id", JSON_OPTIONAL, E_HUB_PROTOCOL, &l.repo, e)) < 0)
		return err_context(e, "the Hub's answer for '%s'", repo);
	if (!repo_commit_ok(sha) || !repo_id_ok(l.repo))
		return err_set(e, E_HUB_PROTOCOL, "the Hub's answer for '%s' names no commit of a repository",
			       repo);
	(void)snprintf(l.commit, sizeof(l.commit), "%s", sha);
	*ret = l;
	l.doc = NULL;
	return 0;
}

void
listing_release(struct listing *l)
{
	json_decref(TAKE(l->doc));
}

static const char *
name_of(const json_t *file)
{
	const char *name = json_string_value(json_object_get(file, "rfilename"));

	return name ? name : "";
}

/* {"rfilename", "blobId", "size", "lfs": {"sha256", "size"}} */
static int
file_read(const json_t *file, struct hub_file *ret, struct err *e)
{
	const char *etag = NULL;
	const json_t *lfs = NULL;
	int64_t size = 0;
	int r;

	r = json_get_obj(file, "", "lfs", JSON_OPTIONAL, E_HUB_PROTOCOL, &lfs, e);
	if (r == 0)
		r = json_get_str(lfs ? lfs : file, "", lfs ? "sha256" : "blobId", JSON_REQUIRED,
				 E_HUB_PROTOCOL, &etag, e);
	if (r == 0)
		r = json_get_int(lfs ? lfs : file, "", "size", JSON_REQUIRED, 0, INT64_MAX, E_HUB_PROTOCOL,
				 &size, e);
	if (r == 0 && !digest_etag_ok(etag))
		r = err_set(e, E_HUB_PROTOCOL, "'%s' is not a hash", etag);
	if (r < 0)
		return err_context(e, "the Hub's listing of '%s'", name_of(file));
	ret->size = (uint64_t)size;
	(void)snprintf(ret->etag, sizeof(ret->etag), "%s", etag);
	ret->name = strdup(name_of(file));
	return ret->name ? 1 : err_no_memory(e);
}

int
listing_find(const struct listing *l, const char *name, struct hub_file *ret, struct err *e)
{
	const json_t *files = json_object_get(l->doc, "siblings");
	size_t i;

	for (i = 0; i < json_array_size(files); i++)
		if (str_eq(name_of(json_array_get(files, i)), name))
			return file_read(json_array_get(files, i), ret, e);
	return 0;
}

int
listing_no_weights(const struct listing *l, struct err *e)
{
	const json_t *files = json_object_get(l->doc, "siblings");
	const char *name;
	size_t i;

	for (i = 0; i < json_array_size(files); i++) {
		name = name_of(json_array_get(files, i));
		if (str_ends(name, "/adapter_model.safetensors"))
			return err_set(e, E_BAD_CHECKPOINT,
				       "'%s' has an adapter in a subfolder only ('%s'): download the "
				       "repository and give that "
				       "folder",
				       l->repo, name);
		if (str_ends(name, ".bin") || str_ends(name, ".pt") || str_ends(name, ".pth") ||
		    str_ends(name, ".ckpt"))
			return err_set(
				e, E_BAD_CHECKPOINT,
				"'%s' has pickled weights only ('%s'), which are never read; ask for a "
				"revision with safetensors",
				l->repo, name);
	}
	return err_set(e, E_BAD_CHECKPOINT, "'%s' has no safetensors: there is nothing to convert", l->repo);
}
