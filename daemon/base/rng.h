/* Random numbers from a seed, the same everywhere: splitmix64. Not for secrets. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline uint64_t
rng_u64(struct rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Returns k with 0 <= k < n. n must be above 0 and far below 2^64. */
static inline uint64_t
rng_below(struct rng *r, uint64_t n)
{
	return rng_u64(r) % n;
}

/*
 * Approximates a normal distribution with mean 0 and variance 1: the sum of twelve uniform numbers, minus
 * six.
 */
static inline float
rng_normal(struct rng *r)
{
	float sum = 0;
	uint64_t z;
	int i, k;

	for (i = 0; i < 3; i++)
		for (z = rng_u64(r), k = 0; k < 4; k++, z >>= 16)
			sum += (float)(z & 0xffff) / 65536.0f;
	return sum - 6;
}

#endif
