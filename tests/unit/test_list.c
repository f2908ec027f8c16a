#include "queue.h"

/* Adds a job with a model, labels ("name=value name=value") and an owner. */
static int64_t
add(const char *model, const char *labels, const char *owner)
{
	_cleanup_(spec_release) struct spec spec = SPEC_INIT;
	const struct store_submission sub = {.spec = &spec, .owner = owner, .now = T0};
	json_auto_t *j = json_pack("{s:s, s:{}}", "model", model, "labels");
	struct job job = {.id = 0};
	char field[SPEC_FIELD_LEN], name[64], value[64];
	int64_t id;
	int n;

	for (; sscanf(labels, " %63[^= ]=%63[^ ]%n", name, value, &n) == 2; labels += n)
		(void)json_object_set_new(json_object_get(j, "labels"), name, json_string(value));
	assert_int_equal(spec_from_json(j, &spec, field, &err), 0);
	assert_int_equal(store_job_add(store, &sub, &job, &err), 0);
	id = job.id;
	job_release(&job);
	return id;
}

static int64_t
list(const struct list_filter *f, int64_t cursor, int limit, const char *want)
{
	char text[64] = "";
	int64_t next = -1;

	assert_int_equal(list_jobs(store, f, cursor, limit, id_collect, text, &next, &err), 0);
	assert_string_equal(text, want);
	return next;
}

#define ALL (&(struct list_filter){.model = NULL})
#define FILTER(...) (&(struct list_filter){__VA_ARGS__})

TEST_WITH(test_pages, queue_setup, queue_teardown)
{
	enum job_state now;
	int i;

	for (i = 1; i <= 7; i++)
		assert_true(queue_add() == i);
	assert_int_equal(job_cancel(store, 3, T0, &now, &err), 0);
	assert_int_equal(job_cancel(store, 6, T0, &now, &err), 0);
	assert_int_equal(list(ALL, INT64_MAX, 3, "7 6 5 "), 5);
	assert_int_equal(list(ALL, 5, 3, "4 3 2 "), 2);
	assert_int_equal(list(ALL, 2, 3, "1 "), 0);
	assert_int_equal(list(ALL, 4, 3, "3 2 1 "), 0);
	assert_int_equal(list(ALL, 1, 3, ""), 0);
	assert_int_equal(list(ALL, 0, 3, ""), 0);
	assert_int_equal(list(FILTER(.states[JOB_QUEUED] = true), 6, 2, "5 4 "), 4);
	assert_int_equal(list(FILTER(.states[JOB_CANCELLED] = true), INT64_MAX, 50, "6 3 "), 0);
	assert_int_equal(
		list(FILTER(.states[JOB_CANCELLED] = true, .states[JOB_QUEUED] = true), 7, 3, "6 5 4 "), 4);
	assert_int_equal(list(FILTER(.states[JOB_DONE] = true), INT64_MAX, 50, ""), 0);
}

TEST_WITH(test_filters, queue_setup, queue_teardown)
{
	const struct err why = {.code = E_TRACE, .msg = "no"};
	struct job job = {.id = 0};

	(void)add("/a", "team=x env=prod", "ci");
	(void)add("/b", "team=x", "");
	(void)add("/a", "team=y env=prod", "ci");
	(void)add("/a", "team=x env=test", "ann");
	assert_int_equal(job_claim(store, T0, &job, &err), 1);
	assert_int_equal(job_fail(store, job.id, job.nonce, T0, &why, NULL, 0, &err), 0);
	job_release(&job);

	list(FILTER(.model = "/a"), INT64_MAX, 9, "4 3 1 ");
	list(FILTER(.model = "/"), INT64_MAX, 9, "");
	list(FILTER(.model = "/a", .states[JOB_FAILED] = true), INT64_MAX, 9, "1 ");
	list(FILTER(.reason = "trace"), INT64_MAX, 9, "1 ");
	list(FILTER(.reason = "parity"), INT64_MAX, 9, "");
	list(FILTER(.owner = "ci"), INT64_MAX, 9, "3 1 ");
	list(FILTER(.owner = ""), INT64_MAX, 9, "2 ");
	list(FILTER(.owner = "ci", .reason = "trace", .model = "/b"), INT64_MAX, 9, "");
	list(FILTER(.labels[0] = {"team", "x"}, .n_labels = 1), INT64_MAX, 9, "4 2 1 ");
	assert_int_equal(list(FILTER(.labels[0] = {"team", "x"}, .n_labels = 1), INT64_MAX, 2, "4 2 "), 2);
	list(FILTER(.labels[0] = {"team", "x"}, .labels[1] = {"env", "prod"}, .n_labels = 2), INT64_MAX, 9,
	     "1 ");
	list(FILTER(.labels[0] = {"team", "x"}, .n_labels = 1, .states[JOB_QUEUED] = true), INT64_MAX, 9,
	     "4 2 ");
	list(FILTER(.labels[0] = {"team", "z"}, .n_labels = 1), INT64_MAX, 9, "");
	list(FILTER(.labels[0] = {"x", "team"}, .n_labels = 1), INT64_MAX, 9, "");

	/* A job that is removed is removed from all indexes. */
	assert_int_equal(store_job_remove(store, 1, &err), 0);
	list(FILTER(.labels[0] = {"env", "prod"}, .n_labels = 1), INT64_MAX, 9, "3 ");
	list(FILTER(.reason = "trace"), INT64_MAX, 9, "");
}

/*
 * A filter that matches few of many jobs: each call stops after a number of rows and returns a cursor. All pages
 * together have all matches.
 */
TEST_WITH(test_looks_are_bounded, queue_setup, queue_teardown)
{
	int64_t cursor, pages;
	char found[64] = "";
	int i;

	assert_int_equal(store_begin(store, &err), 0);
	(void)add("/rare", "", "");
	for (i = 0; i < 6000; i++)
		(void)add("/m", "", "ci");
	(void)add("/rare", "", "");
	assert_int_equal(store_commit(store, &err), 0);
	for (cursor = INT64_MAX, pages = 0; cursor; pages++)
		assert_int_equal(
			list_jobs(store, FILTER(.owner = ""), cursor, 50, id_collect, found, &cursor, &err),
			0);
	assert_string_equal(found, "6002 1 ");
	assert_int_equal(pages, 2);
	/* A filter with an index needs one call. */
	assert_int_equal(list(FILTER(.model = "/rare"), INT64_MAX, 50, "6002 1 "), 0);
}

static int
stop(const struct job *job, void *arg, struct err *e)
{
	*(int64_t *)arg = job->id;
	return err_set(e, E_BUSY, "enough");
}

TEST_WITH(test_callee_ends_it, queue_setup, queue_teardown)
{
	int64_t last = 0, next = -1;

	(void)queue_add();
	(void)queue_add();
	assert_int_equal(list_jobs(store, ALL, INT64_MAX, 9, stop, &last, &next, &err), E_BUSY);
	assert_int_equal(last, 2);
	assert_int_equal(next, -1);
}

int
main(void)
{
	return tests_run("list", NULL, NULL);
}
