#include "schema.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fs.h"
#include "base/str.h"

/*
 * Step i upgrades version i (PRAGMA user_version) to version i + 1. Add steps, never change one. Values
 * from our own tables (states, events, reasons) are stored as their wire names.
 */
static const char *const steps[] = {
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
	/* Each index entry ends with the rowid, so claims and lists are sorted by id. */
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
	"CREATE INDEX history_job ON history (job);",

	/* Columns for list filters and for the order of the queue; the counts of states; events. */
	"ALTER TABLE job ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE job ADD COLUMN model TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE job ADD COLUMN owner TEXT NOT NULL DEFAULT '';" /* name of a token; '': without a token */
	"ALTER TABLE job ADD COLUMN idempotency_key TEXT;"
	"ALTER TABLE job ADD COLUMN request_sha256 TEXT;" /* of the body that came with the key */
	"ALTER TABLE job ADD COLUMN runner TEXT;"
	"ALTER TABLE job ADD COLUMN seconds REAL;" /* of the last attempt that ended, as the next two */
	"ALTER TABLE job ADD COLUMN cpu_seconds REAL;"
	"ALTER TABLE job ADD COLUMN peak_rss_bytes INTEGER;"
	"ALTER TABLE job ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;" /* how often the daemon died while
                                                                         * it ran; restarts_max is the
                                                                         * limit */
	"ALTER TABLE job ADD COLUMN artifact_files INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE job ADD COLUMN artifact_bytes INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE job ADD COLUMN artifact_removed INTEGER NOT NULL DEFAULT 0;" /* when it was removed; 0: not removed */
	"UPDATE job SET model = coalesce(json_extract(spec, '$.model'), ''),"
	" artifact_files = (SELECT count(*) FROM file WHERE job = id),"
	" artifact_bytes = (SELECT coalesce(sum(size), 0) FROM file WHERE job = id);"
	"CREATE UNIQUE INDEX job_key ON job (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;"
	"CREATE INDEX job_queue ON job (priority DESC, id, not_before) WHERE state = 'queued';"
	"CREATE INDEX job_model ON job (model);"
	"CREATE INDEX job_reason ON job (reason) WHERE reason IS NOT NULL;"
	"CREATE INDEX job_owner ON job (owner) WHERE owner <> '';"
	"CREATE INDEX job_artifact ON job (ended) WHERE artifact_files > 0 AND artifact_removed = 0;"
	"CREATE INDEX job_stored ON job (id) WHERE artifact_files > 0 AND artifact_removed = 0;"
	"CREATE TABLE label ("
	" name TEXT NOT NULL,"
	" value TEXT NOT NULL,"
	" job INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,"
	" PRIMARY KEY (name, value, job)) WITHOUT ROWID;"
	"CREATE INDEX label_job ON label (job);"
	"INSERT INTO label SELECT json_each.key, json_each.value, job.id FROM job, json_each(job.spec, "
	"'$.labels');"
	"CREATE TABLE event ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" job INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,"
	" at INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" data TEXT NOT NULL);"
	"CREATE INDEX event_job ON event (job);" /* each entry ends with the rowid */
	"INSERT INTO event (job, at, name, data) SELECT job, at, 'state',"
	" json_object('state', state, 'attempt', attempt, 'reason', reason, 'message', NULL) FROM history "
	"ORDER BY rowid;"
	"DROP TABLE history;"
	"CREATE TABLE tally (state TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;"
	"INSERT INTO tally SELECT state, count(*) FROM job GROUP BY state;"
	/* New jobs are counted by the program: with an INSERT trigger SQLite would keep a statement
	 * journal for every insertion. */
	"CREATE TRIGGER tally_move AFTER UPDATE OF state ON job WHEN old.state <> new.state BEGIN"
	" UPDATE tally SET n = n - 1 WHERE state = old.state;"
	" INSERT INTO tally VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET n = n + 1; END;"
	"CREATE TRIGGER tally_remove AFTER DELETE ON job BEGIN"
	" UPDATE tally SET n = n - 1 WHERE state = old.state; END;"
	"CREATE TABLE stored (artifacts INTEGER NOT NULL, bytes INTEGER NOT NULL);" /* one row: the totals
                                                                                     * of the artifacts
                                                                                     * that exist */
	"INSERT INTO stored SELECT count(*), coalesce(sum(artifact_bytes), 0) FROM job"
	" WHERE artifact_files > 0 AND artifact_removed = 0;"
	"CREATE TRIGGER stored_move AFTER UPDATE OF artifact_files, artifact_bytes, artifact_removed ON job "
	"BEGIN"
	" UPDATE stored SET artifacts = artifacts - (old.artifact_files > 0 AND old.artifact_removed = 0),"
	" bytes = bytes - old.artifact_bytes * (old.artifact_removed = 0);"
	" UPDATE stored SET artifacts = artifacts + (new.artifact_files > 0 AND new.artifact_removed = 0),"
	" bytes = bytes + new.artifact_bytes * (new.artifact_removed = 0); END;"
	"CREATE TRIGGER stored_remove AFTER DELETE ON job WHEN old.artifact_files > 0 AND "
	"old.artifact_removed = 0 BEGIN"
	" UPDATE stored SET artifacts = artifacts - 1, bytes = bytes - old.artifact_bytes; END;",

	/* Jobs that share files. The bytes of shared files are counted once, with the first of their artifacts. */
	"ALTER TABLE job ADD COLUMN recipe TEXT;"     /* of the artifact (worker.proto); NULL: not known */
	"ALTER TABLE job ADD COLUMN made_by INTEGER;" /* the job that made its files; NULL: itself */
	"CREATE INDEX job_recipe ON job (model, recipe) WHERE recipe IS NOT NULL AND artifact_files > 0 AND "
	"artifact_removed = 0;"
	"CREATE INDEX job_made_by ON job (made_by) WHERE made_by IS NOT NULL;"
	"CREATE VIEW sharer AS SELECT a.id AS job, b.id AS other FROM job a JOIN job b ON"
	" b.id = a.made_by OR b.made_by = a.id OR b.made_by = a.made_by"
	" WHERE b.id <> a.id AND b.artifact_files > 0 AND b.artifact_removed = 0;"
	"DROP TRIGGER stored_move;"
	"DROP TRIGGER stored_remove;"
	"CREATE TRIGGER stored_move AFTER UPDATE OF artifact_files, artifact_bytes, artifact_removed ON job "
	"WHEN (old.artifact_files > 0 AND old.artifact_removed = 0) <> (new.artifact_files > 0 AND "
	"new.artifact_removed = 0) BEGIN"
	" UPDATE stored SET artifacts = artifacts + iif(new.artifact_removed = 0, 1, -1),"
	" bytes = bytes + iif(EXISTS (SELECT 1 FROM sharer WHERE job = new.id), 0,"
	" iif(new.artifact_removed = 0, 1, -1) * new.artifact_bytes); END;"
	"CREATE TRIGGER stored_remove BEFORE DELETE ON job WHEN old.artifact_files > 0 AND "
	"old.artifact_removed = 0 BEGIN"
	" UPDATE stored SET artifacts = artifacts - 1,"
	" bytes = bytes - iif(EXISTS (SELECT 1 FROM sharer WHERE job = old.id), 0, old.artifact_bytes); END;",
};

static int
migrate(struct store *s, size_t from, struct err *e)
{
	char pragma[64];
	size_t i;
	int r = 0;

	for (i = from; r == 0 && i < ARRAY_LEN(steps); i++)
		r = db_exec(s, steps[i], e);
	(void)snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %zu", ARRAY_LEN(steps));
	return r < 0 ? r : db_exec(s, pragma, e);
}

/* SQLite writes the copy, but does not fsync it. */
static int
copy_sync(const char *path, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || fsync(fd) < 0)
		return err_errno(e, E_IO, errno, "cannot fsync '%s'", path);
	return 0;
}

static void
sql_freep(char **sql)
{
	sqlite3_free(*sql);
}

static int
copy_make(struct store *s, const char *tmp, const char *path, struct err *e)
{
	_cleanup_(sql_freep) char *sql = sqlite3_mprintf("VACUUM INTO %Q", tmp);
	int r;

	if (!sql)
		return err_no_memory(e);
	r = db_exec(s, sql, e);
	if (r == 0)
		r = copy_sync(tmp, e);
	return r < 0 ? r : fs_rename(tmp, path, e);
}

/* Copy the database before the upgrade, so that an operator can go back to the older program. */
static int
copy_keep(struct store *s, int64_t version, struct err *e)
{
	_cleanup_free_ char *path = str_printf("%s.%lld", s->path, (long long)version);
	_cleanup_free_ char *tmp = path ? str_printf("%s.tmp", path) : NULL;
	int r;

	if (!tmp)
		return err_no_memory(e);
	r = fs_remove(tmp, e); /* left by an earlier start that did not finish */
	if (r == 0)
		r = copy_make(s, tmp, path, e);
	if (r == 0)
		return 0;
	(void)unlink(tmp);
	return err_context(e, "cannot copy the queue of version %lld to '%s'", (long long)version, path);
}

int
schema_migrate(struct store *s, struct err *e)
{
	int64_t version, tables;
	int r;

	r = db_exec_int(s, "PRAGMA user_version", &version, e);
	if (r < 0)
		return r;
	if (version < 0 || version > (int64_t)ARRAY_LEN(steps))
		return err_set(e, E_BAD_DATABASE,
			       "'%s' has version %lld, and this program knows versions up to %zu", s->path,
			       (long long)version, ARRAY_LEN(steps));
	if (version == (int64_t)ARRAY_LEN(steps))
		return 0;
	r = db_exec_int(s, "SELECT count(*) FROM sqlite_schema", &tables, e);
	if (r < 0)
		return r;
	if (version == 0 && tables > 0)
		return err_set(e, E_BAD_DATABASE, "'%s' is a database, but not one of colconv", s->path);
	if (version > 0)
		r = copy_keep(s, version, e);
	if (r == 0)
		r = db_exec(s, "BEGIN IMMEDIATE", e);
	if (r == 0)
		r = migrate(s, (size_t)version, e);
	if (r == 0)
		r = db_exec(s, "COMMIT", e);
	if (r < 0 && !sqlite3_get_autocommit(s->db))
		(void)db_exec(s, "ROLLBACK", NULL);
	return r;
}
