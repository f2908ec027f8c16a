#include "share.h"

#include <sys/random.h>

void
share_init(struct share *s)
{
	size_t i;

	s->n = 0;
	for (i = 0; i < CONN_BUSY; i++)
		TAILQ_INIT(&s->phases[i]);
}

void
addresses_init(struct addresses *as)
{
	size_t i;

	for (i = 0; i < ADDRESS_BUCKETS; i++)
		LIST_INIT(&as->buckets[i]);
	/* a secret seed: with a known one, a client with many addresses could pick them all for one bucket */
	if (getrandom(&as->seed, sizeof(as->seed), GRND_NONBLOCK) < 0)
		as->seed = (uint64_t)(uintptr_t)as;
}

/* False for a socket without addresses (a Unix socket). */
static bool
key_set(const struct sockaddr *from, unsigned char key[16])
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;

	memset(key, 0, 16);
	if (from->sa_family == AF_INET)
		memcpy(key + 8, &in->sin_addr, 4);
	else if (from->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr))
		key[15] = 1;
	else if (from->sa_family == AF_INET6)
		memcpy(key, &in6->sin6_addr, 8);
	else
		return false;
	return true;
}

/* FNV-1a, from a secret start. */
static size_t
bucket_of(const struct addresses *as, const unsigned char key[16])
{
	uint64_t h = UINT64_C(14695981039346656037) ^ as->seed;
	size_t i;

	for (i = 0; i < 16; i++)
		h = (h ^ key[i]) * UINT64_C(1099511628211);
	return (size_t)(h >> 32) % ADDRESS_BUCKETS;
}

int
address_get(struct addresses *as, const struct sockaddr *from, struct share **ret, struct err *e)
{
	unsigned char key[16];
	struct address *a;
	size_t b;

	*ret = NULL;
	if (!key_set(from, key))
		return 0;
	b = bucket_of(as, key);
	LIST_FOREACH(a, &as->buckets[b], entry)
		if (memcmp(a->key, key, sizeof(key)) == 0)
			break;
	if (!a) {
		a = calloc(1, sizeof(*a));
		if (!a)
			return err_no_memory(e);
		share_init(&a->share);
		memcpy(a->key, key, sizeof(key));
		LIST_INSERT_HEAD(&as->buckets[b], a, entry);
	}
	*ret = &a->share;
	return 0;
}

void
address_drop(struct share **s)
{
	struct address *a = (struct address *)(void *)*s;

	if (a && !a->share.n) {
		LIST_REMOVE(a, entry);
		free(a);
	}
	*s = NULL;
}
