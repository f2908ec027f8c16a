#include "hint.h"

#include <inttypes.h>

struct hint {
	int code;
	const char *words;
};

static const struct hint errors[] = {
#define HINT(sym, words) {E_##sym, words},
#define JOB_HINT(...)
#include "hints.def"
#undef HINT
#undef JOB_HINT
	{0, NULL},
};

static const struct hint jobs[] = {
#define HINT(...)
#define JOB_HINT(sym, words) {E_##sym, words},
#include "hints.def"
#undef HINT
#undef JOB_HINT
	{0, "'colconvctl logs %' has the worker's own words"},
};

void
hint_fill(struct buf *b, const char *words, const char *subject)
{
	size_t n;

	for (;; words += n + 1) {
		n = strcspn(words, "%");
		buf_add(b, words, n);
		if (!words[n])
			return;
		buf_puts(b, subject);
	}
}

static void
hint_add(struct buf *b, const struct hint *h, int code, const char *subject)
{
	while (h->code && h->code != code)
		h++;
	if (!h->words)
		return;
	buf_puts(b, "; ");
	hint_fill(b, h->words, subject);
}

void
hint_add_error(struct buf *b, int code, const char *command)
{
	char subject[32];

	(void)snprintf(subject, sizeof(subject), "%s%s", command, *command ? " " : "");
	hint_add(b, errors, code, subject);
}

void
hint_add_job(struct buf *b, int reason, uint64_t id)
{
	char subject[24];

	(void)snprintf(subject, sizeof(subject), "%" PRIu64, id);
	hint_add(b, jobs, reason, subject);
}
