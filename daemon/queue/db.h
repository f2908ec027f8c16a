/*
 * The private part of a store, for this folder only: SQLite errors become errors of errors.def, statements
 * stay prepared, and transactions nest.
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
	dev_t device; /* of the database when it was opened, to notice when another file has taken its place */
	ino_t inode;
	sqlite3 *db;
	sqlite3_stmt *stmt[STMT_MAX];
	int64_t death_counted; /* the job under which this daemon has already counted a death (recover.c); 0: no job */
	bool opened;           /* db_open() succeeded */
	bool batch;            /* between store_begin() and store_commit() */
	int lost;              /* E_* that makes the current batch fail at commit; 0: no error */
	int broken;            /* E_* after which the store refuses every call; 0: no error */
};

/* Opens the file, checks it when it was left uncleanly, brings it to the newest version. */
int db_open(struct store *s, bool unclean, struct err *e);
void db_close(struct store *s);

int db_exec(struct store *s, const char *sql, struct err *e);
int db_exec_int(struct store *s, const char *sql, int64_t *ret, struct err *e); /* of a row with one column */

/*
 * Returns a prepared statement to bind and step. Declare it with _cleanup_stmt_, which resets it: an unfinished
 * SELECT keeps its transaction open. Bound strings must live until that reset.
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
int db_run_alone(struct store *s, enum db_stmt which, struct err *e); /* a statement without parameters */
/* The same for a statement whose only parameter is an id. */
int db_run_id(struct store *s, enum db_stmt which, int64_t id, struct err *e);

/*
 * Make several statements succeed or fail together: r = db_enter(); work; return db_leave(s, r, e). Outside a
 * batch the outermost pair is a transaction; inside a batch it is a savepoint.
 */
int db_enter(struct store *s, struct err *e);
int db_leave(struct store *s, int r, struct err *e);

/*
 * The same for frequent work that rarely fails. Inside a batch it makes no savepoint, since a savepoint copies
 * every changed page; the price is that a failure loses the whole batch.
 */
int db_join(struct store *s, struct err *e);
int db_part(struct store *s, int r, struct err *e);

#endif
