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
 * The rows of the embedding table to look up: the ids of the tokens, but 0 for masked tokens, whose ids do not
 * matter, and for image tokens, which stand for a feature. The call fails when another id is not in
 * 0..vocab-1. ids int64, unmasked and image (or NULL) bool [batch, sequence].
 */
struct ir_value *guard_words(struct trace *t, struct ir_value *ids, struct ir_value *unmasked,
			     struct ir_value *image, int64_t vocab);

/*
 * The image tokens that take a feature: bool [batch, sequence], as many as there are features (int64 scalar),
 * or the call fails. *reads, from which the features are computed, becomes a value that fails with
 * it, so that the vision tower does not run first.
 *
 * Originals give a feature to a masked image token too, so those count when the features are enough for
 * all tokens of `image`; otherwise what is masked is padding, whatever its ids are.
 */
struct ir_value *guard_image_tokens(struct trace *t, struct ir_value *image, struct ir_value *unmasked,
				    struct ir_value *features, struct ir_value **reads);

/*
 * `index`, if every row of the batch begins with the first token of an image: an image whose tokens are in
 * two rows makes the call fail, though the sums may agree. place int64 [batch*sequence]: the number of
 * an image token within its image.
 */
struct ir_value *guard_rows(struct trace *t, struct ir_value *index, struct ir_value *is_image,
			    struct ir_value *place);

#endif
