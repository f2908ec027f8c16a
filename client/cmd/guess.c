#include "guess.h"

#define LEN_MAX 24

/* The edit distance of `a` and `b`: letters to add, drop, change, or swap with the next. */
static unsigned
distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned d[LEN_MAX + 1][LEN_MAX + 1];
	size_t i, k;

	for (i = 0; i <= n; i++) {
		for (k = 0; k <= m; k++) {
			if (i == 0 || k == 0) {
				d[i][k] = (unsigned)(i + k);
				continue;
			}
			d[i][k] = d[i - 1][k - 1] + (a[i - 1] != b[k - 1]);
			d[i][k] = MIN(d[i][k], MIN(d[i - 1][k], d[i][k - 1]) + 1);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				d[i][k] = MIN(d[i][k], d[i - 2][k - 2] + 1);
		}
	}
	return d[n][m];
}

void
guess_try(struct guess *g, const char *word)
{
	const size_t len = strlen(word);
	unsigned far;

	if (g->len > LEN_MAX || len > LEN_MAX)
		return;
	/* A prefix of a word counts as one mistake. */
	far = g->len > 2 && len > g->len && memcmp(word, g->typed, g->len) == 0
		      ? 1
		      : distance(g->typed, g->len, word, len);
	if (far > MIN(g->len / 3, 2u) || (g->word && far >= g->far))
		return;
	g->word = word;
	g->far = far;
}
