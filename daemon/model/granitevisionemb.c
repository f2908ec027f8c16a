/*
 * Granite vision embedding: a SigLIP tower over tiles, LLaVA-Next's way of packing them into a row of tokens, and a Granite decoder,
 * which is Llama with four factors.
 *
 * A page is cut into a grid of tiles, and one more tile, the first, shows it whole. The patches of the grid make a map;
 * what the tiler filled up at its borders is cut off, and each row of the map ends with a token of its own. The whole
 * page's patches come last. Only these give vectors: as many for every page, whatever its grid. A query gives a vector for each token.
 */
#include "caseinput.h"
#include "checkpoint/names.h"
#include "guards.h"
#include "llama.h"
#include "pooling.h"
#include "siglip.h"

#define GRIDS_MAX 64
#define PIXELS_MAX (1 << 20) /* a side of an image */

struct granite_config {
	struct siglip_config vision;
	struct llama_text text;
	double embedding, residual, attention; /* the multipliers */
	int64_t n_used;
	int64_t used
		[SIGLIP_USED_MAX]; /* layers of the tower whose outputs are joined, in this order; 0: the embeddings */
	bool out_bias;             /* of the projector's two layers */
	int64_t n_grid;
	int64_t grid[GRIDS_MAX][2]; /* rows and columns of tiles that a page may have, in the file's order */
	int64_t image_token_id;
	struct pooling_head head;
};

/* ---- config ---- */

static int
text_read(const struct config_scope *s, struct granite_config *c, struct err *e)
{
	struct config_scope rope;
	int r;

	c->text = (struct llama_text){.hidden_size = 4096,
				      .num_hidden_layers = 32,
				      .num_attention_heads = 32,
				      .intermediate_size = 11008,
				      .vocab_size = 32000,
				      .rms_norm_eps = 1e-6};
	if ((r = llama_text_read(s, "granite", &c->text, e)) < 0 ||
	    (r = config_double(s, "embedding_multiplier", 1, 1e6, &c->embedding, e)) < 0 ||
	    (r = config_double(s, "residual_multiplier", 1, 1e6, &c->residual, e)) < 0 ||
	    (r = config_double(s, "attention_multiplier", 1, 1e6, &c->attention, e)) < 0)
		return r;
	return config_rope(s, 1e4, &rope, &c->text.rope.theta, e);
}

static int
vision_read(const struct config_scope *s, struct siglip_config *v, struct err *e)
{
	static const char *const types[] = {"siglip_vision_model", NULL};

	*v = (struct siglip_config){.hidden_size = 768,
				    .num_hidden_layers = 12,
				    .num_attention_heads = 12,
				    .intermediate_size = 3072,
				    .image_size = 224,
				    .patch_size = 16};
	return siglip_config_read(s, types, v, e);
}

/* The number of a layer's output: negative ones count from the last layer. */
static int
used_add(const struct config_scope *top, const json_t *layer, struct granite_config *c, struct err *e)
{
	const int64_t layers = c->vision.num_hidden_layers;
	const int64_t k = json_integer_value(layer), at = k < 0 ? layers + 1 + k : k;

	if (!json_is_integer(layer) || at < 0 || at > layers)
		return config_fail(top, "vision_feature_layer", E_BAD_CHECKPOINT, e,
				   "must hold whole numbers from %lld to %lld", (long long)(-layers - 1),
				   (long long)layers);
	if (c->n_used == SIGLIP_USED_MAX)
		return config_fail(top, "vision_feature_layer", E_UNSUPPORTED_MODEL, e,
				   "has more than %d layers, which is not supported", SIGLIP_USED_MAX);
	c->used[c->n_used++] = at;
	return 0;
}

static int
used_read(const struct config_scope *top, struct granite_config *c, struct err *e)
{
	const json_t *list = json_object_get(top->obj, "vision_feature_layer");
	size_t i;
	int r = 0;

	c->n_used = 0;
	if (!list || json_is_null(list)) {
		c->used[c->n_used++] = c->vision.num_hidden_layers - 1; /* the class's own, -2 */
		return 0;
	}
	if (!json_is_array(list))
		return used_add(top, list, c, e);
	for (i = 0; i < json_array_size(list) && r == 0; i++)
		r = used_add(top, json_array_get(list, i), c, e);
	if (r == 0 && !c->n_used)
		r = config_fail(top, "vision_feature_layer", E_BAD_CHECKPOINT, e, "is empty");
	return r;
}

/* The sizes of grids, in pixels. */
static int
grids_read(const struct config_scope *top, struct granite_config *c, struct err *e)
{
	static const char key[] = "image_grid_pinpoints";
	const int64_t side = c->vision.image_size;
	const json_t *list = NULL, *pair;
	int64_t pixels;
	size_t i;
	int k, r;

	r = json_get_array(top->obj, top->path, key, JSON_REQUIRED, E_BAD_CHECKPOINT, &list, e);
	if (r < 0)
		return r;
	c->n_grid = (int64_t)json_array_size(list);
	if (c->n_grid < 1 || c->n_grid > GRIDS_MAX)
		return config_fail(top, key, E_BAD_CHECKPOINT, e, "must have from 1 to %d sizes", GRIDS_MAX);
	for (i = 0; i < json_array_size(list); i++) {
		pair = json_array_get(list, i);
		for (k = 0; k < 2; k++) {
			pixels = json_integer_value(json_array_get(pair, (size_t)k));
			if (json_array_size(pair) != 2 || pixels < side || pixels > 8192 || pixels % side)
				return config_fail(top, key, E_BAD_CHECKPOINT, e,
						   "must be a list of [height, width], multiples of "
						   "vision_config.image_size, %lld, up to 8192",
						   (long long)side);
			c->grid[i][k] = pixels / side;
		}
	}
	return 0;
}

static int
backbone_read(const json_t *config, struct granite_config *c, struct err *e)
{
	struct config_scope top = {.obj = config}, text, vision;
	int r;

	c->image_token_id = 32000;
	c->out_bias = true;
	if ((r = config_sub(&top, "text_config", JSON_REQUIRED, &text, e)) < 0 ||
	    (r = config_sub(&top, "vision_config", JSON_REQUIRED, &vision, e)) < 0 ||
	    (r = text_read(&text, c, e)) < 0 || (r = vision_read(&vision, &c->vision, e)) < 0 ||
	    (r = used_read(&top, c, e)) < 0 || (r = grids_read(&top, c, e)) < 0 ||
	    (r = config_only(&top, "projector_hidden_act", "gelu", "gelu", e)) < 0 ||
	    (r = json_get_bool(config, "", "multimodal_projector_bias", JSON_OPTIONAL, E_BAD_CHECKPOINT,
			       &c->out_bias, e)) < 0 ||
	    (r = config_only(&top, "base_image_feature_location", "last", "last", e)) < 0)
		return r;
	/* The class's own is "default", which leaves the first patch out. */
	if (!json_object_get(config, "vision_feature_select_strategy"))
		return config_fail(&top, "vision_feature_select_strategy", E_UNSUPPORTED_MODEL, e,
				   "is missing, which means 'default'; only 'full' is supported");
	r = config_only(&top, "vision_feature_select_strategy", "full", "full", e);
	return r < 0 ? r : config_image_token(&top, &c->image_token_id, e);
}

static int
config_read(const json_t *json, const struct checkpoint *ck, const struct model_found *as, void *config,
	    struct err *e)
{
	static const char *const keys[] = {"emb_dim_query", "emb_dim_doc"};
	struct granite_config *c = config;
	int64_t stated[2] = {0};
	size_t i;
	int r = backbone_read(json, c, e);

	for (i = 0; i < ARRAY_LEN(keys) && r == 0; i++)
		r = json_get_int(json, "", keys[i], JSON_OPTIONAL, 1, 65536, E_BAD_CHECKPOINT, &stated[i], e);
	if (r < 0)
		return err_context(e, "config.json");
	c->head = (struct pooling_head){.dim = ck ? 0 : stated[0], .eps = 1e-8};
	r = pooling_head_read(as, ck, &c->head, e);
	for (i = 0; i < ARRAY_LEN(keys) && r == 0; i++)
		if (stated[i] && c->head.dim && stated[i] != c->head.dim)
			r = err_set(e, E_BAD_CHECKPOINT,
				    "config.json: %s is %lld but the projection has %lld rows", keys[i],
				    (long long)stated[i], (long long)c->head.dim);
	return r;
}

/* ---- inputs ---- */

static struct shape
pixels_shape(const void *config)
{
	const struct siglip_config *v = &((const struct granite_config *)config)->vision;

	return shape_of(5, sym(SYM_IMAGES), sym(SYM_TILES), n(v->num_channels), n(v->image_size),
			n(v->image_size));
}

static struct shape
sizes_shape(const void *config)
{
	(void)config;
	return shape_of(2, sym(SYM_IMAGES), n(2));
}

enum { PIXELS, SIZES };

static const struct model_input inputs[] = {
	[PIXELS] = {"pixel_values", ELEM_F32, pixels_shape},
	[SIZES] = {"image_sizes", ELEM_I64, sizes_shape},
	{0},
};

static struct sizes
trace_sizes(const void *config)
{
	struct sizes s = {{0}};

	(void)config;
	s.of[SYM_BATCH] = 2;
	s.of[SYM_SEQUENCE] = 7;
	s.of[SYM_IMAGES] = 6;
	s.of[SYM_TILES] = 11;
	s.of[SYM_VECTORS] = 13;
	return s;
}

/* Patches on each side of a tile. */
static int64_t
side(const struct granite_config *c)
{
	return c->vision.image_size / c->vision.patch_size;
}

/* The grid of an image, and the part of its map that is kept. */
struct packing {
	int64_t grid_rows, grid_cols;
	int64_t rows, cols; /* of the map */
};

/*
 * The grid in which most pixels of the image count, and of these the one that leaves the fewest empty; of equal ones the first. In doubles,
 * as the original computes it: another arithmetic gives another grid in borderline cases.
 */
static int64_t
grid_of(const struct granite_config *c, int64_t h, int64_t w)
{
	int64_t k, best = 0, used, waste, most = -1, least = INT64_MAX, height, width;
	double scale;

	for (k = 0; k < c->n_grid; k++) {
		height = c->grid[k][0] * c->vision.image_size;
		width = c->grid[k][1] * c->vision.image_size;
		scale = MIN((double)width / (double)w, (double)height / (double)h);
		used = MIN((int64_t)((double)w * scale) * (int64_t)((double)h * scale), w * h);
		waste = height * width - used;
		if (used > most || (used == most && waste < least)) {
			best = k;
			most = used;
			least = waste;
		}
	}
	return best;
}

static struct packing
packing_of(const struct granite_config *c, int64_t h, int64_t w)
{
	const int64_t k = grid_of(c, h, w);
	struct packing p = {.grid_rows = c->grid[k][0], .grid_cols = c->grid[k][1]};

	p.rows = p.grid_rows * side(c);
	p.cols = p.grid_cols * side(c);
	if (w * p.rows > p.cols * h)
		p.rows -= (p.rows - h * p.cols / w) / 2 * 2;
	else
		p.cols -= (p.cols - w * p.rows / h) / 2 * 2;
	return p;
}

/* A plan's sizes are in quarters of a tile. */
static int64_t
pixels_of(const struct granite_config *c, int quarters)
{
	return MAX(quarters * c->vision.image_size / 4, 1);
}

static int64_t
image_tokens(const void *config, int h, int w)
{
	const struct granite_config *c = config;
	const struct packing p = packing_of(c, pixels_of(c, h), pixels_of(c, w));

	return p.rows * (p.cols + 1) + c->vision.patches;
}

static int
case_make(const struct model *m, const void *config, const struct plan *plan, uint64_t seed,
	  struct feeds *ret, struct err *e)
{
	const struct granite_config *c = config;
	const int64_t each = c->vision.num_channels * c->vision.image_size * c->vision.image_size;
	struct sizes s = {.of = {[SYM_IMAGES] = plan->n_rows}};
	int64_t tiles[PLAN_ROWS_MAX], h, w;
	struct feed *pixels, *sizes;
	struct rng rng = {seed};
	struct packing p;
	int i, r;

	r = case_text_make(m, config, plan, &rng, ret, e);
	if (r < 0 || !plan_has_images(plan))
		return r;
	for (i = 0; i < plan->n_rows; i++) {
		p = packing_of(c, pixels_of(c, plan->row[i].image[0].h),
			       pixels_of(c, plan->row[i].image[0].w));
		tiles[i] = 1 + p.grid_rows * p.grid_cols;
		s.of[SYM_TILES] = MAX(s.of[SYM_TILES], tiles[i]);
	}
	pixels = model_input_feed(ret, &inputs[PIXELS], config, &s);
	sizes = model_input_feed(ret, &inputs[SIZES], config, &s);
	if (!pixels || !sizes)
		return err_no_memory(e);
	for (i = 0; i < plan->n_rows; i++) {
		h = pixels_of(c, plan->row[i].image[0].h);
		w = pixels_of(c, plan->row[i].image[0].w);
		((int64_t *)sizes->data)[2 * i] = h;
		((int64_t *)sizes->data)[2 * i + 1] = w;
		case_fill_normal(&rng, (float *)pixels->data + i * s.of[SYM_TILES] * each, tiles[i] * each);
	}
	return 0;
}

/* ---- the packing, in the graph ---- */

/* The images of a batch; each member is int64 [images]. */
struct images {
	struct ir_value *h, *w;                 /* pixels */
	struct ir_value *grid_rows, *grid_cols; /* in tiles */
	struct ir_value *rows, *cols;           /* of the map, what is cut off left out */
	struct ir_value *top, *left;            /* what is cut off there */
	struct ir_value *map;                   /* tokens of the map, those that end its rows among them */
	struct ir_value *tokens;                /* of the image */
};

/* One column of image_sizes: int64 [images], limited to 1 to PIXELS_MAX; *wrong where it is outside. */
static struct ir_value *
column(struct trace *t, struct ir_value *sizes, int at, struct ir_value **wrong)
{
	struct ir_value *one = tr_i64(t, 1), *most = tr_i64(t, PIXELS_MAX), *x, *over;

	x = tr_slice(t, sizes, 1, at, at + 1);
	x = tr_reshape(t, x, shape_of(1, sym(SYM_IMAGES)));
	*wrong = tr_less(t, x, one);
	over = tr_less(t, most, x);
	*wrong = tr_or(t, *wrong, over);
	x = tr_max(t, x, one);
	return tr_min(t, x, most);
}

/* The sides of all grids, in tiles times `by`: int64 [grids]. */
static struct ir_value *
grid_sides(struct trace *t, const struct granite_config *c, int which, int64_t by, const char *name)
{
	int64_t table[GRIDS_MAX], k;

	for (k = 0; k < c->n_grid; k++)
		table[k] = c->grid[k][which] * by;
	return tr_table_i64(t, name, shape_of(1, n(c->n_grid)), table);
}

/* Whole pixels of a side after scaling, in float64. */
static struct ir_value *
scaled(struct trace *t, struct ir_value *side, struct ir_value *scale)
{
	struct ir_value *x = tr_mul(t, side, scale);

	return tr_cast(t, x, ELEM_I64);
}

/*
 * grid_of() for each image: a number for each grid, of which the largest wins. It holds the pixels that count, then those that are not empty,
 * then the grids behind this one, so that no two are equal. int64 [images, grids]
 */
static struct ir_value *
merits(struct trace *t, const struct granite_config *c, const struct images *im)
{
	const int64_t s = c->vision.image_size;
	int64_t behind[GRIDS_MAX], k, most = 0;
	struct ir_value *height, *width, *area, *h, *w, *x, *y, *fh, *fw, *scale;

	for (k = 0; k < c->n_grid; k++) {
		behind[k] = c->n_grid - 1 - k;
		most = MAX(most, c->grid[k][0] * c->grid[k][1] * s * s + 1);
	}
	height = grid_sides(t, c, 0, s, "grid.height");
	width = grid_sides(t, c, 1, s, "grid.width");
	area = tr_mul(t, height, width);
	h = blk_unsqueeze(t, im->h, 1); /* [images, 1] */
	w = blk_unsqueeze(t, im->w, 1);
	fh = tr_cast(t, h, ELEM_F64);
	fw = tr_cast(t, w, ELEM_F64);
	x = tr_cast(t, width, ELEM_F64);
	x = tr_div(t, x, fw); /* [images, grids] */
	y = tr_cast(t, height, ELEM_F64);
	y = tr_div(t, y, fh);
	scale = tr_name(t, tr_min(t, x, y), "scale");
	x = scaled(t, fw, scale);
	y = scaled(t, fh, scale);
	x = tr_mul(t, x, y);
	y = tr_mul(t, h, w);
	x = tr_min(t, x, y);
	y = tr_sub(t, area, x); /* empty */
	y = tr_sub(t, tr_i64(t, most), y);
	x = tr_mul(t, x, tr_i64(t, most + 1));
	x = tr_add(t, x, y);
	x = tr_mul(t, x, tr_i64(t, c->n_grid));
	y = tr_table_i64(t, "grid.behind", shape_of(1, n(c->n_grid)), behind);
	return tr_name(t, tr_add(t, x, y), "merits");
}

static void
grids_choose(struct trace *t, const struct granite_config *c, struct images *im)
{
	struct ir_value *x = merits(t, c, im), *other, *chosen;

	other = blk_unsqueeze(t, x, 1);
	x = blk_unsqueeze(t, x, 2);
	x = tr_less(t, x, other); /* [images, grids, grids] */
	x = tr_cast(t, x, ELEM_I64);
	x = tr_sum(t, x, 2); /* how many are better */
	chosen = tr_equal(t, x, tr_i64(t, 0));
	chosen = tr_cast(t, chosen, ELEM_I64); /* [images, grids] */
	x = grid_sides(t, c, 0, 1, "grid.rows");
	x = tr_mul(t, chosen, x);
	im->grid_rows = tr_name(t, tr_sum(t, x, 1), "grid_rows");
	x = grid_sides(t, c, 1, 1, "grid.cols");
	x = tr_mul(t, chosen, x);
	im->grid_cols = tr_name(t, tr_sum(t, x, 1), "grid_cols");
}

/* What the tiler filled up along one side of a map: half of `all` - `own` * `along` / `across`, where `when` holds. */
static struct ir_value *
filled(struct trace *t, struct ir_value *all, struct ir_value *own, struct ir_value *along,
       struct ir_value *across, struct ir_value *when)
{
	struct ir_value *x = tr_mul(t, own, along);

	x = tr_div(t, x, across);
	x = tr_sub(t, all, x);
	x = tr_where(t, when, x, tr_i64(t, 0));
	return tr_div(t, x, tr_i64(t, 2));
}

static void
maps_cut(struct trace *t, const struct granite_config *c, struct images *im)
{
	struct ir_value *patches = tr_i64(t, side(c)), *two = tr_i64(t, 2), *one = tr_i64(t, 1);
	struct ir_value *rows, *cols, *a, *b, *wide, *tall;

	rows = tr_mul(t, im->grid_rows, patches);
	cols = tr_mul(t, im->grid_cols, patches);
	a = tr_mul(t, im->w, rows);
	b = tr_mul(t, im->h, cols);
	wide = tr_name(t, tr_less(t, b, a), "wide"); /* the image is wider than its map */
	tall = tr_not(t, wide);
	im->top = tr_name(t, filled(t, rows, im->h, cols, im->w, wide), "top");
	im->left = tr_name(t, filled(t, cols, im->w, rows, im->h, tall), "left");
	a = tr_mul(t, im->top, two);
	im->rows = tr_name(t, tr_sub(t, rows, a), "rows");
	a = tr_mul(t, im->left, two);
	im->cols = tr_name(t, tr_sub(t, cols, a), "cols");
	a = tr_add(t, im->cols, one);
	im->map = tr_name(t, tr_mul(t, im->rows, a), "map");
	im->tokens = tr_add(t, im->map, tr_i64(t, c->vision.patches));
}

/* Fails for sizes out of range and for images with fewer tiles than their grid has. */
static struct images
images_read(struct trace *t, const struct granite_config *c, struct ir_value *sizes)
{
	struct images im;
	struct ir_value *wrong, *also, *tiles;

	tr_scope(t, "images");
	im.h = column(t, sizes, 0, &wrong);
	im.w = column(t, sizes, 1, &also);
	wrong = tr_or(t, wrong, also);
	grids_choose(t, c, &im);
	maps_cut(t, c, &im);
	tiles = tr_mul(t, im.grid_rows, im.grid_cols);
	also = tr_size(t, sym(SYM_TILES));
	also = tr_less(t, tiles, also); /* one more shows the whole image */
	also = tr_not(t, also);
	wrong = tr_or(t, wrong, also);
	im.tokens = tr_name(t, tr_check(t, im.tokens, wrong), "image_sizes_must_fit_pixel_values");
	return im;
}

/* What each image token stands for; each int64 or bool [batch*sequence]. */
struct places {
	struct ir_value *index;    /* row of the tower's features */
	struct ir_value *ends_row; /* it ends a row of a map instead */
};

/*
 * place: the number of the token within its image. The map comes first; in it, token (y, x) is a patch of the grid's tile
 * (y / side, x / side), and the column behind the last ends the row. Then comes tile 0.
 */
static struct places
places(struct trace *t, const struct granite_config *c, const struct images *im, struct ir_value *image,
       struct ir_value *place)
{
	struct ir_value *s = tr_i64(t, side(c)), *each = tr_i64(t, c->vision.patches), *one = tr_i64(t, 1);
	struct ir_value *cols, *map, *in_map, *y, *x, *tile, *patch, *whole;
	struct places p;

	tr_scope(t, "merge");
	cols = tr_gather(t, im->cols, image);
	map = tr_gather(t, im->map, image);
	in_map = tr_less(t, place, map);
	whole = tr_sub(t, place, map);
	x = tr_add(t, cols, one);
	y = tr_div(t, place, x);
	x = tr_mod(t, place, x);
	p.ends_row = tr_equal(t, x, cols);
	p.ends_row = tr_name(t, tr_and(t, p.ends_row, in_map), "ends_row");
	tile = tr_gather(t, im->top, image);
	y = tr_add(t, y, tile);
	tile = tr_gather(t, im->left, image);
	x = tr_add(t, x, tile);
	tile = tr_div(t, y, s);
	patch = tr_gather(t, im->grid_cols, image);
	tile = tr_mul(t, tile, patch);
	patch = tr_div(t, x, s);
	tile = tr_add(t, tile, patch);
	tile = tr_add(t, tile, one);
	patch = tr_mod(t, y, s);
	patch = tr_mul(t, patch, s);
	x = tr_mod(t, x, s);
	patch = tr_add(t, patch, x);
	tile = tr_mul(t, tile, each);
	patch = tr_add(t, tile, patch);
	patch = tr_where(t, in_map, patch, whole);
	/* The token that ends a row may point behind the grid; its row of features is not used. */
	patch = tr_where(t, p.ends_row, tr_i64(t, 0), patch);
	x = tr_size(t, sym(SYM_TILES));
	x = tr_mul(t, x, each);
	x = tr_mul(t, image, x);
	p.index = tr_add(t, x, patch);
	return p;
}

/* ---- the graph ---- */

/* A graph while it is built. */
struct build {
	const struct granite_config *c;
	struct blk_text in;
	struct ir_value *pixels, *sizes; /* NULL in a text graph, as is: */
	struct ir_value *flag;           /* bool [batch, sequence]: the id is the image token's */
	struct ir_value *x;              /* float [batch, sequence, hidden]: the state of the tokens */
};

/* The pages of a batch, each with the tokens of its row. */
struct pages {
	struct images im;
	struct ir_value *pixels;
	struct ir_value *is_image;      /* bool [batch, sequence]: gets a feature */
	struct ir_value *image, *place; /* int64 [batch*sequence]: the token's image, and its number in it */
};

static struct pages
pages_read(struct trace *t, const struct build *b)
{
	struct pages p = {.im = images_read(t, b->c, b->sizes), .pixels = b->pixels};
	struct ir_value *all = tr_sum(t, p.im.tokens, 0);

	/* The count is checked before the images of tokens are looked up, which would fail without a name. */
	p.is_image = guard_image_tokens(t, b->flag, b->in.unmasked, all, &p.im.tokens);
	blk_tokens_place(t, p.is_image, p.im.tokens, &p.image, &p.place);
	return p;
}

/* The call fails unless each row has the tokens of one image, that of its number. */
static struct ir_value *
rows_check(struct trace *t, const struct pages *p, struct ir_value *index)
{
	struct ir_value *row, *own, *wrong, *many;

	own = tr_iota(t, sym(SYM_BATCH));
	own = blk_unsqueeze(t, own, 1); /* [batch, 1] */
	row = tr_reshape(t, p->image, p->is_image->shape);
	wrong = tr_equal(t, row, own);
	wrong = tr_not(t, wrong);
	wrong = tr_and(t, p->is_image, wrong);
	many = tr_size(t, sym(SYM_IMAGES));
	row = tr_size(t, sym(SYM_BATCH));
	many = tr_equal(t, many, row);
	many = tr_not(t, many);
	wrong = tr_or(t, wrong, many);
	return tr_name(t, tr_check(t, index, wrong), "each_row_must_have_the_tokens_of_one_image");
}

/* The tower's features: float [images*tiles*patches, hidden]. */
static struct ir_value *
features(struct trace *t, const struct granite_config *c, struct ir_value *pixels)
{
	const struct siglip_config *v = &c->vision;
	const struct dim all = dim_mul(sym(SYM_IMAGES), sym(SYM_TILES));
	const enum blk_bias bias = c->out_bias ? BLK_BIAS : BLK_NO_BIAS;
	struct ir_value *x;

	x = tr_reshape(t, pixels, shape_of(4, all, n(v->num_channels), n(v->image_size), n(v->image_size)));
	x = siglip_outputs(t, v, x, c->used, c->n_used); /* [images*tiles, patches, n_used*width] */
	tr_scope(t, "mmproj");
	x = blk_linear(t, x, c->text.hidden_size, bias, "fc1", "mmproj.linear_1");
	x = tr_gelu(t, x);
	x = blk_linear(t, x, c->text.hidden_size, bias, "fc2", "mmproj.linear_2");
	return tr_reshape(t, x, shape_of(2, dim_mul(all, n(v->patches)), n(c->text.hidden_size)));
}

static struct ir_value *
with_images(struct trace *t, const void *arg)
{
	const struct build *b = arg;
	const struct pages p = pages_read(t, b);
	struct places at = places(t, b->c, &p.im, p.image, p.place);
	struct ir_value *x, *ends, *end;

	at.index = guard_rows(t, at.index, p.is_image, p.place);
	at.index = rows_check(t, &p, at.index);
	x = features(t, b->c, p.pixels);
	tr_scope(t, "merge");
	x = blk_scatter(t, b->x, p.is_image, x, at.index);
	ends = tr_reshape(t, at.ends_row, p.is_image->shape);
	ends = tr_and(t, ends, p.is_image);
	ends = blk_unsqueeze(t, ends, 2);
	end = tr_weight(t, shape_of(1, n(b->c->text.hidden_size)), "image_newline");
	return tr_name(t, tr_where(t, ends, end, x), "out");
}

static struct ir_value *
without_images(struct trace *t, const void *arg)
{
	const struct build *b = arg;

	(void)t;
	return b->x;
}

/*
 * The tokens that show the whole page: int64 [batch, patches], the number of each among all tokens of the batch. Where the
 * count of image tokens in a row reaches a number, there is its token.
 */
static struct ir_value *
whole_page(struct trace *t, const struct build *b, const struct pages *p)
{
	struct ir_value *count, *wanted, *first, *at, *row;

	row = tr_iota(t, sym(SYM_BATCH));
	count = tr_cast(t, p->is_image, ELEM_I64);
	count = tr_cumsum(t, count, 1);
	count = blk_unsqueeze(t, count, 1);   /* [batch, 1, sequence] */
	first = tr_gather(t, p->im.map, row); /* [batch]: there are as many images as rows */
	first = blk_unsqueeze(t, first, 1);
	wanted = tr_iota(t, n(b->c->vision.patches));
	wanted = tr_add(t, wanted, tr_i64(t, 1));
	wanted = tr_add(t, first, wanted);
	wanted = blk_unsqueeze(t, wanted, 2); /* [batch, patches, 1] */
	at = tr_less(t, count, wanted);
	at = tr_cast(t, at, ELEM_I64);
	at = tr_sum(t, at, 2); /* [batch, patches] */
	first = tr_size(t, sym(SYM_SEQUENCE));
	row = tr_mul(t, row, first);
	row = blk_unsqueeze(t, row, 1);
	return tr_name(t, tr_add(t, row, at), "whole_page");
}

/* A vector for each patch of the whole page: float [batch, patches, dim]. */
static struct ir_value *
page_head(struct trace *t, const void *arg)
{
	const struct build *b = arg;
	const struct dim tokens = dim_mul(sym(SYM_BATCH), sym(SYM_SEQUENCE));
	const struct pages p = pages_read(t, b);
	struct blk_text seen = b->in;
	struct ir_value *at, *x;

	tr_scope(t, "page");
	at = whole_page(t, b, &p);
	x = tr_reshape(t, b->x, shape_of(2, tokens, n(b->c->text.hidden_size)));
	x = tr_gather(t, x, at); /* [batch, patches, hidden] */
	seen.unmasked = tr_cast(t, seen.unmasked, ELEM_I64);
	seen.unmasked = tr_reshape(t, seen.unmasked, shape_of(1, tokens));
	seen.unmasked = tr_gather(t, seen.unmasked, at);
	seen.unmasked = tr_equal(t, seen.unmasked, tr_i64(t, 1));
	return pooling_head_build(t, &b->c->head, x, &seen);
}

/* A vector for each token: float [batch, sequence, dim]. */
static struct ir_value *
query_head(struct trace *t, const void *arg)
{
	const struct build *b = arg;

	return pooling_head_build(t, &b->c->head, b->x, &b->in);
}

/* The embeddings of words and images. A unified graph reads the images only if there are image tokens. */
static struct ir_value *
state(struct trace *t, const struct build *b, enum variant v, struct ir_value *any)
{
	if (v == VARIANT_TEXT)
		return b->x;
	return v == VARIANT_IMAGE ? with_images(t, b) : tr_if(t, any, with_images, without_images, b);
}

static struct ir_value *
head(struct trace *t, const struct build *b, enum variant v, struct ir_value *any)
{
	if (v == VARIANT_TEXT)
		return query_head(t, b);
	return v == VARIANT_IMAGE ? page_head(t, b) : tr_if_vectors(t, any, page_head, query_head, b);
}

static struct ir_value *
build(struct trace *t, const void *config, enum variant v, const struct model_options *o)
{
	const struct granite_config *c = config;
	struct build b = {.c = c, .in = blk_text_inputs(t)};
	struct decoder d = llama_decoder(&c->text);
	struct decoder_attention attention;
	struct ir_value *words, *any = NULL;

	(void)o;
	d.scale = c->attention;
	d.residual = c->residual;
	if (v != VARIANT_TEXT) {
		b.pixels = model_input_trace(t, &inputs[PIXELS], c);
		b.sizes = model_input_trace(t, &inputs[SIZES], c);
		b.flag = tr_equal(t, b.in.ids, tr_i64(t, c->image_token_id));
	}
	if (v == VARIANT_UNIFIED) {
		any = tr_and(t, b.flag, b.in.unmasked);
		any = tr_name(t, tr_any(t, any), "any_image");
	}
	tr_scope(t, "lm");
	words = guard_words(t, b.in.ids, b.in.unmasked, b.flag, c->text.vocab_size);
	b.x = llama_embed(t, &c->text, words);
	b.x = state(t, &b, v, any);
	tr_scope(t, "lm");
	b.x = tr_name(t, tr_mul(t, b.x, tr_f32(t, c->embedding)), "scaled"); /* words and features */
	attention = decoder_attention_counted(t, &c->text.rope, c->text.head_dim, b.in.unmasked);
	b.x = decoder_build(t, &d, b.x, &attention);
	return head(t, &b, v, any);
}

static struct model_tokens
tokens(const void *config)
{
	const struct granite_config *c = config;

	return (struct model_tokens){
		.vocab = c->text.vocab_size,
		.image = c->image_token_id,
		.image_begin = -1,
		.image_end = -1,
		.video = -1,
		.audio = -1,
		.pad = -1,
	};
}

static const struct model_spelling spellings[] = {
	{"granitevisionemb", NULL, "GraniteVisionEmb"},
	{0},
};

/* The pooling head and the last norm of the tower are in the file, and the class does not use them. */
static const struct name_rule names[] = {{"vis.head.", NULL}, {"vis.post_layernorm.", NULL}, {0}};

/* A query has ten times the tokenizer's token for padding behind it, whose text is not known: there is no row. */
static const struct model_prompt prompts[] = {
	{0},
};

const struct model model_granitevisionemb = {
	MODEL_OF_FAMILY(granitevisionemb),
	.names = names,
	.image_inputs = inputs,
	.plans = PLAN_TEXT | PLAN_PAGES,
	.config_size = sizeof(struct granite_config),
	.tokens = tokens,
	.image_tokens = image_tokens,
	.trace_sizes = trace_sizes,
	.build = build,
	.case_make = case_make,
};
