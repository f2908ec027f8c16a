#include "guards.h"

struct ir_value *
guard_words(struct trace *t, struct ir_value *ids, struct ir_value *unmasked, struct ir_value *image,
	    int64_t vocab)
{
	struct ir_value *zero = tr_i64(t, 0);
	struct ir_value *wanted = unmasked, *words, *low, *high, *wrong;

	if (image) {
		wanted = tr_not(t, image);
		wanted = tr_and(t, wanted, unmasked);
	}
	words = tr_where(t, wanted, ids, zero); /* [batch, sequence] */
	low = tr_less(t, words, zero);
	high = tr_less(t, tr_i64(t, vocab - 1), words);
	wrong = tr_or(t, low, high);
	return tr_name(t, tr_check(t, words, wrong), "ids_must_be_in_the_vocabulary");
}

/* Counts the true elements: int64 scalar. */
static struct ir_value *
count(struct trace *t, struct ir_value *flags)
{
	struct ir_value *x;

	x = tr_cast(t, flags, ELEM_I64); /* [batch, sequence] */
	x = tr_sum(t, x, 1);             /* [batch] */
	return tr_sum(t, x, 0);
}

struct ir_value *
guard_image_tokens(struct trace *t, struct ir_value *image, struct ir_value *unmasked,
		   struct ir_value *features, struct ir_value **reads)
{
	struct ir_value *seen, *enough, *is_image, *total, *wrong;

	/* If there are as many features as unmasked image tokens, masked ones are padding. */
	seen = tr_and(t, image, unmasked);
	total = count(t, seen);
	enough = tr_equal(t, total, features);
	/* Otherwise each image token must have a feature, masked or not. */
	wrong = tr_not(t, enough);
	is_image = tr_or(t, unmasked, wrong);
	is_image = tr_name(t, tr_and(t, image, is_image), "is_image");
	total = count(t, is_image);
	wrong = tr_equal(t, total, features);
	wrong = tr_not(t, wrong);
	*reads = tr_name(t, tr_check(t, *reads, wrong), "image_tokens_must_match_image_features");
	return is_image;
}

struct ir_value *
guard_side(struct trace *t, struct ir_value *side, struct ir_value *patches, struct ir_value **fits)
{
	struct ir_value *two = tr_i64(t, 2);
	struct ir_value *x, *again;

	x = tr_min(t, side, patches);
	x = tr_max(t, x, two);
	x = tr_div(t, x, two); /* [images] */
	again = tr_mul(t, x, two);
	*fits = tr_equal(t, again, side);
	return x;
}

struct ir_value *
guard_rows(struct trace *t, struct ir_value *index, struct ir_value *is_image, struct ir_value *place)
{
	struct ir_value *nth, *first, *begins, *wrong;

	nth = tr_cast(t, is_image, ELEM_I64);
	nth = tr_cumsum(t, nth, 1); /* number of the image token within its row, from 1 */
	first = tr_equal(t, nth, tr_i64(t, 1));
	first = tr_and(t, is_image, first);
	begins = tr_reshape(t, place, is_image->shape); /* [batch, sequence] */
	wrong = tr_less(t, tr_i64(t, 0), begins);
	wrong = tr_and(t, first, wrong);
	return tr_name(t, tr_check(t, index, wrong), "images_must_not_continue_in_another_row");
}
