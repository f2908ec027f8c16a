#include "base/buf.h"
#include "base/str.h"
#include "model.h"

static const struct model *const models[] = {
#define ARCHITECTURE(family, ...) &model_##family,
#include "spec/architectures.def"
#undef ARCHITECTURE
};

static const char *const libraries[] = {
	[LIBRARY_TRANSFORMERS] = "transformers",
	[LIBRARY_ENGINE] = "colpali-engine",
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

/* What config.json says of the model; NULL where it says nothing. */
struct told {
	const char *type, *backbone;
	const json_t *classes, *auto_map;
};

/* "modeling_x.Name" and "owner/repository--modeling_x.Name" mean the class Name. */
static bool
class_is(const json_t *v, const char *class)
{
	const char *said = json_string_value(v), *dot = said ? strrchr(said, '.') : NULL;

	return said && str_eq(dot ? dot + 1 : said, class);
}

static bool
class_told(const struct told *t, const char *class)
{
	const char *key;
	const json_t *v;
	size_t i;

	json_array_foreach(t->classes, i, v)
		if (class_is(v, class))
			return true;
	json_object_foreach((json_t *)(uintptr_t)t->auto_map, key, v)
		if (class_is(v, class))
			return true;
	return false;
}

static bool
string_eq(const char *a, const char *b)
{
	return a && b ? str_eq(a, b) : a == b;
}

static bool
spelling_fits(const struct model_spelling *s, const struct told *t)
{
	return string_eq(s->type, t->type) && (!t->backbone || string_eq(s->backbone, t->backbone)) &&
	       (!s->class || class_told(t, s->class));
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

static int
not_supported(const struct told *t, struct err *e)
{
	const char *class = json_string_value(json_array_get(t->classes, 0));
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

int
model_find(const json_t *config, const struct model **ret, const struct model_spelling **ret_as,
	   struct err *e)
{
	const struct told told = {
		.type = json_string_value(json_object_get(config, "model_type")),
		.backbone = json_string_value(
			json_object_get(json_object_get(config, "vlm_config"), "model_type")),
		.classes = json_object_get(config, "architectures"),
		.auto_map = json_object_get(config, "auto_map"),
	};
	const struct model_spelling *s, *best = NULL;
	size_t i;

	for (i = 0; i < ARRAY_LEN(models); i++)
		for (s = models[i]->spellings; !spelling_is_end(s); s++)
			if (spelling_fits(s, &told) && (!best || (s->class && !best->class))) {
				best = s;
				*ret = models[i];
			}
	if (!best)
		return not_supported(&told, e);
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
