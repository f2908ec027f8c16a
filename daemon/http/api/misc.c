#include "api_private.h"
#include "config.h"
#include "http/core/embed.h"

EMBED_BYTES(OPENAPI, "proto/openapi.json")

int
api_version_get(struct request *q, struct err *e)
{
	return reply_json_take(q, MHD_HTTP_OK, json_pack("{s:s, s:i}", "version", PACKAGE_VERSION, "api", 1),
			       e);
}

int
api_health_get(struct request *q, struct err *e)
{
	return reply_json_take(q, MHD_HTTP_OK, json_pack("{s:s}", "status", "ok"), e);
}

int
api_openapi_get(struct request *q, struct err *e)
{
	static struct embed openapi = EMBED_ROW(OPENAPI, "openapi.json", "application/json");

	return reply_embedded(q, &openapi, e);
}
