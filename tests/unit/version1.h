/* A database of colconv 0.1: a job in each state, with every column that it had. */
#ifndef TESTS_UNIT_VERSION1_H
#define TESTS_UNIT_VERSION1_H

#include "queue.h"

#include <sqlite3.h>

#define VERSION1_JOBS 5

#define SPEC_1(model, labels) "'{\"model\":\"" model "\",\"labels\":{" labels "}}'"

/* clang-format off */
static const char version1_sql[] =
	"PRAGMA journal_mode = WAL;"
	"CREATE TABLE job ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" state TEXT NOT NULL DEFAULT 'queued',"
	" spec TEXT NOT NULL,"
	" created INTEGER NOT NULL,"
	" started INTEGER NOT NULL DEFAULT 0,"
	" ended INTEGER NOT NULL DEFAULT 0,"
	" not_before INTEGER NOT NULL DEFAULT 0,"
	" attempt INTEGER NOT NULL DEFAULT 0,"
	" attempts_max INTEGER NOT NULL,"
	" cancel_requested INTEGER NOT NULL DEFAULT 0,"
	" nonce TEXT,"
	" reason TEXT,"
	" message TEXT,"
	" result TEXT,"
	" CHECK ((state = 'running') = (nonce IS NOT NULL)),"
	" CHECK (state <> 'done' OR result IS NOT NULL));"
	"CREATE INDEX job_state ON job (state);"
	"CREATE INDEX job_pause ON job (not_before) WHERE state = 'queued' AND not_before > 0;"
	"CREATE TABLE stage ("
	" job INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,"
	" attempt INTEGER NOT NULL,"
	" place INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" seconds REAL NOT NULL,"
	" peak_anon_bytes INTEGER NOT NULL,"
	" PRIMARY KEY (job, attempt, place)) WITHOUT ROWID;"
	"CREATE TABLE file ("
	" job INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,"
	" name TEXT NOT NULL,"
	" size INTEGER NOT NULL,"
	" sha256 TEXT NOT NULL,"
	" PRIMARY KEY (job, name)) WITHOUT ROWID;"
	"CREATE TABLE history ("
	" job INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,"
	" at INTEGER NOT NULL,"
	" event TEXT NOT NULL,"
	" state TEXT NOT NULL,"
	" attempt INTEGER NOT NULL,"
	" reason TEXT);"
	"CREATE INDEX history_job ON history (job);"
	"PRAGMA user_version = 1;"
	"INSERT INTO job (id, state, spec, created, attempts_max) VALUES"
	" (1, 'queued', " SPEC_1("/srv/a", "\"team\":\"x\",\"env\":\"prod\"") ", 10, 3);"
	"INSERT INTO job (id, state, spec, created, started, attempt, attempts_max, nonce) VALUES"
	" (2, 'running', " SPEC_1("/srv/b", "\"team\":\"x\"") ", 20, 21, 1, 3, 'abc');"
	"INSERT INTO job (id, state, spec, created, started, ended, attempt, attempts_max, result) VALUES"
	" (3, 'done', " SPEC_1("owner/name", "") ", 30, 31, 32, 1, 3, '" RESULT "');"
	"INSERT INTO job (id, state, spec, created, started, ended, attempt, attempts_max, reason, message) VALUES"
	" (4, 'failed', " SPEC_1("/srv/a", "") ", 40, 41, 42, 2, 3, 'trace', 'it broke');"
	"INSERT INTO job (id, state, spec, created, ended, attempts_max, reason) VALUES"
	" (7, 'cancelled', '{\"model\":\"/srv/a\"}', 70, 71, 3, 'cancelled');"
	"INSERT INTO stage VALUES (3, 1, 0, 'resolve', 0.5, 9);"
	"INSERT INTO file VALUES (3, 'manifest.json', 7, 'aa'), (3, 'text.onnx', 3, 'bb');"
	"INSERT INTO history VALUES (2, 21, 'claim', 'running', 1, NULL), (3, 31, 'claim', 'running', 1, NULL),"
	" (3, 32, 'finish', 'done', 1, NULL), (4, 41, 'claim', 'running', 2, NULL), (4, 42, 'fail', 'failed', 2, 'trace');";
/* clang-format on */

/* Runs SQL on a database that nobody has open; the one value of the last row, -1 without one. */
static inline int
value_note(void *arg, int n, char **values, char **names)
{
	(void)n;
	(void)names;
	*(int64_t *)arg = values[0] ? strtoll(values[0], NULL, 10) : -1;
	return 0;
}

static inline int64_t
database_run(const char *name, const char *sql)
{
	_cleanup_free_ char *path = fs_join(state_dir, name);
	sqlite3 *db = NULL;
	int64_t value = -1;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, value_note, &value, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return value;
}

/* Replaces the queue that the setup made. */
static inline void
version1_make(void)
{
	_cleanup_free_ char *path = fs_join(state_dir, "queue.db");

	store_close(&store);
	assert_int_equal(fs_remove(path, &err), 0);
	(void)database_run("queue.db", version1_sql);
}

#endif
