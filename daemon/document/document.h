/*
 * The document prompt: the ids before and after the image tokens of a page.
 *
 * The rule for pictures and the ids come from the processor's files, preprocessor_config.json and
 * tokenizer.json, which both a checkpoint and an artifact contain.
 */
#ifndef DOCUMENT_DOCUMENT_H
#define DOCUMENT_DOCUMENT_H

#include "base/json.h"
#include "picture/prepare.h"
#include "tokenizer/tokenizer.h"

/*
 * PREPARE_TILES, PREPARE_NAFLEX and PREPARE_PADDED: the text that a processor puts around the image tokens of each tile,
 * instead of `{image}`. PREPARE_NAFLEX has `place` and `whole` alone; the others are empty. PREPARE_PADDED has `row` alone, a
 * token behind each row of patches. PREPARE_WHOLE has `row` and `last` alone, which stand after each row of image tokens; the
 * others are NULL.
 */
struct document_tile_text {
	const char *begin;      /* before each tile, and at the end */
	const char *place[3];   /* after it, around the numbers of row and column, from 1 on */
	const char *whole;      /* the id of the tile that shows the whole picture, instead of `place` */
	const char *row, *last; /* after a row of tiles, and after the last one */
};

/* How a family's processor works. */
struct document_spec {
	enum prepare_rule rule;
	/*
	 * `{image}` marks the position of the image tokens, and `{system}` that of the message that the checkpoint's chat template
	 * has for a conversation without a message of the system's own.
	 */
	const char *prompt;
	bool complete; /* the prompt is a manifest's, which has no {system}, and was checked by the conversion */
	const struct document_tile_text
		*tiles; /* with PREPARE_TILES and the three rules named there; else NULL */
	int64_t image_token;
	int64_t image_tokens; /* per picture or tile; PREPARE_PATCHES and PREPARE_NAFLEX instead have one for
                               * each merge x merge patches, PREPARE_PADDED one for each patch and one
                               * before them */
};

/* The ids of a document_tile_text: around the image tokens of each tile. PREPARE_PADDED has `row` alone. */
struct document_tiles {
	int64_t begin;  /* before each tile, and at the end */
	int64_t *place; /* [side, side]: after it, by row and column; 0 where no tile can be */
	int64_t side;
	int64_t whole;        /* the id of the tile that shows the whole picture, instead of `place` */
	struct ids row, last; /* after a row of tiles, and after the last one */
};

/*
 * The prompt with the message of the chat template in the folder `dir`, which must be the checkpoint's own: it is part of
 * what the model was trained with. *ret stays NULL if the prompt needs a message and there is none.
 */
int document_prompt(const char *dir, const char *prompt, char **ret, struct err *e);

/* Prints the spec as the member `page` of a manifest's `processing`; null: no rule. */
json_t *document_spec_to_json(const struct document_spec *spec);

/*
 * Reads it back; PREPARE_NONE when the manifest has none. The strings are borrowed from `processing`; the
 * tiles are stored in *ret_tiles.
 */
int document_spec_from_json(const json_t *processing, struct document_spec *ret,
			    struct document_tile_text *ret_tiles, struct err *e);

struct document {
	struct prepare prepare;
	struct ids before, after; /* the image tokens */
	int64_t image_token;
	int64_t image_tokens; /* as in the spec */
	struct document_tiles tiles;
};

/*
 * Reads the processor's files in the folder `dir`, which messages call `name`. E_BAD_CHECKPOINT for a
 * missing or damaged file, and for a token of the prompt that tokenizer.json does not have.
 */
int document_open(const char *dir, const char *name, const struct document_spec *spec, struct document **ret,
		  struct err *e);
void document_free(struct document **d);

/* Adds the ids of a picture. */
int document_ids(const struct document *d, const struct prepared *made, struct ids *ret, struct err *e);

#endif
