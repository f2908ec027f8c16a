/*
 * ColModernVBERT: a SigLIP tower over tiles and a ModernBERT encoder, with a projection of every token's
 * last state to a short unit vector. BiModernVBERT has no projection: it gives one vector per row.
 */
#include "modernbert.h"
#include "pooling.h"
#include "tiles.h"

struct modernvbert_config {
	struct tiles_config tiles; /* first: the functions of tiles.h read it */
	struct modernbert_config text;
	int64_t extra; /* words in a second table, with ids from vocab_size on; 0: there is only one table */
	struct pooling_head head;
};

#define EXTRA_WEIGHT "lm.embeddings.tok_embeddings.additional_embedding.weight"

static const char *const text_types[] = {"modernbert", "modernbert_text", "modernvbert_text", "vbert", NULL};
static const char *const vision_types[] = {"siglip_vision_model", "modernbert_vision", "modernvbert_vision",
					   "vbert", NULL};

/* colpali-engine up to 0.3.14 called the tower's width embed_dim. */
static int
vision_read(const struct config_scope *s, struct siglip_config *v, struct err *e)
{
	int r;

	*v = (struct siglip_config){.hidden_size = 768,
				    .num_hidden_layers = 12,
				    .num_attention_heads = 12,
				    .intermediate_size = 3072,
				    .image_size = 224,
				    .patch_size = 16};
	r = json_get_int(s->obj, s->path, "embed_dim", JSON_OPTIONAL, 1, 65536, E_BAD_CHECKPOINT,
			 &v->hidden_size, e);
	return r < 0 ? r : siglip_config_read(s, vision_types, v, e);
}

static int
backbone_read(const json_t *config, struct modernvbert_config *c, struct err *e)
{
	struct config_scope top, text, vision;
	int r;

	c->tiles = (struct tiles_config){.image_token_id = 50407};
	if ((r = config_embedding_dim(config, &c->head.dim, e)) < 0 ||
	    (r = config_backbone(config, &top, e)) < 0 ||
	    (r = config_sub(&top, "text_config", JSON_REQUIRED, &text, e)) < 0 ||
	    (r = config_sub(&top, "vision_config", JSON_REQUIRED, &vision, e)) < 0 ||
	    (r = config_one_of(&text, "model_type", text_types, e)) < 0 ||
	    (r = modernbert_config_read(&text, &c->text, e)) < 0 ||
	    (r = vision_read(&vision, &c->tiles.vision, e)) < 0 ||
	    (r = json_get_int(top.obj, top.path, "additional_vocab_size", JSON_OPTIONAL, 0, 1 << 20,
			      E_BAD_CHECKPOINT, &c->extra, e)) < 0 ||
	    (r = json_get_int(top.obj, top.path, "image_token_id", JSON_OPTIONAL, 0, INT32_MAX,
			      E_BAD_CHECKPOINT, &c->tiles.image_token_id, e)) < 0)
		return r;
	c->tiles.hidden = c->text.hidden_size;
	return tiles_config_read(&top, "pixel_shuffle_factor", 4, &c->tiles, e);
}

/*
 * Later versions save the words of both tables in one, and may leave the number of words in the second table
 * in config.json.
 */
static int
tables_find(const struct checkpoint *ck, struct modernvbert_config *c, struct err *e)
{
	int64_t shape[] = {c->text.vocab_size, c->text.hidden_size};
	const struct weight *w = ck ? checkpoint_find(ck, "lm.embeddings.tok_embeddings.weight") : NULL;

	if (!w || !c->extra || checkpoint_find(ck, EXTRA_WEIGHT))
		return 0;
	shape[0] += c->extra;
	if (w->tensor->rank == 2 && w->tensor->shape[0] == shape[0]) {
		c->text.vocab_size = shape[0];
		c->extra = 0;
		return 0;
	}
	return w->tensor->rank == 2 && w->tensor->shape[0] == c->text.vocab_size
		       ? checkpoint_missing(ck, EXTRA_WEIGHT, e)
		       : checkpoint_require(ck, "lm.embeddings.tok_embeddings.weight", 2, shape, &w, e);
}

static int
config_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as, void *config,
	    struct err *e)
{
	struct modernvbert_config *c = config;
	int r;

	c->extra = 0;
	r = backbone_read(json, c, e);
	if (r < 0)
		return err_context(e, "config.json");
	r = tables_find(ck, c, e);
	return r < 0 ? r : pooling_head_read(as, ck, &c->head, e);
}

/* Looks words up in both tables. The ids of the second table follow those of the first. */
static struct ir_value *
both_tables(struct trace *t, const struct modernvbert_config *c, struct ir_value *table, struct ir_value *ids)
{
	struct ir_value *zero = tr_i64(t, 0), *more, *first, *second, *is_first;

	more = tr_weight(t, shape_of(2, n(c->extra), n(c->text.hidden_size)), "%s", EXTRA_WEIGHT);
	is_first = tr_less(t, ids, tr_i64(t, c->text.vocab_size));
	first = tr_where(t, is_first, ids, zero);
	first = tr_gather(t, table, first); /* [batch, sequence, hidden] */
	second = tr_sub(t, ids, tr_i64(t, c->text.vocab_size));
	second = tr_where(t, is_first, zero, second);
	second = tr_gather(t, more, second);
	is_first = blk_unsqueeze(t, is_first, 2);
	return tr_where(t, is_first, first, second);
}

static struct ir_value *
embed(struct trace *t, const struct modernvbert_config *c, const struct tiles_build *b)
{
	const struct shape s = shape_of(2, n(c->text.vocab_size), n(c->text.hidden_size));
	struct ir_value *table, *words, *x;

	tr_scope(t, "lm");
	words = tiles_words(t, b, c->text.vocab_size + c->extra);
	table = tr_weight(t, s, "lm.embeddings.tok_embeddings.weight");
	x = c->extra ? both_tables(t, c, table, words) : tr_gather(t, table, words);
	return tr_name(t, x, "embed");
}

static struct ir_value *
build(struct trace *t, const void *config, enum variant v, const struct model_options *o)
{
	const struct modernvbert_config *c = config;
	struct tiles_build b = tiles_begin(t, &c->tiles, v);
	struct ir_value *x;

	(void)o;
	x = embed(t, c, &b);
	x = tiles_merge(t, &b, x);
	x = modernbert_build(t, &c->text, x, &b.in); /* [batch, sequence, hidden] */
	return pooling_head_build(t, &c->head, x, &b.in);
}

static struct model_tokens
tokens(const void *config)
{
	const struct modernvbert_config *c = config;

	return (struct model_tokens){
		.vocab = c->text.vocab_size + c->extra,
		.image = c->tiles.image_token_id,
		.image_begin = -1, /* the tokens around a tile are defined by the tokenizer, not by
                                    * config.json */
		.image_end = -1,
		.video = -1,
		.audio = -1,
		.pad = -1,
	};
}

static const struct model_spelling spellings[] = {
	{"colmodernvbert", "modernvbert", "ColModernVBertForRetrieval"},
	{"modernvbert", NULL, "ModernVBertModel"},
	{0},
};

static const struct name_rule names[] = {TILES_NAMES, {0}};

#define DOCUMENT "<|begin_of_text|>User:{image}Describe the image.<end_of_utterance>\nAssistant:"

static const struct model_prompt prompts[] = {
	{LIBRARY_TRANSFORMERS, "all", "", "<end_of_utterance>", 10, "", DOCUMENT},
	{LIBRARY_ENGINE, "all", "", "<end_of_utterance>", 10, "", DOCUMENT},
	{0},
};

const struct model model_colmodernvbert = {
	MODEL_OF_FAMILY(colmodernvbert),
	TILES_RETRIEVER,
	.names = names,
	.image_inputs = tiles_inputs,
	.plans = PLAN_TEXT | PLAN_TILES,
	.masks = 1u << MODEL_MASK_BIDIRECTIONAL, /* an encoder: all tokens see all */
	.one_model_file = "model_v2.onnx",       /* fastembed's entry for this family */
	.config_size = sizeof(struct modernvbert_config),
	.tokens = tokens,
	.build = build,
};
