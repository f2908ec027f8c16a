#include "base/rng.h"
#include "model.h"

#define SPECIALS 5

/*
 * Writes the special ids below `vocab`, each once and in ascending order, and returns their number. `pad`
 * does not count, because texts contain it.
 */
static int
specials_get(const struct model_tokens *t, int64_t ret[SPECIALS])
{
	const int64_t all[SPECIALS] = {t->image, t->image_begin, t->image_end, t->video, t->audio};
	int i, k, n = 0;

	for (i = 0; i < SPECIALS; i++) {
		for (k = 0; k < n && ret[k] < all[i]; k++)
			;
		if (all[i] < 0 || all[i] >= t->vocab || (k < n && ret[k] == all[i]))
			continue;
		memmove(&ret[k + 1], &ret[k], (size_t)(n - k) * sizeof(*ret));
		ret[k] = all[i];
		n++;
	}
	return n;
}

int64_t
model_words(const struct model_tokens *t)
{
	int64_t specials[SPECIALS];

	return t->vocab - specials_get(t, specials);
}

int64_t
model_word(const struct model_tokens *t, struct rng *rng)
{
	int64_t specials[SPECIALS], id;
	int i, n = specials_get(t, specials);

	id = (int64_t)rng_below(rng, (uint64_t)(t->vocab - n));
	for (i = 0; i < n && specials[i] <= id; i++)
		id++;
	return id;
}
