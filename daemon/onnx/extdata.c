#include "extdata.h"

#include "base/str.h"
#include "checkpoint/convert.h"

int
extdata_new(const char *name, uint64_t file_max, struct extdata **ret, struct err *e)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return err_no_memory(e);
	(void)snprintf((*ret)->name, sizeof((*ret)->name), "%s", name);
	(*ret)->file_max = file_max;
	return 0;
}

void
extdata_free(struct extdata **x)
{
	if (!*x)
		return;
	buf_release(&(*x)->heads);
	free((*x)->item);
	free((*x)->file);
	free(*x);
	*x = NULL;
}

uint64_t
extdata_form_count(const struct weight *w, const struct extdata_form *form)
{
	return form->floats ? form->n_floats : (uint64_t)w->tensor->count;
}

uint64_t
extdata_form_len(const struct weight *w, const struct extdata_form *form)
{
	return extdata_form_count(w, form) * elem_size(form->dtype);
}

static int
file_add(struct extdata *x, struct err *e)
{
	uint64_t *file = realloc(x->file, (x->n_file + 1) * sizeof(*file));

	if (!file)
		return err_no_memory(e);
	file[x->n_file++] = 0;
	x->file = file;
	return 0;
}

/* Adds a tensor at the end of the last file. */
static int
item_add(struct extdata *x, const struct weight *w, const struct extdata_form *form, size_t head_len,
	 size_t pad, struct err *e)
{
	const size_t cap = MAX(x->cap * 2, 256);
	struct extdata_item *it;

	if (x->n == x->cap) {
		it = realloc(x->item, cap * sizeof(*it));
		if (!it)
			return err_no_memory(e);
		x->item = it;
		x->cap = cap;
	}
	it = &x->item[x->n++];
	*it = (struct extdata_item){.weight = w, .form = *form, .head_len = head_len, .pad = pad};
	it->place.file = x->n_file - 1;
	it->place.offset = x->file[it->place.file] + head_len;
	it->place.len = extdata_form_len(w, form);
	x->file[it->place.file] = it->place.offset + it->place.len + pad;
	return 0;
}

static bool
item_is(const struct extdata_item *it, const struct weight *w, const struct extdata_form *f)
{
	return it->weight->tensor == w->tensor && it->form.dtype == f->dtype &&
	       it->form.transform == f->transform && it->form.rows == f->rows && it->form.cols == f->cols &&
	       it->form.floats == f->floats;
}

static int
weight_check(const struct weight *w, const struct extdata_form *form, struct err *e)
{
	assert(form->transform == IR_AS_IS || form->dtype == ELEM_F32);
	assert((form->dtype == ELEM_I8) == (form->rounded != NULL));
	if (convert_can(w->tensor->dtype))
		return 0;
	return err_set(e, E_EXPORT, "weight '%s' is of dtype %s, which is not a floating point type", w->name,
		       elem_name(w->tensor->dtype));
}

int
extdata_add(struct extdata *x, const struct weight *w, const struct extdata_form *form,
	    struct extdata_place *ret, struct err *e)
{
	const uint64_t len = extdata_form_len(w, form), room = ALIGN_UP(len, EXTDATA_ALIGN);
	char need[32], max[32];
	size_t i;
	int r;

	r = weight_check(w, form, e);
	for (i = 0; i < x->n && !item_is(&x->item[i], w, form); i++)
		;
	if (r == 0 && i == x->n) {
		if (x->file_max && room > x->file_max)
			return err_set(e, E_TOO_LARGE, "weight '%s' needs %s, but a shard holds at most %s",
				       w->name, str_bytes(room, need, sizeof(need)),
				       str_bytes(x->file_max, max, sizeof(max)));
		if (x->n_file == 0 || (x->file_max && room > x->file_max - x->file[x->n_file - 1]))
			r = file_add(x, e);
		if (r == 0)
			r = item_add(x, w, form, /*head_len=*/0, room - len, e);
	}
	if (r == 0)
		*ret = x->item[i].place;
	return r;
}

int
extdata_embed(struct extdata *x, const void *prefix, size_t len, struct err *e)
{
	int r = file_add(x, e);

	if (r < 0)
		return r;
	x->file[0] = len;
	x->prefix = prefix;
	x->prefix_len = len;
	return 0;
}

int
extdata_embed_add(struct extdata *x, const struct weight *w, const struct extdata_form *form,
		  const void *head, size_t head_len, struct err *e)
{
	const size_t at = x->heads.len;
	int r;

	assert(head_len <= EXTDATA_HEAD_MAX);
	buf_add(&x->heads, head, head_len);
	r = weight_check(w, form, e);
	if (r == 0)
		r = buf_failed(&x->heads, e);
	if (r == 0)
		r = item_add(x, w, form, head_len, /*pad=*/0, e);
	if (r == 0)
		x->item[x->n - 1].head = at;
	return r;
}

uint64_t
extdata_len(const struct extdata *x)
{
	uint64_t len = 0;
	size_t i;

	for (i = 0; i < x->n_file; i++)
		len += x->file[i];
	return len;
}

const char *
extdata_file_name(const struct extdata *x, size_t file, char name[EXTDATA_NAME_LEN])
{
	if (file)
		(void)snprintf(name, EXTDATA_NAME_LEN, "%.*s_%zu", EXTDATA_NAME_LEN - 24, x->name, file);
	else
		(void)snprintf(name, EXTDATA_NAME_LEN, "%s", x->name);
	return name;
}
