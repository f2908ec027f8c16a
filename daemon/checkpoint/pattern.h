/*
 * Regular expressions in the syntax of Python's `re`, for patterns from outside.
 *
 * A match takes at most (length of the text) x (size of the program) steps, whatever the pattern, because
 * nothing is tried twice. Supported are literals, '.', classes, groups, alternation, greedy and lazy
 * repeats, counted repeats, '^', '$', \A, \Z, \b, \B, \d, \s, \w and their opposites, and lookahead.
 * Refused with an error that names them: references to groups, lookbehind, flags, atomic groups and
 * possessive repeats.
 */
#ifndef CHECKPOINT_PATTERN_H
#define CHECKPOINT_PATTERN_H

#include "base/err.h"

#define PATTERN_LEN_MAX 4096   /* bytes of its text */
#define PROGRAM_LEN_MAX 16384u /* instructions; counted repeats multiply what they repeat */

struct pattern;

/*
 * E_BAD_CHECKPOINT when the text is not a regular expression or is too large, E_UNSUPPORTED_MODEL when it
 * uses an unsupported feature; the message names the part of the pattern.
 */
int pattern_new(const char *text, struct pattern **ret, struct err *e);
void pattern_free(struct pattern **p);

size_t pattern_size(const struct pattern *p); /* instructions */

/*
 * 1 when the pattern matches at the beginning of `text`, like re.match(); else 0. The work is subtracted
 * from *budget: E_BAD_CHECKPOINT when the budget is used up, or when the text is not ASCII.
 */
int pattern_match(const struct pattern *p, const char *text, uint64_t *budget, struct err *e);

#endif
