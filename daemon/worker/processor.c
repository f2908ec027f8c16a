#include "processor.h"

#include "base/fs.h"
#include "base/str.h"
#include "checkpoint/scan.h"
#include "checkpoint/sniff.h"

typedef int check_fn(const char *bytes, size_t len, const char *path, struct err *e);

/* Called for each member of the top object with its key; the value is skipped afterwards. */
typedef int member_fn(void *arg, const char *key, int value, struct err *e);

static int
object_scan(const char *bytes, size_t len, const char *path, member_fn *fn, void *arg, struct err *e)
{
	char key[64];
	struct scan s;
	size_t key_len;
	int r;

	scan_init(&s, bytes, len, path, E_BAD_CHECKPOINT);
	r = scan_open(&s, '{', e);
	while (r == 0) {
		r = scan_key(&s, key, sizeof(key), &key_len, e);
		if (r <= 0)
			break;
		r = fn ? fn(arg, key, scan_peek(&s), e) : 0;
		if (r == 0)
			r = scan_skip(&s, e);
	}
	return r < 0 ? r : scan_end(&s, e);
}

static int
object_check(const char *bytes, size_t len, const char *path, struct err *e)
{
	return object_scan(bytes, len, path, NULL, NULL, e);
}

/* A required member of the top object. */
struct wanted {
	const char *key;
	bool found;
};

static int
wanted_see(void *arg, const char *key, int value, struct err *e)
{
	struct wanted *w = arg;

	(void)value;
	(void)e;
	w->found |= str_eq(w->key, key);
	return 0;
}

static int
member_check(const char *bytes, size_t len, const char *path, const char *key, struct err *e)
{
	struct wanted w = {.key = key};
	int r;

	r = object_scan(bytes, len, path, wanted_see, &w, e);
	if (r == 0 && !w.found)
		r = err_set(e, E_BAD_CHECKPOINT, "%s has no member '%s'", path, key);
	return r;
}

static int
tokenizer_check(const char *bytes, size_t len, const char *path, struct err *e)
{
	return member_check(bytes, len, path, "model", e);
}

static int
chat_template_check(const char *bytes, size_t len, const char *path, struct err *e)
{
	return member_check(bytes, len, path, "chat_template", e);
}

static int
id_see(void *arg, const char *key, int value, struct err *e)
{
	(void)key;
	return value >= '0' && value <= '9'
		       ? 0
		       : err_set(e, E_BAD_CHECKPOINT, "%s must have a number for each token", (char *)arg);
}

/* Checks {"the": 42}: the id of each token. */
static int
vocabulary_check(const char *bytes, size_t len, const char *path, struct err *e)
{
	return object_scan(bytes, len, path, id_see, (void *)(uintptr_t)path, e);
}

static int
text_check(const char *bytes, size_t len, const char *path, struct err *e)
{
	if (str_is_utf8(bytes, len) && !memchr(bytes, '\0', len))
		return 0;
	return err_set(e, E_BAD_CHECKPOINT, "%s is not text in UTF-8", path);
}

/* Accepts "Ġ t": two parts of a token, separated by one space. */
static bool
is_merge(const char *line, size_t len)
{
	const char *space = memchr(line, ' ', len);
	const size_t left = space ? (size_t)(space - line) : len;

	return left > 0 && left + 1 < len && !memchr(space + 1, ' ', len - left - 1);
}

static int
merges_check(const char *bytes, size_t len, const char *path, struct err *e)
{
	const char *p = bytes, *const end = bytes + len;
	size_t line = 1, n;
	int r;

	r = text_check(bytes, len, path, e);
	for (; r == 0 && p < end; p += n + 1, line++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));

		n = newline ? (size_t)(newline - p) : (size_t)(end - p);
		if (n == 0 || (line == 1 && str_starts(p, "#version")))
			continue;
		if (!is_merge(p, n - (p[n - 1] == '\r')))
			r = err_set(e, E_BAD_CHECKPOINT, "%s: line %zu is not two parts of a token", path,
				    line);
	}
	return r;
}

static int
template_check(const char *bytes, size_t len, const char *path, struct err *e)
{
	int r = text_check(bytes, len, path, e);

	if (r == 0 && !strstr(bytes, "{{") && !strstr(bytes, "{%"))
		r = err_set(e, E_BAD_CHECKPOINT, "%s is not a template: it has no '{{' and no '{%%'", path);
	return r;
}

/* Whether the text looks like a licence: it mentions a license or a copyright. */
static int
licence_check(const char *bytes, size_t len, const char *path, struct err *e)
{
	int r = text_check(bytes, len, path, e);

	if (r == 0 && !strcasestr(bytes, "license") && !strcasestr(bytes, "licence") &&
	    !strcasestr(bytes, "copyright"))
		r = err_set(e, E_BAD_CHECKPOINT,
			    "%s is not a licence: it mentions neither a license nor a copyright", path);
	return r;
}

/* Reads a protobuf varint; false at the end or when it is too long. */
static bool
varint_take(const unsigned char **p, const unsigned char *end, uint64_t *ret)
{
	int shift;

	*ret = 0;
	for (shift = 0; *p < end && shift < 64; shift += 7) {
		*ret |= (uint64_t)(**p & 0x7f) << shift;
		if (!(*(*p)++ & 0x80))
			return true;
	}
	return false;
}

/*
 * Checks SentencePiece's ModelProto. It consists of messages only, whose fields are
 *
 *	1 pieces (repeated), 2 trainer_spec, 3 normalizer_spec, 4 self_test_data, 5 denormalizer_spec
 *
 * and each piece begins with its text (field 1, a string).
 */
static int
sentencepiece_check(const char *bytes, size_t len, const char *path, struct err *e)
{
	enum { FIELD_PIECE = 1, FIELD_MAX = 5, WIRE_BYTES = 2 };
	const unsigned char *p = (const unsigned char *)bytes, *const end = p + len;
	uint64_t tag, n, pieces = 0;

	while (p < end) {
		if (!varint_take(&p, end, &tag) || (tag & 7) != WIRE_BYTES || tag >> 3 < FIELD_PIECE ||
		    tag >> 3 > FIELD_MAX || !varint_take(&p, end, &n) || n > (uint64_t)(end - p) ||
		    (tag >> 3 == FIELD_PIECE && (n < 2 || p[0] != (FIELD_PIECE << 3 | WIRE_BYTES))))
			return err_set(e, E_BAD_CHECKPOINT, "%s is not a SentencePiece model", path);
		pieces += tag >> 3 == FIELD_PIECE;
		p += n;
	}
	return pieces ? 0 : err_set(e, E_BAD_CHECKPOINT, "%s is a SentencePiece model without pieces", path);
}

#define OBJECT object_check
#define TOKENIZER tokenizer_check
#define CHAT_TEMPLATE chat_template_check
#define VOCABULARY vocabulary_check
#define MERGES merges_check
#define TEMPLATE template_check
#define SENTENCEPIECE sentencepiece_check
#define LICENCE licence_check

static const struct kind {
	const char *name;
	check_fn *check;
	uint64_t len_max;
} kinds[] = {
#define PROCESSOR_FILE(name, must_be, mib) {name, must_be, (uint64_t)(mib) << 20},
#include "checkpoint/processor.def"
#undef PROCESSOR_FILE
};

_Static_assert(ARRAY_LEN(kinds) <= PROCESSOR_FILES_MAX, "there is room for each");

int
processor_check(const char *name, const char *bytes, size_t len, const char *path, struct err *e)
{
	const struct kind *k = FIND_ROW(kinds, ARRAY_LEN(kinds), name, name);

	if (k)
		return k->check(bytes, len, path, e);
	return err_set(e, E_INTERNAL, "nothing says what '%s' must be", name);
}

static int
file_take(struct processor *p, const struct kind *k, struct folder *from, const char *out_dir, struct err *e)
{
	struct processor_file *f = &p->file[p->n];
	_cleanup_free_ char *quoted = str_printf("'%s/%s'", folder_path(from), k->name);
	_cleanup_free_ char *dst = fs_join(out_dir, k->name), *bytes = NULL;
	size_t len;
	int r;

	if (!quoted || !dst)
		return err_no_memory(e);
	r = folder_read(from, k->name, k->len_max, E_BAD_CHECKPOINT, &bytes, &len, e);
	if (r == 0 && sniff_check(bytes, len, E_BAD_CHECKPOINT, e) < 0)
		r = err_context(e, "%s", quoted);
	if (r == 0)
		r = k->check(bytes, len, quoted, e);
	if (r == 0)
		r = sha256_bytes(bytes, len, f->sha256, e);
	if (r == 0)
		r = fs_write_new(dst, bytes, len, e);
	if (r < 0)
		return r;
	f->name = k->name;
	f->size = len;
	p->n++;
	return 0;
}

/* The folder that a file is copied from; NULL: neither folder has it. */
static struct folder *
folder_for(const struct checkpoint *c, const char *name)
{
	struct folder *adapter = checkpoint_adapter_folder(c), *base = checkpoint_folder(c);

	if (adapter && !str_eq(name, "config.json") && folder_has(adapter, name))
		return adapter;
	return folder_has(base, name) ? base : NULL;
}

int
processor_take(struct processor *p, const struct checkpoint *c, const char *out_dir, struct err *e)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < ARRAY_LEN(kinds); i++) {
		struct folder *from = folder_for(c, kinds[i].name);

		if (from)
			r = file_take(p, &kinds[i], from, out_dir, e);
	}
	return r;
}
