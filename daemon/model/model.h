/*
 * The architectures that colconv converts, one file each.
 *
 * A model file reads a checkpoint's config, builds each of its graphs with tr_* calls, and says
 * what inputs a parity case of a given plan has. Nothing else in the tree knows an architecture.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "spec/architecture.h"
#include "trace/trace.h"
#include "feeds.h"

struct model_options {
	bool positions_arange; /* positions 0..S-1 for image tokens too, where the model was trained otherwise */
	bool mask_causal;      /* tokens see those before them only, where the model was trained to see all */
};

/* What a parity case is made of; the model turns it into inputs. */
struct case_plan {
	const char *name;
	bool any_size; /* about images of different sizes */
	bool pad_right;
	int n_rows;
	struct case_row {
		int tokens; /* words of text */
		int n_images;
		struct {
			int h, w; /* in patches; models with one size of image take no notice */
		} image[2];
	} row[5];
};

bool plan_has_images(const struct case_plan *p);

struct model {
	const struct architecture *arch;
	bool any_size;      /* takes images of different sizes */
	size_t config_size; /* of the struct behind `config` below */

	/* E_BAD_CHECKPOINT or E_UNSUPPORTED_MODEL names the key of config.json or the tensor. */
	int (*config_read)(const struct checkpoint *ck, void *config, struct err *e);

	/* Sizes to trace with: small, distinct, none of the model's own. */
	struct sizes (*trace_sizes)(const void *config);

	/* The embeddings, float32 [batch, sequence, dim]. */
	struct ir_value *(*build)(struct trace *t, const void *config, enum variant v,
				  const struct model_options *o);

	/* Inputs of a parity case from a seed. */
	int (*case_make)(const void *config, const struct case_plan *plan, uint64_t seed, struct feeds *ret,
			 struct err *e);
};

/* The model of a checkpoint by its config.json; E_UNSUPPORTED_MODEL says what there is. */
int model_find(const struct checkpoint *ck, const struct model **ret, struct err *e);

#define ARCHITECTURE(family, ...) extern const struct model model_##family;
#include "spec/architectures.def"
#undef ARCHITECTURE

#endif
