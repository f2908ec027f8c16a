/*
 * The sizes and layouts of a family. Its tensors are those that its graphs ask for.
 */
#ifndef TESTS_TOOLS_MKCHECKPOINT_H
#define TESTS_TOOLS_MKCHECKPOINT_H

#include "base/incbin.h"
#include "base/json.h"
#include "checkpoint/safetensors.h"

#define MKC_NAME_LEN 96
#define MKC_TENSORS_MAX 30000

enum mkc_kind {
	MKC_LINEAR, /* std 1.5 / sqrt(inputs) */
	MKC_EMBED,  /* std 1 */
	MKC_NORM,   /* around 1, std 0.2 */
	MKC_SMALL,  /* around 0, std 0.2: a bias, or a norm that computes 1 + w */
};

struct mkc_tensor {
	char name[MKC_NAME_LEN]; /* canonical */
	enum mkc_kind kind;
	int rank;
	int64_t shape[TENSOR_RANK_MAX];
	uint64_t values;
};

struct mkc_tensors {
	struct mkc_tensor tensors[MKC_TENSORS_MAX];
	size_t count;
	uint64_t values;
};

/* One tensor. */
void mkc_add(struct mkc_tensors *t, enum mkc_kind kind, int rank, const int64_t *shape, const char *name);

/* The tensors of a checkpoint that has this config.json. */
int mkc_tensors_get(const json_t *config, int64_t embedding_dim, struct mkc_tensors *ret, struct err *e);

struct mkc_prefix {
	const char *from, *to; /* canonical, on disk */
};

struct mkc_layout {
	const char *name; /* NULL ends the list */
	bool vlm_config;  /* transformers' class, not the engine's */
	bool text_config; /* ColQwen2: text keys apart; ColPali always has them so */
	bool v5;          /* rope_parameters and dtype, not rope_scaling and torch_dtype */
	struct mkc_prefix prefixes[5];
};

/*
 * A family's sizes are data: tests/tools/sizes/FAMILY.json has an object for each, first the tiny one, with the default
 * dtype and shards and the hyper-parameters from which config() makes config.json:
 *
 *	MKC_SIZES_EMBED(colpali)
 *	const struct mkc_arch mkc_colpali = {"colpali", MKC_SIZES(colpali), layouts, config};
 */
#define MKC_SIZES_EMBED(family) EMBED_BYTES(family, "tests/tools/sizes/" #family ".json")
#define MKC_SIZES(family) embed_##family, embed_##family##_end

struct mkc_arch {
	const char *name;
	const char *sizes, *sizes_end;
	const struct mkc_layout *layouts;
	json_t *(*config)(const json_t *params, const struct mkc_layout *l);
};

extern const struct mkc_arch mkc_colqwen2, mkc_colqwen2_5, mkc_colqwen3, mkc_colpali, mkc_colmodernvbert,
	mkc_colidefics3, mkc_colgemma3, mkc_jina_v4, mkc_colqwen_omni, mkc_collfm2, mkc_nemotron_vl,
	mkc_colqwen3_5, mkc_neomme, mkc_colnanovdr, mkc_colministral3, mkc_granitevisionemb;

/* config.json of a family over Qwen-VL: params in the shape of the layout, of the class that they name. */
json_t *mkc_qwen_config(const json_t *params, const struct mkc_layout *l);

/* The text's part of a config.json: rope_theta is where the library version of the layout looks for it. */
json_t *mkc_text_config(const json_t *params, const struct mkc_layout *l, const char *model_type);

/* The values of one tensor. Each depends only on seed, canonical name and position. */
struct mkc_fill {
	uint64_t key;
	float mean;
	float scale;
	float rows, cols; /* factors of the elements in an outlier's row and column; 1: none */
	uint64_t width;   /* columns */
};

/*
 * Plants outliers as trained models have them: in each layer, one of 300 channels behind a norm and before down_proj is `size` times larger, and what is
 * multiplied with it `size` times smaller, so that the function is the same but for rounding.
 */
void mkc_fill_outliers(struct mkc_fill *f, const struct mkc_tensor *t, float size);

struct mkc_fill mkc_fill(uint64_t seed, const char *name, enum mkc_kind kind, uint64_t fan_in);

/* Values `at` to `at + count`; `at` is a multiple of 4. */
void mkc_fill_block(const struct mkc_fill *f, enum elem dtype, uint64_t at, uint64_t count, void *ret);

struct mkc_adapter {
	const char *base;  /* folder of a checkpoint */
	const char *kind;  /* plain, rslora, dora */
	const char *tasks; /* "code,retrieval": an adapter for each; NULL: one for all */
	uint64_t rank;
	uint64_t seed;
};

int mkc_adapter_write(const struct mkc_adapter *o, const char *dir, struct err *e);

#endif
