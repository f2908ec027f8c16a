#include "base/buf.h"
#include "base/str.h"
#include "model.h"

static const struct model *const models[] = {
#define ARCHITECTURE(family, ...) &model_##family,
#include "spec/architectures.def"
#undef ARCHITECTURE
};

/* NULL fits anything. */
static const struct unsupported {
	const char *type, *class; /* the class begins so */
	const char *title, *missing;
} unsupported[] = {
#define UNSUPPORTED(type, class, title, missing) {type, class, title, missing},
#include "unsupported.def"
#undef UNSUPPORTED
};

static const char *const libraries[] = {
	[LIBRARY_TRANSFORMERS] = "transformers",
	[LIBRARY_ENGINE] = "colpali-engine",
	[LIBRARY_SAUERKRAUT] = "sauerkrautlm-colpali",
	[LIBRARY_OPENSEARCH] = "opensearch-ai",
	[LIBRARY_NVIDIA] = "nvidia",
};

static const char *const outputs[] = {
	[HEAD_MULTI_VECTOR] = "embeddings",
	[HEAD_SINGLE_VECTOR] = "embedding",
};

_Static_assert(ARRAY_LEN(models) == ARCHITECTURE_MAX, "a model for each architecture");
_Static_assert(ARRAY_LEN(libraries) == LIBRARY_MAX, "a name for each library");
_Static_assert(ARRAY_LEN(outputs) == HEAD_MAX, "a name for each output");

const char *
model_library_name(enum model_library l)
{
	return libraries[l];
}

const char *
model_head_output(enum model_head h)
{
	return outputs[h];
}

bool
model_rounds(const char *weight)
{
	static const char *const layers[] = {"lm.layers.", "vis.blocks.", "vis.encoder.layers."};
	static const char *const tables[] = {"lm.embed_tokens.weight", "lm.embeddings.tok_embeddings.weight"};
	size_t i;

	for (i = 0; i < ARRAY_LEN(layers); i++)
		if (str_starts(weight, layers[i]))
			return true;
	for (i = 0; i < ARRAY_LEN(tables); i++)
		if (str_eq(weight, tables[i]))
			return true;
	return false;
}

#define CLASSES_MAX 8

/* What config.json says of the model; NULL where it says nothing. */
struct told {
	const char *type, *backbone;
	const char *class[CLASSES_MAX];
	size_t n_class;
};

/* "modeling_x.Name" and "owner/repository--modeling_x.Name" mean the class Name. */
static void
class_add(struct told *t, const json_t *v)
{
	const char *said = json_string_value(v), *dot = said ? strrchr(said, '.') : NULL;

	if (said && t->n_class < CLASSES_MAX)
		t->class[t->n_class++] = dot ? dot + 1 : said;
}

/* auto_map also names classes of configs and processors: those of models stand under AutoModel and AutoModelForX. */
static void
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
}

static bool
class_told(const struct told *t, const char *class)
{
	size_t i;

	for (i = 0; i < t->n_class; i++)
		if (str_eq(t->class[i], class))
			return true;
	return false;
}

/* The first class that is told and is neither the family's nor the one that a row asks for; NULL: there is none. */
static const char *
stranger(const struct model *m, const struct told *t, const char *asked)
{
	const char *class;
	size_t i, k;

	for (i = 0; i < t->n_class; i++) {
		class = t->class[i];
		for (k = 0; m->classes[k] && !str_eq(m->classes[k], class); k++)
			;
		if (!m->classes[k] && (!asked || !str_eq(asked, class)))
			return class;
	}
	return NULL;
}

static bool
string_eq(const char *a, const char *b)
{
	return a && b ? str_eq(a, b) : a == b;
}

/* But for the class. */
static bool
spelling_fits(const struct model_spelling *s, const struct told *t)
{
	return string_eq(s->type, t->type) && (!t->backbone || string_eq(s->backbone, t->backbone));
}

static bool
spelling_is_end(const struct model_spelling *s)
{
	return !s->type && !s->backbone && !s->class;
}

/* "ColQwen2 (colqwen2, qwen2_vl), ColPali (colpali, paligemma)" */
static void
supported_put(struct buf *b)
{
	const struct model_spelling *s;
	size_t i;

	for (i = 0; i < ARRAY_LEN(models); i++) {
		buf_printf(b, "%s%s (", i ? ", " : "", models[i]->arch->title);
		for (s = models[i]->spellings; !spelling_is_end(s); s++)
			buf_printf(b, "%s%s", s == models[i]->spellings ? "" : ", ",
				   s->class ? s->class : s->type);
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

/* The row of a retriever that is known, but not converted; or NULL. */
static const struct unsupported *
unsupported_find(const struct told *t)
{
	const struct unsupported *u;
	size_t i;

	for (i = 0; i < ARRAY_LEN(unsupported); i++) {
		u = &unsupported[i];
		if ((!u->type || string_eq(u->type, t->type)) && (!u->class || class_begins(t, u->class)))
			return u;
	}
	return NULL;
}

static int
known_not_supported(const struct unsupported *u, const struct told *t, struct err *e)
{
	return err_set(e, E_UNSUPPORTED_MODEL,
		       "config.json: this is %s (model_type '%s', architectures '%s'), which is not "
		       "supported: %s",
		       u->title, t->type ? t->type : "none", t->n_class ? t->class[0] : "none", u->missing);
}

static int
not_supported(const struct told *t, struct err *e)
{
	const char *class = t->n_class ? t->class[0] : NULL;
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	int r;

	supported_put(&b);
	r = buf_failed(&b, e);
	if (r < 0)
		return r;
	return err_set(e, E_UNSUPPORTED_MODEL,
		       "config.json: model_type '%s'%s%s%s (architectures '%s') is not supported; supported "
		       "are %s",
		       t->type ? t->type : "none", t->backbone ? " over '" : "",
		       t->backbone ? t->backbone : "", t->backbone ? "'" : "", class ? class : "none",
		       b.data);
}

/* The rest of config.json is a family's, the class is not. */
static int
class_not_supported(const struct model *m, const char *class, struct err *e)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	size_t i;
	int r;

	for (i = 0; m->classes[i]; i++)
		buf_printf(&b, "%s%s", i ? ", " : "", m->classes[i]);
	r = buf_failed(&b, e);
	if (r < 0)
		return r;
	return err_set(
		e, E_UNSUPPORTED_MODEL,
		"config.json: the class '%s' is not supported; classes that compute what %s does are %s (a "
		"config.json that names no class, in architectures or auto_map, is taken for one of them)",
		class, m->arch->title, b.data);
}

int
model_find(const json_t *config, const struct model **ret, const struct model_spelling **ret_as,
	   struct err *e)
{
	const struct model_spelling *s, *best = NULL;
	const struct model *near = NULL;
	const struct unsupported *known;
	const char *class;
	struct told told;
	size_t i;

	told_read(config, &told);
	for (i = 0; i < ARRAY_LEN(models); i++)
		for (s = models[i]->spellings; !spelling_is_end(s); s++) {
			if (!spelling_fits(s, &told))
				continue;
			near = models[i];
			if ((s->class && !class_told(&told, s->class)) || stranger(near, &told, s->class))
				continue;
			if (!best || (s->class && !best->class)) {
				best = s;
				*ret = models[i];
			}
		}
	if (!best) {
		known = unsupported_find(&told);
		if (known)
			return known_not_supported(known, &told, e);
		class = near ? stranger(near, &told, NULL) : NULL;
		return class ? class_not_supported(near, class, e) : not_supported(&told, e);
	}
	*ret_as = best;
	return 0;
}

/* Words of a parity case need an id that no special token has. */
static int
tokens_check(const struct model_tokens *t, struct err *e)
{
	if (model_words(t) > 0)
		return 0;
	return err_set(e, E_BAD_CHECKPOINT,
		       "config.json: vocab_size is %lld, and each of these ids is a special token; a "
		       "vocabulary needs words too",
		       (long long)t->vocab);
}

int
model_config_read(const struct model *m, const struct model_spelling *as, struct checkpoint *ck, void *config,
		  struct err *e)
{
	struct model_tokens tokens;
	int r = 0;

	if (m->names)
		r = checkpoint_rename(ck, m->names, e);
	if (r == 0)
		r = m->config_read(checkpoint_config(ck), ck, as, config, e);
	if (r < 0)
		return r;
	tokens = m->tokens(config);
	return tokens_check(&tokens, e);
}

struct ir_value *
model_input_trace(struct trace *t, const struct model_input *in, const void *config)
{
	return tr_input(t, in->name, in->elem, in->shape(config));
}

struct feed *
model_input_feed(struct feeds *f, const struct model_input *in, const void *config, const struct sizes *s)
{
	const struct shape shape = in->shape(config);

	return feeds_add_sized(f, in->name, in->elem, &shape, s);
}
