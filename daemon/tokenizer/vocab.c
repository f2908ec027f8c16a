#include "vocab.h"

#include <string.h>

/* FNV-1a: the strings are short, and the table is never more than half full. */
static uint64_t
hash(const char *s, size_t len)
{
	uint64_t h = 0xcbf29ce484222325;
	size_t i;

	for (i = 0; i < len; i++)
		h = (h ^ (unsigned char)s[i]) * 0x100000001b3;
	return h ^ h >> 32;
}

int
vocab_init(struct vocab *v, size_t n, struct err *e)
{
	memset(v, 0, sizeof(*v));
	v->n_slots = 16;
	while (v->n_slots < 2 * n)
		v->n_slots *= 2;
	v->slot = calloc(v->n_slots, sizeof(*v->slot));
	v->entry = calloc(n ? n : 1, sizeof(*v->entry));
	if (v->slot && v->entry)
		return 0;
	vocab_release(v);
	return err_no_memory(e);
}

void
vocab_release(struct vocab *v)
{
	buf_release(&v->bytes);
	free(v->entry);
	free(v->slot);
	memset(v, 0, sizeof(*v));
}

/* Finds the slot of a string, or the empty slot for it. */
static uint32_t *
slot_of(const struct vocab *v, const char *s, size_t len)
{
	size_t i = hash(s, len) & (v->n_slots - 1);

	for (; v->slot[i]; i = (i + 1) & (v->n_slots - 1)) {
		const struct vocab_entry *en = &v->entry[v->slot[i] - 1];

		if (en->len == len && memcmp(v->bytes.data + en->offset, s, len) == 0)
			break;
	}
	return &v->slot[i];
}

void
vocab_add(struct vocab *v, const char *s, size_t len, int32_t id)
{
	uint32_t *slot = slot_of(v, s, len);

	if (*slot) {
		v->entry[*slot - 1].id = id;
		return;
	}
	v->entry[v->n] = (struct vocab_entry){(uint32_t)v->bytes.len, (uint32_t)len, id};
	buf_add(&v->bytes, s, len);
	if (!v->bytes.failed)
		*slot = (uint32_t)++v->n;
}

int32_t
vocab_find(const struct vocab *v, const char *s, size_t len)
{
	const uint32_t *slot = v->n_slots ? slot_of(v, s, len) : NULL;

	return slot && *slot ? v->entry[*slot - 1].id : -1;
}
