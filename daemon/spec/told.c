#include "told.h"

#include "base/str.h"

/* NULL matches anything. */
static const struct unsupported {
	const char *type, *class; /* prefix of the class name */
	const char *title, *missing;
} unsupported[] = {
#define UNSUPPORTED(type, class, title, missing) {type, class, title, missing},
#include "unsupported.def"
#undef UNSUPPORTED
};

/* "modeling_x.Name" and "owner/repository--modeling_x.Name" mean the class Name. */
static void
class_add(struct told *t, const json_t *v)
{
	const char *said = json_string_value(v), *dot = said ? strrchr(said, '.') : NULL;

	if (said && t->n_class < TOLD_CLASSES_MAX)
		t->class[t->n_class++] = dot ? dot + 1 : said;
}

/* Keys that only one class writes: they name it where config.json names none, with or without a model_type. */
static const struct {
	const char *key, *class;
} keys[] = {
	{"multi_vector_projector_dim", "JinaEmbeddingsV4Model"},
	{"single_vector_pool_strategy", "JinaEmbeddingsV4Model"},
};

/*
 * auto_map also names classes of configs and processors; those of models are under AutoModel and
 * AutoModelForX.
 */
void
told_read(const json_t *config, struct told *ret)
{
	const json_t *classes = json_object_get(config, "architectures"), *vlm, *v;
	const char *key;
	size_t i;

	vlm = json_object_get(config, "vlm_config");
	*ret = (struct told){.type = json_string_value(json_object_get(config, "model_type")),
			     .backbone = json_string_value(json_object_get(vlm, "model_type"))};
	class_add(ret, classes);
	json_array_foreach(classes, i, v)
		class_add(ret, v);
	json_object_foreach(json_object_get(config, "auto_map"), key, v)
		if (str_starts(key, "AutoModel"))
			class_add(ret, v);
	for (i = 0; ret->n_class == 0 && i < ARRAY_LEN(keys); i++)
		if (json_object_get(config, keys[i].key))
			ret->class[ret->n_class++] = keys[i].class;
}

/* "ColQwen2ForRetrieval, ColQwen2, BiQwen2". `all`: the backbones too. */
static void
classes_put(struct buf *b, const struct architecture *arch, bool all)
{
	const struct class *c = NULL;
	const char *comma = "";

	while ((c = class_next(arch, c)))
		if (all || !c->bare) {
			buf_printf(b, "%s%s", comma, c->name);
			comma = ", ";
		}
}

/* "ColQwen2 (ColQwen2ForRetrieval, ColQwen2, BiQwen2), ColPali (ColPaliForRetrieval, ColPali, BiPali)" */
static void
supported_put(struct buf *b)
{
	size_t i;

	for (i = 0; i < ARCHITECTURE_MAX; i++) {
		buf_printf(b, "%s%s (", i ? ", " : "", architectures[i].title);
		classes_put(b, &architectures[i], false);
		buf_puts(b, ")");
	}
}

static bool
class_begins(const struct told *t, const char *with)
{
	size_t i;

	for (i = 0; i < t->n_class; i++)
		if (str_starts(t->class[i], with))
			return true;
	return false;
}

/* The row of a retriever that is known but not supported; NULL: none. */
static const struct unsupported *
unsupported_find(const struct told *t)
{
	const struct unsupported *u;
	size_t i;

	for (i = 0; i < ARRAY_LEN(unsupported); i++) {
		u = &unsupported[i];
		if ((!u->type || (t->type && str_eq(u->type, t->type))) &&
		    (!u->class || class_begins(t, u->class)))
			return u;
	}
	return NULL;
}

const char *
told_missing(const struct told *t)
{
	const struct unsupported *u = unsupported_find(t);

	return u ? u->missing : NULL;
}

static int
known_refuse(const struct unsupported *u, const struct told *t, struct err *e)
{
	return err_set(e, E_UNSUPPORTED_MODEL,
		       "config.json: this is %s (model_type '%s', architectures '%s'), which is not "
		       "supported: %s",
		       u->title, t->type ? t->type : "none", t->n_class ? t->class[0] : "none", u->missing);
}

int
told_refuse(const struct told *t, struct err *e)
{
	const struct unsupported *known = unsupported_find(t);
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	int r;

	if (known)
		return known_refuse(known, t, e);
	supported_put(&b);
	r = buf_failed(&b, e);
	if (r < 0)
		return r;
	return err_set(e, E_UNSUPPORTED_MODEL,
		       "config.json: model_type '%s'%s%s%s (architectures '%s') is not supported; supported "
		       "are %s",
		       t->type ? t->type : "none", t->backbone ? " over '" : "",
		       t->backbone ? t->backbone : "", t->backbone ? "'" : "",
		       t->n_class ? t->class[0] : "none", b.data);
}

int
told_refuse_class(const struct architecture *arch, const char *class, struct err *e)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	int r;

	classes_put(&b, arch, true);
	r = buf_failed(&b, e);
	if (r < 0)
		return r;
	return err_set(
		e, E_UNSUPPORTED_MODEL,
		"config.json: the class '%s' is not supported; classes that compute what %s does are %s (a "
		"config.json that names no class, in architectures or auto_map, is taken for one of them)",
		class, arch->title, b.data);
}

/* The family that config.json seems to mean, for the message; NULL: unknown. */
static const struct architecture *
near(const struct told *t)
{
	const struct class *c;
	size_t i;

	for (i = 0; i < t->n_class; i++) {
		c = class_find(/*arch=*/NULL, t->class[i]);
		if (c)
			return c->arch;
	}
	return t->type ? FIND_ROW(architectures, ARCHITECTURE_MAX, family, t->type) : NULL;
}

int
told_check(const struct told *t, struct err *e)
{
	const struct architecture *arch = near(t);
	const char *stranger = NULL;
	size_t i;

	for (i = 0; i < t->n_class && !stranger; i++)
		if (!class_find(/*arch=*/NULL, t->class[i]))
			stranger = t->class[i];
	if (told_missing(t) && (stranger || !arch))
		return told_refuse(t, e);
	if (!stranger)
		return 0;
	return arch ? told_refuse_class(arch, stranger, e) : told_refuse(t, e);
}
