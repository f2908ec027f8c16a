/*
 * Reads config.json of the Qwen-VL backbones, for the families that are built on them.
 *
 * The backbone's object is `vlm_config` (in transformers' classes), `thinker_config` (in a whole Qwen2.5-Omni)
 * or the top level (in colpali-engine's).
 * In it, the keys of the text model are in `text_config` or, before transformers 4.52, beside the others;
 * when `text_config` exists, the keys beside it are ignored. All returned values are checked: each is in
 * its range and fits the others, so a graph can be built without further checks.
 */
#ifndef MODEL_QWEN2VL_CONFIG_H
#define MODEL_QWEN2VL_CONFIG_H

#include "pooling.h"
#include "skip_words.h"

enum qwen2vl_generation { QWEN2_VL, QWEN2_5_VL, QWEN2_5_OMNI, QWEN3_VL, QWEN3_5 };

#define QWEN2VL_DEPTH_MAX 1000
#define QWEN3VL_DEEP_MAX 16
#define QWEN2VL_LAYERS_MAX 1000

/* Qwen3.5: most layers of the decoder have linear attention, the gated delta rule. */
struct qwen3_5_linear {
	bool layer[QWEN2VL_LAYERS_MAX]; /* by layer: it has linear attention, not full attention */
	int64_t key_heads;
	int64_t value_heads; /* a multiple of key_heads */
	int64_t key_dim, value_dim;
	int64_t kernel; /* tokens that the convolution sees: one and those before it */
};

struct qwen2vl_text {
	int64_t hidden_size;
	int64_t num_hidden_layers;
	int64_t num_attention_heads;
	int64_t num_key_value_heads;
	int64_t head_dim;   /* even; hidden_size / num_attention_heads, except from Qwen3-VL on, which has its
                           * own number */
	int64_t rotary_dim; /* elements of a head that are rotated, the first ones; even */
	int64_t intermediate_size;
	int64_t vocab_size;
	double rms_norm_eps;
	double rope_theta;
	int64_t mrope_section[3]; /* of t, h, w; where config.json states them, their sum is rotary_dim / 2 */
	bool mrope_interleaved;   /* from Qwen3-VL on: the axes take turns at the frequencies */
	bool qk_norm;
	bool qkv_bias, o_bias;
	struct qwen3_5_linear linear;
};

struct qwen2vl_vision {
	int64_t depth;
	int64_t embed_dim;
	int64_t num_heads;
	int64_t head_dim; /* embed_dim / num_heads; a multiple of 4 */
	int64_t mlp_dim;  /* inner width */
	int64_t in_channels;
	int64_t patch_size;
	int64_t spatial_merge_size; /* always 2 */
	int64_t temporal_patch_size;
	/* Qwen2.5-VL */
	bool apart;                    /* Qwen2.5-Omni: q, k and v are three linears, not one */
	int64_t window;                /* tokens on each side of a window, at least 1 */
	bool whole[QWEN2VL_DEPTH_MAX]; /* by block: sees the whole image instead of a window */
	/* Qwen3-VL */
	int64_t num_position_embeddings;
	int64_t table_side;             /* side of the square that they fill, at least 1 */
	int64_t n_deep;                 /* at most num_hidden_layers of the text */
	int64_t deep[QWEN3VL_DEEP_MAX]; /* blocks that are followed by a DeepStack merger; distinct */
};

struct qwen2vl_config {
	enum qwen2vl_generation generation;
	struct qwen2vl_text text;
	struct qwen2vl_vision vision;
	int64_t image_token_id; /* below vocab_size */
	int64_t video_token_id;
	int64_t audio_token_id; /* -1: the model does not listen */
	int64_t vision_start_token_id;
	int64_t vision_end_token_id;
	struct pooling_head head; /* only its dim is read from config.json; the family sets the rest */

	/* 0 here; the family sets them. */
	int64_t projection; /* rows of proj.weight, at least head.dim; 0: the model has no projection */
	bool projection_no_bias;
	bool sees_all;                    /* a token also sees later tokens */
	struct skip_words skip;           /* of Qwen3.5 */
	struct model_direction direction; /* of Qwen3.5 */
	struct pooling_head beside;       /* a vector for each row too, as an output beside that of `head`;
                                     * HEAD_MULTI_VECTOR: none */
	int64_t encode_dim;               /* to which the class cuts a row's vector outside its graph; 0: not */
	int64_t tasks;                    /* whose adapters are factors in the graph (tasks.h); 0: none */
};

/*
 * Errors begin with "config.json: " and name the key in full: E_BAD_CHECKPOINT for a value that is wrong,
 * E_UNSUPPORTED_MODEL for one that is right but not converted.
 */
int qwen2vl_config_read(const json_t *config, enum qwen2vl_generation g, struct qwen2vl_config *ret,
			struct err *e);

#endif
