#include "modules.h"

#include "base/json.h"
#include "base/str.h"

/* The list of modules; NULL: the folder has none. */
static int
list_read(struct folder *dir, json_t **ret, struct err *e)
{
	*ret = NULL;
	return folder_has(dir, MODULES_NAME)
		       ? json_read_in(dir, MODULES_NAME, MODULES_SETTINGS_MAX, E_BAD_CHECKPOINT, ret, e)
		       : 0;
}

static const char *
text_of(const json_t *obj, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s ? s : otherwise;
}

/* A plain name: the folder of a module lies in the model's. *ret is NULL for "", the model's own folder. */
static int
path_take(struct folder *dir, const json_t *module, char **ret, struct err *e)
{
	const char *path = text_of(module, "path", "");

	*ret = NULL;
	if (!*path)
		return 0;
	if (*path == '.' || strchr(path, '/'))
		return err_set(e, E_BAD_CHECKPOINT,
			       "'%s/" MODULES_NAME "': the path of a module is '%.80s', not the "
			       "name of a folder beside it",
			       folder_path(dir), path);
	*ret = strdup(path);
	return *ret ? 0 : err_no_memory(e);
}

/* Module *at of the list or the next one of that type, and its number; NULL: there is none. */
static const json_t *
next_of(const json_t *modules, const char *type, size_t *at)
{
	for (; *at < json_array_size(modules); ++*at)
		if (str_ends(text_of(json_array_get(modules, *at), "type", ""), type))
			return json_array_get(modules, *at);
	return NULL;
}

int
modules_find(struct folder *dir, const char *type, char **ret, struct err *e)
{
	json_auto_t *modules = NULL;
	const json_t *m;
	size_t at = 0;
	int r = list_read(dir, &modules, e);

	*ret = NULL;
	m = next_of(modules, type, &at);
	return r < 0 || !m ? r : path_take(dir, m, ret, e);
}

int
modules_path(struct folder *dir, size_t i, char **ret, size_t *ret_count, struct err *e)
{
	json_auto_t *modules = NULL;
	int r = list_read(dir, &modules, e);

	*ret = NULL;
	*ret_count = json_array_size(modules);
	return r < 0 ? r : path_take(dir, json_array_get(modules, i), ret, e);
}

/* The library's defaults of a Dense are tanh, over the vector of a row. */
static int
dense_check(struct folder *dir, const char *path, struct err *e)
{
	_cleanup_free_ char *name = str_printf("%s/config.json", path);
	const char *act, *input;
	json_auto_t *config = NULL;
	int r = name ? json_read_in(dir, name, MODULES_SETTINGS_MAX, E_BAD_CHECKPOINT, &config, e)
		     : err_no_memory(e);

	if (r < 0)
		return r;
	act = text_of(config, "activation_function", "Tanh");
	input = text_of(config, "module_input_name", "sentence_embedding");
	if (!str_ends(act, "Identity"))
		return err_set(e, E_UNSUPPORTED_MODEL,
			       "'%s': the activation_function '%.80s' is not supported, only Identity is",
			       name, act);
	if (!str_eq(input, "token_embeddings"))
		return err_set(e, E_UNSUPPORTED_MODEL,
			       "'%s': a Dense module over '%.80s' is not supported, only one over "
			       "token_embeddings is",
			       name, input);
	return 0;
}

/* The folder of the only Dense module; NULL: there is none. */
static int
dense_path(struct folder *dir, char **ret, struct err *e)
{
	json_auto_t *modules = NULL;
	const json_t *dense;
	size_t at = 0;
	int r = list_read(dir, &modules, e);

	*ret = NULL;
	dense = next_of(modules, ".Dense", &at);
	if (r < 0 || !dense)
		return r;
	at++;
	if (next_of(modules, ".Dense", &at))
		return err_set(e, E_UNSUPPORTED_MODEL,
			       "'%s/" MODULES_NAME "' lists two Dense modules; one at most is supported",
			       folder_path(dir));
	r = path_take(dir, dense, ret, e);
	if (r < 0 || *ret)
		return r;
	return err_set(e, E_BAD_CHECKPOINT,
		       "'%s/" MODULES_NAME "': the Dense module has no path, the name of its folder",
		       folder_path(dir));
}

int
modules_dense_find(struct folder *dir, char **ret_file, struct err *e)
{
	_cleanup_free_ char *path = NULL;
	int r = dense_path(dir, &path, e);

	*ret_file = NULL;
	if (r < 0 || !path)
		return r;
	r = dense_check(dir, path, e);
	if (r < 0)
		return r;
	*ret_file = str_printf("%s/model.safetensors", path);
	return *ret_file ? 0 : err_no_memory(e);
}
