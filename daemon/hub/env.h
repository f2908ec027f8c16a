/* clang-format off */
/*
 * How to reach the Hub and where its files lie: the variables of the Hub's own client.
 *
 *	HF_ENDPOINT              https://huggingface.co
 *	HF_TOKEN                 or a file: HF_TOKEN_PATH, $CREDENTIALS_DIRECTORY/hf_token, $HF_HOME/token
 *	HF_HUB_CACHE             the cache; else $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub, ~/.cache/huggingface/hub
 *	HF_HUB_OFFLINE           1: use the cache only
 *	HF_HUB_DOWNLOAD_TIMEOUT  seconds of silence before a connection is given up (10)
 *	https_proxy, no_proxy    as libcurl has them
 *	SSL_CERT_FILE            certificates to trust instead of the system's
 *
 * And three of ours:
 *
 *	COLCONV_HUB_PRIVATE_HOSTS  comma-separated names that may be at private addresses, besides the endpoint's and the proxy's
 *	COLCONV_HUB_RETRY_MS       the pause before the first retry (1000); each further one is twice as long
 *	COLCONV_HUB_LOCK_TIMEOUT   seconds to wait for another process that holds a blob's lock and fetches nothing (600)
 */
/* clang-format on */
#ifndef HUB_ENV_H
#define HUB_ENV_H

#include <sys/socket.h>

#include "base/err.h"

struct hub_env {
	char *endpoint;      /* without a final '/' */
	bool endpoint_given; /* set by the operator: it may have a private address */
	char *token;         /* used in one header only; NULL: none */
	char *cache;
	bool offline;
	uint64_t timeout_s;
	uint64_t retry_ms;
	uint64_t lock_s;           /* longest wait for a lock whose holder makes no progress */
	const char *private_hosts; /* borrowed from the environment, as all below; NULL: none */
	const char *cert_file;     /* NULL: the system's */
};

int hub_env_read(struct hub_env *ret, struct err *e);
void hub_env_release(struct hub_env *env);

/* True when the operator allows this host to have a private address. */
bool hub_env_host_trusted(const struct hub_env *env, const char *host);

/* True for an address that `host` may have: a public one, a trusted host's, or that of the environment's proxy. */
bool hub_env_address_allowed(const struct hub_env *env, const char *host, const struct sockaddr *addr);

#endif
