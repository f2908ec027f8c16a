#include "head.h"

static const struct {
	const char *name, *output, *similarity;
} rows[] = {
#define HEAD(sym, name, output, similarity, ...) {name, output, similarity},
#include "heads.def"
#undef HEAD
};

const char *
head_name(enum head h)
{
	return rows[h].name;
}

const char *
head_output(enum head h)
{
	return rows[h].output;
}

const char *
head_similarity(enum head h)
{
	return rows[h].similarity;
}
