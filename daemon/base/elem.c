#include "elem.h"

#include "str.h"

static const struct {
	const char *name, *word;
	size_t size;
	bool is_weight;
	int onnx;
} elems[] = {
#define ELEM(sym, word, size, is_weight, onnx, torch) {#sym, word, size, is_weight, onnx},
#include "elems.def"
#undef ELEM
};

_Static_assert(ARRAY_LEN(elems) == ELEM_MAX, "a row for each element type");

const char *
elem_name(enum elem t)
{
	return elems[t].name;
}

const char *
elem_word(enum elem t)
{
	return elems[t].word;
}

size_t
elem_size(enum elem t)
{
	return elems[t].size;
}

bool
elem_is_weight(enum elem t)
{
	return elems[t].is_weight;
}

int
elem_onnx(enum elem t)
{
	return elems[t].onnx;
}

enum elem
elem_from_name(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(elems); i++)
		if (str_eq(elems[i].name, name))
			return (enum elem)i;
	return ELEM_MAX;
}

enum elem
elem_from_onnx(int number)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(elems); i++)
		if (number && elems[i].onnx == number)
			return (enum elem)i;
	return ELEM_MAX;
}
