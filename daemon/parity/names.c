#include "names.h"

#include "base/str.h"
#include "spec/input_name.h"

/* What the user says of an input: the part behind "NAME="; NULL: nothing. */
static const char *
given_find(const struct names *n, const char *name)
{
	const size_t len = strlen(name);
	size_t i;

	for (i = 0; i < n->n_inputs; i++)
		if (strncmp(n->inputs[i], name, len) == 0 && n->inputs[i][len] == '=')
			return n->inputs[i] + len + 1;
	return NULL;
}

static int
input_rename(const struct names *n, struct ort_session *s, size_t i, struct err *e)
{
	const char *name = ort_input_get(s, i)->name, *new = given_find(n, name);

	if (!new)
		new = input_name_find(name);
	return new && !str_eq(new, name) ? ort_input_rename(s, i, new, e) : 0;
}

static int
output_choose(const struct names *n, struct ort_session *s, struct err *e)
{
	const size_t count = ort_output_count(s);
	size_t i;

	for (i = 0; i < count; i++)
		if (n->output ? str_eq(ort_output_name(s, i), n->output)
			      : strstr(ort_output_name(s, i), "embedding") != NULL) {
			(n->output ? ort_output_only : ort_output_first)(s, i);
			return 0;
		}
	return n->output ? err_set(e, E_USAGE, "the graph has no output '%s'; its first is '%s'", n->output,
				   ort_output_name(s, 0))
			 : 0;
}

int
names_apply(const struct names *n, struct ort_session *s, struct err *e)
{
	size_t i;
	int r = output_choose(n, s, e);

	for (i = 0; r == 0 && i < ort_input_count(s); i++)
		r = input_rename(n, s, i, e);
	return r;
}
