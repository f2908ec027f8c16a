/*
 * NeoMME: one bidirectional encoder for words and raw patches of a page, without a vision tower. It gives a vector for each token,
 * and beside it one for each row: the mean of the last states.
 *
 * A page is one row, and its positions follow from its ids:
 *
 *	<doc> <img>  <img> <img> ... <row>  <img> <img> ... <row>  ...
 *	 0,0   1,1    2,2   2,3      2,2+w   3,2   3,3      3,2+w
 *
 * The first <img> is a header. All others are patches, w of them in each row of the page; the class never looks at the id <row>.
 */
#include <math.h>

#include "caseinput.h"
#include "checkpoint/names.h"
#include "guards.h"
#include "model.h"
#include "neomme_config.h"
#include "pooling.h"
#include "width.h"

struct neomme {
	struct neomme_config config;
	enum head head;    /* of the first output */
	int64_t row_width; /* of a vector for each row */
};

/* ---- config ---- */

/* The widths for which the published checkpoints were trained; no config.json lists them. */
static const int64_t row_widths[] = {128, 256, 512, 1024};

/* The width of the vector for each row. The vectors of tokens are never cut. */
static int
row_width_read(const struct model_found *as, struct neomme *m, struct err *e)
{
	const int64_t whole = m->config.hidden_size;
	struct widths w = {.n = 0};
	size_t i;

	m->row_width = whole;
	for (i = 0; i < ARRAY_LEN(row_widths) && row_widths[i] < whole; i++)
		w.at[w.n++] = row_widths[i];
	if (w.n)
		w.at[w.n++] = whole;
	return as ? width_choose(as, &w, whole, &m->row_width, e) : 0;
}

static int
config_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as, void *config,
	    struct err *e)
{
	struct neomme *m = config;
	struct neomme_config *c = &m->config;
	int r = neomme_config_read(json, c, e);

	if (r < 0)
		return err_context(e, "config.json");
	m->head = as ? as->head : HEAD_MULTI_VECTOR;
	if (m->head != HEAD_MULTI_VECTOR && m->head != HEAD_MEAN)
		return err_set(e, E_BAD_REQUEST, "NeoMME has no head '%s': leave head out, or ask for mean",
			       head_name(m->head));
	r = row_width_read(as, m, e);
	if (r < 0)
		return r;
	c->proj_bias = ck && checkpoint_find(ck, "proj.bias");
	return m->head == HEAD_MULTI_VECTOR ? blk_projection_rows(ck, &c->dim, e) : 0;
}

static struct model_tokens
tokens(const void *config)
{
	const struct neomme_config *c = &((const struct neomme *)config)->config;

	return (struct model_tokens){
		.vocab = c->vocab_size,
		.image = c->image_id,
		.image_begin = c->document_id,
		.image_end = -1,
		.video = -1,
		.audio = -1,
		.pad = c->pad_id,
	};
}

static struct shape
pixels_shape(const void *config)
{
	return shape_of(2, sym(SYM_PATCHES), n(((const struct neomme *)config)->config.patch_width));
}

/* ---- parity cases ---- */

/* Between a page's header and its end: a token for each patch, and one more at the end of each row. */
static int64_t
image_tokens(const void *config, int h, int w)
{
	(void)config;
	return (int64_t)h * (w + 1);
}

static struct sizes
trace_sizes(const void *config)
{
	struct sizes s = {{0}};

	(void)config;
	s.of[SYM_BATCH] = 2;
	s.of[SYM_SEQUENCE] = 7;
	s.of[SYM_PATCHES] = 19;
	return s;
}

static int64_t
row_length(const struct neomme_config *c, const struct plan_row *row)
{
	return row->n_images ? 2 + image_tokens(c, row->image[0].h, row->image[0].w) : row->tokens;
}

/* A page is a row of its own: the words of its plan and a second image are left out. */
static void
row_fill(const struct model_tokens *t, const struct neomme_config *c, const struct plan_row *row,
	 struct rng *rng, int64_t *ids)
{
	const int64_t len = row_length(c, row), end = model_word(t, rng);
	int64_t i;

	for (i = 0; i < len; i++)
		ids[i] = !row->n_images                                  ? model_word(t, rng)
			 : i == 0                                        ? c->document_id
			 : i > 1 && (i - 1) % (row->image[0].w + 1) == 0 ? end
									 : c->image_id;
}

static int64_t
patches_of(const struct plan *plan)
{
	int64_t sum = 0;
	int i;

	for (i = 0; i < plan->n_rows; i++)
		if (plan->row[i].n_images)
			sum += (int64_t)plan->row[i].image[0].h * plan->row[i].image[0].w;
	return sum;
}

static int
case_make(const struct model *m, const void *config, const struct plan *plan, uint64_t seed,
	  struct feeds *ret, struct err *e)
{
	const struct neomme_config *c = &((const struct neomme *)config)->config;
	const struct model_tokens t = tokens(config);
	struct sizes s = {.of = {[SYM_PATCHES] = patches_of(plan)}};
	struct rng rng = {seed};
	int64_t dim[2] = {plan->n_rows, 0}, from, k;
	struct feed *ids, *mask, *pixels;
	int i;

	for (i = 0; i < plan->n_rows; i++)
		dim[1] = MAX(dim[1], row_length(c, &plan->row[i]) + plan->padding);
	ids = feeds_add(ret, "input_ids", ELEM_I64, 2, dim);
	mask = feeds_add(ret, "attention_mask", ELEM_I64, 2, dim);
	if (!ids || !mask)
		return err_no_memory(e);
	for (k = 0; k < dim[0] * dim[1]; k++)
		((int64_t *)ids->data)[k] = c->pad_id;
	for (i = 0; i < plan->n_rows; i++) {
		from = i * dim[1] + (plan->pad_right ? 0 : dim[1] - row_length(c, &plan->row[i]));
		row_fill(&t, c, &plan->row[i], &rng, (int64_t *)ids->data + from);
		for (k = 0; k < row_length(c, &plan->row[i]); k++)
			((int64_t *)mask->data)[from + k] = 1;
	}
	if (!plan_has_images(plan))
		return 0;
	pixels = model_input_feed(ret, &m->image_inputs[0], config, &s);
	if (!pixels)
		return err_no_memory(e);
	case_fill_normal(&rng, pixels->data, s.of[SYM_PATCHES] * c->patch_width);
	return 0;
}

/* ---- graphs ---- */

struct build {
	const struct neomme_config *c;
	struct blk_text in;
	struct ir_value *pixels; /* [patches, patch_width]; NULL in the text graph */
	struct ir_value *patch;  /* bool [batch, sequence]: an image token that is not a header */
	struct ir_value *x;      /* embeddings of the tokens */
	struct ir_value *row,
		*column; /* positions on both axes: int64 [batch, sequence], or [sequence] of texts */
};

/* A norm without a weight. */
static struct ir_value *
rms(struct trace *t, const struct neomme_config *c, struct ir_value *x, const char *name)
{
	const int64_t width = last_axis(x).num;
	_cleanup_free_ float *ones = malloc((size_t)MAX(width, 1) * sizeof(*ones));
	struct ir_value *w;
	char table[32];
	int64_t i;

	if (!ones) {
		tr_fail(t, E_NO_MEMORY, "memory ran out");
		return x;
	}
	for (i = 0; i < width; i++)
		ones[i] = 1;
	(void)snprintf(table, sizeof(table), "ones.%lld", (long long)width);
	w = tr_table(t, table, shape_of(1, n(width)), ones);
	return tr_name(t, tr_rms_norm(t, x, w, c->eps), "%s", name);
}

/* bool [batch, sequence]: 1 where the token before, in the same row, is the one of that id. */
static struct ir_value *
follows(struct trace *t, struct ir_value *flag)
{
	struct ir_value *x = tr_cast(t, flag, ELEM_I64);

	x = tr_shift(t, x, 1);
	return tr_equal(t, x, tr_i64(t, 1));
}

static struct ir_value *
patches_find(struct trace *t, const struct build *b)
{
	struct ir_value *image, *document, *header;

	document = tr_equal(t, b->in.ids, tr_i64(t, b->c->document_id));
	header = follows(t, document);
	header = tr_not(t, header);
	image = tr_equal(t, b->in.ids, tr_i64(t, b->c->image_id));
	return tr_name(t, tr_and(t, image, header), "patch");
}

/* Where `flag` holds in a row for the first time, `x`, else 0: the sum over the row, int64 [batch, 1]. */
static struct ir_value *
at_first(struct trace *t, struct ir_value *flag, struct ir_value *x)
{
	struct ir_value *nth, *first;

	nth = tr_cast(t, flag, ELEM_I64);
	nth = tr_cumsum(t, nth, 1);
	first = tr_equal(t, nth, tr_i64(t, 1));
	first = tr_and(t, first, flag);
	x = tr_where(t, first, x, tr_i64(t, 0));
	x = tr_sum(t, x, 1); /* [batch] */
	return blk_unsqueeze(t, x, 1);
}

/*
 * Positions of pages and texts. A token has the number k in its row, padding not counted. In a page with w patches in a row the
 * first end of a row has the number 2 + w, and the token k behind the header is at (k - 2) / (w + 1) and (k - 2) mod (w + 1).
 * The call fails when the tokens of a page are not such a grid: then its positions would be made up.
 */
static void
positions_find(struct trace *t, struct build *b)
{
	struct ir_value *two = tr_i64(t, 2), *k, *seen, *ends, *width, *in_page, *place, *line, *column,
			*wrong;

	tr_scope(t, "positions");
	seen = tr_and(t, b->patch, b->in.unmasked);
	k = tr_cast(t, b->in.unmasked, ELEM_I64);
	k = tr_cumsum(t, k, 1);
	k = tr_sub(t, k, tr_i64(t, 1));
	k = tr_max(t, k, tr_i64(t, 0)); /* [batch, sequence] */
	ends = follows(t, seen);
	wrong = tr_not(t, b->patch);
	ends = tr_and(t, ends, wrong);
	ends = tr_name(t, tr_and(t, ends, b->in.unmasked), "row_ends");
	width = at_first(t, ends, k);
	width = tr_sub(t, width, tr_i64(t, 1));
	width = tr_max(t, width,
		       tr_i64(t, 1)); /* of a row of patches with its end; 1 for texts: [batch, 1] */
	in_page = tr_cast(t, seen, ELEM_I64);
	in_page = tr_sum(t, in_page, 1);
	in_page = tr_less(t, tr_i64(t, 0), in_page);
	in_page = blk_unsqueeze(t, in_page, 1); /* [batch, 1] */
	place = tr_less(t, tr_i64(t, 1), k);
	in_page = tr_and(t, in_page, place);
	in_page = tr_and(t, in_page, b->in.unmasked);
	place = tr_sub(t, k, two);
	place = tr_max(t, place, tr_i64(t, 0));
	line = tr_div(t, place, width);
	column = tr_mod(t, place, width);
	/* The end of a row is in its last column, and every other token there is a patch. */
	wrong = tr_sub(t, width, tr_i64(t, 1));
	wrong = tr_less(t, column, wrong);
	wrong = tr_equal(t, wrong, seen);
	wrong = tr_not(t, wrong);
	wrong = tr_and(t, wrong, in_page);
	place = tr_name(t, tr_check(t, k, wrong), "a_page_must_be_one_grid_of_patches_in_a_row_of_its_own");
	line = tr_add(t, line, two);
	column = tr_add(t, column, two);
	b->row = tr_name(t, tr_where(t, in_page, line, place), "row");
	b->column = tr_name(t, tr_where(t, in_page, column, place), "column");
}

/* The frequencies of one axis: its pairs of elements alternate with those of the other axis, whose places are 0. */
static struct ir_value *
frequencies(struct trace *t, const struct neomme_rope *rope, int64_t along, const char *name)
{
	_cleanup_free_ float *table = calloc((size_t)rope->width / 2, sizeof(*table));
	int64_t k;

	if (!table) {
		tr_fail(t, E_NO_MEMORY, "memory ran out");
		return tr_f32(t, 0);
	}
	for (k = along; k < rope->width / 2; k += 2)
		table[k] = blk_frequency(rope->theta, rope->width, k);
	return tr_table(t, name, shape_of(1, n(rope->width / 2)), table);
}

/* The rotary tables of one kind of layers: [.., sequence, 1, width/2] */
struct turns {
	struct ir_value *cos, *sin;
};

static struct turns
turns_build(struct trace *t, const struct build *b, enum neomme_kind kind)
{
	static const char *const names[] = {"full", "sliding"};
	struct ir_value *row, *column;
	struct turns turns;

	tr_scope(t, "rope.%s", names[kind]);
	row = frequencies(t, &b->c->rope[kind], 0, "rope.row.inv_freq");
	column = frequencies(t, &b->c->rope[kind], 1, "rope.column.inv_freq");
	row = blk_angles(t, b->row, row);
	column = blk_angles(t, b->column, column);
	row = tr_add(t, row, column); /* one of the two is 0 */
	row = blk_unsqueeze(t, row, row->shape.rank - 1);
	turns.cos = tr_name(t, tr_cos(t, row), "cos");
	turns.sin = tr_name(t, tr_sin(t, row), "sin");
	return turns;
}

/* ---- the embeddings ---- */

static struct ir_value *
embed(struct trace *t, const struct build *b, struct ir_value *words)
{
	const struct neomme_config *c = b->c;
	struct ir_value *table, *x;

	tr_scope(t, "lm");
	table = tr_weight(t, shape_of(2, n(c->vocab_size), n(c->rank)),
			  "lm.embed_tokens.word_embeddings.weight");
	x = tr_name(t, tr_gather(t, table, words), "words"); /* [batch, sequence, rank] */
	return blk_linear(t, x, c->hidden_size, BLK_NO_BIAS, "embed", "lm.embed_tokens.embedding_projection");
}

/*
 * Patches [patches, patch_width] as vectors [patches, hidden]. Most patches of a page are nearly constant, where rounding errors of
 * the mean are multiplied by up to 300; without the first number, which is exact to subtract, nothing is lost there.
 */
static struct ir_value *
patches_build(struct trace *t, const struct neomme_config *c, struct ir_value *pixels)
{
	struct ir_value *first, *x;

	tr_scope(t, "patches");
	first = tr_slice(t, pixels, 1, 0, 1);
	x = tr_sub(t, pixels, first);
	x = tr_name(t, blk_layer_norm(t, x, 1e-5, "patch_embeddings.norm"), "norm");
	x = blk_linear(t, x, 2 * c->hidden_size, BLK_NO_BIAS, "up", "patch_embeddings.up_proj");
	x = tr_gelu(t, x);
	return blk_linear(t, x, c->hidden_size, BLK_BIAS, "down", "patch_embeddings.down_proj");
}

static struct ir_value *
with_patches(struct trace *t, const void *arg)
{
	const struct build *b = arg;
	struct ir_value *pixels = b->pixels, *count, *is_patch, *features, *index;

	tr_scope(t, "images");
	count = tr_size(t, sym(SYM_PATCHES));
	is_patch = guard_image_tokens(t, b->patch, b->in.unmasked, count, &pixels);
	features = patches_build(t, b->c, pixels);
	tr_scope(t, "merge");
	index = blk_running(t, is_patch);
	return tr_name(t, blk_scatter(t, b->x, is_patch, features, index), "out");
}

static struct ir_value *
without_patches(struct trace *t, const void *arg)
{
	(void)t;
	return ((const struct build *)arg)->x;
}

static struct ir_value *
merge(struct trace *t, const struct build *b, enum variant v)
{
	struct ir_value *any;

	if (v == VARIANT_TEXT)
		return b->x;
	if (v == VARIANT_IMAGE)
		return with_patches(t, b);
	tr_scope(t, "%s", "");
	any = tr_and(t, b->patch, b->in.unmasked);
	any = tr_name(t, tr_any(t, any), "any_image");
	return tr_if(t, any, with_patches, without_patches, b);
}

/* ---- layers ---- */

/* What the layers share. */
struct shared {
	struct ir_value *first;  /* the normed embeddings, of which each layer takes a share */
	struct ir_value *values; /* a second lookup of the words: [batch, sequence, kv_heads, head_dim] */
	struct turns turns[NEOMME_KINDS];
	struct ir_value *mask[NEOMME_LAYERS_MAX]; /* of each layer */
};

static struct ir_value *
values_build(struct trace *t, const struct neomme_config *c, struct ir_value *words)
{
	const int64_t width = c->kv_heads * c->head_dim;
	struct ir_value *table, *x;

	tr_scope(t, "lm");
	table = tr_weight(t, shape_of(2, n(c->vocab_size), n(width)), "value_embeddings.weight");
	x = tr_name(t, tr_gather(t, table, words), "values"); /* [batch, sequence, kv_heads*head_dim] */
	return blk_heads(t, x, c->kv_heads);
}

/* A mask for each window, which the layers with that window share. */
static void
masks_build(struct trace *t, const struct neomme_config *c, struct ir_value *unmasked, struct shared *s)
{
	int64_t i, k;

	for (i = 0; i < c->layers; i++) {
		for (k = 0; k < i && c->layer[k].window != c->layer[i].window; k++)
			;
		if (k < i) {
			s->mask[i] = s->mask[k];
			continue;
		}
		tr_scope(t, "lm.window.%lld", (long long)c->layer[i].window);
		s->mask[i] = c->layer[i].window == NEOMME_NO_WINDOW
				     ? unmasked
				     : blk_window(t, unmasked, c->layer[i].window);
	}
}

/* A weight of a few numbers as a value that keeps float32 in every graph. */
static struct ir_value *
scalars(struct trace *t, int64_t count, const char *name, int il)
{
	struct ir_value *w = tr_weight(t, shape_of(1, n(count)), "lm.layers.%d.%s", il, name);

	return tr_cast(t, w, ELEM_F32);
}

/* lambdas[0] * x + lambdas[1] * first, normed. */
static struct ir_value *
mixed(struct trace *t, const struct neomme_config *c, const struct shared *s, struct ir_value *x, int il)
{
	struct ir_value *lambdas = scalars(t, 2, "lambdas", il), *own, *first;

	own = tr_slice(t, lambdas, 0, 0, 1);
	own = tr_mul(t, x, own);
	first = tr_slice(t, lambdas, 0, 1, 2);
	first = tr_mul(t, s->first, first);
	own = tr_add(t, own, first);
	return rms(t, c, own, "norm");
}

/* tanh(alpha) of each head, [kv_heads, heads/kv_heads, 1]; tanh(a) is 2 sigmoid(2a) - 1. */
static struct ir_value *
shares(struct trace *t, const struct neomme_config *c, int il)
{
	struct ir_value *a = scalars(t, c->heads, "self_attn.exclusive_self_attention.alpha", il);

	a = tr_mul(t, a, tr_f32(t, 2));
	a = tr_sigmoid(t, a);
	a = tr_mul(t, a, tr_f32(t, 2));
	a = tr_sub(t, a, tr_f32(t, 1));
	return tr_reshape(t, a, shape_of(3, n(c->kv_heads), n(c->heads / c->kv_heads), n(1)));
}

/*
 * Takes from each head's result a share of its part along the token's own v: o - tanh(alpha) (o . u) u, u = v / ||v||.
 * o [batch, sequence, heads, head_dim], v [batch, sequence, kv_heads, head_dim].
 */
static struct ir_value *
exclude(struct trace *t, const struct neomme_config *c, struct ir_value *o, struct ir_value *v, int il)
{
	const struct shape heads = o->shape;
	struct ir_value *share = shares(t, c, il), *u, *part;

	u = blk_normalize(t, v, BLK_FLOOR);
	u = blk_unsqueeze(t, u, 3); /* [batch, sequence, kv_heads, 1, head_dim] */
	o = tr_reshape(t, o,
		       shape_of(5, axis(o, 0), axis(o, 1), n(c->kv_heads), n(c->heads / c->kv_heads),
				n(c->head_dim)));
	part = tr_mul(t, o, u);
	part = tr_sum(t, part, 4);
	part = blk_unsqueeze(t, part, 4); /* [batch, sequence, kv_heads, heads/kv_heads, 1] */
	part = tr_mul(t, part, share);
	part = tr_mul(t, part, u);
	o = tr_sub(t, o, part);
	return tr_name(t, tr_reshape(t, o, heads), "exclusive");
}

static struct ir_value *
rotated(struct trace *t, const struct neomme_config *c, const struct turns *turns, struct ir_value *x,
	const char *what)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%s.norm", what);
	x = rms(t, c, x, name);
	return tr_name(t, tr_rope(t, x, turns->cos, turns->sin), "%s.rope", what);
}

/* x + residual * y */
static struct ir_value *
added(struct trace *t, const struct neomme_config *c, struct ir_value *x, struct ir_value *y)
{
	y = tr_mul(t, y, tr_f32(t, c->residual));
	return tr_name(t, tr_add(t, x, y), "out");
}

static struct ir_value *
attention(struct trace *t, const struct neomme_config *c, const struct shared *s, struct ir_value *x, int il)
{
	const struct turns *turns = &s->turns[c->layer[il].kind];
	const enum blk_bias bias = c->attention_bias ? BLK_BIAS : BLK_NO_BIAS;
	const int64_t q_width = c->heads * c->head_dim, kv_width = c->kv_heads * c->head_dim;
	struct ir_value *y, *q, *k, *v, *o, *gate;

	tr_scope(t, "lm.%02d.attn", il);
	y = mixed(t, c, s, x, il);
	q = blk_linear(t, y, q_width, bias, "q", "lm.layers.%d.self_attn.q_proj", il);
	k = blk_linear(t, y, kv_width, bias, "k", "lm.layers.%d.self_attn.k_proj", il);
	v = blk_linear(t, y, kv_width, bias, "v", "lm.layers.%d.self_attn.v_proj", il);
	q = blk_heads(t, q, c->heads); /* [batch, sequence, heads, head_dim] */
	q = rotated(t, c, turns, q, "q");
	k = blk_heads(t, k, c->kv_heads); /* [batch, sequence, kv_heads, head_dim] */
	k = rotated(t, c, turns, k, "k");
	v = blk_heads(t, v, c->kv_heads);
	if (c->layer[il].values)
		v = tr_name(t, tr_add(t, v, s->values), "v.values");
	o = tr_attention(t, q, k, v, s->mask[il], IR_MASK_FULL, 1 / sqrt((double)c->head_dim));
	o = exclude(t, c, o, v, il);
	o = blk_heads_merge(t, o); /* [batch, sequence, heads*head_dim] */
	gate = blk_linear(t, y, q_width, BLK_NO_BIAS, "gate",
			  "lm.layers.%d.self_attn.output_projection.gate_proj", il);
	gate = tr_sigmoid(t, gate);
	o = tr_mul(t, o, gate);
	o = blk_linear(t, o, c->hidden_size, bias, "o", "lm.layers.%d.self_attn.output_projection.o_proj",
		       il);
	return added(t, c, x, o);
}

static struct ir_value *
mlp(struct trace *t, const struct neomme_config *c, struct ir_value *x, int il)
{
	const enum blk_bias bias = c->mlp_bias ? BLK_BIAS : BLK_NO_BIAS;
	struct ir_value *y;

	tr_scope(t, "lm.%02d.mlp", il);
	y = rms(t, c, x, "norm");
	y = blk_linear(t, y, c->ff, bias, "up", "lm.layers.%d.mlp.up_proj", il);
	y = tr_max(t, y, tr_f32(t, 0));
	y = tr_mul(t, y, y); /* [batch, sequence, ff] */
	y = blk_linear(t, y, c->hidden_size, bias, "down", "lm.layers.%d.mlp.down_proj", il);
	return added(t, c, x, y);
}

/* The vector of each token: zero where it is masked. */
static struct ir_value *
token_vectors(struct trace *t, const struct neomme_config *c, struct ir_value *x, const struct blk_text *in)
{
	struct ir_value *keep = blk_unsqueeze(t, in->unmasked, 2), *z;

	tr_scope(t, "head");
	z = blk_linear(t, x, c->dim, c->proj_bias ? BLK_BIAS : BLK_NO_BIAS, "proj", "proj");
	z = blk_normalize(t, z, BLK_FLOOR);
	return tr_where(t, keep, z, tr_f32(t, 0));
}

static struct ir_value *
build(struct trace *t, const void *config, enum variant v, const struct model_options *o)
{
	const struct neomme *m = config;
	const struct neomme_config *c = &m->config;
	const struct pooling_head row = {.head = HEAD_MEAN,
					 .cut = m->row_width < c->hidden_size ? m->row_width : 0};
	struct build b = {.c = c, .in = blk_text_inputs(t)};
	struct shared s;
	struct ir_value *words, *x, *dense;
	int il;

	(void)o;
	if (v != VARIANT_TEXT)
		b.pixels = tr_input(t, "pixel_values", ELEM_F32, pixels_shape(config));
	tr_scope(t, "%s", "");
	b.patch = v == VARIANT_TEXT ? NULL : patches_find(t, &b);
	words = guard_words(t, b.in.ids, b.in.unmasked, NULL, c->vocab_size);
	b.row = b.column = v == VARIANT_TEXT ? tr_iota(t, sym(SYM_SEQUENCE)) : NULL;
	if (v != VARIANT_TEXT)
		positions_find(t, &b);
	s.turns[NEOMME_FULL] = turns_build(t, &b, NEOMME_FULL);
	s.turns[NEOMME_SLIDING] = turns_build(t, &b, NEOMME_SLIDING);
	b.x = embed(t, &b, words);
	s.values = values_build(t, c, words);
	masks_build(t, c, b.in.unmasked, &s);
	x = merge(t, &b, v);
	tr_scope(t, "lm");
	x = s.first = rms(t, c, x, "first");
	for (il = 0; il < c->layers; il++) {
		x = attention(t, c, &s, x, il);
		x = mlp(t, c, x, il);
	}
	tr_scope(t, "lm");
	x = rms(t, c, x, "norm"); /* [batch, sequence, hidden] */
	dense = pooling_head_build(t, &row, x, &b.in);
	if (m->head == HEAD_MEAN)
		return dense;
	tr_output(t, dense, "dense_embeddings");
	return token_vectors(t, c, x, &b.in);
}

static const struct model_spelling spellings[] = {
	{"neomme", NULL, "NeoMMEForRetrieval"},
	{0},
};

static const struct name_rule names[] = {
	{"multi_vector_head.proj.", "proj."},
	{"unembedding_projection.", NULL},
	{0},
};

static const struct model_input image_inputs[] = {{"pixel_values", ELEM_F32, pixels_shape}, {0}};

static const struct model_prompt prompts[] = {
	{LIBRARY_TRANSFORMERS, "5.24 and newer", "<query>", "<mask>", 10, "", "<doc>{image}"},
	{0},
};

static const struct document_tile_text tile_text = {
	.begin = "",
	.place = {"", "", ""},
	.whole = "",
	.row = "<row>",
	.last = "",
};

const struct model model_neomme = {
	MODEL_OF_FAMILY(neomme),
	.names = names,
	.image_inputs = image_inputs,
	.picture = PREPARE_PADDED,
	.tile_text = &tile_text,
	.cuts = true,
	.plans = PLAN_TEXT | PLAN_IMAGE | PLAN_SIZES,
	.config_size = sizeof(struct neomme),
	.tokens = tokens,
	.image_tokens = image_tokens,
	.trace_sizes = trace_sizes,
	.build = build,
	.case_make = case_make,
};
