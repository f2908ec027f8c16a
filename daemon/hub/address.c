#include "address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include "net/url.h"

/* IPv4 ranges that are not public: the special-purpose registry that RFC 6890 began. */
static const struct {
	uint32_t net;
	int bits;
} closed4[] = {
	{0x00000000, 8},  /* this host */
	{0x0a000000, 8},  /* private */
	{0x64400000, 10}, /* carrier's NAT */
	{0x7f000000, 8},  /* loopback */
	{0xa9fe0000, 16}, /* link-local: metadata of clouds */
	{0xac100000, 12}, /* private */
	{0xc0000000, 24}, /* protocol assignments */
	{0xc0000200, 24}, /* documentation */
	{0xc0a80000, 16}, /* private */
	{0xc6120000, 15}, /* benchmarks */
	{0xc6336400, 24}, /* documentation */
	{0xcb007100, 24}, /* documentation */
	{0xe0000000, 3},  /* multicast, reserved, broadcast */
};

static bool
public4(uint32_t addr)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(closed4); i++)
		if ((addr ^ closed4[i].net) >> (32 - closed4[i].bits) == 0)
			return false;
	return true;
}

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/*
 * Public addresses are assigned from 2000::/3 only. Some addresses in it, and some outside it, hold an IPv4
 * address, which is checked instead.
 */
static bool
public6(const uint8_t a[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96 */
	static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};    /* 64:ff9b::/96 */

	if (memcmp(a, mapped, sizeof(mapped)) == 0 || memcmp(a, nat64, sizeof(nat64)) == 0)
		return public4(be32(a + 12));
	if (be32(a) >> 16 == 0x2002) /* 6to4 */
		return public4(be32(a + 2));
	return a[0] >> 5 == 1 && be32(a) != 0x20010db8 /* documentation */ &&
	       be32(a) != 0x20010000 /* Teredo */;
}

bool
address_is_public(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return public4(ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr));
	return sa->sa_family == AF_INET6 &&
	       public6(((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr.s6_addr);
}

bool
address_is_private_literal(const char *host)
{
	struct in6_addr a6;
	struct in_addr a4;

	if (inet_pton(AF_INET, host, &a4) == 1)
		return !public4(ntohl(a4.s_addr));
	return inet_pton(AF_INET6, host, &a6) == 1 && !public6(a6.s6_addr);
}

static bool
same_address(const struct sockaddr *a, const struct sockaddr *b)
{
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

	if (a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_INET)
		return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a->sa_family == AF_INET6 && a6->sin6_port == b6->sin6_port &&
	       memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

bool
address_is_of_proxy(const struct sockaddr *sa, const char *proxy)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	_cleanup_free_ char *host = NULL, *port = NULL;
	struct addrinfo *all = NULL, *ai;
	bool found = false;

	if (url_of_proxy(proxy, &host, &port) && getaddrinfo(host, port ? port : "1080", &hints, &all) == 0)
		for (ai = all; ai && !found; ai = ai->ai_next)
			found = same_address(sa, ai->ai_addr);
	if (all)
		freeaddrinfo(all);
	return found;
}
