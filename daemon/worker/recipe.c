#include "recipe.h"

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "onnx/release.h"
#include "config.h"

/* With the NUL after it, so that the texts "ab", "c" and "a", "bc" differ. */
static void
add_text(struct sha256 *h, const char *text)
{
	sha256_add(h, text, strlen(text) + 1);
}

static int
options_hash(const struct conversion *c, char ret[SHA256_HEX_LEN + 1], struct err *e)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT;
	char release[RELEASE_LEN];

	spec_print_conversion(&c->spec, &text);
	buf_printf(&text, "\ncolconv %s, libtorch %s, ONNX Runtime %s", PACKAGE_VERSION, tt_version(),
		   release_str(c->runtime, release));
	return buf_failed(&text, e) < 0 ? E_NO_MEMORY : sha256_bytes(text.data, text.len, ret, e);
}

/* The hash of a file of weights is known; NULL: it is another file. */
static const char *
weights_sha256(const struct conversion *c, const char *path)
{
	size_t i;

	for (i = 0; i < checkpoint_file_count(c->checkpoint); i++)
		if (str_eq(st_path(checkpoint_file(c->checkpoint, i)), path))
			return sources_sha256(c->sources, i);
	return NULL;
}

static int
add_file(const struct conversion *c, struct folder *f, const char *name, struct sha256 *h, struct err *e)
{
	_cleanup_free_ char *path = fs_join(folder_path(f), name);
	const char *known = path ? weights_sha256(c, path) : NULL;
	char sha256[SHA256_HEX_LEN + 1];
	_cleanup_close_ int fd = -1;
	uint64_t len;
	int r = 0;

	if (!path)
		return err_no_memory(e);
	if (!known) {
		r = folder_open_file(f, name, E_IO, &fd, &len, e);
		if (r == 0)
			r = sha256_fd(fd, path, sha256, e);
	}
	add_text(h, name);
	add_text(h, known ? known : sha256);
	return r;
}

/* A folder, which lies in `source`. NULL: there is none. */
static int
add_folder(const struct conversion *c, struct folder *f, const struct source *source, struct sha256 *h,
	   struct err *e)
{
	size_t i;
	int r = 0;

	if (!f)
		return 0;
	if (source->snapshot.dir) {
		add_text(h, source->snapshot.repo);
		add_text(h, source->snapshot.commit);
		return 0;
	}
	add_text(h, "folder");
	for (i = 0; r == 0 && i < folder_opened_count(f); i++)
		r = add_file(c, f, folder_opened(f, i), h, e);
	return r;
}

static int
add_references(const struct conversion *c, struct sha256 *h, struct err *e)
{
	char sha256[SHA256_HEX_LEN + 1];
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < sources_reference_count(c->sources); i++) {
		r = sha256_fd(sources_reference_fds(c->sources)[i], sources_reference(c->sources, i), sha256,
			      e);
		add_text(h, sha256);
	}
	return r;
}

static int
sources_hash(struct conversion *c, char ret[SHA256_HEX_LEN + 1], struct err *e)
{
	const bool within = checkpoint_adapter_within(c->checkpoint);
	struct folder *adapter = checkpoint_adapter_folder(c->checkpoint);
	_cleanup_(sha256_free) struct sha256 *h = NULL;
	int r;

	r = sha256_new(&h, e);
	if (r == 0)
		r = add_folder(c, adapter, &c->source, h, e);
	if (r == 0)
		r = add_folder(c, checkpoint_folder(c->checkpoint),
			       adapter && !within ? &c->base : &c->source, h, e);
	if (r == 0)
		r = add_references(c, h, e);
	if (r == 0)
		sha256_finish(h, ret);
	return r;
}

static int
recipe_make(struct conversion *c, char ret[RECIPE_LEN + 1], struct err *e)
{
	char options[SHA256_HEX_LEN + 1], sources[SHA256_HEX_LEN + 1];
	int r;

	r = options_hash(c, options, e);
	if (r == 0)
		r = sources_hash(c, sources, e);
	if (r == 0)
		(void)snprintf(ret, RECIPE_LEN + 1, "%s:%s", options, sources);
	return r;
}

static size_t
opened_count(const struct conversion *c)
{
	const struct folder *adapter = checkpoint_adapter_folder(c->checkpoint);

	return folder_opened_count(checkpoint_folder(c->checkpoint)) +
	       (adapter ? folder_opened_count(adapter) : 0);
}

/* Whether an artifact of the job's list was made with these options. */
static bool
options_known(const struct conversion *c, const char *options)
{
	size_t i;

	for (i = 0; i < c->job->n_known; i++)
		if (str_starts(c->job->known[i], options))
			return true;
	return false;
}

int
recipe_compare(struct conversion *c, struct err *e)
{
	char options[SHA256_HEX_LEN + 1];
	size_t i;
	int r;

	c->opened = opened_count(c);
	r = options_hash(c, options, e);
	if (r < 0 || !options_known(c, options))
		return r;
	report_progress(c->report, 0, 0, "bytes", "comparing the sources with those of earlier artifacts");
	r = sources_hash_begin(c->sources, e);
	if (r == 0)
		r = sources_hash_wait(c->sources, e);
	if (r == 0)
		r = recipe_make(c, c->recipe, e);
	for (i = 0; r == 0 && i < c->job->n_known; i++)
		c->known |= str_eq(c->job->known[i], c->recipe);
	if (c->known)
		log_info("an earlier job has converted the same sources with the same options: its files are "
			 "used (--no-cache converts "
			 "again)");
	return r;
}

int
recipe_set(struct conversion *c, struct err *e)
{
	c->recipe[0] = '\0';
	return opened_count(c) == c->opened ? recipe_make(c, c->recipe, e) : 0;
}
