/* The stored artifacts that were made from the same model as a job, by what they were made from (Result.recipe of worker.proto). */
#ifndef QUEUE_RECIPE_H
#define QUEUE_RECIPE_H

#include "store.h"

/* The most that a worker is told of. */
#define RECIPES_MAX 64

struct recipes {
	char *recipe[RECIPES_MAX];
	int64_t job[RECIPES_MAX]; /* the oldest job with such an artifact */
	size_t n;
};

void recipes_release(struct recipes *r);

/* The newest ones of a model, as the job names it. */
int recipes_list(struct store *s, const char *model, struct recipes *ret, struct err *e);

/* The job whose artifact has that recipe; 0: none in the list. */
int64_t recipes_find(const struct recipes *r, const char *recipe);

#endif
