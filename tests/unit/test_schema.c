#include "version1.h"

#include "queue/retention.h"

static void
assert_list(const struct list_filter *f, const char *want)
{
	char text[64] = "";
	int64_t next;

	assert_int_equal(list_jobs(store, f, INT64_MAX, 50, id_collect, text, &next, &err), 0);
	assert_string_equal(text, want);
}

#define FILTER(...) (&(struct list_filter){__VA_ARGS__})

TEST_WITH(test_a_version_1, queue_setup, queue_teardown)
{
	struct artifact_list files = ARTIFACT_LIST_INIT;
	int64_t n[JOB_STATE_MAX];
	struct job job = {.id = 0};
	struct stored stored;
	unsigned i;

	version1_make();
	queue_open();
	assert_int_equal(store_stored(store, &stored, &err), 0);
	assert_true(stored.artifacts == 1 && stored.bytes == 10);
	assert_int_equal(store_counts(store, n, &err), 0);
	for (i = 0; i < JOB_STATE_MAX; i++)
		assert_int_equal(n[i], 1);
	assert_list(FILTER(.model = "/srv/a"), "7 4 1 ");
	assert_list(FILTER(.reason = "trace"), "4 ");
	assert_list(FILTER(.labels[0] = {"team", "x"}, .n_labels = 1), "2 1 ");
	assert_list(FILTER(.labels[0] = {"team", "x"}, .labels[1] = {"env", "prod"}, .n_labels = 2), "1 ");

	assert_int_equal(store_job_get(store, 3, &job, &err), 0);
	assert_true(job.created == 30 && job.started == 31 && job.ended == 32 && job.attempt == 1);
	assert_true(job.artifact.files == 2 && job.artifact.bytes == 10 && job.artifact.removed == 0);
	assert_true(job.n_stages == 1 && job.stages[0].seconds == 0.5);
	assert_non_null(strstr(job.result, "\"parameters\": 7"));
	assert_string_equal(job.owner, "");
	assert_true(job.event > 0);
	job_release(&job);
	assert_int_equal(store_file_list(store, 3, &files, &err), 0);
	assert_int_equal(files.n, 2);
	artifact_list_release(&files);

	/* Jobs of the old database continue, although their specs have fewer fields. */
	assert_int_equal(job_retry(store, 4, T0, &err), 0);
	assert_int_equal(store_job_get(store, 4, &job, &err), 0);
	assert_int_equal(job.attempts_max, 5);
	job_release(&job);
	assert_int_equal(job_claim(store, T0, &job, &err), 1);
	assert_true(job.id == 1);
	job_release(&job);
	assert_true(queue_add() == 8);
}

TEST_WITH(test_the_copy, queue_setup, queue_teardown)
{
	version1_make();
	queue_open();
	store_close(&store);
	assert_false(state_has("queue.db.1.tmp"));
	assert_int_equal(database_run("queue.db.1", "PRAGMA user_version"), 1);
	assert_int_equal(database_run("queue.db.1", "SELECT count(*) FROM job"), VERSION1_JOBS);
	assert_int_equal(database_run("queue.db.1", "SELECT count(*) FROM history"), 5);
	assert_int_equal(database_run("queue.db", "PRAGMA user_version"), 3);
	assert_int_equal(database_run("queue.db", "SELECT count(*) FROM event"), 5);
	assert_int_equal(database_run("queue.db", "SELECT count(*) FROM pragma_foreign_key_check"), 0);
	queue_open();
}

/* A database of version 2, as commits before 0.2.0 wrote it: the artifacts have no recipe, and each has its own files. */
TEST_WITH(test_a_version_2, queue_setup, queue_teardown)
{
	static const char back[] =
		"DROP TRIGGER stored_move; DROP TRIGGER stored_remove; DROP VIEW sharer;"
		"DROP INDEX job_recipe; DROP INDEX job_made_by;"
		"ALTER TABLE job DROP COLUMN recipe; ALTER TABLE job DROP COLUMN made_by;"
		"CREATE TRIGGER stored_move AFTER UPDATE OF artifact_files ON job BEGIN SELECT 1; END;"
		"CREATE TRIGGER stored_remove AFTER DELETE ON job BEGIN SELECT 1; END;"
		"PRAGMA user_version = 2; SELECT 1;";
	struct removal what = REMOVAL_INIT;
	struct job job = {.id = 0};
	struct stored stored;

	version1_make();
	queue_open();
	store_close(&store);
	(void)database_run("queue.db", back);
	queue_open();
	assert_true(state_has("queue.db.2"));
	assert_int_equal(store_job_get(store, 3, &job, &err), 0);
	assert_int_equal(job.artifact.made_by, 0);
	job_release(&job);
	assert_int_equal(store_stored(store, &stored, &err), 0);
	assert_true(stored.artifacts == 1 && stored.bytes == 10);
	assert_int_equal(retention_select_artifact(store, 3, &what, &err), 0);
	assert_int_equal(removal_run(store, state_dir, &what, T0, &err), 0);
	assert_int_equal(store_stored(store, &stored, &err), 0);
	assert_true(stored.artifacts == 0 && stored.bytes == 0);
	removal_release(&what);
}

/* A folder with the name of the copy makes the copy fail. It stands for every other reason. */
TEST_WITH(test_no_copy_no_change, queue_setup, queue_teardown)
{
	_cleanup_free_ char *in_the_way = NULL;

	version1_make();
	in_the_way = fs_join(state_dir, "queue.db.1");
	assert_int_equal(fs_mkdir(in_the_way, 0700, &err), 0);
	assert_int_equal(store_open(state_dir, &store, &err), E_IO);
	assert_error(&err, E_IO, "cannot copy the queue of version 1 to '");
	assert_null(store);
	err_clear(&err);
	assert_false(state_has("queue.db.1.tmp"));
	assert_int_equal(database_run("queue.db", "PRAGMA user_version"), 1);
	assert_int_equal(database_run("queue.db", "SELECT count(*) FROM history"), 5);
	assert_int_equal(fs_remove(in_the_way, &err), 0);
	queue_open();
}

/* SQL's own quote character in the path. */
TEST_WITH(test_a_quote_in_the_path, queue_setup, queue_teardown)
{
	char *quoted;

	store_close(&store);
	quoted = str_printf("%s/it's", state_dir);
	assert_int_equal(fs_mkdir(quoted, 0700, &err), 0);
	assert_true(strlen(quoted) < sizeof(state_dir));
	(void)snprintf(state_dir, sizeof(state_dir), "%s", quoted);
	free(quoted);
	version1_make();
	queue_open();
	assert_true(state_has("queue.db.1"));
	*strrchr(state_dir, '/') = '\0';
}

/* A database of a newer version is refused and not changed. */
TEST_WITH(test_new_ones_have_no_copy, queue_setup, queue_teardown)
{
	queue_reopen();
	assert_false(state_has("queue.db.1"));
	assert_false(state_has("queue.db.2"));
}

int
main(void)
{
	return tests_run("schema", NULL, NULL);
}
