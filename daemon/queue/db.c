#include "db.h"

#include "base/str.h"
#include "job.h"
#include "schema.h"

#define BUSY_TIMEOUT_MS 2000 /* an older daemon that is ending may hold the lock a moment longer */

/* clang-format off */
#define JOB_COLUMNS                                                                        \
	"id, state, spec, created, started, ended, not_before, attempt, attempts_max,"     \
	" cancel_requested, nonce, reason, message, result, priority, owner, runner,"      \
	" seconds, cpu_seconds, peak_rss_bytes, artifact_files, artifact_bytes,"           \
	" artifact_removed, made_by, (SELECT coalesce(max(event.id), 0) FROM event WHERE event.job = job.id)"
/* clang-format on */

#define EVENT_COLUMNS "id, job, at, name, data"
/* One SELECT for each state, each sorted by its index; SQLite merges them by id. */
#define LIST_STATE(arg) "SELECT id, state, model, reason, owner FROM job WHERE state = " arg " AND id < ?1"
static_assert(JOB_STATE_MAX == 5, "an arm for each state");

static const char *const sql[] = {
#define STMT(sym, text) text,
#include "statements.def"
#undef STMT
};

static int
code_of(int rc)
{
	if (rc == SQLITE_IOERR_NOMEM)
		return E_NO_MEMORY;
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return E_NO_SPACE;
	case SQLITE_NOMEM:
		return E_NO_MEMORY;
	case SQLITE_BUSY:
		return E_BUSY;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
		return E_IO;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return E_BAD_DATABASE;
	}
	return E_INTERNAL;
}

/*
 * Return the error of the SQLite call that just failed. A full disk or a lack of memory loses the transaction at
 * most. After a failed read, write or fsync, or in a damaged file, the content of the disk is unknown: mark the
 * store as broken.
 */
static int
db_error(struct store *s, int rc, struct err *e)
{
	int code = code_of(rc);

	if (code == E_IO || code == E_BAD_DATABASE)
		s->broken = code;
	if (s->batch && sqlite3_get_autocommit(s->db))
		s->lost = code;
	return err_set(e, code, "the queue '%s': %s (%d)", s->path, sqlite3_errmsg(s->db), rc);
}

/* Refuse further calls in a batch that was rolled back: each would be committed as a transaction of its own. */
static int
db_usable(const struct store *s, struct err *e)
{
	if (s->broken)
		return err_set(e, s->broken, "the queue '%s' stopped after an earlier error", s->path);
	if (s->lost)
		return err_set(e, s->lost, "an earlier error undid the batch");
	return 0;
}

int
db_exec(struct store *s, const char *text, struct err *e)
{
	int rc = sqlite3_exec(s->db, text, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_error(s, rc, e);
}

static void
finalizep(sqlite3_stmt **st)
{
	(void)sqlite3_finalize(*st);
}

static int
db_prepare(struct store *s, const char *text, sqlite3_stmt **ret, struct err *e)
{
	int rc = sqlite3_prepare_v3(s->db, text, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);

	return rc == SQLITE_OK ? 0 : db_error(s, rc, e);
}

int
db_exec_int(struct store *s, const char *text, int64_t *ret, struct err *e)
{
	_cleanup_(finalizep) sqlite3_stmt *st = NULL;
	int r = db_prepare(s, text, &st, e);

	if (r == 0)
		r = db_step(s, st, e);
	if (r < 0)
		return r;
	assert(r == 1);
	*ret = sqlite3_column_int64(st, 0);
	return 0;
}

static int
pragma_expect(struct store *s, const char *text, const char *want, struct err *e)
{
	_cleanup_(finalizep) sqlite3_stmt *st = NULL;
	const char *got = NULL;
	int r = db_prepare(s, text, &st, e);

	if (r == 0)
		r = db_step(s, st, e);
	if (r < 0)
		return r;
	if (r == 1)
		got = db_column_str(st, 0);
	if (!got || !str_eq(got, want))
		return err_set(e, E_BAD_DATABASE, "the queue '%s': %s: %s", s->path, text,
			       got ? got : "no answer");
	return 0;
}

int
db_open(struct store *s, bool unclean, struct err *e)
{
	const int flags =
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int rc, r, i;

	/* Turn off SQLite's memory statistics, which we never read and which take a lock at every malloc. Only the first call has an effect. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	rc = sqlite3_open_v2(s->path, &s->db, flags, NULL);
	if (rc != SQLITE_OK)
		return s->db ? db_error(s, rc, e) : err_no_memory(e);
	(void)sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
	/* Set exclusive locking before WAL: SQLite then makes no shared memory file and keeps other processes out. */
	r = db_exec(s, "PRAGMA locking_mode = EXCLUSIVE", e);
	if (r == 0)
		r = pragma_expect(s, "PRAGMA journal_mode = WAL", "wal", e);
	if (r == 0)
		r = db_exec(s, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON", e);
	/* Keep a savepoint's undo data in memory; by default SQLite writes it to a file, page by page. */
	if (r == 0)
		r = db_exec(s, "PRAGMA temp_store = MEMORY", e);
	if (r == 0 && unclean)
		r = pragma_expect(s, "PRAGMA quick_check(1)", "ok", e);
	if (r == 0)
		r = schema_migrate(s, e);
	for (i = 0; r == 0 && i < STMT_MAX; i++)
		r = db_prepare(s, sql[i], &s->stmt[i], e);
	return r;
}

void
db_close(struct store *s)
{
	int i;

	if (!s->db)
		return;
	for (i = 0; i < STMT_MAX; i++)
		(void)sqlite3_finalize(s->stmt[i]);
	/* A broken store must not write again, so close without a checkpoint. The next start checks the file. */
	if (s->broken)
		(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_close(s->db);
}

sqlite3_stmt *
db_stmt(struct store *s, enum db_stmt which)
{
	return s->stmt[which];
}

void
db_resetp(sqlite3_stmt **st)
{
	(void)sqlite3_reset(*st);
	(void)sqlite3_clear_bindings(*st);
}

/* Can't fail: the text is not copied, the index exists, and the statement was reset. */
void
db_bind_str(sqlite3_stmt *st, int i, const char *text)
{
	int rc = text ? sqlite3_bind_text(st, i, text, -1, SQLITE_STATIC) : sqlite3_bind_null(st, i);

	assert(rc == SQLITE_OK);
	(void)rc;
}

void
db_bind_int(sqlite3_stmt *st, int i, int64_t value)
{
	int rc = sqlite3_bind_int64(st, i, value);

	assert(rc == SQLITE_OK);
	(void)rc;
}

void
db_bind_double(sqlite3_stmt *st, int i, double value)
{
	int rc = sqlite3_bind_double(st, i, value);

	assert(rc == SQLITE_OK);
	(void)rc;
}

const char *
db_column_str(sqlite3_stmt *st, int i)
{
	return (const char *)sqlite3_column_text(st, i);
}

int
db_step(struct store *s, sqlite3_stmt *st, struct err *e)
{
	int r = db_usable(s, e), rc;

	if (r < 0)
		return r;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : db_error(s, rc, e);
}

int
db_run(struct store *s, sqlite3_stmt *st, int *ret_changes, struct err *e)
{
	int r = db_step(s, st, e);

	assert(r <= 0);
	if (r == 0 && ret_changes)
		*ret_changes = sqlite3_changes(s->db);
	return r;
}

int
db_run_alone(struct store *s, enum db_stmt which, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, which);

	return db_run(s, st, NULL, e);
}

int
db_run_id(struct store *s, enum db_stmt which, int64_t id, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, which);

	db_bind_int(st, 1, id);
	return db_run(s, st, NULL, e);
}

int
db_enter(struct store *s, struct err *e)
{
	return db_run_alone(s, STMT_SAVE, e);
}

int
db_leave(struct store *s, int r, struct err *e)
{
	if (r == 0)
		r = db_run_alone(s, STMT_RELEASE, e);
	/* SQLite may have rolled back the whole transaction by itself; then the savepoint no longer exists. */
	if (r < 0 && !sqlite3_get_autocommit(s->db)) {
		(void)db_run_alone(s, STMT_UNDO, NULL);
		(void)db_run_alone(s, STMT_RELEASE, NULL);
	}
	return r;
}

int
db_join(struct store *s, struct err *e)
{
	return s->batch ? 0 : db_enter(s, e);
}

int
db_part(struct store *s, int r, struct err *e)
{
	if (!s->batch)
		return db_leave(s, r, e);
	if (r < 0)
		s->lost = r;
	return r;
}
