#include "spec.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>

#include "base/buf.h"
#include "base/fs.h"
#include "profile.h"
#include "repo.h"
#include "base/str.h"

#define SEED_DEFAULT 1
#define MAX_ABS_ROUNDED 1e-3 /* of an output that is rounded to float16 */
#define SHARD_DEFAULT UINT64_C(2000000000)

static const struct {
	enum spec_kind kind;
	const char *word;
} values[] = {
#define SPEC_VALUE(kind, sym, word) {SPEC_##kind, word},
#include "spec.def"
#undef SPEC_VALUE
};

/* What a graph of that dtype must come up to, if the job does not say. */
static const struct {
	double max_abs, min_cosine;
} limits[] = {
	[SPEC_DTYPE_FP32] = {1e-4, 0.99999},
	[SPEC_DTYPE_FP16] = {5e-2, 0.999},
};

void
spec_release(struct spec *spec)
{
	size_t i;

	for (i = 0; i < spec->n_references; i++)
		free(spec->references[i]);
	free(spec->references);
	free(spec->model);
	free(spec->base);
	free(spec->revision);
	json_decref(spec->labels);
	*spec = (struct spec)SPEC_INIT;
}

int
spec_value_from_str(enum spec_kind kind, const char *what, const char *word, enum spec_value *ret,
		    struct err *e)
{
	char allowed[256] = "";
	size_t n = 0;
	unsigned v;

	for (v = 0; v < SPEC_VALUE_MAX; v++) {
		if (values[v].kind != kind)
			continue;
		if (str_eq(values[v].word, word)) {
			*ret = v;
			return 0;
		}
		n += (size_t)snprintf(allowed + n, sizeof(allowed) - n, "%s%s", n ? ", " : "",
				      values[v].word);
		assert(n < sizeof(allowed));
	}
	return err_set(e, E_BAD_REQUEST, "%s must be one of %s, not '%.64s'", what, allowed, word);
}

static enum spec_value
value_default(enum spec_kind kind)
{
	unsigned v = 0;

	while (values[v].kind != kind)
		v++;
	return v;
}

/*
 * The parts of spec_from_json() leave the name of the field they look at in `field`: it is the
 * one to blame when they fail. Every submission sets all of them: names of ours, which fit, are copied.
 */
static void
field_name(char *field, const char *name)
{
	memcpy(field, name, strlen(name) + 1);
}

static void _printf_(2, 3) field_set(char *field, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(field, SPEC_FIELD_LEN, fmt, ap);
	va_end(ap);
	str_clean(field); /* it may have been cut inside a character */
}

/* What a job's document has as null, for it has no default that could be written. */
static bool
may_be_null(const char *key)
{
	return str_eq(key, "base") || str_eq(key, "timeout");
}

static int
keys_check(const json_t *obj, const char *path, const char *const *keys, size_t n, char *field, struct err *e)
{
	const char *key;
	json_t *v;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)obj, key, v) {
		for (i = 0; i < n && !str_eq(keys[i], key); i++)
			;
		if (i < n && (!json_is_null(v) || may_be_null(key)))
			continue;
		field_set(field, "%s%s%s", path, *path ? "." : "", key);
		if (i < n)
			return err_set(e, E_BAD_REQUEST, "%s must not be null", field);
		return err_set(e, E_BAD_REQUEST, "there is no field '%s'", field);
	}
	return 0;
}

/* A string of 1 to `max` visible characters. */
static int
text_check(const char *s, size_t len, const char *field, size_t max, struct err *e)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++)
		n += (s[i] & 0xc0) != 0x80;
	if (n == 0 || n > max)
		return err_set(e, E_BAD_REQUEST, "%s must have from 1 to %zu characters, not %zu", field, max,
			       n);
	if (!str_is_visible(s, len))
		return err_set(e, E_BAD_REQUEST,
			       "%s must not hold control characters, line separators or marks of direction",
			       field);
	return 0;
}

static int
path_parse(const json_t *v, const char *field, char **ret, struct err *e)
{
	const char *s = json_string_value(v);
	int r;

	if (!s)
		return err_set(e, E_BAD_REQUEST, "%s must be a string", field);
	r = text_check(s, json_string_length(v), field, SPEC_PATH_MAX, e);
	if (r < 0)
		return r;
	if (s[0] != '/')
		return err_set(e, E_BAD_REQUEST, "%s must be an absolute path, not '%s'", field, s);
	*ret = strdup(s);
	return *ret ? 0 : err_no_memory(e);
}

static int
value_parse(const json_t *j, enum spec_kind kind, const char *key, enum spec_value *ret, char *field,
	    struct err *e)
{
	const char *word = NULL;
	int r;

	field_name(field, key);
	*ret = value_default(kind);
	r = json_get_str(j, "", key, JSON_OPTIONAL, E_BAD_REQUEST, &word, e);
	return r < 0 || !word ? r : spec_value_from_str(kind, key, word, ret, e);
}

static int
storage_parse(const json_t *j, struct spec *spec, char *field, struct err *e)
{
	int r = value_parse(j, SPEC_STORAGE, "storage", &spec->storage, field, e);

	if (r == 0 && spec->storage == SPEC_STORAGE_BF16 && spec->dtype != SPEC_DTYPE_FP32)
		return err_set(e, E_BAD_REQUEST, "storage bf16 goes with the dtype fp32 only, not with %s",
			       values[spec->dtype].word);
	return r;
}

/* Bytes, or a string such as "2GB". */
static int
shard_size_parse(const json_t *j, struct spec *spec, char *field, struct err *e)
{
	const json_t *v = json_object_get(j, "shard_size");
	struct err why = ERR_INIT;
	int64_t bytes = 0;

	field_name(field, "shard_size");
	if (!v) {
		spec->shard_size = spec->layout == SPEC_LAYOUT_SHARDED ? SHARD_DEFAULT : 0;
		return 0;
	}
	if (spec->layout != SPEC_LAYOUT_SHARDED)
		return err_set(e, E_BAD_REQUEST,
			       "shard_size has a use with the layout sharded only, not with %s",
			       values[spec->layout].word);
	if (json_is_string(v))
		(void)str_to_bytes(json_string_value(v), field, &spec->shard_size, &why);
	else if (json_to_int(v, &bytes, NULL) == 0)
		spec->shard_size = (uint64_t)MAX(bytes, 0);
	else
		return err_set(e, E_BAD_REQUEST,
			       "shard_size must be a number of bytes or a string such as '2GB'");
	if (why.code)
		return err_set(e, E_BAD_REQUEST, "%s", why.msg);
	if (spec->shard_size < SPEC_SHARD_MIN || spec->shard_size > INT64_MAX)
		return err_set(e, E_BAD_REQUEST, "shard_size must be at least %d bytes", SPEC_SHARD_MIN);
	return 0;
}

static const struct profile *
profile_of(const struct spec *spec)
{
	return profile_find(values[spec->profile].word);
}

static int
layout_parse(const json_t *j, struct spec *spec, char *field, struct err *e)
{
	int r = value_parse(j, SPEC_LAYOUT, "layout", &spec->layout, field, e);

	if (r == 0 && profile_of(spec)->one_model && spec->layout != SPEC_LAYOUT_SINGLE)
		return err_set(e, E_BAD_REQUEST, "layout must be single with the profile %s, not %s",
			       values[spec->profile].word, values[spec->layout].word);
	return r;
}

static int
variants_parse(const json_t *j, struct spec *spec, char *field, struct err *e)
{
	const json_t *array = NULL;
	enum variant v;
	size_t i;
	int r;

	field_name(field, "variants");
	r = json_get_array(j, "", "variants", JSON_OPTIONAL, E_BAD_REQUEST, &array, e);
	if (r < 0)
		return r;
	if (!array)
		spec->variants = 1u << (profile_of(spec)->one_model ? VARIANT_UNIFIED : VARIANT_TEXT);
	else if (json_array_size(array) == 0)
		return err_set(e, E_BAD_REQUEST, "variants must name at least one graph");
	for (i = 0; i < json_array_size(array); i++) {
		const char *word = json_string_value(json_array_get(array, i));

		field_set(field, "variants[%zu]", i);
		if (!word)
			return err_set(e, E_BAD_REQUEST, "%s must be a string", field);
		r = variant_from_str(word, E_BAD_REQUEST, &v, e);
		if (r < 0)
			return r;
		if (spec->variants & 1u << v)
			return err_set(e, E_BAD_REQUEST, "%s names '%s' a second time", field, word);
		spec->variants |= 1u << v;
	}
	field_name(field, "variants");
	if (profile_of(spec)->one_model && spec->variants != 1u << VARIANT_UNIFIED)
		return err_set(e, E_BAD_REQUEST, "variants must be unified alone with the profile %s",
			       values[spec->profile].word);
	return 0;
}

static int
references_parse(const json_t *j, struct spec *spec, char *field, struct err *e)
{
	const json_t *array = NULL;
	size_t n;
	int r;

	field_name(field, "reference");
	r = json_get_array(j, "", "reference", JSON_OPTIONAL, E_BAD_REQUEST, &array, e);
	n = json_array_size(array);
	if (r < 0 || n == 0)
		return r;
	if (n > SPEC_REFERENCES_MAX)
		return err_set(e, E_BAD_REQUEST, "reference must have at most %d paths, not %zu",
			       SPEC_REFERENCES_MAX, n);
	spec->references = calloc(n, sizeof(*spec->references));
	if (!spec->references)
		return err_no_memory(e);
	while (r == 0 && spec->n_references < n) {
		field_set(field, "reference[%zu]", spec->n_references);
		r = path_parse(json_array_get(array, spec->n_references), field,
			       &spec->references[spec->n_references], e);
		if (r == 0)
			spec->n_references++;
	}
	return r;
}

static int
limits_parse(const json_t *obj, struct spec *spec, char *field, struct err *e)
{
	static const char *const keys[] = {"max_abs", "min_cosine", "seed"};
	int64_t seed = SEED_DEFAULT;
	int r;

	r = keys_check(obj, "parity", keys, ARRAY_LEN(keys), field, e);
	if (r < 0)
		return r;
	field_name(field, "parity.max_abs");
	r = json_get_double(obj, "parity", "max_abs", JSON_OPTIONAL, E_BAD_REQUEST, &spec->max_abs, e);
	if (r == 0 && !(spec->max_abs >= 0 && isfinite(spec->max_abs)))
		r = err_set(e, E_BAD_REQUEST, "parity.max_abs must not be negative");
	if (r < 0)
		return r;
	field_name(field, "parity.min_cosine");
	r = json_get_double(obj, "parity", "min_cosine", JSON_OPTIONAL, E_BAD_REQUEST, &spec->min_cosine, e);
	if (r == 0 && !(spec->min_cosine >= -1 && spec->min_cosine <= 1))
		r = err_set(e, E_BAD_REQUEST, "parity.min_cosine must be from -1 to 1");
	if (r < 0)
		return r;
	field_name(field, "parity.seed");
	r = json_get_int(obj, "parity", "seed", JSON_OPTIONAL, 0, INT64_MAX, E_BAD_REQUEST, &seed, e);
	spec->seed = (uint64_t)seed;
	return r;
}

static int
parity_parse(const json_t *j, struct spec *spec, char *field, struct err *e)
{
	const json_t *v = json_object_get(j, "parity");

	spec->parity = true;
	spec->max_abs = limits[spec->dtype].max_abs;
	if (profile_of(spec)->output_half)
		spec->max_abs = MAX(spec->max_abs, MAX_ABS_ROUNDED);
	spec->min_cosine = limits[spec->dtype].min_cosine;
	spec->seed = SEED_DEFAULT;
	field_name(field, "parity");
	if (json_is_object(v))
		return limits_parse(v, spec, field, e);
	if (json_is_boolean(v))
		spec->parity = json_is_true(v);
	else if (v)
		return err_set(e, E_BAD_REQUEST, "parity must be true, false or an object");
	return 0;
}

static int
labels_parse(const json_t *j, struct spec *spec, char *field, struct err *e)
{
	const json_t *obj = NULL;
	const char *key;
	json_t *v;
	int r;

	field_name(field, "labels");
	spec->labels = json_object();
	if (!spec->labels)
		return err_no_memory(e);
	r = json_get_obj(j, "", "labels", JSON_OPTIONAL, E_BAD_REQUEST, &obj, e);
	if (r < 0)
		return r;
	if (json_object_size(obj) > SPEC_LABELS_MAX)
		return err_set(e, E_BAD_REQUEST, "labels must be at most %d, not %zu", SPEC_LABELS_MAX,
			       json_object_size(obj));
	json_object_foreach((json_t *)(uintptr_t)obj, key, v) {
		r = text_check(key, strlen(key), "the name of a label", SPEC_LABEL_LEN_MAX, e);
		if (r < 0)
			return r;
		field_set(field, "labels.%s", key);
		if (!json_is_string(v))
			return err_set(e, E_BAD_REQUEST, "%s must be a string", field);
		r = text_check(json_string_value(v), json_string_length(v), field, SPEC_LABEL_LEN_MAX, e);
		if (r < 0)
			return r;
		if (json_object_set(spec->labels, key, v) < 0)
			return err_no_memory(e);
	}
	return 0;
}

static int
number_parse(const json_t *j, const char *key, int64_t min, int64_t max, int64_t *ret, char *field,
	     struct err *e)
{
	field_name(field, key);
	return json_get_int(j, "", key, JSON_OPTIONAL, min, max, E_BAD_REQUEST, ret, e);
}

/* When the job runs, and how long and how often it may. */
static int
turn_parse(const json_t *j, struct spec *spec, char *field, struct err *e)
{
	int r;

	spec->attempts = SPEC_ATTEMPTS_DEFAULT;
	r = number_parse(j, "priority", -SPEC_PRIORITY_MAX, SPEC_PRIORITY_MAX, &spec->priority, field, e);
	if (r == 0)
		r = number_parse(j, "timeout", 1, SPEC_TIMEOUT_MAX, &spec->timeout_s, field, e);
	if (r == 0)
		r = number_parse(j, "attempts", 1, SPEC_ATTEMPTS_MAX, &spec->attempts, field, e);
	return r;
}

bool
spec_is_repo(const char *source)
{
	return source[0] != '/';
}

/* A checkpoint: the folder it lies in, or a repository of the Hub. */
static int
source_parse(const json_t *v, const char *key, char *field, char **ret, struct err *e)
{
	const char *s = json_string_value(v);

	field_name(field, key);
	if (!s || !*s || s[0] == '/')
		return path_parse(v, field, ret, e);
	if (json_string_length(v) != strlen(s) || !repo_id_ok(s))
		return err_set(e, E_BAD_REQUEST,
			       "%s must be an absolute path or a repository " REPO_ID_FORM
			       " of the Hub, not '%.256s'",
			       key, s);
	*ret = strdup(s);
	return *ret ? 0 : err_no_memory(e);
}

static int
model_parse(const json_t *j, struct spec *spec, char *field, struct err *e)
{
	const json_t *v = json_object_get(j, "model");

	field_name(field, "model");
	return v ? source_parse(v, "model", field, &spec->model, e)
		 : err_set(e, E_BAD_REQUEST, "model is missing");
}

static int
base_parse(const json_t *j, struct spec *spec, char *field, struct err *e)
{
	const json_t *v = json_object_get(j, "base");

	return v && !json_is_null(v) ? source_parse(v, "base", field, &spec->base, e) : 0;
}

static int
revision_parse(const json_t *j, struct spec *spec, char *field, struct err *e)
{
	const char *s = NULL;
	int r;

	field_name(field, "revision");
	r = json_get_str(j, "", "revision", JSON_OPTIONAL, E_BAD_REQUEST, &s, e);
	if (r < 0 || (!s && !spec_is_repo(spec->model)))
		return r;
	if (!spec_is_repo(spec->model))
		return err_set(e, E_BAD_REQUEST,
			       "revision is of a repository of the Hub, and model is a folder");
	if (s && (json_string_length(json_object_get(j, "revision")) != strlen(s) || !repo_revision_ok(s)))
		return err_set(e, E_BAD_REQUEST,
			       "revision must be the name of a branch or tag, or a commit, not '%.256s'", s);
	spec->revision = strdup(s ? s : REPO_REVISION_DEFAULT);
	return spec->revision ? 0 : err_no_memory(e);
}

static int
spec_parse(const json_t *j, struct spec *spec, char *field, struct err *e)
{
	static const char *const keys[] = {
		"model",     "revision",   "base",     "variants",  "dtype",    "storage",
		"layout",    "shard_size", "profile",  "reference", "parity",   "positions",
		"mask_mode", "labels",     "priority", "timeout",   "attempts",
	};
	int r;

	if (!json_is_object(j))
		return err_set(e, E_BAD_REQUEST, "a job must be a JSON object");
	r = keys_check(j, "", keys, ARRAY_LEN(keys), field, e);
	if (r < 0)
		return r;
	r = model_parse(j, spec, field, e);
	if (r == 0)
		r = revision_parse(j, spec, field, e);
	if (r == 0)
		r = base_parse(j, spec, field, e);
	if (r == 0)
		r = value_parse(j, SPEC_PROFILE, "profile", &spec->profile, field, e);
	if (r == 0)
		r = variants_parse(j, spec, field, e);
	if (r == 0)
		r = value_parse(j, SPEC_DTYPE, "dtype", &spec->dtype, field, e);
	if (r == 0)
		r = storage_parse(j, spec, field, e);
	if (r == 0)
		r = layout_parse(j, spec, field, e);
	if (r == 0)
		r = shard_size_parse(j, spec, field, e);
	if (r == 0)
		r = references_parse(j, spec, field, e);
	if (r == 0)
		r = parity_parse(j, spec, field, e);
	if (r == 0)
		r = value_parse(j, SPEC_POSITIONS, "positions", &spec->positions, field, e);
	if (r == 0)
		r = value_parse(j, SPEC_MASK_MODE, "mask_mode", &spec->mask_mode, field, e);
	if (r == 0)
		r = labels_parse(j, spec, field, e);
	if (r == 0)
		r = turn_parse(j, spec, field, e);
	return r;
}

int
spec_from_json(const json_t *j, struct spec *ret, char field[SPEC_FIELD_LEN], struct err *e)
{
	_cleanup_(spec_release) struct spec spec = SPEC_INIT;
	int r;

	field[0] = '\0';
	r = spec_parse(j, &spec, field, e);
	if (r < 0)
		return r;
	field[0] = '\0';
	*ret = spec;
	spec = (struct spec)SPEC_INIT;
	return 0;
}

static void
variants_print(struct buf *b, unsigned variants)
{
	const char *comma = "";
	unsigned v;

	for (v = 0; v < VARIANT_MAX; v++)
		if (variants & 1u << v) {
			buf_printf(b, "%s\"%s\"", comma, variant_name(v));
			comma = ",";
		}
}

static void
references_print(struct buf *b, const struct spec *spec)
{
	size_t i;

	for (i = 0; i < spec->n_references; i++) {
		if (i)
			buf_puts(b, ",");
		json_print_str(b, spec->references[i]);
	}
}

static void
parity_print(struct buf *b, const struct spec *spec)
{
	if (!spec->parity) {
		buf_puts(b, "false");
		return;
	}
	buf_puts(b, "{\"max_abs\":");
	json_print_real(b, spec->max_abs);
	buf_puts(b, ",\"min_cosine\":");
	json_print_real(b, spec->min_cosine);
	buf_printf(b, ",\"seed\":%" PRIu64 "}", spec->seed);
}

/* Sorted: the order in which they came says nothing. */
static void
labels_print(struct buf *b, const json_t *labels)
{
	_cleanup_free_ char *text = json_dumps(labels, JSON_COMPACT | JSON_SORT_KEYS);

	buf_puts(b, text ? text : "");
	b->failed |= !text;
}

void
spec_print(const struct spec *spec, struct buf *b)
{
	buf_puts(b, "{\"model\":");
	json_print_str(b, spec->model);
	if (spec->revision) {
		buf_puts(b, ",\"revision\":");
		json_print_str(b, spec->revision);
	}
	buf_puts(b, ",\"base\":");
	json_print_str(b, spec->base);
	buf_puts(b, ",\"variants\":[");
	variants_print(b, spec->variants);
	buf_printf(b, "],\"dtype\":\"%s\",\"storage\":\"%s\",\"layout\":\"%s\"", values[spec->dtype].word,
		   values[spec->storage].word, values[spec->layout].word);
	if (spec->shard_size)
		buf_printf(b, ",\"shard_size\":%" PRIu64, spec->shard_size);
	buf_printf(b, ",\"profile\":\"%s\",\"reference\":[", values[spec->profile].word);
	references_print(b, spec);
	buf_puts(b, "],\"parity\":");
	parity_print(b, spec);
	buf_printf(b, ",\"positions\":\"%s\",\"mask_mode\":\"%s\",\"labels\":", values[spec->positions].word,
		   values[spec->mask_mode].word);
	labels_print(b, spec->labels);
	buf_printf(b, ",\"priority\":%" PRId64 ",\"timeout\":", spec->priority);
	if (spec->timeout_s)
		buf_printf(b, "%" PRId64, spec->timeout_s);
	else
		buf_puts(b, "null");
	buf_printf(b, ",\"attempts\":%" PRId64 "}", spec->attempts);
}

int
spec_sha256(const struct spec *spec, char ret[SHA256_HEX_LEN + 1], struct err *e)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT;

	spec_print(spec, &text);
	return buf_failed(&text, e) < 0 ? E_NO_MEMORY : sha256_bytes(text.data, text.len, ret, e);
}

int
spec_check_path(const char *path, int flags, const char *const *roots, size_t n_roots, const char *field,
		struct err *e)
{
	struct err why = ERR_INIT;
	size_t i;

	for (i = 0; i < n_roots; i++) {
		_cleanup_close_ int fd = -1;
		const char *rest = fs_below(roots[i], path);

		/* A link that leads out of one root may lead into another that holds it. */
		if (rest && fs_open_beneath(roots[i], rest, O_PATH | flags, E_BAD_REQUEST, &fd, &why) == 0)
			return 0;
	}
	if (why.code == 0)
		(void)err_set(&why, E_NOT_ALLOWED, "'%s' lies outside the folders that jobs may read", path);
	return err_set(e, why.code, "%s: %s", field, why.msg);
}

int
spec_check_roots(const struct spec *spec, const char *const *roots, size_t n_roots,
		 char field[SPEC_FIELD_LEN], struct err *e)
{
	size_t i;
	int r = 0;

	field[0] = '\0';
	if (n_roots == 0)
		return 0;
	field_name(field, "model");
	if (!spec_is_repo(spec->model))
		r = spec_check_path(spec->model, O_DIRECTORY, roots, n_roots, field, e);
	if (r == 0 && spec->base && !spec_is_repo(spec->base)) {
		field_name(field, "base");
		r = spec_check_path(spec->base, O_DIRECTORY, roots, n_roots, field, e);
	}
	for (i = 0; r == 0 && i < spec->n_references; i++) {
		field_set(field, "reference[%zu]", i);
		r = spec_check_path(spec->references[i], 0, roots, n_roots, field, e);
	}
	if (r == 0)
		field[0] = '\0';
	return r;
}

void
spec_to_proto(const struct spec *spec, const char *nonce, const char *out_dir, struct spec_proto *ret)
{
	Colconv__Job *job = &ret->job;
	unsigned v;

	/* protobuf-c's generated structs have no const; packing writes to none of it. */
	colconv__job__init(job);
	job->nonce = (char *)(uintptr_t)nonce;
	job->model = spec->model;
	if (spec->base)
		job->base_model = spec->base;
	if (spec->revision)
		job->revision = spec->revision;
	job->out_dir = (char *)(uintptr_t)out_dir;
	job->variants = ret->variants;
	for (v = 0; v < VARIANT_MAX; v++)
		if (spec->variants & 1u << v)
			ret->variants[job->n_variants++] = (char *)(uintptr_t)variant_name(v);
	job->dtype = (char *)(uintptr_t)values[spec->dtype].word;
	job->storage = (char *)(uintptr_t)values[spec->storage].word;
	job->layout = (char *)(uintptr_t)values[spec->layout].word;
	job->profile = (char *)(uintptr_t)values[spec->profile].word;
	job->shard_size = spec->shard_size;
	job->positions = (char *)(uintptr_t)values[spec->positions].word;
	job->mask_mode = (char *)(uintptr_t)values[spec->mask_mode].word;
	job->reference = spec->references;
	job->n_reference = spec->n_references;
	job->parity = spec->parity;
	job->seed = spec->seed;
	colconv__parity_limits__init(&ret->limits);
	ret->limits.max_abs = spec->max_abs;
	ret->limits.min_cosine = spec->min_cosine;
	job->limits = &ret->limits;
}
