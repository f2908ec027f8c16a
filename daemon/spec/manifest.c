#include "manifest.h"

const json_t *
manifest_facts(const json_t *manifest)
{
	const json_t *facts = json_object_get(manifest, "additional_metadata");

	return json_is_object(facts) ? facts : manifest;
}
