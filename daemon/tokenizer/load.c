/*
 * Reads tokenizer.json into a struct tokenizer.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "parts.h"

/* Ids fit an int32_t: vocabularies have less than a million tokens. */
#define ID_MAX 100000000

/* The keys of the model that must be null, empty or false, since nothing here does what they ask for. */
static const char *const unwritten[] = {"dropout", "continuing_subword_prefix", "end_of_word_suffix"};

static bool
asks_for_nothing(const json_t *v)
{
	return !v || json_is_null(v) || json_is_false(v) ||
	       (json_is_number(v) && json_number_value(v) == 0) ||
	       (json_is_string(v) && json_string_length(v) == 0);
}

static int
vocab_load(const json_t *model, struct bpe *b, struct err *e)
{
	const json_t *vocab;
	const char *key;
	json_t *id;
	int r;

	r = json_get_obj(model, "model", "vocab", JSON_REQUIRED, E_BAD_CHECKPOINT, &vocab, e);
	if (r < 0)
		return r;
	r = vocab_init(&b->vocab, json_object_size(vocab), e);
	if (r < 0)
		return r;
	json_object_foreach((json_t *)(uintptr_t)vocab, key, id) {
		if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > ID_MAX)
			return err_set(e, E_BAD_CHECKPOINT,
				       "model.vocab: the id of '%s' must be a number from 0 to %d", key,
				       ID_MAX);
		vocab_add(&b->vocab, key, strlen(key), (int32_t)json_integer_value(id));
	}
	return buf_failed(&b->vocab.bytes, e);
}

/* "a b" in older files, ["a", "b"] in newer ones. */
static bool
merge_read(const json_t *m, const char **left, size_t *left_len, const char **right, size_t *right_len)
{
	const char *s = json_string_value(m), *space;

	if (s && (space = strchr(s, ' '))) {
		*left = s;
		*left_len = (size_t)(space - s);
		*right = space + 1;
		*right_len = strlen(space + 1);
		return true;
	}
	if (json_array_size(m) != 2)
		return false;
	*left = json_string_value(json_array_get(m, 0));
	*right = json_string_value(json_array_get(m, 1));
	if (!*left || !*right)
		return false;
	*left_len = strlen(*left);
	*right_len = strlen(*right);
	return true;
}

static int
merge_load(const json_t *m, size_t rank, struct bpe *b, struct buf *joined, struct err *e)
{
	size_t left_len, right_len;
	const char *left, *right;
	int32_t l, r, into;

	if (!merge_read(m, &left, &left_len, &right, &right_len))
		return err_set(e, E_BAD_CHECKPOINT, "model.merges[%zu] is not a pair of tokens", rank);
	buf_clear(joined);
	buf_add(joined, left, left_len);
	buf_add(joined, right, right_len);
	if (buf_failed(joined, e) < 0)
		return E_NO_MEMORY;
	l = vocab_find(&b->vocab, left, left_len);
	r = vocab_find(&b->vocab, right, right_len);
	into = vocab_find(&b->vocab, joined->len ? joined->data : "", joined->len);
	if (l < 0 || r < 0 || into < 0)
		return err_set(e, E_BAD_CHECKPOINT, "model.merges[%zu]: the vocabulary lacks a token of it",
			       rank);
	bpe_merge_add(b, l, r, into, (int32_t)rank);
	return 0;
}

static int
merges_load(const json_t *model, struct bpe *b, struct err *e)
{
	_cleanup_(buf_release) struct buf joined = BUF_INIT;
	const json_t *merges;
	size_t i;
	int r;

	r = json_get_array(model, "model", "merges", JSON_REQUIRED, E_BAD_CHECKPOINT, &merges, e);
	if (r == 0)
		r = bpe_merges_init(b, json_array_size(merges), e);
	for (i = 0; r == 0 && i < json_array_size(merges); i++)
		r = merge_load(json_array_get(merges, i), i, b, &joined, e);
	return r;
}

static int
unknown_load(const json_t *model, struct bpe *b, struct err *e)
{
	const char *unk = NULL;
	char name[8];
	int i, r;

	r = json_get_str(model, "model", "unk_token", JSON_OPTIONAL, E_BAD_CHECKPOINT, &unk, e);
	if (r < 0)
		return r;
	b->unk = unk ? vocab_find(&b->vocab, unk, strlen(unk)) : -1;
	if (unk && b->unk < 0)
		return err_set(e, E_BAD_CHECKPOINT, "model.unk_token: the vocabulary has no '%s'", unk);
	for (i = 0; i < 256; i++) {
		(void)snprintf(name, sizeof(name), "<0x%02X>", (unsigned)i);
		b->byte_id[i] = vocab_find(&b->vocab, name, strlen(name));
	}
	return 0;
}

static int
model_load(const json_t *top, struct bpe *b, struct err *e)
{
	const json_t *model = NULL;
	const char *type = "BPE"; /* older files have no type */
	size_t i;
	int r;

	r = json_get_obj(top, "", "model", JSON_REQUIRED, E_BAD_CHECKPOINT, &model, e);
	if (r == 0)
		r = json_get_str(model, "model", "type", JSON_OPTIONAL, E_BAD_CHECKPOINT, &type, e);
	if (r < 0)
		return r;
	if (!str_eq(type, "BPE"))
		return err_set(e, E_UNSUPPORTED_MODEL, "a model of type '%s' is not written here; BPE is",
			       type);
	for (i = 0; i < ARRAY_LEN(unwritten); i++)
		if (!asks_for_nothing(json_object_get(model, unwritten[i])))
			return err_set(e, E_UNSUPPORTED_MODEL, "model.%s is not written here", unwritten[i]);
	r = json_get_bool(model, "model", "byte_fallback", JSON_OPTIONAL, E_BAD_CHECKPOINT, &b->byte_fallback,
			  e);
	if (r == 0)
		r = json_get_bool(model, "model", "fuse_unk", JSON_OPTIONAL, E_BAD_CHECKPOINT, &b->fuse_unk,
				  e);
	if (r == 0)
		r = json_get_bool(model, "model", "ignore_merges", JSON_OPTIONAL, E_BAD_CHECKPOINT,
				  &b->ignore_merges, e);
	if (r == 0)
		r = vocab_load(model, b, e);
	if (r == 0)
		r = merges_load(model, b, e);
	return r < 0 ? r : unknown_load(model, b, e);
}

/* Tokens that are searched in normalized text are normalized themselves. */
static int
added_content(const struct tokenizer *t, const char *content, bool normalized, struct added_token *ret,
	      struct err *e)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	int r = 0;

	if (normalized)
		r = normal_run(&t->normalizer, content, strlen(content), &b, e);
	else
		buf_puts(&b, content);
	if (r < 0)
		return r;
	ret->len = b.len;
	ret->content = buf_take(&b);
	return ret->content ? 0 : err_no_memory(e);
}

/*
 * `tokenizers` numbers added tokens itself: with the vocabulary's id if the vocabulary has the token, else
 * with consecutive ids after its end. Refuse a file with other ids, because libraries would disagree about
 * them.
 */
static int
added_check_id(struct tokenizer *t, const struct added_token *token, const char *content, struct err *e)
{
	int64_t id = vocab_find(&t->bpe.vocab, content, strlen(content));

	if (id < 0)
		id = t->next_id++;
	if (token->id == id)
		return 0;
	return err_set(e, E_BAD_CHECKPOINT,
		       "added_tokens: '%s' has id %" PRId64 ", but %" PRId64 " is the id that follows",
		       content, token->id, id);
}

static int
added_load_one(const json_t *j, struct tokenizer *t, struct err *e)
{
	const char *what = "added_tokens", *content = NULL;
	struct added_token token = {0};
	bool normalized = false;
	int r;

	if ((r = json_get_str(j, what, "content", JSON_REQUIRED, E_BAD_CHECKPOINT, &content, e)) < 0 ||
	    (r = json_get_int(j, what, "id", JSON_REQUIRED, 0, ID_MAX, E_BAD_CHECKPOINT, &token.id, e)) < 0 ||
	    (r = json_get_bool(j, what, "lstrip", JSON_OPTIONAL, E_BAD_CHECKPOINT, &token.left_strip, e)) <
		    0 ||
	    (r = json_get_bool(j, what, "rstrip", JSON_OPTIONAL, E_BAD_CHECKPOINT, &token.right_strip, e)) <
		    0 ||
	    (r = json_get_bool(j, what, "single_word", JSON_OPTIONAL, E_BAD_CHECKPOINT, &token.single_word,
			       e)) < 0 ||
	    (r = json_get_bool(j, what, "normalized", JSON_OPTIONAL, E_BAD_CHECKPOINT, &normalized, e)) < 0)
		return r;
	if (!*content)
		return 0; /* matches nothing */
	r = added_check_id(t, &token, content, e);
	if (r < 0)
		return r;
	r = added_content(t, content, normalized, &token, e);
	return r < 0 ? r : added_add_take(normalized ? &t->normal : &t->raw, token, e);
}

static int
added_load(const json_t *top, struct tokenizer *t, struct err *e)
{
	const json_t *list = NULL;
	size_t i;
	int r;

	t->next_id = (int64_t)t->bpe.vocab.n;
	r = json_get_array(top, "", "added_tokens", JSON_OPTIONAL, E_BAD_CHECKPOINT, &list, e);
	for (i = 0; r == 0 && i < json_array_size(list); i++)
		r = added_load_one(json_array_get(list, i), t, e);
	added_sort(&t->raw);
	added_sort(&t->normal);
	return r;
}

/* The ids of a special token of a template: {"special_tokens": {"<s>": {"ids": [1]}}}. */
static int
special_load(const json_t *post, const json_t *item, struct ids *ret, struct err *e)
{
	const char *name = json_string_value(json_object_get(item, "id"));
	const json_t *ids = json_object_get(
		json_object_get(json_object_get(post, "special_tokens"), name ? name : ""), "ids");
	const json_t *v;
	size_t i;

	if (!json_is_array(ids))
		return err_set(e, E_BAD_CHECKPOINT, "post_processor: the ids of '%s' are missing",
			       name ? name : "");
	for (i = 0; i < json_array_size(ids); i++) {
		v = json_array_get(ids, i);
		if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > ID_MAX)
			return err_set(e, E_BAD_CHECKPOINT,
				       "post_processor: an id of '%s' is not a number from 0 to %d", name,
				       ID_MAX);
		ids_add(ret, (int64_t)json_integer_value(v));
	}
	return ids_failed(ret, e);
}

/* {"single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}]} */
static int
template_load(const json_t *post, struct tokenizer *t, struct err *e)
{
	const json_t *single, *special;
	struct ids *side = &t->before;
	size_t i;
	int r;

	r = json_get_array(post, "post_processor", "single", JSON_REQUIRED, E_BAD_CHECKPOINT, &single, e);
	for (i = 0; r == 0 && i < json_array_size(single); i++) {
		special = json_object_get(json_array_get(single, i), "SpecialToken");
		if (special)
			r = special_load(post, special, side, e);
		else
			side = &t->after;
	}
	return r;
}

static int
post_load(const json_t *post, struct tokenizer *t, struct err *e)
{
	const char *type = NULL;
	const json_t *list;
	size_t i;
	int r;

	if (!post || json_is_null(post))
		return 0;
	r = json_get_str(post, "post_processor", "type", JSON_REQUIRED, E_BAD_CHECKPOINT, &type, e);
	if (r < 0 || str_eq(type, "ByteLevel")) /* which only trims the offsets of tokens */
		return r;
	if (str_eq(type, "TemplateProcessing"))
		return template_load(post, t, e);
	if (!str_eq(type, "Sequence"))
		return err_set(e, E_UNSUPPORTED_MODEL, "post_processor '%s' is not written here", type);
	r = json_get_array(post, "post_processor", "processors", JSON_REQUIRED, E_BAD_CHECKPOINT, &list, e);
	for (i = 0; r == 0 && i < json_array_size(list); i++)
		r = post_load(json_array_get(list, i), t, e);
	return r;
}

static int
load(const json_t *top, struct tokenizer *t, struct err *e)
{
	int r;

	if (!json_is_object(top))
		return err_set(e, E_BAD_CHECKPOINT, "the file is not a JSON object");
	if ((r = normal_load(json_object_get(top, "normalizer"), &t->normalizer, e)) < 0 ||
	    (r = split_load(json_object_get(top, "pre_tokenizer"), &t->pre, e)) < 0 ||
	    (r = model_load(top, &t->bpe, e)) < 0 || (r = added_load(top, t, e)) < 0)
		return r;
	return post_load(json_object_get(top, "post_processor"), t, e);
}

int
tokenizer_parse(const char *text, size_t len, const char *what, struct tokenizer **ret, struct err *e)
{
	_cleanup_(tokenizer_free) struct tokenizer *t = calloc(1, sizeof(*t));
	json_t *top;
	int r;

	if (!t)
		return err_no_memory(e);
	r = json_parse(text, len, what, E_BAD_CHECKPOINT, &top, e);
	if (r < 0)
		return r;
	r = load(top, t, e);
	json_decref(top);
	if (r < 0)
		return err_context(e, "%s", what);
	*ret = TAKE(t);
	return 0;
}

int
tokenizer_open(const char *path, struct tokenizer **ret, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	r = fs_read(path, TOKENIZER_FILE_MAX, E_BAD_CHECKPOINT, &text, &len, e);
	return r < 0 ? r : tokenizer_parse(text, len, path, ret, e);
}
