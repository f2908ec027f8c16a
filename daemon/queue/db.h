/*
 * The inside of a store, for this folder: SQLite with its errors made ours, the statements kept
 * prepared, and transactions that nest.
 */
#ifndef QUEUE_DB_H
#define QUEUE_DB_H

#include <sqlite3.h>

#include "base/fs.h"

enum db_stmt {
#define STMT(sym, sql) STMT_##sym,
#include "statements.def"
#undef STMT
	STMT_MAX
};

struct store {
	char *path;   /* of the database */
	int lock_fd;  /* lock.h */
	dev_t device; /* of the database when it was opened, to notice that it is another file by now */
	ino_t inode;
	sqlite3 *db;
	sqlite3_stmt *stmt[STMT_MAX];
	int64_t death_counted; /* the job whose death this daemon has counted already (recover.c); 0: none */
	bool opened;           /* db_open() went well */
	bool batch;            /* between store_begin() and store_commit() */
	int lost;              /* why the batch at hand can't be committed any more; 0: it can */
	int broken;            /* why nothing may be done any more; 0: all is well */
};

/* Opens the file, checks it when it was left uncleanly, brings it to the newest version. */
int db_open(struct store *s, bool unclean, struct err *e);
void db_close(struct store *s);

int db_exec(struct store *s, const char *sql, struct err *e);
int db_exec_int(struct store *s, const char *sql, int64_t *ret, struct err *e); /* of a row with one column */

/*
 * A statement to bind and step, and to be reset by the cleanup: an unfinished SELECT holds its
 * transaction open. What is bound must live until then.
 */
sqlite3_stmt *db_stmt(struct store *s, enum db_stmt which);
void db_resetp(sqlite3_stmt **st);
#define _cleanup_stmt_ _cleanup_(db_resetp)

void db_bind_str(sqlite3_stmt *st, int i, const char *text); /* NULL is SQL's NULL */
void db_bind_int(sqlite3_stmt *st, int i, int64_t value);
void db_bind_double(sqlite3_stmt *st, int i, double value);
const char *db_column_str(sqlite3_stmt *st, int i); /* NULL for SQL's NULL; lives until the next step */

/* 1: a row; 0: the end. */
int db_step(struct store *s, sqlite3_stmt *st, struct err *e);
/* For statements without rows; *ret_changes may be NULL. */
int db_run(struct store *s, sqlite3_stmt *st, int *ret_changes, struct err *e);
int db_run_alone(struct store *s, enum db_stmt which, struct err *e); /* nothing to bind */

/*
 * All or nothing: r = db_enter(); work; return db_leave(s, r, e). Outside a batch the outermost
 * pair is the transaction; inside one it is a savepoint.
 */
int db_enter(struct store *s, struct err *e);
int db_leave(struct store *s, int r, struct err *e);

/*
 * The same for work that is done often and hardly ever fails: inside a batch there is no savepoint, which would keep a
 * copy of every page, and a failure loses the batch.
 */
int db_join(struct store *s, struct err *e);
int db_part(struct store *s, int r, struct err *e);

#endif
