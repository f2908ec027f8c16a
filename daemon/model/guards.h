/*
 * Checks that a graph makes on its inputs while it runs.
 *
 * Ids and features come from elsewhere: a tokenizer that truncates a row, or a batch that is put together
 * wrongly, would give a row numbers of another row's image. Such a call must fail. Each guard hands a value
 * on, changed or not, and what the model computes from that value fails with it; the error names
 * the guard ("images.image_tokens_must_match_image_features").
 */
#ifndef MODEL_GUARDS_H
#define MODEL_GUARDS_H

#include "trace/trace.h"

/*
 * The rows of the embedding table to look up: the ids of the tokens, but 0 for masked tokens, whose ids do
 * not matter, and for image tokens, which are replaced by features. The call fails when any other id is
 * outside 0..vocab-1. ids int64, unmasked and image (or NULL) bool [batch, sequence].
 */
struct ir_value *guard_words(struct trace *t, struct ir_value *ids, struct ir_value *unmasked,
			     struct ir_value *image, int64_t vocab);

/*
 * The image tokens that get a feature: bool [batch, sequence]. The call fails when their number differs
 * from the number of features (int64 scalar). *reads, from which the features are computed, becomes a value
 * that fails with the call, so that the vision tower does not run first.
 *
 * The original classes give a feature to masked image tokens too. So masked tokens count when there are
 * enough features for all tokens of `image`; otherwise masked tokens are padding, whatever their ids are.
 */
struct ir_value *guard_image_tokens(struct trace *t, struct ir_value *image, struct ir_value *unmasked,
				    struct ir_value *features, struct ir_value **reads);

/*
 * A side of each image in tokens of two patches, limited to the range from 1 to what `patches` (int64 scalar) allow:
 * int64 [images]. *fits when it equals `side`, in patches, exactly.
 */
struct ir_value *guard_side(struct trace *t, struct ir_value *side, struct ir_value *patches,
			    struct ir_value **fits);

/*
 * Returns `index`. The call fails unless every image has all its tokens in one row: without this check, an
 * image split over two rows could go unnoticed because the sums agree. It checks that the first image token
 * of each row is the first token of an image. place int64 [batch*sequence]: the number of an image token
 * within its image.
 */
struct ir_value *guard_rows(struct trace *t, struct ir_value *index, struct ir_value *is_image,
			    struct ir_value *place);

#endif
