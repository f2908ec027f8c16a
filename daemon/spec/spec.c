#include "spec.h"

#include "base/str.h"

static void *
member_of(const struct spec *spec, const struct spec_field *f)
{
	return (char *)(uintptr_t)spec + f->offset;
}

void
spec_release(struct spec *spec)
{
	const struct spec_field *f;

	for (f = spec_fields; f < spec_fields + SPEC_FIELD_MAX; f++)
		spec_kind_release(f, member_of(spec, f));
	*spec = (struct spec)SPEC_INIT;
}

bool
spec_is_repo(const char *source)
{
	return source[0] != '/';
}

const struct profile *
spec_profile(const struct spec *spec)
{
	return profile_find(spec_word(spec->profile));
}

enum head
spec_head(const struct spec *spec)
{
	return spec->head == SPEC_HEAD_AUTO ? HEAD_AUTO : (enum head)(spec->head - SPEC_HEAD_AUTO - 1);
}

/*
 * Makes "key" or "parity.key". Our own names always fit, so they are copied without a check; this runs for
 * every field of every submission.
 */
static void
name_make(const struct spec_field *f, char ret[SPEC_FIELD_LEN])
{
	const char *parent = f->parent == SPEC_FIELD_JOB ? "" : spec_fields[f->parent].key;
	size_t n = strlen(parent);

	memcpy(ret, parent, n);
	if (n)
		ret[n++] = '.';
	memcpy(ret + n, f->key, strlen(f->key) + 1);
}

/* Refuses unknown members, and null where it has no meaning. */
static int
keys_check(const json_t *obj, enum spec_field_id parent, char *field, struct err *e)
{
	const char *prefix = parent == SPEC_FIELD_JOB ? "" : spec_fields[parent].key;
	const struct spec_field *f;
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)obj, key, v) {
		f = spec_field_find(key, parent);
		if (f && (!json_is_null(v) || spec_kind_takes_null(f->kind)))
			continue;
		(void)snprintf(field, SPEC_FIELD_LEN, "%s%s%s", prefix, *prefix ? "." : "", key);
		str_clean(field); /* it may have been cut inside a character */
		return f ? err_set(e, E_BAD_REQUEST, "%s must not be null", field)
			 : err_set(e, E_BAD_REQUEST, "unknown field '%s'", field);
	}
	return 0;
}

/*
 * Reads the members of the job, or of a switch, and notes which ones are given. `obj` is NULL for a switch
 * without an object.
 */
static int
members_parse(const json_t *obj, enum spec_field_id parent, struct spec *spec, bool given[SPEC_FIELD_MAX],
	      char *field, struct err *e)
{
	const struct spec_field *f = NULL;
	const json_t *v;
	int r = keys_check(obj, parent, field, e);

	while (r == 0 && (f = spec_field_next(f, parent))) {
		v = json_object_get(obj, f->key);
		given[spec_field_id(f)] = v && !json_is_null(v);
		name_make(f, field);
		r = spec_kind_parse(f, v, member_of(spec, f), field, e);
		if (r == 0 && f->kind == SPEC_KIND_SWITCH)
			r = members_parse(json_is_object(v) ? v : NULL, spec_field_id(f), spec, given, field,
					  e);
	}
	return r;
}

static int
spec_parse(const json_t *j, struct spec *spec, char *field, struct err *e)
{
	bool given[SPEC_FIELD_MAX];
	const struct spec_field *f;
	int r;

	if (!json_is_object(j))
		return err_set(e, E_BAD_REQUEST, "a job must be a JSON object");
	r = members_parse(j, SPEC_FIELD_JOB, spec, given, field, e);
	for (f = spec_fields; r == 0 && f < spec_fields + SPEC_FIELD_MAX; f++) {
		name_make(f, field);
		r = f->rule(spec, given[spec_field_id(f)], e);
	}
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

int
spec_from_text(const char *text, const char *what, int code, struct spec *ret, struct err *e)
{
	json_auto_t *j = NULL;
	char field[SPEC_FIELD_LEN];
	int r = json_parse(text, strlen(text), what, code, &j, e);

	return r < 0 ? r : spec_from_json(j, ret, field, e);
}

/* Prints the members of the job, or of a switch, that have one of the given uses (bits), as an object. */
static void
members_print(const struct spec *spec, enum spec_field_id parent, unsigned uses, struct buf *b)
{
	const struct spec_field *f = NULL;
	char key[SPEC_FIELD_LEN];
	size_t begin;

	buf_puts(b, "{");
	begin = b->len;
	while ((f = spec_field_next(f, parent))) {
		if (!(uses & 1u << f->use))
			continue;
		(void)snprintf(key, sizeof(key), "%s\"%s\":", b->len > begin ? "," : "", f->key);
		if (f->kind == SPEC_KIND_SWITCH && *(const bool *)member_of(spec, f) &&
		    spec_field_next(NULL, spec_field_id(f))) {
			buf_puts(b, key);
			members_print(spec, spec_field_id(f), uses, b);
		} else {
			spec_kind_print(f, member_of(spec, f), key, b);
		}
	}
	buf_puts(b, "}");
}

void
spec_print(const struct spec *spec, struct buf *b)
{
	members_print(spec, SPEC_FIELD_JOB, ~0u, b);
}

void
spec_print_conversion(const struct spec *spec, struct buf *b)
{
	members_print(spec, SPEC_FIELD_JOB, ~(1u << SPEC_USE_QUEUE), b);
}

int
spec_sha256(const struct spec *spec, char ret[SHA256_HEX_LEN + 1], struct err *e)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT;

	spec_print(spec, &text);
	return buf_failed(&text, e) < 0 ? E_NO_MEMORY : sha256_bytes(text.data, text.len, ret, e);
}

json_t *
spec_artifact_to_json(const struct spec *spec)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT;

	members_print(spec, SPEC_FIELD_JOB, 1u << SPEC_USE_ARTIFACT, &text);
	return text.failed ? NULL : json_loads(text.data, 0, NULL);
}
