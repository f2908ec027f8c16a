#include "class.h"

#include "base/str.h"

#define BIT(h) (1u << HEAD_##h)
#define HEADS_ONLY 0
#define HEADS_POOLED (BIT(LAST_TOKEN) | BIT(MEAN) | BIT(CLS))
#define HEADS_ANY (BIT(MULTI_VECTOR) | HEADS_POOLED)
#define HEADS_IMAGE_MEAN BIT(IMAGE_MEAN)
#define HEADS_MEAN BIT(MEAN)

static const struct class classes[] = {
#define CLASS(family, library, name, head, others) \
	{&architectures[ARCHITECTURE_##family],    \
	 LIBRARY_##library,                        \
	 name,                                     \
	 HEAD_##head,                              \
	 BIT(head) | HEADS_##others,               \
	 HEADS_##others == HEADS_ANY},
#include "classes.def"
#undef CLASS
};

static const char *const libraries[] = {
	[LIBRARY_TRANSFORMERS] = "transformers",
	[LIBRARY_ENGINE] = "colpali-engine",
	[LIBRARY_SAUERKRAUT] = "sauerkrautlm-colpali",
	[LIBRARY_OPENSEARCH] = "opensearch-ai",
	[LIBRARY_NVIDIA] = "nvidia",
	[LIBRARY_JINA] = "jinaai",
	[LIBRARY_TOPK] = "topk-io",
	[LIBRARY_PERPLEXITY] = "perplexity-ai",
	[LIBRARY_NANOVDR] = "nanovdr",
	[LIBRARY_IBM] = "ibm-granite",
};

_Static_assert(ARRAY_LEN(libraries) == LIBRARY_MAX, "a name for each library");

const char *
library_name(enum library l)
{
	return libraries[l];
}

const struct class *
class_next(const struct architecture *arch, const struct class *c)
{
	for (c = c ? c + 1 : classes; c < classes + ARRAY_LEN(classes); c++)
		if (!arch || c->arch == arch)
			return c;
	return NULL;
}

const struct class *
class_find(const struct architecture *arch, const char *name)
{
	const struct class *c = NULL;

	while ((c = class_next(arch, c)))
		if (str_eq(c->name, name))
			return c;
	return NULL;
}

const char *
class_experimental(const struct class *c)
{
	static const struct {
		const char *class, *words;
	} rows[] = {
#define EXPERIMENTAL(class, words) {class, words},
#include "experimental.def"
#undef EXPERIMENTAL
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq(rows[i].class, c->name))
			return rows[i].words;
	return NULL;
}
