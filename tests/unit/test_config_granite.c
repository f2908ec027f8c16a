#include "config_edit.h"

#include "model/granitevisionemb.c" /* for its config, which no other file sees */
#include "trace/eval.h"

/* clang-format off */
static const char full[] = JSON({"model_type": "granitevisionemb", "image_token_index": 151,
	"vision_feature_layer": [-4, 0, 2, -1], "vision_feature_select_strategy": "full", "emb_dim_query": 64, "emb_dim_doc": 64,
	"base_image_feature_location": "last", "multimodal_projector_bias": false,
	"image_grid_pinpoints": [[384, 768], [384, 1152], [384, 1536], [384, 1920], [384, 2304], [384, 2688], [384, 3072], [384, 3456],
		[384, 3840], [768, 384], [768, 768], [768, 1152], [768, 1536], [768, 1920], [1152, 384], [1152, 768], [1152, 1152],
		[1536, 384], [1536, 768], [1920, 384], [1920, 768], [2304, 384], [2688, 384], [3072, 384], [3456, 384], [3840, 384]],
	"text_config": {"model_type": "granite", "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 6,
		"num_key_value_heads": 2, "intermediate_size": 72, "vocab_size": 160, "rms_norm_eps": 1e-5, "rope_theta": 3e5,
		"embedding_multiplier": 12.0, "residual_multiplier": 0.22, "attention_multiplier": 0.015625},
	"vision_config": {"model_type": "siglip_vision_model", "hidden_size": 24, "num_hidden_layers": 5,
		"num_attention_heads": 3, "intermediate_size": 40, "image_size": 384, "patch_size": 14}});
/* clang-format on */

static int
read_text(const char *path, const char *value, struct granite_config *c, struct err *e)
{
	json_auto_t *j = load(full);

	if (path)
		edit(j, path, value);
	return config_read(j, NULL, NULL, c, e);
}

TEST(test_full)
{
	static const int64_t used[] = {2, 0, 2, 5};
	struct granite_config c;
	struct err e = ERR_INIT;
	int i;

	(void)read_text(NULL, NULL, &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.text.head_dim, 8);
	assert_near(c.embedding, 12, 1e-9);
	assert_near(c.residual, 0.22, 1e-9);
	assert_near(c.attention, 0.015625, 1e-12);
	assert_near(c.text.rope.theta, 3e5, 1e-9);
	assert_int_equal(c.n_used, 4);
	for (i = 0; i < 4; i++)
		assert_int_equal(c.used[i], used[i]);
	assert_int_equal(c.vision.patches, 27 * 27);
	assert_int_equal(c.n_grid, 26);
	assert_int_equal(c.head.dim, 64);
	assert_false(c.out_bias);
	(void)read_text("vision_feature_layer", "", &c, &e);
	assert_no_error(&e);
	assert_int_equal(c.n_used, 1);
	assert_int_equal(c.used[0], 4);
	(void)read_text("text_config", "{\"hidden_size\": 64}", &c, &e);
	assert_no_error(&e);
	assert_near(c.text.rms_norm_eps, 1e-6, 1e-12);
	assert_near(c.residual, 1, 1e-12);
	assert_int_equal(c.text.num_key_value_heads, 32);
}

/* Sizes in pixels and what transformers' select_best_resolution() gives; for the last ones exact arithmetic gives another grid. */
static const int grids[][4] = {
	{543, 384, 2, 1},   {768, 543, 2, 2},   {384, 768, 1, 2},   {10, 1000, 1, 3},  {2000, 20, 6, 1},
	{384, 384, 1, 2},   {1, 1, 1, 2},       {999, 1000, 3, 3},  {1000, 999, 3, 3}, {3000, 3000, 3, 3},
	{6879, 1376, 5, 1}, {1274, 7645, 1, 6}, {1275, 2551, 2, 4},
};

TEST(test_grids)
{
	struct granite_config c;
	struct err e = ERR_INIT;
	struct packing p;
	size_t i;

	(void)read_text(NULL, NULL, &c, &e);
	assert_no_error(&e);
	for (i = 0; i < ARRAY_LEN(grids); i++) {
		p = packing_of(&c, grids[i][0], grids[i][1]);
		assert_int_equal(p.grid_rows, grids[i][2]);
		assert_int_equal(p.grid_cols, grids[i][3]);
	}
	/* An A4 page of 543 x 384 pixels fills 38 of the 54 rows of 2 x 1 tiles: (54 - 543 * 27 / 384) / 2 are cut off at each end. */
	p = packing_of(&c, 543, 384);
	assert_int_equal(p.rows, 54 - 2 * ((54 - 38) / 2));
	assert_int_equal(p.cols, 27);
}

#define SIZES_MAX 4000

/* Sizes near the aspect of a grid, where the choice is close, and any others. */
static void
sizes_fill(struct rng *rng, const struct granite_config *c, int64_t *ret)
{
	int64_t i, k, by;

	for (i = 0; i < SIZES_MAX; i++) {
		k = (int64_t)rng_below(rng, (uint64_t)c->n_grid);
		by = 50 + (int64_t)rng_below(rng, 1500);
		ret[2 * i] = i % 2 ? 1 + (int64_t)rng_below(rng, 4000) : c->grid[k][0] * by;
		ret[2 * i + 1] = i % 2 ? 1 + (int64_t)rng_below(rng, 4000)
				       : c->grid[k][1] * by + (int64_t)rng_below(rng, 5) - 2;
	}
	for (i = 0; i < (int64_t)ARRAY_LEN(grids); i++) {
		ret[2 * i] = grids[i][0];
		ret[2 * i + 1] = grids[i][1];
	}
}

/* The graph's arithmetic chooses the same grids and cuts the same maps. */
TEST(test_graph_packs_alike)
{
	static int64_t sizes[2 * SIZES_MAX], got[2 * SIZES_MAX];
	const struct sizes trace = {.of = {[SYM_IMAGES] = 6, [SYM_TILES] = 11}},
			   run = {.of = {[SYM_IMAGES] = SIZES_MAX, [SYM_TILES] = 100}};
	_cleanup_(trace_free) struct trace *t = NULL;
	_cleanup_(graph_free) struct ir_graph *g = NULL;
	_cleanup_(eval_free) struct eval *ev = NULL;
	struct granite_config c;
	struct err e = ERR_INIT;
	struct rng rng = {7};
	struct ir_value *in, *out, *x;
	struct images im;
	struct packing p;
	int64_t i;

	(void)read_text(NULL, NULL, &c, &e);
	assert_no_error(&e);
	sizes_fill(&rng, &c, sizes);
	(void)trace_new("sizes", NULL, &trace, &t, &e);
	in = model_input_trace(t, &inputs[SIZES], &c);
	im.h = tr_slice(t, in, 1, 0, 1);
	im.h = tr_reshape(t, im.h, shape_of(1, sym(SYM_IMAGES)));
	im.w = tr_slice(t, in, 1, 1, 2);
	im.w = tr_reshape(t, im.w, shape_of(1, sym(SYM_IMAGES)));
	grids_choose(t, &c, &im);
	maps_cut(t, &c, &im);
	x = tr_mul(t, im.grid_rows, tr_i64(t, 1000));
	x = tr_add(t, x, im.grid_cols);
	x = blk_unsqueeze(t, x, 1);
	out = tr_mul(t, im.rows, tr_i64(t, 1000));
	out = tr_add(t, out, im.cols);
	out = blk_unsqueeze(t, out, 1);
	out = tr_concat(t, 1, 2, x, out);
	(void)trace_finish(t, out, "packed", &g, &e);
	assert_no_error(&e);
	(void)eval_new(g, TT_CPU, &run, &ev, &e);
	for (i = 0; i < (int64_t)g->n_value; i++)
		if (g->value[i]->kind == IR_INPUT)
			(void)eval_feed(ev, g->value[i], sizes, &e);
	(void)eval_run(ev, &e);
	(void)eval_read(ev, g->output, got, sizeof(got), &e);
	assert_no_error(&e);
	for (i = 0; i < SIZES_MAX; i++) {
		p = packing_of(&c, sizes[2 * i], sizes[2 * i + 1]);
		if (got[2 * i] != p.grid_rows * 1000 + p.grid_cols ||
		    got[2 * i + 1] != p.rows * 1000 + p.cols)
			fail_msg("%lld x %lld: the graph has the grid %lld and the map %lld, not %lld x %lld "
				 "and %lld x %lld",
				 (long long)sizes[2 * i], (long long)sizes[2 * i + 1], (long long)got[2 * i],
				 (long long)got[2 * i + 1], (long long)p.grid_rows, (long long)p.grid_cols,
				 (long long)p.rows, (long long)p.cols);
	}
}

int
main(void)
{
	return tests_run("config_granite", NULL, NULL);
}
