#include "api.h"
#include "config.h"
#include "embed.h"

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
	return reply_embedded(q, EMBED_OPENAPI, e);
}
