/*
 * bare_sqlite: one transaction a job, each durable before the next begins: what a queue without shared
 * commits would do at best. Prints the transactions a second.
 *
 *	bare_sqlite DATABASE SECONDS BYTES-OF-A-JOB
 */
#include <sqlite3.h>

#include "base/str.h"

static void
check(sqlite3 *db, int rc, int want)
{
	if (rc == want)
		return;
	(void)fprintf(stderr, "bare_sqlite: %s\n", sqlite3_errmsg(db));
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	sqlite3_stmt *st;
	unsigned long n = 0;
	uint64_t len;
	double seconds, begin;
	sqlite3 *db;
	char *spec;

	if (argc != 4 || str_to_double(argv[2], 0, 86400, "SECONDS", &seconds, &e) < 0 ||
	    str_to_u64(argv[3], 1, 1 << 20, "BYTES-OF-A-JOB", &len, &e) < 0) {
		(void)fputs("bare_sqlite: DATABASE SECONDS BYTES-OF-A-JOB\n", stderr);
		return 2;
	}
	spec = malloc(len);
	if (!spec)
		return 1;
	memset(spec, 'x', len);
	check(NULL, sqlite3_open(argv[1], &db), SQLITE_OK);
	check(db,
	      sqlite3_exec(
		      db,
		      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
		      "CREATE TABLE job (id INTEGER PRIMARY KEY, state TEXT, spec TEXT, created INTEGER);"
		      "CREATE INDEX job_state ON job (state, id)",
		      NULL, NULL, NULL),
	      SQLITE_OK);
	check(db,
	      sqlite3_prepare_v2(db, "INSERT INTO job (state, spec, created) VALUES ('queued', ?, 1)", -1,
				 &st, NULL),
	      SQLITE_OK);
	(void)sqlite3_bind_text(st, 1, spec, (int)len, SQLITE_STATIC);
	for (begin = now(); now() - begin < seconds; n++) {
		check(db, sqlite3_step(st), SQLITE_DONE);
		(void)sqlite3_reset(st);
	}
	(void)printf("%.3f\n", (double)n / (now() - begin));
	return 0;
}
