/*
 * claim: how long the queue takes to find and claim the next job, in a state folder that no daemon holds.
 * Every claim is taken back. Prints microseconds.
 *
 *	claim STATE-FOLDER TIMES
 */
#include "base/str.h"
#include "queue/store.h"

static double
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
claim(struct store *s, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	int r = store_begin(s, e);

	if (r < 0)
		return r;
	r = job_claim(s, job_now(), &job, e);
	store_rollback(s);
	return r == 0 ? err_set(e, E_NOT_FOUND, "there is no job to claim") : MIN(r, 0);
}

int
main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	uint64_t times = 0, n;
	struct store *s;
	double begin;
	int r;

	if (argc != 3 || str_to_u64(argv[2], 1, 1000000, "TIMES", &times, &e) < 0) {
		(void)fputs("claim: STATE-FOLDER TIMES\n", stderr);
		return 2;
	}
	r = store_open(argv[1], &s, &e);
	if (r == 0)
		r = claim(s, &e); /* the pages are in memory now */
	begin = now();
	for (n = 0; r == 0 && n < times; n++)
		r = claim(s, &e);
	if (r < 0) {
		(void)fprintf(stderr, "claim: %s\n", e.msg);
		return 1;
	}
	(void)printf("%.3f\n", (now() - begin) / (double)times * 1e6);
	store_close(&s);
	return 0;
}
