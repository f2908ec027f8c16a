/*
 * Regular expressions of Python's `re`, for patterns that come from outside.
 *
 * The time of a match is bounded by the length of the text times the size of the program, whatever the
 * pattern: no backtracking. Supported are literals, '.', classes, groups, alternation, greedy and lazy
 * repeats, counted ones too, '^', '$', \A, \Z, \b, \B, \d, \s, \w and their opposites, and lookahead.
 * Refused by name are the rest: references to groups, lookbehind, flags, atomic groups and possessive
 * repeats.
 */
#ifndef CHECKPOINT_PATTERN_H
#define CHECKPOINT_PATTERN_H

#include "base/err.h"

#define PATTERN_LEN_MAX 4096   /* bytes of its text */
#define PROGRAM_LEN_MAX 16384u /* instructions: counted repeats multiply what they repeat */

struct pattern;

/*
 * E_BAD_CHECKPOINT when it is not a regular expression or is too large, E_UNSUPPORTED_MODEL for what is not
 * supported; the message names the part of the pattern.
 */
int pattern_new(const char *text, struct pattern **ret, struct err *e);
void pattern_free(struct pattern **p);

size_t pattern_size(const struct pattern *p); /* instructions */

/*
 * 1 when the pattern matches at the beginning of `text`, as re.match() says; else 0. The work is taken off
 * *budget: E_BAD_CHECKPOINT when that is used up, or when the text is not ASCII.
 */
int pattern_match(const struct pattern *p, const char *text, uint64_t *budget, struct err *e);

#endif
