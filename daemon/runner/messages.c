#include "messages.h"

#include <inttypes.h>

#include "base/str.h"
#include "spec/frame.h"

/* Limits on a worker's messages, because parts of them are stored in the queue. */
#define MESSAGE_LEN_MAX 65536
#define STAGES_MAX 64 /* in its last message; of graphs as well */

static void
usage_clean(Colconv__StageUsage **usage, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		str_clean(usage[i]->stage);
}

/* protobuf-c shares one constant empty string; str_clean() does not write to an empty string. */
static void
result_clean(Colconv__Result *res)
{
	size_t i;

	usage_clean(res->usage, res->n_usage);
	str_clean(res->architecture);
	for (i = 0; i < res->n_graphs; i++) {
		str_clean(res->graphs[i]->variant);
		str_clean(res->graphs[i]->file);
	}
}

static int
message_take(struct messages *ms, Colconv__FromWorker *m, bool *ret_keep, struct err *e)
{
	if (m->body_case == COLCONV__FROM_WORKER__BODY__NOT_SET)
		return err_set(e, E_WORKER_PROTOCOL, "the worker sent an empty message");
	if (ms->last)
		return err_set(e, E_WORKER_PROTOCOL, "the worker sent a message after its last one");
	if (ms->hello != (m->body_case != COLCONV__FROM_WORKER__BODY_HELLO))
		return err_set(e, E_WORKER_PROTOCOL,
			       ms->hello ? "the worker said Hello twice"
					 : "the worker did not say Hello first");
	switch (m->body_case) {
	case COLCONV__FROM_WORKER__BODY_HELLO:
		if (!str_eq(m->hello->nonce, ms->nonce))
			return err_set(e, E_WORKER_PROTOCOL, "the worker answered for another attempt");
		ms->hello = true;
		break;
	case COLCONV__FROM_WORKER__BODY_STAGE:
		str_clean(m->stage->name);
		ms->ops->stage(ms->arg, m->stage);
		break;
	case COLCONV__FROM_WORKER__BODY_PROGRESS:
		str_clean(m->progress->unit);
		str_clean(m->progress->detail);
		ms->ops->progress(ms->arg, m->progress);
		break;
	case COLCONV__FROM_WORKER__BODY_RESULT:
		if (m->result->n_usage > STAGES_MAX || m->result->n_graphs > STAGES_MAX)
			return err_set(e, E_WORKER_PROTOCOL,
				       "the worker's result has more than %d stages or graphs", STAGES_MAX);
		result_clean(m->result);
		*ret_keep = true;
		break;
	case COLCONV__FROM_WORKER__BODY_FAILURE:
		if (m->failure->n_usage > STAGES_MAX)
			return err_set(e, E_WORKER_PROTOCOL, "the worker's failure has more than %d stages",
				       STAGES_MAX);
		usage_clean(m->failure->usage, m->failure->n_usage);
		*ret_keep = true;
		break;
	default: /* a heartbeat only restarts the timer of silence */
		break;
	}
	return 0;
}

static int
frame_take(struct messages *ms, const uint8_t *data, size_t len, struct err *e)
{
	Colconv__FromWorker *m;
	bool keep = false;
	int r;

	if (len > MESSAGE_LEN_MAX)
		return err_set(e, E_WORKER_PROTOCOL,
			       "the worker sent a message of %zu bytes, more than the %d allowed", len,
			       MESSAGE_LEN_MAX);
	m = colconv__from_worker__unpack(NULL, len, data);
	if (!m)
		return err_set(e, E_WORKER_PROTOCOL,
			       "the worker sent %zu bytes that are not a message of the protocol", len);
	r = message_take(ms, m, &keep, e);
	if (keep)
		ms->last = m;
	else
		colconv__from_worker__free_unpacked(m, NULL);
	return r;
}

int
messages_take(struct messages *ms, struct err *e)
{
	const uint8_t *data;
	int taken = 0;
	size_t len;
	int r;

	while ((r = frame_find(&ms->frames, &data, &len, e)) > 0) {
		r = frame_take(ms, data, len, e);
		if (r < 0)
			return r;
		buf_consume(&ms->frames, 4 + len);
		taken++;
	}
	return r < 0 ? r : taken;
}

void
messages_release(struct messages *ms)
{
	if (ms->last)
		colconv__from_worker__free_unpacked(ms->last, NULL);
	ms->last = NULL;
	buf_release(&ms->frames);
}
