#include "skip_words.h"

#include "base/str.h"
#include "checkpoint/modules.h"

#define CONFIG MODULES_MASK "/config.json"
#define TOKENIZER "tokenizer.json"
#define TOKENIZER_MAX (64u << 20)

/* The id of a word that is an entry of the vocabulary; -1: it is not. */
static int64_t
word_id(const json_t *tokenizer, const char *word)
{
	const json_t *v =
		json_object_get(json_object_get(json_object_get(tokenizer, "model"), "vocab"), word);
	const json_t *token;
	size_t i;

	json_array_foreach(json_object_get(tokenizer, "added_tokens"), i, token) {
		const char *content = json_string_value(json_object_get(token, "content"));

		if (content && str_eq(content, word))
			v = json_object_get(token, "id");
	}
	return json_is_integer(v) ? json_integer_value(v) : -1;
}

/* Only a mask of documents, by words, is known. */
static int
kind_check(const json_t *config, struct err *e)
{
	const json_t *tasks = json_object_get(config, "skiplist_tasks");
	const json_t *keep = json_object_get(config, "keep_only_token_ids");
	const char *task = json_string_value(json_array_get(tasks, 0));

	if (keep && !json_is_null(keep))
		return err_set(e, E_UNSUPPORTED_MODEL, CONFIG ": keep_only_token_ids is not supported");
	if (json_array_size(tasks) != 1 || !task || !str_eq(task, "document"))
		return err_set(e, E_UNSUPPORTED_MODEL,
			       CONFIG ": skiplist_tasks other than [\"document\"] are not supported");
	return 0;
}

static int
words_find(const json_t *config, const json_t *tokenizer, struct skip_words *ret, struct err *e)
{
	const json_t *words = json_object_get(config, "skiplist_words"), *v;
	int64_t id;
	size_t i;

	json_array_foreach(words, i, v) {
		id = json_is_string(v) ? word_id(tokenizer, json_string_value(v)) : -1;
		if (id < 0)
			continue; /* the original looks such a word up in vain too */
		if (ret->n == SKIP_WORDS_MAX)
			return err_set(e, E_UNSUPPORTED_MODEL,
				       CONFIG ": more than %d skiplist_words are not supported",
				       SKIP_WORDS_MAX);
		ret->id[ret->n++] = id;
	}
	return 0;
}

int
skip_words_read(const struct checkpoint *ck, struct skip_words *ret, struct err *e)
{
	json_auto_t *config = NULL, *tokenizer = NULL;
	struct folder *dir = checkpoint_folder(ck);
	int r;

	ret->n = 0;
	ret->stated = folder_has(dir, CONFIG);
	if (!ret->stated)
		return 0;
	r = json_read_in(dir, CONFIG, MODULES_SETTINGS_MAX, E_BAD_CHECKPOINT, &config, e);
	if (r == 0)
		r = kind_check(config, e);
	if (r == 0 && !folder_has(dir, TOKENIZER))
		return err_set(e, E_BAD_CHECKPOINT,
			       "'%s' has " CONFIG " but no " TOKENIZER ", which has the ids of its words",
			       folder_path(dir));
	if (r == 0)
		r = json_read_in(dir, TOKENIZER, TOKENIZER_MAX, E_BAD_CHECKPOINT, &tokenizer, e);
	return r < 0 ? r : words_find(config, tokenizer, ret, e);
}

void
skip_words_output(struct trace *t, const struct skip_words *s, const struct blk_text *in)
{
	struct ir_value *keep = in->unmasked, *ids, *table, *hit;

	if (!s->stated)
		return;
	tr_scope(t, "skip");
	if (s->n) {
		table = tr_table_i64(t, "skip.ids", shape_of(1, n((int64_t)s->n)), s->id);
		ids = blk_unsqueeze(t, in->ids, 2);
		hit = tr_equal(t, ids, table); /* [batch, sequence, words] */
		hit = tr_cast(t, hit, ELEM_I64);
		hit = tr_sum(t, hit, 2);
		hit = tr_less(t, tr_i64(t, 0), hit);
		hit = tr_not(t, hit);
		keep = tr_and(t, hit, in->unmasked);
	} else {
		keep = tr_and(t, keep, keep);
	}
	tr_output(t, keep, SKIP_WORDS_OUTPUT);
}
