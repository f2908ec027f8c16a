#include "journal.h"

#include <inttypes.h>

#include "base/str.h"
#include "queue/event.h"
#include "runner/lines.h"

/*
 * The closing line is added when the longest possible line and the closing line might no longer fit
 * together. So the size of a log tells whether it is closed.
 */
#define CLOSING_LEN 64
#define ROOM (LINES_LEN_MAX + CLOSING_LEN + 2 * EVENT_LOG_EXTRA)

struct journal_row {
	STAILQ_ENTRY(journal_row) entry;
	int64_t job;
	int64_t at;
	const char *name;
	json_t *data;
};

static int
rows_add(struct journal *j, struct err *e)
{
	struct journal_row *row;
	int r = store_begin(j->spec->store, e);

	if (r < 0)
		return r;
	STAILQ_FOREACH(row, &j->rows, entry) {
		r = event_add(j->spec->store, row->job, row->at, row->name, row->data, e);
		if (r < 0) {
			store_rollback(j->spec->store);
			return r;
		}
	}
	return store_commit(j->spec->store, e);
}

static void
rows_drop(struct journal *j)
{
	struct journal_row *row;

	while ((row = STAILQ_FIRST(&j->rows))) {
		STAILQ_REMOVE_HEAD(&j->rows, entry);
		json_decref(row->data);
		free(row);
	}
}

void
journal_flush(struct journal *j)
{
	struct err e = ERR_INIT;
	int r;

	loop_timer_stop(&j->due);
	j->flushes++;
	if (STAILQ_EMPTY(&j->rows))
		return;
	r = rows_add(j, &e);
	rows_drop(j);
	if (r == 0) {
		live_publish(j->live);
		return;
	}
	(void)err_context(&e, "lines of logs are lost");
	j->spec->failed(j->spec->arg, &e);
}

static void
flush_due(void *arg)
{
	journal_flush(arg);
}

void
journal_init(struct journal *j, const struct dispatch_spec *spec)
{
	*j = (struct journal){.spec = spec, .due = {.fn = flush_due, .arg = j}};
	STAILQ_INIT(&j->rows);
}

void
journal_release(struct journal *j)
{
	journal_flush(j);
}

/* Takes `data`; NULL means that memory ran out. */
static void
row_add_take(struct journal *j, int64_t job, const char *name, json_t *data)
{
	struct journal_row *row = data ? calloc(1, sizeof(*row)) : NULL;
	struct err e = ERR_INIT;

	if (!row) {
		json_decref(data);
		(void)err_set(&e, E_NO_MEMORY, "memory ran out, and a line of a log is lost");
		j->spec->failed(j->spec->arg, &e);
		return;
	}
	*row = (struct journal_row){.job = job, .at = job_now(), .name = name, .data = data};
	STAILQ_INSERT_TAIL(&j->rows, row, entry);
	if (!j->due.set)
		loop_timer_set(j->spec->loop, &j->due, JOURNAL_MS);
}

static void
line_add(struct journal *j, struct journal_use *u, const char *line)
{
	u->log_size += strlen(line) + EVENT_LOG_EXTRA;
	row_add_take(j, u->job, EVENT_LOG, json_pack("{s:s}", "line", line));
}

void
journal_log(struct journal *j, struct journal_use *u, const char *line)
{
	char closing[CLOSING_LEN];

	if (u->log_size + ROOM > j->spec->log_max)
		return;
	line_add(j, u, line);
	if (u->log_size + ROOM <= j->spec->log_max)
		return;
	(void)snprintf(closing, sizeof(closing), "(the log is full, at %" PRIu64 " bytes)", j->spec->log_max);
	line_add(j, u, closing);
}

void
journal_stage(struct journal *j, struct journal_use *u, const char *stage)
{
	if (u->stages == JOURNAL_STAGES_MAX)
		return;
	u->stages++;
	row_add_take(j, u->job, EVENT_STAGE, json_pack("{s:s, s:i}", "stage", stage, "attempt", u->attempt));
	u->stage_flushes = j->flushes;
	if (u->stages <= JOURNAL_STAGES_PROMPT)
		journal_flush(j);
}

void
journal_flush_stage(struct journal *j, const struct journal_use *u)
{
	if (u->stages && u->stage_flushes == j->flushes)
		journal_flush(j);
}

void
journal_begin(struct journal *j, struct journal_use *u, int64_t job, int attempt)
{
	struct err e = ERR_INIT;
	int64_t size = 0;
	char line[32];

	*u = (struct journal_use){.job = job, .attempt = attempt};
	if (attempt == 1)
		return;
	if (event_log_size(j->spec->store, job, &size, &e) < 0)
		j->spec->failed(j->spec->arg, &e);
	u->log_size = (uint64_t)size;
	(void)snprintf(line, sizeof(line), "attempt %d", attempt);
	journal_log(j, u, line);
}
