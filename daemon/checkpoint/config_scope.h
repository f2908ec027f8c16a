/*
 * Reads values of config.json by tables of keys. A scope is an object of it with its full path, so that errors
 * can name a key in full.
 */
#ifndef CHECKPOINT_CONFIG_SCOPE_H
#define CHECKPOINT_CONFIG_SCOPE_H

#include "base/json.h"

struct config_scope {
	const json_t *obj; /* NULL: config.json lacks it */
	char path[96];     /* "" for the top */
};

/*
 * A whole number: its key, range, the value when it is absent or null, and its offset in the caller's struct.
 */
struct config_int {
	const char *key;
	int64_t min, max;
	int64_t fallback; /* or CONFIG_REQUIRED */
	size_t offset;    /* of an int64_t */
};

#define CONFIG_REQUIRED INT64_MIN

/* Fails with "PATH.KEY WORDS". */
int config_fail(const struct config_scope *s, const char *key, int code, struct err *e, const char *fmt, ...)
	_printf_(5, 6);

int config_ints(const struct config_scope *s, const struct config_int *rows, size_t count, void *ret,
		struct err *e);

/* The same, but a nonzero *ret on entry replaces a row's fallback. */
int config_ints_over(const struct config_scope *s, const struct config_int *rows, size_t count, void *ret,
		     struct err *e);

/* A number above 0, up to max. */
int config_double(const struct config_scope *s, const char *key, double fallback, double max, double *ret,
		  struct err *e);

/* E_UNSUPPORTED_MODEL when the string is given and is neither `want` nor `other`. Pass one value twice to allow only it. */
int config_only(const struct config_scope *s, const char *key, const char *want, const char *other,
		struct err *e);

/* The same for any number of strings; the list ends with NULL. */
int config_one_of(const struct config_scope *s, const char *key, const char *const want[], struct err *e);

/* Enters a member that is an object. Its obj is NULL when the member is optional and absent. */
int config_sub(const struct config_scope *s, const char *key, enum json_need need, struct config_scope *ret,
	       struct err *e);

/* The object that holds the backbone: `vlm_config`, or the top where that has the keys itself. */
int config_backbone(const json_t *config, struct config_scope *ret, struct err *e);

/* The top-level `embedding_dim`, or 0 when absent. */
int config_embedding_dim(const json_t *config, int64_t *ret, struct err *e);

/* `image_token_index`, or by its later name image_token_id; without both *ret stays. */
int config_image_token(const struct config_scope *top, int64_t *ret, struct err *e);

/* The object with the rotary settings of a text scope, by either of its names. Its obj is NULL when there is none. */
int config_rope_scope(const struct config_scope *text, struct config_scope *ret, struct err *e);

/*
 * Rotary settings of a text scope: theta, and the object with the other keys. Scaled kinds (linear, dynamic, yarn...)
 * are E_UNSUPPORTED_MODEL.
 */
int config_rope(const struct config_scope *text, double theta_fallback, struct config_scope *ret,
		double *ret_theta, struct err *e);

#endif
