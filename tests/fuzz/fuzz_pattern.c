/*
 * A pattern and, after the first newline, a text. An accepted pattern gives the same answer twice, and
 * takes no more steps than the two sizes allow.
 */
#include "fuzz.h"

#include "checkpoint/pattern.h"

#define BUDGET UINT64_C(1000000000)

static void
match_check(const struct pattern *p, const char *text)
{
	/* For each position and instruction: at most two edges, each followed back once with a byte and
	 * once without. */
	const uint64_t bound = 65 * (strlen(text) + 1) * (4 * pattern_size(p) + 1) + 65 * pattern_size(p);
	uint64_t budget = BUDGET, again = BUDGET;
	struct err e = ERR_INIT;
	int r = pattern_match(p, text, &budget, &e);

	if (r < 0) {
		assert(e.code == E_BAD_CHECKPOINT && e.msg[0]);
		return;
	}
	assert(r == 0 || r == 1);
	assert(pattern_match(p, text, &again, &e) == r && again == budget);
	assert(BUDGET - budget <= bound);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *text = strndup((const char *)data, MIN(len, 6000));
	struct pattern *p = NULL;
	struct err e = ERR_INIT;
	char *newline;

	if (!text)
		abort();
	newline = strchr(text, '\n');
	if (newline)
		*newline = '\0';
	if (pattern_new(text, &p, &e) < 0) {
		assert((e.code == E_BAD_CHECKPOINT || e.code == E_UNSUPPORTED_MODEL) && e.msg[0]);
		return 0;
	}
	assert(pattern_size(p) >= 1 && pattern_size(p) <= PROGRAM_LEN_MAX);
	match_check(p, newline ? newline + 1 : "");
	pattern_free(&p);
	return 0;
}
