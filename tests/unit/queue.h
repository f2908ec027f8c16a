/*
 * Shared by the tests of the queue: a state folder for each test, jobs, and the files that a worker leaves.
 */
#ifndef TESTS_UNIT_QUEUE_H
#define TESTS_UNIT_QUEUE_H

#include "test.h"

#include <inttypes.h>

#include "base/fs.h"
#include "base/str.h"
#include "queue/job_print.h"
#include "queue/list.h"
#include "queue/publish.h"
#include "queue/recover.h"

#define T0 INT64_C(1770000000000) /* some time */

#define RESULT "{\"architecture\": \"colqwen2\", \"parameters\": 7}"

static char state_dir[64];
static struct store *store;
static struct err err;

static inline void
queue_open(void)
{
	assert_int_equal(store_open(state_dir, &store, &err), 0);
}

static inline void
queue_reopen(void)
{
	store_close(&store);
	queue_open();
}

static inline int
queue_setup(void **state)
{
	(void)state;
	(void)snprintf(state_dir, sizeof(state_dir), "/tmp/colconv-test.XXXXXX");
	if (!mkdtemp(state_dir))
		return -1;
	err_clear(&err);
	queue_open();
	return artifact_init(state_dir, &err);
}

static inline int
queue_teardown(void **state)
{
	(void)state;
	store_close(&store);
	return fs_remove(state_dir, NULL);
}

/* Adds a job with the default options. Returns 0 if that fails. */
static inline int64_t
queue_add_model(const char *model)
{
	_cleanup_(spec_release) struct spec spec = SPEC_INIT;
	json_auto_t *j = json_pack("{s:s}", "model", model);
	char field[SPEC_FIELD_LEN];
	const struct store_submission sub = {.spec = &spec, .owner = "", .now = T0};
	struct job job = {.id = 0};
	int64_t id;

	if (spec_from_json(j, &spec, field, &err) < 0 || store_job_add(store, &sub, &job, &err) < 0)
		return 0;
	id = job.id;
	job_release(&job);
	return id;
}

static inline int64_t
queue_add(void)
{
	return queue_add_model("/srv/model");
}

static inline json_t *
queue_result(void)
{
	return json_loads(RESULT, 0, NULL);
}

/* Parses what job_print() prints. */
static inline json_t *
job_json(const struct job *job)
{
	const struct job_moment now = {.ahead = -1};
	struct buf b = BUF_INIT;
	json_t *j;

	job_print(job, &now, &b);
	assert_false(b.failed);
	j = json_loads(b.data, 0, NULL);
	buf_release(&b);
	assert_non_null(j);
	return j;
}

/* The name of a job's state; NULL if there is no such job. */
static inline const char *
queue_state(int64_t id)
{
	struct job job = {.id = 0};
	const char *name;

	if (store_job_get(store, id, &job, NULL) < 0)
		return NULL;
	name = job_state_to_str(job.state);
	job_release(&job);
	return name;
}

static inline bool
state_has(const char *fmt, ...)
{
	char name[128];
	char *path;
	va_list ap;
	bool r;

	va_start(ap, fmt);
	(void)vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	path = fs_join(state_dir, name);
	r = fs_exists(path);
	free(path);
	return r;
}

static inline int
file_put(const char *dir, const char *name, const char *text)
{
	char *path = fs_join(dir, name);
	int r = fs_write_file(path, text, strlen(text), &err);

	free(path);
	return r;
}

#define SHA256_OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/* Writes an artifact into the staging folder of an attempt, as a worker does. */
static inline int
worker_fill(int64_t id, int attempt)
{
	static const char manifest[] = "{\"files\": [{\"name\": \"text.onnx\", \"size\": 3, \"sha256\": "
				       "\"" SHA256_OF_ABC "\"}]}";
	char *dir = NULL;
	int r;

	r = artifact_stage(state_dir, id, attempt, &dir, &err);
	if (r == 0)
		r = file_put(dir, "text.onnx", "abc");
	if (r == 0)
		r = file_put(dir, "manifest.json", manifest);
	free(dir);
	return r;
}

/* Appends a job's id to a text of 64 bytes. */
static inline int
id_collect(const struct job *job, void *arg, struct err *e)
{
	char *text = arg;

	(void)e;
	(void)snprintf(text + strlen(text), 64 - strlen(text), "%" PRId64 " ", job->id);
	return 0;
}

#endif
