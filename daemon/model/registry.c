#include "base/buf.h"
#include "base/str.h"
#include "model.h"
#include "spec/told.h"

static const struct model *const models[] = {
#define ARCHITECTURE(family, ...) &model_##family,
#include "spec/architectures.def"
#undef ARCHITECTURE
};

_Static_assert(ARRAY_LEN(models) == ARCHITECTURE_MAX, "a model for each architecture");

bool
model_rounds(const char *weight)
{
	static const char *const layers[] = {"lm.layers.", "vis.blocks.", "vis.encoder.layers.",
					     "vis.transformer.layers."};
	static const char *const tables[] = {"lm.embed_tokens.weight", "lm.embeddings.tok_embeddings.weight",
					     "lm.embed_tokens.word_embeddings.weight"};
	size_t i;

	for (i = 0; i < ARRAY_LEN(layers); i++)
		if (str_starts(weight, layers[i]))
			return true;
	for (i = 0; i < ARRAY_LEN(tables); i++)
		if (str_eq(weight, tables[i]))
			return true;
	return false;
}

/* The first class that is told and is not the family's; NULL: there is none. */
static const char *
stranger(const struct model *m, const struct told *t)
{
	size_t i;

	for (i = 0; i < t->n_class; i++)
		if (!class_find(m->arch, t->class[i]))
			return t->class[i];
	return NULL;
}

/* The class that says the head, of those that are told: the first that is more than the backbone, else the first. */
static const struct class *
class_of(const struct model *m, const struct model_spelling *s, const struct told *t)
{
	const struct class *first = NULL, *c;
	size_t i;

	for (i = 0; i < t->n_class; i++) {
		c = class_find(m->arch, t->class[i]);
		if (c && !c->bare)
			return c;
		if (!first)
			first = c;
	}
	return first || !s->type ? first : class_find(m->arch, s->class);
}

static bool
string_eq(const char *a, const char *b)
{
	return a && b ? str_eq(a, b) : a == b;
}

/* Compares everything except the class. */
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

/* The class has a head, and the job asks for another. */
static int
head_not_the_class(const struct model_found *f, enum head head, const struct told *t, struct err *e)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	int h, r;

	for (h = 0; h < HEAD_MAX; h++)
		if (f->class->heads & 1u << h)
			buf_printf(&b, "%s%s", b.len ? ", " : "", head_name((enum head)h));
	r = buf_failed(&b, e);
	if (r < 0)
		return r;
	return err_set(e, E_BAD_REQUEST,
		       "the head '%s' is not one of the class '%s' that config.json %s, which has %s: leave "
		       "head out, or ask for one of these",
		       head_name(head), f->class->name, t->n_class ? "names" : "is taken for", b.data);
}

/* The first family and row that config.json fits and that has the head. *near is the first that it fits but for a class. */
static bool
search(const struct told *t, enum head head, struct model_found *ret, struct model_found *other,
       const struct model **near)
{
	const struct model_spelling *s;
	struct model_found f;
	size_t i;

	for (i = 0; i < ARRAY_LEN(models); i++)
		for (s = models[i]->spellings; !spelling_is_end(s); s++) {
			if (!spelling_fits(s, t))
				continue;
			f = (struct model_found){.model = models[i], .spelling = s};
			f.class = class_of(f.model, s, t);
			if (!*near && s->type)
				*near = f.model;
			if (!f.class || stranger(f.model, t))
				continue;
			f.head = head == HEAD_AUTO ? f.class->head : head;
			if (f.class->heads & 1u << f.head) {
				*ret = f;
				return true;
			}
			if (!other->model)
				*other = f;
		}
	return false;
}

int
model_find(const json_t *config, enum head head, struct model_found *ret, struct err *e)
{
	struct model_found other = {.model = NULL};
	const struct model *near = NULL;
	const char *class;
	struct told told;

	told_read(config, &told);
	if (search(&told, head, ret, &other, &near))
		return 0;
	if (other.model)
		return head_not_the_class(&other, head, &told, e);
	class = near && !told_missing(&told) ? stranger(near, &told) : NULL;
	return class ? told_refuse_class(near->arch, class, e) : told_refuse(&told, e);
}

/* Parity cases need at least one id that is not a special token. */
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
model_asked_check(const struct model_found *f, struct err *e)
{
	static const char *const modes[] = {"trained", "causal", "bidirectional"};
	const struct model *m = f->model;

	if (f->mask != MODEL_MASK_TRAINED && !(m->masks & 1u << f->mask))
		return err_set(e, E_BAD_REQUEST,
			       "mask_mode '%s' is not supported for %s: leave mask_mode out", modes[f->mask],
			       m->arch->title);
	if (f->dim && !m->cuts)
		return err_set(e, E_BAD_REQUEST,
			       "dim %lld: embeddings of %s were not trained to be cut: leave dim out",
			       (long long)f->dim, m->arch->title);
	return 0;
}

int
model_config_read(const struct model_found *f, struct checkpoint *ck, void *config, struct err *e)
{
	const struct model *m = f->model;
	struct model_tokens tokens;
	int r = model_asked_check(f, e);

	if (r == 0 && m->names)
		r = checkpoint_rename(ck, m->names, e);
	if (r == 0)
		r = checkpoint_dense_use(ck, e);
	if (r == 0)
		r = m->config_read(checkpoint_config(ck), ck, f, config, e);
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
