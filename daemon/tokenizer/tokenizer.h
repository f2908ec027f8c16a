/*
 * Turns text into token ids, with a checkpoint's tokenizer.json.
 *
 *	text -> pieces between added tokens -> normalizers -> pre-tokenizers -> BPE -> ids
 *
 * The ids are the same as those of Hugging Face's `tokenizers` with the same file. A file with an
 * unsupported step is refused (E_UNSUPPORTED_MODEL) with the step's name.
 */
#ifndef TOKENIZER_TOKENIZER_H
#define TOKENIZER_TOKENIZER_H

#include "base/err.h"

#define TOKENIZER_FILE_MAX (64 << 20) /* bytes of a tokenizer.json; the largest published one has 33 MB */

struct tokenizer;

/* A growing list of ids. It remembers that memory ran out; call ids_failed() at the end. */
struct ids {
	int64_t *id;
	size_t n;
	size_t cap;
	bool failed;
};

/* clang-format off */
#define IDS_INIT { .id = NULL }
/* clang-format on */

void ids_add(struct ids *ids, int64_t id);
int ids_failed(const struct ids *ids, struct err *e);
void ids_release(struct ids *ids);

/* E_BAD_CHECKPOINT for a damaged file, E_UNSUPPORTED_MODEL for one that needs unsupported steps. */
int tokenizer_open(const char *path, struct tokenizer **ret, struct err *e);

/* The same from the content of the file; `what` names it in errors. */
int tokenizer_parse(const char *text, size_t len, const char *what, struct tokenizer **ret, struct err *e);
void tokenizer_free(struct tokenizer **t);

/*
 * Adds the ids of a text to `ret`. `with_special` also adds the tokens that the file puts around a text,
 * such as <bos>. E_BAD_REQUEST gives the offset of the first byte that is not UTF-8.
 */
int tokenizer_encode(const struct tokenizer *t, const char *text, size_t len, bool with_special,
		     struct ids *ret, struct err *e);

/* The id of a token by its content, in the added tokens or the vocabulary; -1 when there is none. */
int64_t tokenizer_id(const struct tokenizer *t, const char *content);

#endif
