/*
 * Names on the Hugging Face Hub: "vidore/colqwen2-v1.0-hf", and the revisions "main", "v1.0", "refs/pr/1"
 * or a commit. A name that passes these checks is safe in a path and in a URL.
 */
#ifndef SPEC_REPO_H
#define SPEC_REPO_H

#include "base/util.h"

#define REPO_ID_FORM "OWNER/NAME"
#define REPO_REVISION_DEFAULT "main"
#define REPO_COMMIT_LEN 40

/* Letters, digits, '-', '_' and '.'. As in the Hub's own client, no part begins or ends with '-' or '.'. */
bool repo_id_ok(const char *id);

/*
 * Parts of letters, digits, '-', '_' and '.', separated by '/'. No part begins with '.', and ".." is refused.
 */
bool repo_revision_ok(const char *revision);

/* 40 lower-case hexadecimal digits. */
bool repo_commit_ok(const char *revision);

/* Exactly `len` lower-case hexadecimal digits. */
bool repo_hex_ok(const char *s, size_t len);

#endif
