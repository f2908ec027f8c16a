/*
 * From text to token ids, by a checkpoint's tokenizer.json.
 *
 *	text -> pieces between added tokens -> normalizers -> pre-tokenizers -> BPE -> ids
 *
 * The ids are those of Hugging Face's `tokenizers` for the same file. A file that asks for a
 * step that is not written here is refused (E_UNSUPPORTED_MODEL) with the step's name.
 */
#ifndef TOKENIZER_TOKENIZER_H
#define TOKENIZER_TOKENIZER_H

#include "base/err.h"

#define TOKENIZER_FILE_MAX (64 << 20) /* bytes of a tokenizer.json; the largest published one has 33 MB */

struct tokenizer;

/* A growing list of ids. Remembers that memory ran out; ask ids_failed() at the end. */
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

/* E_BAD_CHECKPOINT for a file that is damaged, E_UNSUPPORTED_MODEL for one that asks for more than is written here. */
int tokenizer_open(const char *path, struct tokenizer **ret, struct err *e);

/* The same from the content of the file; `what` names it in errors. */
int tokenizer_parse(const char *text, size_t len, const char *what, struct tokenizer **ret, struct err *e);
void tokenizer_free(struct tokenizer **t);

/*
 * Adds the ids of a text to `ret`. `with_special` also adds the tokens that the file puts around a
 * text, such as <bos>. E_BAD_REQUEST gives the offset of a byte that is not UTF-8.
 */
int tokenizer_encode(const struct tokenizer *t, const char *text, size_t len, bool with_special,
		     struct ids *ret, struct err *e);

/* The id of one token by its content, of an added token or of the vocabulary; -1 when there is no such token. */
int64_t tokenizer_id(const struct tokenizer *t, const char *content);

#endif
