/*
 * What a worker writes to its stdout. The bytes arrive at once, or in two pieces cut anywhere: the daemon must hear
 * the same, and no text that it hears may hold a control character.
 */
#include "fuzz.h"

#include "runner/messages.h"

struct heard {
	int stages, progress, result;
};

static void
text_check(const char *s)
{
	for (; *s; s++)
		assert((unsigned char)*s >= ' ' && *s != 0x7f);
}

static void
on_stage(void *arg, const Colconv__Stage *stage)
{
	struct heard *h = arg;

	text_check(stage->name);
	h->stages++;
}

static void
on_progress(void *arg, const Colconv__Progress *progress)
{
	struct heard *h = arg;

	text_check(progress->unit);
	text_check(progress->detail);
	h->progress++;
}

static const struct child_ops ops = {.stage = on_stage, .progress = on_progress};

static int
take(struct messages *m, const uint8_t *data, size_t len)
{
	struct err e = ERR_INIT;
	int r;

	buf_add(&m->frames, data, len);
	r = messages_take(m, &e);
	assert(r >= 0 || (e.code == E_WORKER_PROTOCOL && e.msg[0]));
	return MIN(r, 0);
}

static struct heard
hear(const uint8_t *data, size_t len, size_t cut)
{
	struct heard h = {.stages = 0};
	struct messages m = {.nonce = "nonce", .ops = &ops, .arg = &h};

	if (take(&m, data, cut) == 0)
		h.result = take(&m, data + cut, len - cut);
	else
		h.result = E_WORKER_PROTOCOL;
	if (m.last)
		h.stages += 1000;
	messages_release(&m);
	return h;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct heard once = hear(data, len, len);
	struct heard twice = hear(data, len, len / 2);

	assert(once.stages == twice.stages && once.progress == twice.progress && once.result == twice.result);
	return 0;
}
