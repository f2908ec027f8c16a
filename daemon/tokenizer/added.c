#include "added.h"

#include <string.h>

#include "chars.h"

void
added_release(struct added_set *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free(s->token[i].content);
	free(s->token);
	memset(s, 0, sizeof(*s));
}

int
added_add_take(struct added_set *s, struct added_token token, struct err *e)
{
	struct added_token *more = NULL;

	if ((s->n & (s->n + 1)) == 0) /* 0, 1, 3, 7, ...: the array is full */
		more = realloc(s->token, (2 * s->n + 1) * sizeof(*more));
	else
		more = s->token;
	if (!more) {
		free(token.content);
		return err_no_memory(e);
	}
	s->token = more;
	s->token[s->n++] = token;
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct added_token *x = a, *y = b;
	int r = memcmp(x->content, y->content, x->len < y->len ? x->len : y->len);

	return r ? r : (x->len > y->len) - (x->len < y->len);
}

void
added_sort(struct added_set *s)
{
	if (s->n)
		qsort(s->token, s->n, sizeof(*s->token), compare);
}

const struct added_token *
added_get(const struct added_set *s, const char *content, size_t len)
{
	struct added_token key = {.content = (char *)(uintptr_t)content, .len = len};

	return s->n ? bsearch(&key, s->token, s->n, sizeof(*s->token), compare) : NULL;
}

/*
 * Searches the tokens [lo, hi), which have the same first `depth` bytes, for the first one whose next byte is
 * at least `byte`.
 */
static size_t
border(const struct added_set *s, size_t lo, size_t hi, size_t depth, unsigned byte)
{
	size_t mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (s->token[mid].len <= depth || (unsigned char)s->token[mid].content[depth] < byte)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Finds the longest token that begins at `text`; NULL when there is none. */
static const struct added_token *
longest_at(const struct added_set *s, const char *text, size_t len)
{
	const struct added_token *found = NULL;
	size_t lo = 0, hi = s->n, depth;

	for (depth = 0; depth < len && lo < hi; depth++) {
		lo = border(s, lo, hi, depth, (unsigned char)text[depth]);
		hi = border(s, lo, hi, depth, (unsigned char)text[depth] + 1u);
		if (lo < hi && s->token[lo].len == depth + 1)
			found = &s->token[lo];
	}
	return found;
}

static bool
stands_alone(const char *text, size_t len, size_t begin, size_t end)
{
	return !chars_word_ends(text, begin) && !chars_word_begins(text + end, len - end);
}

bool
added_find(const struct added_set *s, const char *text, size_t len, size_t from, size_t taken,
	   struct added_match *ret)
{
	const struct added_token *token;
	size_t at = from, begin, end;

	while (s->n && at < len) {
		token = longest_at(s, text + at, len - at);
		if (!token) {
			at++;
			continue;
		}
		begin = at;
		end = at + token->len;
		if (token->single_word && !stands_alone(text, len, begin, end)) {
			at = end;
			continue;
		}
		if (token->left_strip)
			begin = taken + chars_space_before(text + taken, begin - taken);
		if (token->right_strip)
			end += chars_space_length(text + end, len - end);
		*ret = (struct added_match){token, begin, end};
		return true;
	}
	return false;
}
