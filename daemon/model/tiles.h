/*
 * Images that are cut into square tiles of one size, for the families whose inputs are [images, tiles]: a
 * SigLIP tower over each tile, and a connector that makes one token of a square of patches.
 *
 * A row of the batch has any number of tiles. Rows with fewer tiles are filled up with blank tiles, in
 * which every pixel is exactly 0; a normalised pixel never is. Blank tiles have no tokens. The k-th image
 * token of the batch, row by row, belongs to the k-th feature of the tiles that are not blank, in order.
 *
 * The first axis of the tiles may differ from the batch's: some callers pass one blank tile with a batch of
 * texts.
 *
 *	tiles_begin ; tiles_words ; x = the embeddings of these words ; tiles_merge
 */
#ifndef MODEL_TILES_H
#define MODEL_TILES_H

#include "checkpoint/names.h"
#include "model.h"
#include "siglip.h"

/* The first member of a family's config. */
struct tiles_config {
	struct siglip_config vision;
	int64_t factor; /* patches on each side of a token; must divide the patches on each side of a tile */
	int64_t tokens; /* of a tile */
	int64_t hidden; /* width of a token */
	int64_t image_token_id;
	bool partial; /* has pixel_attention_mask: masked pixels are not seen */
};

/*
 * Reads the connector's settings from the scope that has `key`, after the tower's. The error names the key.
 */
int tiles_config_read(const struct config_scope *s, const char *key, int64_t fallback, struct tiles_config *c,
		      struct err *e);

/* The name rules of the parts that these families share. */
#define TILES_NAMES                                               \
	{"connector.modality_projection.proj.", "connector."},    \
		{"connector.modality_projection.", "connector."}, \
	{                                                         \
		"vis.head.", NULL                                 \
	}

/* For `struct model`. */
extern const struct model_input tiles_inputs[];         /* pixel_values alone */
extern const struct model_input tiles_partial_inputs[]; /* and pixel_attention_mask */
extern const struct document_tile_text tiles_text;
int64_t tiles_image_tokens(const void *config, int h, int w);
struct sizes tiles_trace_sizes(const void *config);
int tiles_case_make(const struct model *m, const void *config, const struct plan *plan, uint64_t seed,
		    struct feeds *ret, struct err *e);

/* What these families have alike, for the row of one. */
/* clang-format off */
#define TILES_RETRIEVER                                                                                      \
	.picture = PREPARE_TILES, .tile_text = &tiles_text, .image_tokens = tiles_image_tokens,              \
	.trace_sizes = tiles_trace_sizes, .case_make = tiles_case_make
/* clang-format on */

/* A graph while it is built. */
struct tiles_build {
	const struct tiles_config *c;
	enum variant variant;
	struct blk_text in;
	struct ir_value *pixels; /* float [images, tiles, channels, side, side]; NULL in a text graph */
	struct ir_value *mask;   /* int64 [images, tiles, side, side], or NULL */
	struct ir_value *flag; /* bool [batch, sequence]: the id is the image token's; NULL in a text graph */
	struct ir_value *any;  /* in a unified graph: whether there is an image token */
	struct ir_value *x;
};

struct tiles_build tiles_begin(struct trace *t, const struct tiles_config *c, enum variant v);

/* The ids to look up, all below `vocab`: int64 [batch, sequence]. */
struct ir_value *tiles_words(struct trace *t, const struct tiles_build *b, int64_t vocab);

/*
 * x [batch, sequence, hidden] with the features of the tiles instead of the image tokens. A unified graph
 * uses the tiles only if there are image tokens.
 */
struct ir_value *tiles_merge(struct trace *t, struct tiles_build *b, struct ir_value *x);

#endif
