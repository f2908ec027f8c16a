/*
 * Images of any size for a SigLIP2 tower ("NaFlex"), and how they stand among the tokens of a text: patches are padded to
 * the largest image, a table of positions is stretched over each image, and each token stands for 2 x 2 patches. A row of
 * the batch may have any number of images: the k-th image token of the batch, row by row, belongs to the k-th feature
 * of the images, in order.
 */
#ifndef MODEL_NAFLEX_H
#define MODEL_NAFLEX_H

#include "model.h"
#include "siglip.h"

#define NAFLEX_MERGE 2 /* patches on each side of one token */

/* The first member of a family's config. */
struct naflex_config {
	struct siglip_config vision; /* image_size is 0; `patches` is the number of positions in the table */
	int64_t table_side;          /* of the square that they fill */
	int64_t inner;               /* width of the projector */
	bool norm;                   /* the projector has a norm */
	bool bias;
	int64_t hidden; /* width of a token */
	int64_t image_token_id;
};

/*
 * Reads the tower's settings. On entry *v holds the values of missing keys. E_BAD_CHECKPOINT or E_UNSUPPORTED_MODEL
 * names the key.
 */
int naflex_vision_read(const struct config_scope *s, struct naflex_config *c, struct err *e);

/* For `struct model`; `config` begins with a naflex_config. */
extern const struct model_input naflex_inputs[];
int64_t naflex_image_tokens(const void *config, int h, int w);
struct sizes naflex_trace_sizes(const void *config);
int naflex_case_make(const struct model *m, const void *config, const struct plan *plan, uint64_t seed,
		     struct feeds *ret, struct err *e);

/* A graph while it is built. */
struct naflex_build {
	const struct naflex_config *c;
	enum variant variant;
	struct blk_text in;
	struct ir_value *pixels; /* float [images, patches, features]; NULL in a text graph */
	struct ir_value *h, *w;  /* int64 [images], in patches */
	struct ir_value *flag; /* bool [batch, sequence]: the id is the image token's; NULL in a text graph */
	struct ir_value *any;  /* in a unified graph: whether there is an image token */
	struct ir_value *x;
};

struct naflex_build naflex_begin(struct trace *t, const struct naflex_config *c, enum variant v);

/*
 * x [batch, sequence, hidden] with the features of the images instead of the image tokens. A unified graph uses the
 * images only if there are image tokens. The call fails when shapes, pixels and image tokens do not match.
 */
struct ir_value *naflex_merge(struct trace *t, struct naflex_build *b, struct ir_value *x);

#endif
