#include "test.h"

#include "base/str.h"
#include "runner/runner.h"

static struct runners rs;

static int
setup(void **state)
{
	(void)state;
	runners_init(&rs);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	runners_release(&rs);
	return 0;
}

TEST_WITH(test_line_of_the_configuration, setup, teardown)
{
	const struct runner *r;
	struct err e = ERR_INIT;

	assert_int_equal(runners_add(&rs, "slurm 4  A=1 B= srun --gres=gpu:1", &e), 0);
	assert_no_error(&e);
	r = &rs.rows[0];
	assert_string_equal(r->name, "slurm");
	assert_int_equal(r->slots, 4);
	assert_string_equal(r->env[0], "A=1");
	assert_string_equal(r->env[1], "B=");
	assert_null(r->env[2]);
	assert_string_equal(r->prefix[0], "srun");
	assert_string_equal(r->prefix[1], "--gres=gpu:1");
	assert_null(r->prefix[2]);
}

TEST_WITH(test_bad_lines, setup, teardown)
{
	static const struct refused cases[] = {
		{"", E_BAD_CONFIG, "needs a name and a number of slots"},
		{"local", E_BAD_CONFIG, "needs a name and a number of slots"},
		{"local many", E_USAGE, "runner 'local': slots must be a whole number"},
		{"local 0", E_USAGE, "slots must be from 1 to 64"},
		{"local 65", E_USAGE, "slots must be from 1 to 64"},
		{"taken 2", E_BAD_CONFIG, "runner 'taken' is defined twice"},
	};
	size_t i;

	assert_int_equal(runners_add(&rs, "taken 1", NULL), 0);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(runners_add(&rs, cases[i].text, &e), cases[i].code);
		assert_error(&e, cases[i].code, cases[i].words);
	}
	assert_int_equal(rs.n, 1);
}

TEST_WITH(test_slots, setup, teardown)
{
	struct run runs[3] = {{.job = 1}, {.job = 2}, {.job = 3}};
	int i;

	assert_int_equal(runners_add(&rs, "a 1", NULL), 0);
	assert_int_equal(runners_add(&rs, "b 2", NULL), 0);
	for (i = 0; i < 3; i++)
		run_add(&rs, &runs[i], runners_find_free(&rs));
	assert_null(runners_find_free(&rs));
	assert_ptr_equal(run_find(&rs, 2), &runs[1]);
	run_remove(&rs, &runs[1]);
	assert_null(run_find(&rs, 2));
	assert_string_equal(runners_find_free(&rs)->name, "b");
}

/* Jobs run on a, b and c. Then the list changes: b is removed, c gets more slots, d is added. */
TEST_WITH(test_replaced_while_there_are_runs, setup, teardown)
{
	struct run runs[4] = {{.job = 1}, {.job = 2}, {.job = 3}, {.job = 4}};
	struct runners next;
	int i;

	runners_init(&next);
	assert_int_equal(runners_add(&rs, "a 1", NULL), 0);
	assert_int_equal(runners_add(&rs, "b 2 X=1", NULL), 0);
	assert_int_equal(runners_add(&rs, "c 1", NULL), 0);
	for (i = 0; i < 4; i++)
		run_add(&rs, &runs[i], runners_find_free(&rs));
	assert_int_equal(runners_add(&next, "d 1", NULL), 0);
	assert_int_equal(runners_add(&next, "c 2", NULL), 0);
	assert_int_equal(runners_add(&next, "a 1", NULL), 0);
	assert_int_equal(runners_replace(&rs, &next, NULL), 0);
	runners_release(&next);

	assert_int_equal(rs.n, 4);
	assert_string_equal(rs.rows[3].name, "b");
	assert_string_equal(runs[1].runner->name, "b");
	assert_string_equal(runs[1].runner->env[0], "X=1");
	assert_string_equal(runs[3].runner->name, "c");
	assert_int_equal(runs[3].runner->busy, 1);
	assert_string_equal(runners_find_free(&rs)->name, "d");
	run_remove(&rs, &runs[1]);
	assert_int_equal(rs.n, 4);
	assert_int_equal(rs.rows[3].slots, 1);
	run_remove(&rs, &runs[2]);
	assert_int_equal(rs.n, 3);
	run_remove(&rs, &runs[0]);
	assert_int_equal(rs.rows[2].busy, 0);
	run_remove(&rs, &runs[3]);
	assert_int_equal(rs.n, 3);
}

/* The last job of this runner ends before that of a runner that was removed later. */
TEST_WITH(test_drained_before_another, setup, teardown)
{
	struct run runs[2] = {{.job = 1}, {.job = 2}};
	struct runners next;

	runners_init(&next);
	assert_int_equal(runners_add(&rs, "a 1", NULL), 0);
	assert_int_equal(runners_add(&rs, "b 1", NULL), 0);
	run_add(&rs, &runs[0], runners_find_free(&rs));
	run_add(&rs, &runs[1], runners_find_free(&rs));
	assert_int_equal(runners_add(&next, "c 1", NULL), 0);
	assert_int_equal(runners_replace(&rs, &next, NULL), 0);
	runners_release(&next);
	run_remove(&rs, &runs[0]);
	assert_string_equal(runs[1].runner->name, "b");

	assert_int_equal(runners_add(&next, "b 3", NULL), 0); /* the runner is in the list again */
	assert_int_equal(runners_replace(&rs, &next, NULL), 0);
	runners_release(&next);
	assert_int_equal(rs.n, 1);
	assert_int_equal(runs[1].runner->busy, 1);
	run_remove(&rs, &runs[1]);
	assert_int_equal(rs.n, 1);
	assert_int_equal(rs.rows[0].slots, 3);
}

TEST(test_worker_words_are_cut_between_characters)
{
	Colconv__Stage stage = COLCONV__STAGE__INIT;
	struct run run = {.progress = {.done = 1}};
	char name[64];

	memset(name, 'x', sizeof(name));
	memcpy(name + 30, "\xc3\xa9", 3);
	stage.name = name;
	run_set_stage(&run, &stage);
	assert_true(str_is_utf8(run.stage, strlen(run.stage)));
	assert_true(run.progress.done == 0);
}

int
main(void)
{
	return tests_run("runner", NULL, NULL);
}
