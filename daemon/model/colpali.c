/*
 * ColPali: PaliGemma (a SigLIP tower and a Gemma decoder in which tokens see each other in both directions)
 * with a projection of every token's last state to a short unit vector. BiPali has no projection: it gives
 * one vector per row.
 */
#include "base/str.h"
#include "gemma.h"

struct paligemma_config {
	struct gemma_config gemma; /* first */
	double rope_theta;
};

/*
 * Gemma's activation has two keys. The newer one counts where it is set; without it even an
 * older "gelu" meant the tanh form.
 */
static int
act_check(const struct config_scope *s, struct err *e)
{
	const char *newer = NULL;
	int r;

	r = json_get_str(s->obj, s->path, "hidden_activation", JSON_OPTIONAL, E_BAD_CHECKPOINT, &newer, e);
	if (r < 0)
		return r;
	return newer ? config_only(s, "hidden_activation", "gelu_pytorch_tanh", "gelu_pytorch_tanh", e)
		     : config_only(s, "hidden_act", "gelu_pytorch_tanh", "gelu", e);
}

static int
text_read(const struct config_scope *s, struct paligemma_config *c, struct err *e)
{
	struct config_scope rope;
	int r;

	c->gemma.text = (struct gemma_text){0};
	if ((r = config_only(s, "model_type", "gemma", "gemma", e)) < 0 || (r = act_check(s, e)) < 0 ||
	    (r = gemma_text_read(s, &c->gemma.text, e)) < 0)
		return r;
	return config_rope(s, 1e4, &rope, &c->rope_theta, e);
}

static const char *const vision_types[] = {"siglip_vision_model", NULL};

static int
backbone_read(const json_t *config, struct paligemma_config *c, struct err *e)
{
	struct config_scope top, text, vision;
	struct gemma_config *g = &c->gemma;
	int64_t projection;
	int r;

	g->images.vision = (struct siglip_config){0};
	g->images.image_token_id = 257152;
	if ((r = config_embedding_dim(config, &g->head.dim, e)) < 0 ||
	    (r = config_backbone(config, &top, e)) < 0 ||
	    (r = config_sub(&top, "text_config", JSON_REQUIRED, &text, e)) < 0 ||
	    (r = config_sub(&top, "vision_config", JSON_REQUIRED, &vision, e)) < 0 ||
	    (r = text_read(&text, c, e)) < 0 ||
	    (r = siglip_config_read(&vision, vision_types, &g->images.vision, e)) < 0 ||
	    (r = config_image_token(&top, &g->images.image_token_id, e)) < 0)
		return r;
	g->images.image_tokens = g->images.vision.patches;
	projection = g->text.hidden_size;
	r = json_get_int(top.obj, top.path, "projection_dim", JSON_OPTIONAL, 1, 65536, E_BAD_CHECKPOINT,
			 &projection, e);
	if (r < 0)
		return r;
	if (projection != g->text.hidden_size)
		return config_fail(&top, "projection_dim", E_BAD_CHECKPOINT, e,
				   "must be the text's hidden_size, %lld", (long long)g->text.hidden_size);
	return 0;
}

static int
config_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as, void *config,
	    struct err *e)
{
	struct paligemma_config *c = config;
	int r = backbone_read(json, c, e);

	return r < 0 ? err_context(e, "config.json") : pooling_head_read(as, ck, &c->gemma.head, e);
}

static struct ir_value *
features(struct trace *t, const void *config, struct ir_value *pixels)
{
	const struct gemma_config *c = config;
	const struct dim hidden = n(c->text.hidden_size);
	struct ir_value *x;

	x = siglip_build(t, &c->images.vision, pixels, NULL); /* [images, patches, width] */
	x = blk_linear(t, x, c->text.hidden_size, BLK_BIAS, "proj", "mmproj.linear");
	return tr_reshape(t, x, shape_of(2, dim_mul(axis(x, 0), axis(x, 1)), hidden));
}

/* Positions start at 1 and count padding: angles float [sequence, 1, head_dim/2]. */
static struct ir_value *
angles_build(struct trace *t, const struct paligemma_config *c)
{
	const int64_t d = c->gemma.text.head_dim;
	struct ir_value *x, *inv;

	tr_scope(t, "rope");
	inv = blk_inv_freq(t, "rope.inv_freq", c->rope_theta, d, 0, d / 2);
	x = tr_iota(t, sym(SYM_SEQUENCE));
	x = tr_add(t, x, tr_i64(t, 1));
	x = blk_angles(t, x, inv);
	return blk_unsqueeze(t, x, 1);
}

static struct ir_value *
build(struct trace *t, const void *config, enum variant v, const struct model_options *o)
{
	const struct paligemma_config *c = config;
	const struct decoder d = gemma_decoder(&c->gemma.text);
	struct squares_build b = gemma_begin(t, c, v, features);
	struct decoder_attention attention = {NULL};
	struct ir_value *angles;

	angles = angles_build(t, c);
	attention.cos = tr_name(t, tr_cos(t, angles), "cos");
	attention.sin = tr_name(t, tr_sin(t, angles), "sin");
	attention.mask = b.in.unmasked;
	attention.see = o->mask == MODEL_MASK_CAUSAL ? IR_MASK_CAUSAL : IR_MASK_FULL;
	b.x = decoder_build(t, &d, b.x, &attention); /* [batch, sequence, hidden] */
	return pooling_head_build(t, &c->gemma.head, b.x, &b.in);
}

static struct model_tokens
tokens(const void *config)
{
	const struct gemma_config *c = config;

	return (struct model_tokens){
		.vocab = c->text.vocab_size,
		.image = c->images.image_token_id,
		.image_begin = -1,
		.image_end = -1,
		.video = -1,
		.audio = -1,
		.pad = 0,
	};
}

static const struct model_spelling spellings[] = {
	{"colpali", "paligemma", "ColPaliForRetrieval"},
	{"paligemma", NULL, "PaliGemmaModel"},
	{0},
};

static const struct model_prompt prompts[] = {
	{LIBRARY_TRANSFORMERS, "all", "<bos>Question: ", "<pad>", 10, "\n",
	 "{image}<bos>Describe the image.\n"},
	{LIBRARY_ENGINE, "0.3.11 and newer", "<bos>", "<pad>", 10, "",
	 "{image}<bos><bos>Describe the image.\n"},
	{LIBRARY_ENGINE, "0.3.4 to 0.3.10", "<bos>Query: ", "<pad>", 10, "\n",
	 "{image}<bos><bos>Describe the image.\n"},
	{LIBRARY_ENGINE, "0.3.1 to 0.3.3", "<bos>Question: ", "<pad>", 10, "\n",
	 "{image}<bos>Describe the image.\n"},
	{0},
};

const struct model model_colpali = {
	MODEL_OF_FAMILY(colpali), SQUARES_RETRIEVER,    .picture = PREPARE_FIXED,
	.pad_right = true,        .masks = MODEL_MASKS, .config_size = sizeof(struct paligemma_config),
	.tokens = tokens,         .build = build,
};
