/*
 * ColLFM2: a SigLIP2 tower over images of any size and the decoder of LFM2, most of whose layers mix the tokens by a short
 * convolution instead of attention, with a projection of every token's last state to a short unit vector.
 */
#include "base/fs.h"
#include "checkpoint/names.h"
#include "decoder.h"
#include "guards.h"
#include "lfm2_config.h"

/* The older form: LFM2-VL's files, and the projection beside them. */
static int
older_check(const struct checkpoint *ck, struct err *e)
{
	static const char pickle[] = "collfm2_projection.pt";
	_cleanup_free_ char *path = NULL;

	if (!ck || checkpoint_find(ck, "proj.weight"))
		return 0;
	path = fs_join(checkpoint_dir(ck), pickle);
	if (!path)
		return err_no_memory(e);
	return fs_exists(path) ? err_set(e, E_UNSUPPORTED_MODEL,
					 "the projection in '%s' is pickled (%s), and reading it could run "
					 "code: take the repository's model.safetensors that has "
					 "custom_text_proj.weight",
					 checkpoint_dir(ck), pickle)
			       : 0;
}

/* ColLFM2's config states the width, as `dim`. */
static int
config_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as, void *config,
	    struct err *e)
{
	struct lfm2_config *c = config;
	int64_t stated = 0;
	int r;

	r = lfm2_config_read(json, ck, c, e);
	if (r == 0)
		r = older_check(ck, e);
	if (r < 0)
		return r;
	r = json_get_int(json, "", "dim", JSON_OPTIONAL, 1, 65536, E_BAD_CHECKPOINT, &stated, e);
	if (r < 0)
		return err_context(e, "config.json");
	if (!ck && stated)
		c->head.dim = stated;
	r = pooling_head_read(as, ck, &c->head, e);
	if (r == 0 && c->head.head == HEAD_MULTI_VECTOR && stated && stated != c->head.dim)
		return err_set(e, E_BAD_CHECKPOINT,
			       "config.json: dim is %lld but the projection has %lld rows", (long long)stated,
			       (long long)c->head.dim);
	return r;
}

/* What the layers with a convolution read. */
struct mixer {
	const struct lfm2_text *c;
	struct ir_value *unmasked; /* bool [batch, sequence, 1] */
};

/* One of the three parts of in_proj's result. */
static struct ir_value *
third(struct trace *t, struct ir_value *x, int which, const char *name)
{
	const int64_t width = last_axis(x).num / 3;

	return tr_name(t, tr_slice(t, x, 2, which * width, (which + 1) * width), "%s", name);
}

/*
 * A gated convolution over each token and the ones before it, each channel on its own. Padding is zeroed first: unlike in
 * attention, a token would meet the padding before it.
 */
static struct ir_value *
convolve(struct trace *t, struct ir_value *y, int il, const void *arg)
{
	const struct mixer *m = arg;
	const int64_t h = m->c->hidden_size;
	const enum blk_bias bias = m->c->conv_bias ? BLK_BIAS : BLK_NO_BIAS;
	struct ir_value *x, *gate, *after, *w;

	y = tr_where(t, m->unmasked, y, tr_f32(t, 0));
	x = blk_linear(t, y, 3 * h, bias, "in", "lm.layers.%d.conv.in_proj", il); /* [b, s, 3*hidden] */
	gate = third(t, x, 0, "gate");
	after = third(t, x, 1, "after");
	x = third(t, x, 2, "x");
	x = tr_mul(t, gate, x);
	w = tr_weight(t, shape_of(3, n(h), n(1), n(m->c->kernel)), "lm.layers.%d.conv.conv.weight", il);
	x = tr_name(t, tr_causal_conv(t, x, w), "conv");
	if (m->c->conv_bias) {
		w = tr_weight(t, shape_of(1, n(h)), "lm.layers.%d.conv.conv.bias", il);
		x = tr_add(t, x, w);
	}
	x = tr_mul(t, after, x);
	return blk_linear(t, x, h, bias, "conv.out", "lm.layers.%d.conv.out_proj", il);
}

static struct ir_value *
embed(struct trace *t, const struct lfm2_text *c, const struct naflex_build *b)
{
	struct ir_value *table, *words;

	tr_scope(t, "lm");
	words = guard_words(t, b->in.ids, b->in.unmasked, b->flag, c->vocab_size);
	table = tr_weight(t, shape_of(2, n(c->vocab_size), n(c->hidden_size)), "lm.embed_tokens.weight");
	return tr_name(t, tr_gather(t, table, words), "embed");
}

static const struct decoder_names layer_names = {
	.before_attention = "operator_norm",
	.before_ff = "ffn_norm",
	.q_norm = "self_attn.q_layernorm",
	.k_norm = "self_attn.k_layernorm",
	.o = "self_attn.out_proj",
	.gate = "feed_forward.w1",
	.up = "feed_forward.w3",
	.down = "feed_forward.w2",
	.last = "lm.embedding_norm",
};

static struct ir_value *
build(struct trace *t, const void *config, enum variant v, const struct model_options *o)
{
	const struct lfm2_config *c = config;
	struct naflex_build b = naflex_begin(t, &c->images, v);
	struct mixer mixer = {.c = &c->text};
	const struct decoder d = {.hidden = c->text.hidden_size,
				  .layers = c->text.num_hidden_layers,
				  .heads = c->text.num_attention_heads,
				  .kv_heads = c->text.num_key_value_heads,
				  .head_dim = c->text.head_dim,
				  .ff = c->text.ff,
				  .eps = c->text.norm_eps,
				  .qk_norm = true,
				  .names = &layer_names,
				  .mixes = c->text.conv,
				  .mixer = convolve,
				  .mixer_arg = &mixer};
	struct decoder_attention attention;
	struct ir_value *x;

	x = embed(t, &c->text, &b);
	x = naflex_merge(t, &b, x);
	attention = decoder_attention_counted(t, &c->text.rope, c->text.head_dim, b.in.unmasked);
	if (o->mask == MODEL_MASK_BIDIRECTIONAL)
		attention.see = IR_MASK_FULL;
	mixer.unmasked = blk_unsqueeze(t, b.in.unmasked, 2);
	x = decoder_build(t, &d, x, &attention); /* [batch, sequence, hidden] */
	return pooling_head_build(t, &c->head, x, &b.in);
}

static struct model_tokens
tokens(const void *config)
{
	const struct lfm2_config *c = config;

	return (struct model_tokens){
		.vocab = c->text.vocab_size,
		.image = c->images.image_token_id,
		.image_begin = -1, /* the tokens around a tile are defined by the tokenizer, not by
                                    * config.json */
		.image_end = -1,
		.video = -1,
		.audio = -1,
		.pad = 0,
	};
}

static const struct name_rule names[] = {{"vis.head.", NULL}, {0}};

static const struct model_spelling spellings[] = {
	{"collfm2", NULL, "ColLFM2"},
	{"lfm2_vl", NULL, "Lfm2VlForConditionalGeneration"},
	{0},
};

static const struct model_prompt prompts[] = {
	{LIBRARY_SAUERKRAUT, "all", "", "", 0, "",
	 "<|im_start|>user\n<|image_start|>{image}<|image_end|>Describe the image.<|im_end|>"},
	{0},
};

static const struct document_tile_text tile_text = {
	.begin = "",
	.place = {"<|img_row_", "_col_", "|>"},
	.whole = "<|img_thumbnail|>",
	.row = "",
	.last = "",
};

const struct model model_collfm2 = {
	MODEL_OF_FAMILY(collfm2),
	.names = names,
	.masks = MODEL_MASKS,
	.image_inputs = naflex_inputs,
	.picture = PREPARE_NAFLEX,
	.tile_text = &tile_text,
	.plans = PLAN_TEXT | PLAN_IMAGE | PLAN_SIZES,
	.config_size = sizeof(struct lfm2_config),
	.tokens = tokens,
	.image_tokens = naflex_image_tokens,
	.trace_sizes = naflex_trace_sizes,
	.build = build,
	.case_make = naflex_case_make,
};
