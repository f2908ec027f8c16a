/*
 * Names on the Hugging Face Hub: "vidore/colqwen2-v1.0-hf", and the revisions "main", "v1.0",
 * "refs/pr/1" or a commit. What passes here is fit for a path and for an URL.
 */
#ifndef SPEC_REPO_H
#define SPEC_REPO_H

#include "base/util.h"

#define REPO_ID_FORM "OWNER/NAME"
#define REPO_REVISION_DEFAULT "main"
#define REPO_COMMIT_LEN 40

/* Letters, digits, '-', '_' and '.'; as the Hub's own client has it, no part begins or ends with '-' or '.'.
 */
bool repo_id_ok(const char *id);

/* Parts of letters, digits, '-', '_' and '.' with '/' between; none begins with '.', and no "..". */
bool repo_revision_ok(const char *revision);

/* 40 lower-case hexadecimal digits. */
bool repo_commit_ok(const char *revision);

/* `len` lower-case hexadecimal digits, and no more. */
bool repo_hex_ok(const char *s, size_t len);

#endif
