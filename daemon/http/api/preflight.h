/*
 * What the daemon itself can see to be wrong with a job's folders, before the job is queued.
 *
 * A person who mistyped a path learns it at once and not after the jobs ahead. The worker checks everything again, and
 * more: a folder may change meanwhile, and the daemon only takes a glance (checkpoint/glance.h).
 */
#ifndef HTTP_API_PREFLIGHT_H
#define HTTP_API_PREFLIGHT_H

#include "base/folder.h"
#include "base/json.h"
#include "spec/spec.h"

/*
 * Call before spec_check_roots(), whose words for a missing folder are poorer. `body` is the job as it was sent. `field`
 * is set to the wrong field. Jobs that a worker would accept pass, with one exception: OWNER/NAME without a revision is
 * refused when a root also has a checkpoint in OWNER/NAME.
 */
int preflight(const struct spec *spec, const json_t *body, struct folder_roots roots,
	      char field[SPEC_FIELD_LEN], struct err *e);

#endif
