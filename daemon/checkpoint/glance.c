#include "glance.h"

#include <dirent.h>
#include <fcntl.h>

#include "adapter.h"
#include "adapter_config.h"
#include "base/str.h"
#include "config.h"
#include "index.h"
#include "sniff.h"

#define BYTES_MAX (256u << 10) /* of a JSON file */
#define HEAD_LEN 512           /* first bytes of a file of weights */
#define SHARDS_MAX 64
#define ENTRIES_MAX 256 /* of a folder */

bool
glance_is_pickle(const char *name)
{
	return str_ends(name, ".bin") || str_ends(name, ".pt") || str_ends(name, ".pth") ||
	       str_ends(name, ".ckpt");
}

int
glance_refuse(const char *dir, const char *wanted, const char *pickled, struct err *e)
{
	if (pickled)
		return err_set(e, E_BAD_CHECKPOINT,
			       "'%s' has pickled weights only ('%s'), which are never read; save the model "
			       "again as safetensors (safe_serialization=True)",
			       dir, pickled);
	return err_set(e, E_BAD_CHECKPOINT, "'%s' has %s", dir, wanted);
}

int
glance_file(struct folder *dir, const char *name, int code, struct err *e)
{
	_cleanup_close_ int fd = -1;
	char head[HEAD_LEN];
	uint64_t len;
	ssize_t n;
	int r;

	r = folder_open_file(dir, name, code, &fd, &len, e);
	if (r < 0)
		return r;
	n = pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return 0; /* the worker will see it, and has time to try again */
	r = sniff_check_binary(head, (size_t)n, code, e);
	return r < 0 ? err_context(e, "'%s/%s'", folder_path(dir), name) : 0;
}

/* Whether a JSON file is small enough to be read here. */
static int
is_small(struct folder *dir, const char *name, bool *ret, struct err *e)
{
	_cleanup_close_ int fd = -1;
	uint64_t len;
	int r = folder_open_file(dir, name, E_BAD_CHECKPOINT, &fd, &len, e);

	if (r == 0)
		*ret = len <= BYTES_MAX;
	return r;
}

static int
config_look(struct folder *dir, json_t **ret, struct err *e)
{
	bool small = true;
	int r = folder_has(dir, CONFIG_NAME) ? is_small(dir, CONFIG_NAME, &small, e) : 0;

	return r < 0 || !small ? r : config_read(dir, ret, e);
}

static int
shards_look(struct folder *dir, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	json_auto_t *names = NULL;
	bool small = false;
	const char *name;
	size_t len, n = 0;
	json_t *v;
	int r = is_small(dir, INDEX_NAME, &small, e);

	if (r < 0 || !small)
		return r;
	r = folder_read(dir, INDEX_NAME, BYTES_MAX, E_BAD_CHECKPOINT, &text, &len, e);
	if (r == 0)
		r = index_names_text(dir, text, len, &names, e);
	json_object_foreach(names, name, v) {
		if (r < 0 || n++ == SHARDS_MAX)
			break;
		r = index_shard_check(dir, name, e);
		if (r == 0)
			r = glance_file(dir, name, E_BAD_CHECKPOINT, e);
	}
	return r;
}

static int
adapter_look(struct folder *dir, struct err *e)
{
	_cleanup_(adapter_config_release) struct adapter_config config = ADAPTER_CONFIG_INIT;
	bool small = false;
	int r = is_small(dir, ADAPTER_CONFIG_NAME, &small, e);

	if (r == 0 && small)
		r = adapter_config_read(dir, &config, e);
	/* Without its weights checkpoint_open() says more, such as which files the folder has. */
	if (r == 0 && folder_has(dir, ADAPTER_WEIGHTS_NAME))
		r = glance_file(dir, ADAPTER_WEIGHTS_NAME, E_BAD_CHECKPOINT, e);
	return r;
}

/* What a folder without config.json or without weights may still hold. */
struct rest {
	struct folder *dir;
	char pickled[256]; /* "": none */
	bool adapter;      /* in a subfolder */
};

static void
rest_add(void *arg, const char *name)
{
	struct rest *rest = arg;
	char path[300];

	if (!*rest->pickled && glance_is_pickle(name))
		(void)snprintf(rest->pickled, sizeof(rest->pickled), "%s", name);
	(void)snprintf(path, sizeof(path), "%s/" ADAPTER_CONFIG_NAME, name);
	rest->adapter |= name[0] != '.' && folder_has(rest->dir, path);
}

static int
weights_look(struct folder *dir, struct err *e)
{
	struct rest rest = {.dir = dir};

	if (folder_has(dir, WEIGHTS_NAME))
		return glance_file(dir, WEIGHTS_NAME, E_BAD_CHECKPOINT, e);
	if (folder_has(dir, INDEX_NAME))
		return shards_look(dir, e);
	if (folder_each(dir, ENTRIES_MAX, rest_add, &rest) != 0)
		return 0; /* too many entries to look at, or unreadable */
	return glance_refuse(folder_path(dir), GLANCE_WEIGHTS, *rest.pickled ? rest.pickled : NULL, e);
}

int
glance_checkpoint(struct folder *dir, enum adapter_use use, bool task, json_t **ret_config, struct err *e)
{
	const bool adapter = folder_has(dir, ADAPTER_CONFIG_NAME),
		   weights = folder_has(dir, WEIGHTS_NAME) || folder_has(dir, INDEX_NAME);
	struct rest rest = {.dir = dir};
	json_auto_t *config = NULL;
	int r;

	*ret_config = NULL;
	if (adapter && use != ADAPTER_IGNORE)
		return adapter_look(dir, e);
	if (!adapter && !weights && !folder_has(dir, CONFIG_NAME) &&
	    (folder_each(dir, ENTRIES_MAX, rest_add, &rest) != 0 || rest.adapter))
		return 0; /* the adapter of a subfolder may be meant */
	if (adapter || task)
		return 0; /* which of the two is read depends on more than a glance */
	r = config_look(dir, &config, e);
	if (r == 0)
		r = weights_look(dir, e);
	if (r == 0)
		*ret_config = TAKE(config);
	return r;
}
