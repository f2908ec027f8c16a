/*
 * What a job asks for, and its three forms: the JSON of the API (proto/api.md), this struct,
 * and the message that starts a worker (proto/worker.proto).
 *
 * Needs no database: the client links it too.
 */
#ifndef SPEC_SPEC_H
#define SPEC_SPEC_H

#include "base/json.h"
#include "base/sha256.h"
#include "variant.h"
#include "worker.pb-c.h"

#define SPEC_PATH_MAX 4096 /* characters of a path */
#define SPEC_REFERENCES_MAX 64
#define SPEC_LABELS_MAX 16
#define SPEC_LABEL_LEN_MAX 64 /* characters of a label's name, and of its value */
#define SPEC_SHARD_MIN 4096   /* bytes: weights lie at multiples of it */
#define SPEC_FIELD_LEN 96     /* room for the name of a field in an error */
#define SPEC_PRIORITY_MAX 100 /* and its negative is the least */
#define SPEC_TIMEOUT_MAX 2592000
#define SPEC_ATTEMPTS_MAX 10
#define SPEC_ATTEMPTS_DEFAULT 3

enum spec_kind {
	SPEC_DTYPE,
	SPEC_STORAGE,
	SPEC_LAYOUT,
	SPEC_PROFILE,
	SPEC_POSITIONS,
	SPEC_MASK_MODE,
};

enum spec_value {
#define SPEC_VALUE(kind, sym, word) SPEC_##kind##_##sym,
#include "spec.def"
#undef SPEC_VALUE
	SPEC_VALUE_MAX
};

struct spec {
	char *model;       /* absolute path of a checkpoint's folder, or a repository of the Hub */
	char *revision;    /* of a repository; NULL for a folder */
	char *base;        /* of an adapter: as model; NULL: where the adapter says */
	unsigned variants; /* bits 1u << VARIANT_*; never 0 */
	enum spec_value dtype;
	enum spec_value storage; /* of weights; SPEC_STORAGE_SAME: in the dtype */
	enum spec_value layout;
	uint64_t shard_size; /* bytes; of SPEC_LAYOUT_SHARDED, else 0 */
	enum spec_value profile;
	enum spec_value positions;
	enum spec_value mask_mode;
	char **references; /* absolute paths of case files */
	size_t n_references;
	bool parity; /* false: the limits and the seed are not used */
	double max_abs;
	double min_cosine;
	uint64_t seed;
	json_t *labels;    /* an object of strings, maybe empty */
	int64_t priority;  /* higher ones begin first */
	int64_t timeout_s; /* of one attempt; 0: as the daemon has it */
	int64_t attempts;  /* when it fails for a reason that may pass */
};

/* clang-format off */
#define SPEC_INIT { .model = NULL }
/* clang-format on */

void spec_release(struct spec *spec);

/*
 * Checks everything that can be checked without looking at a file. E_BAD_REQUEST, and then
 * `field` names the field to blame ("parity.max_abs", "reference[2]", "" when there is no one field).
 */
int spec_from_json(const json_t *j, struct spec *ret, char field[SPEC_FIELD_LEN], struct err *e);

/* The model is a repository of the Hub, not a folder. */
bool spec_is_repo(const char *source);

/* As JSON, with every default filled in; spec_from_json takes it back. One spec has one text, however it was written. */
void spec_print(const struct spec *spec, struct buf *b);

/* Of that text: two specs with the same one are one job. */
int spec_sha256(const struct spec *spec, char ret[SHA256_HEX_LEN + 1], struct err *e);

/*
 * Every path (a repository is none) must lead, links followed, to something below one of the roots (absolute paths of
 * folders); without roots every path passes. Links with an absolute target count as leading out.
 * E_NOT_ALLOWED for a path outside, E_BAD_REQUEST for one that does not open; `field` as above.
 * Says what is so now: who may write below a root can change it before the worker looks.
 */
int spec_check_roots(const struct spec *spec, const char *const *roots, size_t n_roots,
		     char field[SPEC_FIELD_LEN], struct err *e);

/* The same of one path, with the flags of open(); `field` names it in errors. */
int spec_check_path(const char *path, int flags, const char *const *roots, size_t n_roots, const char *field,
		    struct err *e);

/* A worker's message in the caller's storage. Points into the spec, to the strings given and into itself. */
struct spec_proto {
	Colconv__Job job;
	Colconv__ParityLimits limits;
	char *variants[VARIANT_MAX];
};

void spec_to_proto(const struct spec *spec, const char *nonce, const char *out_dir, struct spec_proto *ret);

/* E_BAD_REQUEST lists the words there are; `what` names the field. */
int spec_value_from_str(enum spec_kind kind, const char *what, const char *word, enum spec_value *ret,
			struct err *e);

#endif
