#include "squares.h"

#include "caseinput.h"
#include "guards.h"

static struct shape
pixels_shape(const void *config)
{
	const struct siglip_config *c = &((const struct squares_config *)config)->vision;

	return shape_of(4, sym(SYM_IMAGES), n(c->num_channels), n(c->image_size), n(c->image_size));
}

const struct model_input squares_inputs[] = {
	{"pixel_values", ELEM_F32, pixels_shape},
	{0},
};

struct sizes
squares_trace_sizes(const void *config)
{
	struct sizes s = {{0}};

	(void)config;
	s.of[SYM_BATCH] = 2;
	s.of[SYM_SEQUENCE] = 7;
	s.of[SYM_IMAGES] = 3;
	return s;
}

int64_t
squares_image_tokens(const void *config, int h, int w)
{
	const struct squares_config *c = config;

	(void)h;
	(void)w;
	return c->image_tokens;
}

int
squares_case_make(const struct model *m, const void *config, const struct plan *plan, uint64_t seed,
		  struct feeds *ret, struct err *e)
{
	const struct sizes s = {.of = {[SYM_IMAGES] = plan_image_count(plan)}};
	struct rng rng = {seed};
	struct feed *pixels;
	int r;

	r = case_text_make(m, config, plan, &rng, ret, e);
	if (r < 0 || !plan_has_images(plan))
		return r;
	pixels = model_input_feed(ret, &squares_inputs[0], config, &s);
	if (!pixels)
		return err_no_memory(e);
	case_fill_normal(&rng, pixels->data, feed_count(pixels));
	return 0;
}

/* Every image has the same number of tokens, so the k-th image token belongs to the k-th feature. */
static struct ir_value *
with_images(struct trace *t, const void *arg)
{
	const struct squares_build *b = arg;
	const int64_t tokens = b->c->image_tokens;
	struct ir_value *all, *is_image, *index, *place, *features, *pixels = b->pixels;

	tr_scope(t, "images");
	all = tr_size(t, dim_mul(sym(SYM_IMAGES), n(tokens)));
	is_image = guard_image_tokens(t, b->flag, b->in.unmasked, all, &pixels);
	index = blk_running(t, is_image); /* [batch*sequence] */
	place = tr_mod(t, index, tr_i64(t, tokens));
	index = guard_rows(t, index, is_image, place);
	features = b->features(t, b->c, pixels);
	tr_scope(t, "merge");
	return tr_name(t, blk_scatter(t, b->x, is_image, features, index), "out");
}

static struct ir_value *
without_images(struct trace *t, const void *arg)
{
	const struct squares_build *b = arg;

	(void)t;
	return b->x;
}

struct squares_build
squares_begin(struct trace *t, const void *config, enum variant v, squares_features_fn features)
{
	struct squares_build b = {.c = config, .variant = v, .features = features, .in = blk_text_inputs(t)};
	struct ir_value *seen;

	if (v == VARIANT_TEXT)
		return b;
	b.pixels = model_input_trace(t, &squares_inputs[0], config);
	b.flag = tr_equal(t, b.in.ids, tr_i64(t, b.c->image_token_id));
	if (v == VARIANT_UNIFIED) {
		seen = tr_and(t, b.flag, b.in.unmasked);
		b.any = tr_name(t, tr_any(t, seen), "any_image");
	}
	return b;
}

struct ir_value *
squares_words(struct trace *t, const struct squares_build *b, int64_t vocab)
{
	return guard_words(t, b->in.ids, b->in.unmasked, b->flag, vocab);
}

struct ir_value *
squares_merge(struct trace *t, struct squares_build *b, struct ir_value *x)
{
	b->x = x;
	if (b->variant == VARIANT_TEXT)
		return x;
	return b->variant == VARIANT_IMAGE ? with_images(t, b)
					   : tr_if(t, b->any, with_images, without_images, b);
}
