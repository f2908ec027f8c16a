/*
 * The families that colconv converts, one file each.
 *
 * A family is a row of spec/architectures.def and a `struct model` in FAMILY.c. The struct holds everything
 * that the rest of the tree needs: how to recognise its checkpoints and read config.json, the inputs and
 * the output of its graphs, prompts, special tokens, parity cases, and the function that builds a graph.
 * Nothing outside this folder names a family, a class, an image input or a token.
 *
 *	model_find ; model_config_read ; model->trace_sizes ; model->build
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "document/document.h"
#include "feeds.h"
#include "plan.h"
#include "spec/class.h"
#include "trace/trace.h"

/* One way in which config.json names the family. The first row that fits counts. */
struct model_spelling {
	const char *type;     /* model_type; NULL: config.json has none, and must name a class */
	const char *backbone; /* vlm_config.model_type; NULL: config.json must not have that key */
	const char *class;    /* what a config.json that names no class is taken for */
};

/* Which tokens a token attends to: the option mask_mode of a job. */
enum model_mask { MODEL_MASK_TRAINED, MODEL_MASK_CAUSAL, MODEL_MASK_BIDIRECTIONAL, MODEL_MASK_MAX };

#define MODEL_MASKS (1u << MODEL_MASK_CAUSAL | 1u << MODEL_MASK_BIDIRECTIONAL)

struct model;

/* What config.json, and what the job asks of it, came to. */
struct model_found {
	const struct model *model;
	const struct model_spelling *spelling;
	const struct class *class; /* that config.json names, or that it is taken for */
	enum head head;
	enum model_mask mask; /* asked for */
	int64_t dim;          /* width of the embeddings that is asked for; 0: the checkpoint's own */
};

/* What a family whose checkpoints differ in it found out: whether tokens see later ones. */
struct model_direction {
	bool bidirectional;
	const char *how;     /* the key of config.json or the option that says so, or "guess" */
	const char *warning; /* of a guess; else NULL */
};

/* An input that only graphs with images have. */
struct model_input {
	const char *name;
	enum elem elem;
	struct shape (*shape)(const void *config);
};

/* Special token ids. -1: the family has no such token. */
struct model_tokens {
	int64_t vocab;                  /* ids are below it */
	int64_t image;                  /* one for each feature of an image; may be `vocab` or more */
	int64_t image_begin, image_end; /* around each image */
	int64_t video, audio;
	int64_t pad;
};

struct rng;

int64_t model_words(const struct model_tokens *t);                 /* how many ids are not special tokens */
int64_t model_word(const struct model_tokens *t, struct rng *rng); /* one of them; there must be one */

/*
 * The text that a library's processor puts around a query or an image. A query is query_prefix + text +
 * query_pads times query_pad + query_end; in `document`, `{image}` marks the position of the image tokens.
 */
struct model_prompt {
	enum library library;
	const char *versions; /* of the library: "all", "0.3.11 and newer", "0.3.4 to 0.3.10", "up to 5.15" */
	const char *query_prefix;
	const char *query_pad;
	int query_pads;
	const char *query_end;
	const char *document;
};

struct model_options {
	bool positions_arange; /* use positions 0..S-1 for image tokens too, even if the model was trained
                                * otherwise */
	enum model_mask mask;  /* may differ from what the model was trained with */
};

struct model {
	const struct architecture *arch;
	const struct model_spelling *spellings; /* ends with an empty row */
	const struct name_rule *names; /* tensor names that only this family uses; ends with an empty row,
                                        * or NULL */
	const struct model_input *image_inputs; /* ends with an empty row */
	const struct model_prompt *prompts;     /* a library's newest first; ends with an empty row */
	bool pad_right; /* pad rows of a batch on the right, unless tokenizer_config.json says otherwise */
	unsigned plans; /* parity cases for this family: bits PLAN_* */
	unsigned masks; /* modes that a job may ask for: bits 1u << MODEL_MASK_*. MODEL_MASK_TRAINED
                         * needs none */
	bool cuts;      /* config_read() reads the width that a job asks for; else no job may ask */
	size_t config_size;         /* of the struct behind `config` below */
	const char *one_model_file; /* file name for profiles that want one model; NULL: the variant's file
                                  * name */
	/* The rule by which its processor makes pixels of a picture; PREPARE_NONE: no graph takes a
	 * picture. */
	enum prepare_rule picture;
	const struct document_tile_text *tile_text; /* as in struct document_spec */
	int64_t (*token_side)(const void *config);  /* with PREPARE_WHOLE: pixels on each side of a token */

	/*
	 * Reads and checks config.json, so that the functions below need no checks. With `ck` the width of
	 * the embeddings comes from the projection, otherwise from config.json. Errors name the key of
	 * config.json or the tensor: E_BAD_CHECKPOINT when it is wrong, E_UNSUPPORTED_MODEL when it is
	 * valid but not supported.
	 */
	int (*config_read)(const json_t *json, const struct checkpoint *ck, const struct model_found *as,
			   void *config, struct err *e);

	struct model_tokens (*tokens)(const void *config);

	/* NULL: all checkpoints of the family have the same direction. */
	const struct model_direction *(*direction)(const void *config);

	/* Puts a warning about this checkpoint into `ret`, or nothing. NULL: there is none. */
	void (*advise)(const void *config, struct buf *ret);

	/* The number of image tokens for an image of h x w patches. */
	int64_t (*image_tokens)(const void *config, int h, int w);

	/* Sizes to trace with: small, distinct, and different from the model's own sizes. */
	struct sizes (*trace_sizes)(const void *config);

	/*
	 * Builds one graph and returns its embeddings: float32, with the shape of the model's head. Names the other
	 * outputs of the family with tr_output(); parity compares each of them too.
	 */
	struct ir_value *(*build)(struct trace *t, const void *config, enum variant v,
				  const struct model_options *o);

	/* Makes the inputs of a parity case of `m`, from a seed. */
	int (*case_make)(const struct model *m, const void *config, const struct plan *plan, uint64_t seed,
			 struct feeds *ret, struct err *e);
};

/* The members that each family's file gives these names. */
#define MODEL_OF_FAMILY(family)                                                                    \
	.arch = &architectures[ARCHITECTURE_##family], .spellings = spellings, .prompts = prompts, \
	.config_read = config_read

/*
 * The family of a config.json and its class. `head` is what the job asks for, or HEAD_AUTO. E_UNSUPPORTED_MODEL names
 * the class that is not supported, or lists what is; E_BAD_REQUEST names a class that has no such head.
 */
int model_find(const json_t *config, enum head head, struct model_found *ret, struct err *e);

/* E_BAD_REQUEST when the job asks for a mode or a width that the family does not have. */
int model_asked_check(const struct model_found *f, struct err *e);

/*
 * Gives the checkpoint's tensors the family's names, and reads its config.json into config_size bytes.
 * Checks that apply to every family are made here: E_BAD_CHECKPOINT for a vocabulary that has only special
 * tokens.
 */
int model_config_read(const struct model_found *f, struct checkpoint *ck, void *config, struct err *e);

/* The row has that version of its library ("0.3.5"); the row after the last. */
bool model_prompt_holds(const struct model_prompt *p, const char *version);
bool model_prompt_is_end(const struct model_prompt *p);

/* The prompts of that library ("colpali-engine") and version; NULL for `version` is the newest. NULL: there are none. */
const struct model_prompt *model_prompt_find(const struct model *m, const char *library, const char *version);

/*
 * Whether the weight of that name may be stored in 8 bits: matrices of the numbered layers of tower and decoder, and the table
 * of words. What comes before and after them is small and decides much: the embedding of patches, the merger or connector, and the
 * projection keep their precision, in every family.
 */
bool model_rounds(const char *weight);

/* The input in a graph, and in a parity case whose sizes are known; NULL when memory ran out. */
struct ir_value *model_input_trace(struct trace *t, const struct model_input *in, const void *config);
struct feed *model_input_feed(struct feeds *f, const struct model_input *in, const void *config,
			      const struct sizes *s);

#define ARCHITECTURE(family, ...) extern const struct model model_##family;
#include "spec/architectures.def"
#undef ARCHITECTURE

#endif
