#include "modules.h"

#include "base/json.h"
#include "base/str.h"

#define LEN_MAX (1u << 20)

/* A plain name: the folder of a module lies in that of the model. */
static bool
path_ok(const char *path)
{
	return path && *path && *path != '.' && !strchr(path, '/');
}

static const char *
text_of(const json_t *obj, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s ? s : otherwise;
}

/* The library's defaults of a Dense are tanh, over the vector of a row. */
static int
dense_check(struct folder *dir, const char *path, struct err *e)
{
	_cleanup_free_ char *name = str_printf("%s/config.json", path);
	const char *act, *input;
	json_auto_t *config = NULL;
	int r = name ? json_read_in(dir, name, LEN_MAX, E_BAD_CHECKPOINT, &config, e) : err_no_memory(e);

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

int
modules_dense_find(struct folder *dir, char **ret_file, struct err *e)
{
	json_auto_t *modules = NULL;
	const char *path = NULL;
	json_t *m;
	size_t i;
	int r;

	*ret_file = NULL;
	if (!folder_has(dir, MODULES_NAME))
		return 0;
	r = json_read_in(dir, MODULES_NAME, LEN_MAX, E_BAD_CHECKPOINT, &modules, e);
	if (r < 0)
		return r;
	json_array_foreach(modules, i, m) {
		if (!str_ends(text_of(m, "type", ""), ".Dense"))
			continue;
		if (path)
			return err_set(e, E_UNSUPPORTED_MODEL,
				       "'%s/" MODULES_NAME
				       "' lists two Dense modules; one at most is supported",
				       folder_path(dir));
		path = text_of(m, "path", "");
		if (!path_ok(path))
			return err_set(e, E_BAD_CHECKPOINT,
				       "'%s/" MODULES_NAME
				       "': the path of the Dense module is '%.80s', not the "
				       "name of a folder beside it",
				       folder_path(dir), path);
	}
	r = path ? dense_check(dir, path, e) : 0;
	if (r < 0 || !path)
		return r;
	*ret_file = str_printf("%s/model.safetensors", path);
	return *ret_file ? 0 : err_no_memory(e);
}
