#include "bpe.h"

#include <string.h>

#include "base/str.h"

int
bpe_merges_init(struct bpe *b, size_t n, struct err *e)
{
	size_t i;

	b->n_slots = 16;
	while (b->n_slots < 2 * n)
		b->n_slots *= 2;
	b->merge = calloc(b->n_slots, sizeof(*b->merge));
	if (!b->merge)
		return err_no_memory(e);
	for (i = 0; i < b->n_slots; i++)
		b->merge[i].rank = -1;
	return 0;
}

void
bpe_release(struct bpe *b)
{
	vocab_release(&b->vocab);
	free(b->merge);
	b->merge = NULL;
}

/* Finds the merge of two symbols, or the empty slot for it. */
static struct bpe_merge *
merge_of(const struct bpe *b, int32_t left, int32_t right)
{
	uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15;
	size_t i = (h >> 32) & (b->n_slots - 1);

	while (b->merge[i].rank >= 0 && (b->merge[i].left != left || b->merge[i].right != right))
		i = (i + 1) & (b->n_slots - 1);
	return &b->merge[i];
}

/* If a pair is listed twice in the file, the last one counts, as in `tokenizers`. */
void
bpe_merge_add(struct bpe *b, int32_t left, int32_t right, int32_t into, int32_t rank)
{
	*merge_of(b, left, right) = (struct bpe_merge){left, right, into, rank};
}

/* A symbol of the word, in a list of neighbours. */
struct symbol {
	int32_t id; /* -1: was merged into the one before */
	int32_t before, after;
};

/* A pair of neighbours that can be merged, in a heap. It is outdated once either symbol has changed. */
struct candidate {
	int32_t rank;
	int32_t at; /* the left symbol */
	int32_t left, right;
	int32_t into;
};

struct work {
	struct symbol *symbol;
	size_t n;
	struct candidate *heap; /* the least on top; at most 3 n, each merge adds two */
	size_t n_heap;
};

static bool
earlier(const struct candidate *a, const struct candidate *b)
{
	return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void
heap_push(struct work *w, struct candidate c)
{
	size_t i = w->n_heap++, up;

	for (; i > 0 && earlier(&c, &w->heap[up = (i - 1) / 2]); i = up)
		w->heap[i] = w->heap[up];
	w->heap[i] = c;
}

static struct candidate
heap_pop(struct work *w)
{
	struct candidate top = w->heap[0], last = w->heap[--w->n_heap];
	size_t i = 0, down;

	for (; (down = 2 * i + 1) < w->n_heap; i = down) {
		if (down + 1 < w->n_heap && earlier(&w->heap[down + 1], &w->heap[down]))
			down++;
		if (!earlier(&w->heap[down], &last))
			break;
		w->heap[i] = w->heap[down];
	}
	w->heap[i] = last;
	return top;
}

static void
pair_consider(const struct bpe *b, struct work *w, int32_t at)
{
	const struct bpe_merge *m;
	int32_t after;

	if (at < 0 || (after = w->symbol[at].after) < 0)
		return;
	m = merge_of(b, w->symbol[at].id, w->symbol[after].id);
	if (m->rank >= 0)
		heap_push(w, (struct candidate){m->rank, at, m->left, m->right, m->into});
}

static void
pair_merge(const struct bpe *b, struct work *w, const struct candidate *c)
{
	struct symbol *s = &w->symbol[c->at];
	struct symbol *gone;

	if (s->id != c->left || s->after < 0 || w->symbol[s->after].id != c->right)
		return; /* stale */
	gone = &w->symbol[s->after];
	s->id = c->into;
	s->after = gone->after;
	gone->id = -1;
	if (s->after >= 0)
		w->symbol[s->after].before = c->at;
	pair_consider(b, w, s->before);
	pair_consider(b, w, c->at);
}

static void
symbol_add(struct work *w, int32_t id)
{
	int32_t i = (int32_t)w->n++;

	w->symbol[i] = (struct symbol){id, i - 1, -1};
	if (i > 0)
		w->symbol[i - 1].after = i;
}

/*
 * Adds a character that is not in the vocabulary: its bytes if the vocabulary has all of them, else the
 * unknown token.
 */
static void
stranger_add(const struct bpe *b, struct work *w, const char *s, size_t len, bool *unk_before)
{
	bool all = b->byte_fallback;
	size_t i;

	for (i = 0; i < len; i++)
		all = all && b->byte_id[(unsigned char)s[i]] >= 0;
	for (i = 0; all && i < len; i++)
		symbol_add(w, b->byte_id[(unsigned char)s[i]]);
	if (!all && b->unk >= 0 && !(*unk_before && b->fuse_unk))
		symbol_add(w, b->unk);
	*unk_before = !all && b->unk >= 0;
}

/* Makes the symbols of a word. A word has at most as many symbols as bytes. */
static void
symbols_make(const struct bpe *b, struct work *w, const char *word, size_t len)
{
	bool unk_before = false;
	size_t i, k;
	int32_t id;

	for (i = 0; i < len; i += k) {
		k = str_utf8_len(word + i, len - i);
		k = k ? k : 1; /* NUL, the one valid character that str_utf8_len() refuses */
		id = vocab_find(&b->vocab, word + i, k);
		if (id >= 0) {
			symbol_add(w, id);
			unk_before = false;
		} else {
			stranger_add(b, w, word + i, k, &unk_before);
		}
	}
}

int
bpe_encode(const struct bpe *b, const char *word, size_t len, struct ids *ret, struct err *e)
{
	_cleanup_free_ struct symbol *symbols = NULL;
	_cleanup_free_ struct candidate *heap = NULL;
	struct candidate c;
	struct work w = {0};
	int32_t id;
	size_t i;

	if (len == 0)
		return 0;
	if (b->ignore_merges && (id = vocab_find(&b->vocab, word, len)) >= 0) {
		ids_add(ret, id);
		return 0;
	}
	if (len > INT32_MAX / 4)
		return err_set(e, E_TOO_LARGE, "a word of %zu bytes is too long for the tokenizer", len);
	w.symbol = symbols = calloc(len, sizeof(*symbols));
	w.heap = heap = calloc(3 * len, sizeof(*heap));
	if (!symbols || !heap)
		return err_no_memory(e);
	symbols_make(b, &w, word, len);
	for (i = 0; i < w.n; i++)
		pair_consider(b, &w, (int32_t)i);
	while (w.n_heap > 0) {
		c = heap_pop(&w);
		pair_merge(b, &w, &c);
	}
	for (i = 0; i < w.n; i++)
		if (w.symbol[i].id >= 0)
			ids_add(ret, w.symbol[i].id);
	return 0;
}
