#include "warnings.h"

#include "base/log.h"
#include "base/str.h"
#include "checkpoint/names.h"

#define TEXT_MAX 600
#define NAMES_SHOWN 8
#define PARTS_MAX 16

/* A weight's use in the graphs. */
enum use {
	UNUSED,
	USED,
	CHECKED /* used, and its elements were checked */
};

/* First components of the names of used weights: "lm" of "lm.norm.weight". */
struct parts {
	char name[PARTS_MAX][32];
	size_t count;
};

struct survey {
	struct conversion *c;
	enum use *use; /* of each weight of the checkpoint */
	struct parts parts;
	bool images; /* some graph sees images, so that all parts are needed */
};

/* The first few of many names, in quotes. */
struct names {
	char text[TEXT_MAX];
	size_t len, shown, count;
};

int
warnings_add(struct conversion *c, struct err *e, const char *fmt, ...)
{
	char text[TEXT_MAX + 200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	str_clean(text);
	log_warning("%s", text);
	if (!c->warnings)
		c->warnings = json_array();
	if (json_array_size(c->warnings) == WARNINGS_MAX)
		return 0;
	return json_array_append_new(c->warnings, json_string(text)) < 0 ? err_no_memory(e) : 0;
}

static void
names_add(struct names *n, const char *name)
{
	n->count++;
	if (n->shown == NAMES_SHOWN || n->len + strlen(name) + sizeof(", ''") > sizeof(n->text))
		return;
	n->len += (size_t)snprintf(n->text + n->len, sizeof(n->text) - n->len, "%s'%s'", n->len ? ", " : "",
				   name);
	n->shown++;
}

/* "WORDS: 'a', 'b' and 3 others"; nothing for no names. */
static int
names_tell(struct survey *s, const struct names *n, const char *words, struct err *e)
{
	if (n->count == n->shown)
		return n->count ? warnings_add(s->c, e, "%s: %s", words, n->text) : 0;
	return warnings_add(s->c, e, "%s: %s and %zu others", words, n->text, n->count - n->shown);
}

static size_t
weight_index(const struct survey *s, const struct weight *w)
{
	return (size_t)(w - checkpoint_get(s->c->checkpoint, 0));
}

static bool
part_is(const char *part, const char *name)
{
	const size_t len = strlen(part);

	return strncmp(part, name, len) == 0 && (name[len] == '.' || !name[len]);
}

static bool
parts_has(const struct parts *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->count; i++)
		if (part_is(p->name[i], name))
			return true;
	return false;
}

static void
parts_add(struct parts *p, const char *name)
{
	const size_t len = strcspn(name, ".");

	if (parts_has(p, name) || p->count == PARTS_MAX || len >= sizeof(p->name[0]))
		return;
	memcpy(p->name[p->count], name, len);
	p->name[p->count++][len] = '\0';
}

static bool
is_norm(const struct weight *w)
{
	return w->tensor->rank == 1 && str_ends(w->name, ".weight") &&
	       (strstr(w->name, "norm") || strstr(w->name, ".ln"));
}

static int
is_zero(const struct weight *w, bool *ret, struct err *e)
{
	const size_t n = (size_t)w->tensor->count;
	float v[256];
	size_t i, k, count;
	int r;

	*ret = false;
	for (i = 0; i < n; i += count) {
		count = MIN(ARRAY_LEN(v), n - i);
		r = weight_read(w, ELEM_F32, i, count, v, e);
		if (r < 0)
			return r;
		for (k = 0; k < count; k++)
			if (v[k] != 0)
				return 0;
	}
	*ret = n > 0;
	return 0;
}

/* A norm whose weight is all zero makes its whole output zero, unless the model adds 1 to the weight. */
static int
norms_survey(struct survey *s, const struct ir_graph *g, struct names *zero, struct err *e)
{
	const struct ir_value *v;
	enum use *use;
	bool is;
	size_t i;
	int r = 0;

	for (i = 0; i < g->n_value && r == 0; i++) {
		v = g->value[i];
		if (!v->weight)
			continue;
		use = &s->use[weight_index(s, v->weight)];
		parts_add(&s->parts, v->weight->name);
		if (*use == UNUSED)
			*use = USED;
		if (*use == CHECKED || v->transform != IR_AS_IS || !is_norm(v->weight))
			continue;
		*use = CHECKED;
		r = is_zero(v->weight, &is, e);
		if (r == 0 && is)
			names_add(zero, v->weight->tensor->name);
	}
	return r;
}

/*
 * Splits a name before the number of its layer: "lm.layers.27.mlp..." gives the length 10 and the number 27.
 * False: it has no layer.
 */
static bool
layer_of(const char *name, size_t *ret_len, uint64_t *ret)
{
	const char *p = name;
	size_t digits;

	while ((p = strchr(p, '.'))) {
		digits = strspn(++p, "0123456789");
		if (digits && digits < 10 && p[digits] == '.') {
			*ret_len = (size_t)(p - name);
			*ret = strtoull(p, NULL, 10);
			return true;
		}
	}
	return false;
}

/* How many layers whose names begin like this the graphs use. */
static uint64_t
layers_used(const struct survey *s, const char *name, size_t len)
{
	uint64_t layers = 0, layer;
	const struct weight *w;
	size_t i, k;

	for (i = 0; i < checkpoint_count(s->c->checkpoint); i++) {
		w = checkpoint_get(s->c->checkpoint, i);
		if (s->use[i] != UNUSED && layer_of(w->name, &k, &layer) && k == len &&
		    memcmp(w->name, name, len) == 0)
			layers = MAX(layers, layer + 1);
	}
	return layers;
}

/* A class that has both heads has a projection, which a vector for each row does not need. */
static bool
other_head(const struct conversion *c, const struct weight *w)
{
	return c->found.head != HEAD_MULTI_VECTOR && str_starts(w->name, "proj.");
}

static int
unused_survey(struct survey *s, struct err *e)
{
	struct names unknown = {.count = 0}, beyond = {.count = 0};
	const char *prefix = NULL;
	uint64_t layer, layers = 0;
	const struct weight *w;
	size_t i, len, prefix_len = 0;
	int r;

	for (i = 0; i < checkpoint_count(s->c->checkpoint); i++) {
		w = checkpoint_get(s->c->checkpoint, i);
		if (s->use[i] != UNUSED || !elem_is_weight(w->tensor->dtype) || other_head(s->c, w) ||
		    (!s->images && !parts_has(&s->parts, w->name)))
			continue;
		if (!layer_of(w->name, &len, &layer)) {
			names_add(&unknown, w->tensor->name);
			continue;
		}
		/* Weights are sorted: all layers of one kind come one after the other. */
		if (!prefix || prefix_len != len || memcmp(prefix, w->name, len) != 0) {
			prefix = w->name;
			prefix_len = len;
			layers = layers_used(s, prefix, len);
		}
		names_add(layers && layer >= layers ? &beyond : &unknown, w->tensor->name);
	}
	r = names_tell(s, &beyond, "tensors of layers beyond the number in config.json are ignored", e);
	return r < 0 ? r : names_tell(s, &unknown, "tensors that the model does not know are ignored", e);
}

/* Tensors that the index lists and no file has, except those that no model needs, such as a tied lm_head. */
static int
lost_survey(struct survey *s, struct err *e)
{
	const struct index_lost *l = checkpoint_lost(s->c->checkpoint);
	struct names names = {.count = 0};
	char canonical[NAME_LEN_MAX];
	size_t i;

	for (i = 0; i < ARRAY_LEN(l->name) && l->name[i]; i++)
		if (name_canonical(l->name[i], canonical, NULL) > 0)
			names_add(&names, l->name[i]);
	return names_tell(s, &names, INDEX_NAME " lists tensors that no file has and the model does not need",
			  e);
}

/* A direction that config.json does not say. */
static int
direction_survey(struct conversion *c, struct err *e)
{
	const struct model_direction *d = c->model->direction ? c->model->direction(c->config) : NULL;

	return d && d->warning ? warnings_add(c, e, "%s", d->warning) : 0;
}

static int
advice_survey(struct conversion *c, struct err *e)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	int r;

	if (!c->model->advise)
		return 0;
	c->model->advise(c->config, &b);
	r = buf_failed(&b, e);
	return r == 0 && b.len ? warnings_add(c, e, "%s", b.data) : r;
}

int
warnings_collect(struct conversion *c, struct err *e)
{
	_cleanup_free_ enum use *use = calloc(checkpoint_count(c->checkpoint) + 1, sizeof(*use));
	struct survey s = {.c = c, .use = use};
	struct names zero = {.count = 0};
	const char *experimental = class_experimental(c->found.class);
	int v, r = 0;

	if (!use)
		return err_no_memory(e);
	if (experimental)
		r = warnings_add(c, e, "%s: %s", c->model->arch->title, experimental);
	for (v = 0; v < VARIANT_MAX && r == 0; v++) {
		if (!c->graph[v])
			continue;
		s.images |= v != VARIANT_TEXT && v != VARIANT_PREPROCESS;
		r = norms_survey(&s, c->graph[v], &zero, e);
	}
	if (r == 0)
		r = direction_survey(c, e);
	if (r == 0)
		r = advice_survey(c, e);
	if (r == 0)
		r = names_tell(&s, &zero, "norms whose weight is all zero", e);
	if (r == 0)
		r = unused_survey(&s, e);
	return r == 0 ? lost_survey(&s, e) : r;
}
