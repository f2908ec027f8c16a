/*
 * The config of NeoMME: one encoder for words and patches, whose layers differ in two independent things: the window through
 * which they attend, and the kind, which decides how positions turn and where word values are added.
 */
#ifndef MODEL_NEOMME_CONFIG_H
#define MODEL_NEOMME_CONFIG_H

#include "checkpoint/checkpoint.h"
#include "checkpoint/config_scope.h"

#define NEOMME_LAYERS_MAX 256
#define NEOMME_NO_WINDOW 0

enum neomme_kind { NEOMME_FULL, NEOMME_SLIDING, NEOMME_KINDS };

struct neomme_layer {
	enum neomme_kind kind;
	int64_t window; /* how many tokens away a visible key may be; NEOMME_NO_WINDOW: any */
	bool values;    /* the first and the last layer of the kind full add word values to v */
};

struct neomme_rope {
	double theta;
	int64_t width; /* elements of a head that turn, from the first on; a multiple of 4 */
};

struct neomme_config {
	int64_t vocab_size, rank; /* words have `rank` numbers before a projection to hidden_size */
	int64_t hidden_size;
	int64_t layers;
	int64_t heads, kv_heads, head_dim; /* heads * head_dim need not be hidden_size */
	int64_t ff;
	int64_t patch_size, patch_width; /* 3 * patch_size^2 numbers of a patch */
	int64_t dim;                     /* of an embedding */
	int64_t pad_id, document_id, image_id;
	bool attention_bias, mlp_bias;
	bool proj_bias; /* of a projection that is a Dense module with a bias */
	double eps;
	double residual; /* what each layer adds is multiplied by it */
	struct neomme_rope rope[NEOMME_KINDS];
	struct neomme_layer layer[NEOMME_LAYERS_MAX];
};

int neomme_config_read(const json_t *json, struct neomme_config *c, struct err *e);

#endif
