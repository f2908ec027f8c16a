#include "tokenizer.h"

#include <string.h>
#include <utf8proc.h>

#include "parts.h"

void
ids_add(struct ids *ids, int64_t id)
{
	int64_t *more;

	if (ids->n == ids->cap) {
		more = realloc(ids->id, (2 * ids->cap + 16) * sizeof(*more));
		if (!more) {
			ids->failed = true;
			return;
		}
		ids->id = more;
		ids->cap = 2 * ids->cap + 16;
	}
	ids->id[ids->n++] = id;
}

int
ids_failed(const struct ids *ids, struct err *e)
{
	return ids->failed ? err_no_memory(e) : 0;
}

void
ids_release(struct ids *ids)
{
	free(ids->id);
	*ids = (struct ids)IDS_INIT;
}

void
tokenizer_free(struct tokenizer **t)
{
	if (!*t)
		return;
	added_release(&(*t)->raw);
	added_release(&(*t)->normal);
	normal_release(&(*t)->normalizer);
	split_release(&(*t)->pre);
	bpe_release(&(*t)->bpe);
	ids_release(&(*t)->before);
	ids_release(&(*t)->after);
	free(*t);
	*t = NULL;
}

int64_t
tokenizer_id(const struct tokenizer *t, const char *content)
{
	const struct added_token *a = added_get(&t->raw, content, strlen(content));

	if (!a)
		a = added_get(&t->normal, content, strlen(content));
	return a ? a->id : vocab_find(&t->bpe.vocab, content, strlen(content));
}

/* One text that is being encoded. */
struct encoding {
	const struct tokenizer *t;
	struct ids *ret;
};

static int
word_encode(void *arg, const char *word, size_t len, struct err *e)
{
	const struct encoding *en = arg;

	return bpe_encode(&en->t->bpe, word, len, en->ret, e);
}

typedef int (*piece_fn)(struct encoding *en, const char *text, size_t len, struct err *e);

/* Cuts the added tokens of a set out of the text; calls `piece` for the text between them. */
static int
pieces(struct encoding *en, const struct added_set *set, piece_fn piece, const char *text, size_t len,
       struct err *e)
{
	struct added_match m;
	size_t at = 0;
	int r = 0;

	while (r == 0 && added_find(set, text, len, at, at, &m)) {
		if (m.begin > at)
			r = piece(en, text + at, m.begin - at, e);
		ids_add(en->ret, m.token->id);
		at = m.end;
	}
	return r < 0 || at == len ? r : piece(en, text + at, len - at, e);
}

static int
normalized_piece(struct encoding *en, const char *text, size_t len, struct err *e)
{
	return split_run(&en->t->pre, text, len, word_encode, en, e);
}

static int
raw_piece(struct encoding *en, const char *text, size_t len, struct err *e)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	int r = normal_run(&en->t->normalizer, text, len, &b, e);

	return r < 0 ? r : pieces(en, &en->t->normal, normalized_piece, b.len ? b.data : "", b.len, e);
}

static int
check_utf8(const char *text, size_t len, struct err *e)
{
	utf8proc_int32_t c;
	utf8proc_ssize_t k;
	size_t at;

	for (at = 0; at < len; at += (size_t)k) {
		k = utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(len - at), &c);
		if (k <= 0)
			return err_set(e, E_BAD_REQUEST, "byte %zu of the text is not UTF-8", at);
	}
	return 0;
}

static void
ids_append(struct ids *ret, const struct ids *more)
{
	size_t i;

	for (i = 0; i < more->n; i++)
		ids_add(ret, more->id[i]);
}

int
tokenizer_encode(const struct tokenizer *t, const char *text, size_t len, bool with_special, struct ids *ret,
		 struct err *e)
{
	struct encoding en = {t, ret};
	int r = check_utf8(text, len, e);

	if (r < 0)
		return r;
	if (with_special)
		ids_append(ret, &t->before);
	r = pieces(&en, &t->raw, raw_piece, text, len, e);
	if (with_special)
		ids_append(ret, &t->after);
	return r < 0 ? r : ids_failed(ret, e);
}
