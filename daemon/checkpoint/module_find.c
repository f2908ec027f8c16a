#include "module_find.h"

#include "base/json.h"
#include "base/str.h"
#include "modules.h"

static int
list_read(struct folder *dir, json_t **ret, struct err *e)
{
	*ret = NULL;
	return folder_has(dir, MODULES_NAME)
		       ? json_read_in(dir, MODULES_NAME, MODULE_SETTINGS_MAX, E_BAD_CHECKPOINT, ret, e)
		       : 0;
}

/* A plain name: the folder of a module lies in that of the model. "": the model itself. */
static int
path_take(struct folder *dir, const json_t *module, char **ret, struct err *e)
{
	const char *path = json_string_value(json_object_get(module, "path"));

	if (!path || !*path)
		return 0;
	if (*path == '.' || strchr(path, '/'))
		return err_set(e, E_BAD_CHECKPOINT,
			       "'%s/" MODULES_NAME
			       "': the path '%.80s' is not the name of a folder beside it",
			       folder_path(dir), path);
	*ret = strdup(path);
	return *ret ? 0 : err_no_memory(e);
}

int
module_find(struct folder *dir, const char *type, char **ret, struct err *e)
{
	json_auto_t *modules = NULL;
	const char *is;
	json_t *m;
	size_t i;
	int r = list_read(dir, &modules, e);

	*ret = NULL;
	json_array_foreach(modules, i, m) {
		is = json_string_value(json_object_get(m, "type"));
		if (r == 0 && is && str_ends(is, type))
			return path_take(dir, m, ret, e);
	}
	return r;
}

int
module_path(struct folder *dir, size_t i, char **ret, size_t *ret_count, struct err *e)
{
	json_auto_t *modules = NULL;
	int r = list_read(dir, &modules, e);

	*ret = NULL;
	*ret_count = json_array_size(modules);
	return r < 0 ? r : path_take(dir, json_array_get(modules, i), ret, e);
}
