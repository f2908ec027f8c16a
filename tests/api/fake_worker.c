/*
 * A worker that does what the tests say: it follows the lines of the file `script` in the folder
 * that the job names as its model. The commands are the table at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/str.h"
#include "spec/frame.h"

static Colconv__Job *job;

static void
die(const char *what)
{
	(void)fprintf(stderr, "fake_worker: %s: %s\n", what, strerror(errno));
	exit(99);
}

static void
message_send(Colconv__FromWorker__BodyCase body_case, void *body)
{
	Colconv__FromWorker m = COLCONV__FROM_WORKER__INIT;
	struct buf b = BUF_INIT;

	m.body_case = body_case;
	m.hello = body; /* a union of pointers */
	if (frame_add(&b, &m.base, NULL) < 0)
		die("frame");
	if (fs_write_all(STDOUT_FILENO, b.data, b.len, "stdout", NULL) < 0)
		die("stdout");
	buf_release(&b);
}

static void
do_hello(char *nonce)
{
	Colconv__Hello m = COLCONV__HELLO__INIT;
	char version[] = "fake";

	m.nonce = nonce;
	m.version = version;
	m.pid = getpid();
	message_send(COLCONV__FROM_WORKER__BODY_HELLO, &m);
}

static void
do_hello_now(char *arg)
{
	(void)arg;
	do_hello(job->nonce);
}

static void
do_stage(char *name)
{
	Colconv__Stage m = COLCONV__STAGE__INIT;

	m.name = name;
	message_send(COLCONV__FROM_WORKER__BODY_STAGE, &m);
}

static void
do_progress(char *arg)
{
	Colconv__Progress m = COLCONV__PROGRESS__INIT;
	char unit[] = "bytes", detail[] = "lm.03.mlp", *end;

	m.done = strtoull(arg, &end, 10);
	m.total = strtoull(end, NULL, 10);
	m.unit = unit;
	m.detail = detail;
	message_send(COLCONV__FROM_WORKER__BODY_PROGRESS, &m);
}

static void
do_heartbeat(char *arg)
{
	Colconv__Heartbeat m = COLCONV__HEARTBEAT__INIT;

	(void)arg;
	message_send(COLCONV__FROM_WORKER__BODY_HEARTBEAT, &m);
}

static void
do_log(char *line)
{
	(void)fprintf(stderr, "%s\n", line);
}

static void
do_log_env(char *name)
{
	(void)fprintf(stderr, "%s=%s\n", name, getenv(name) ? getenv(name) : "");
}

/* The Hub's token itself stays out of the log. */
static void
do_log_hub_token(char *expected)
{
	if (!*job->hub_token)
		do_log((char[]){"hub token: none"});
	else
		do_log(str_eq(job->hub_token, expected) ? (char[]){"hub token: as expected"}
							: (char[]){"hub token: wrong"});
}

static void
do_bytes_to_stderr(char *count)
{
	unsigned long n = strtoul(count, NULL, 10);

	while (n--)
		(void)fputc(0xff, stderr);
	(void)fputc('\n', stderr);
}

static void
do_flood(char *count)
{
	unsigned long i, n = strtoul(count, NULL, 10);
	char progress[64];

	for (i = 0; i < n; i++) {
		(void)snprintf(progress, sizeof(progress), "%lu %lu", i, n);
		do_progress(progress);
		(void)fprintf(stderr, "flood %lu\n", i);
	}
}

static void
do_sleep(char *seconds)
{
	(void)usleep((useconds_t)(strtod(seconds, NULL) * 1e6));
}

static void
do_hang(char *arg)
{
	(void)arg;
	for (;;)
		(void)pause();
}

static void
do_wait_for(char *path)
{
	while (!fs_exists(path))
		(void)usleep(2000);
}

static void
do_touch(char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		die(path);
	(void)close(fd);
}

static void
do_ignore_term(char *arg)
{
	(void)arg;
	(void)signal(SIGTERM, SIG_IGN);
}

static void
do_signal(char *number)
{
	(void)raise((int)strtol(number, NULL, 10));
}

static void
do_exit(char *status)
{
	exit((int)strtol(status, NULL, 10));
}

static void
do_garbage(char *arg)
{
	static const char junk[] = "HTTP/1.1 200 OK\r\nwhat is this\r\n";

	(void)arg;
	(void)!write(STDOUT_FILENO, junk, sizeof(junk));
}

/* A frame that is no message. */
static void
do_bad_frame(char *arg)
{
	static const char frame[] = "\4\0\0\0\377\377\377\377";

	(void)arg;
	(void)!write(STDOUT_FILENO, frame, sizeof(frame) - 1);
}

/* A frame as long as one may be, and no message of ours that long. */
static void
do_huge_frame(char *arg)
{
	struct buf b = BUF_INIT;

	(void)arg;
	frame_begin(&b, FRAME_LEN_MAX);
	(void)buf_reserve(&b, FRAME_LEN_MAX);
	memset(b.data + b.len, 0, FRAME_LEN_MAX);
	(void)fs_write_all(STDOUT_FILENO, b.data, b.len + FRAME_LEN_MAX, "stdout", NULL);
	buf_release(&b);
}

static void
do_close_stdout(char *arg)
{
	(void)arg;
	(void)close(STDOUT_FILENO);
}

static void
do_pid_to(char *path)
{
	_cleanup_free_ char *text = str_printf("%d\n", (int)getpid());

	if (!text || fs_write_file(path, text, strlen(text), NULL) < 0)
		die(path);
}

/* A child that outlives us, once it has gone its way; its number goes to the file. */
static void
leave(char *path, void (*escape)(void))
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		(void)signal(SIGTERM, SIG_IGN);
		(void)signal(SIGHUP, SIG_IGN);
		if (escape)
			escape();
		do_pid_to(path);
		do_hang(NULL);
	}
	do_wait_for(path);
}

static void
pipes_close(void)
{
	int fd;

	for (fd = 0; fd < 3; fd++)
		(void)close(fd);
}

static void
session_leave(void)
{
	if (setsid() < 0)
		die("setsid");
}

/* As daemon(3) does it: an orphan, in no session, with no pipe of ours. */
static void
daemon_become(void)
{
	session_leave();
	if (fork() != 0)
		_exit(0);
	pipes_close();
}

/* With our pipes open. */
static void
do_leave_child(char *path)
{
	leave(path, NULL);
}

static void
do_leave_session(char *path)
{
	leave(path, session_leave);
}

static void
do_leave_daemon(char *path)
{
	leave(path, daemon_become);
}

/* Without the environment that it was given: nothing but a control group knows whose it is. */
static void
do_leave_bare(char *path)
{
	char *const argv[] = {"sh", "-c", "echo $$ > \"$0.new\" && mv \"$0.new\" \"$0\" && exec sleep 1000",
			      path, NULL};
	char *const env[] = {NULL};

	if (fork() == 0) {
		session_leave();
		pipes_close();
		(void)execve("/bin/sh", argv, env);
		_exit(127);
	}
	do_wait_for(path);
}

/* COUNT: orphans that end by themselves, for whoever is to wait for them. */
static void
do_leave_orphans(char *count)
{
	long n = strtol(count, NULL, 10);

	while (n-- > 0)
		switch (fork()) {
		case -1:
			die("fork");
			break;
		case 0:
			(void)fork();
			_exit(0);
		default:
			(void)wait(NULL);
		}
}

static void
do_spin(char *seconds)
{
	const clock_t end = clock() + (clock_t)(strtod(seconds, NULL) * CLOCKS_PER_SEC);

	while (clock() < end)
		;
}

/* BYTES that are really there. */
static void
do_memory(char *bytes)
{
	const size_t n = strtoul(bytes, NULL, 10);
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("memory");
	memset(p, 1, n);
}

static void
do_log_file(char *path)
{
	_cleanup_free_ char *text = NULL;
	char line[256] = "";
	FILE *f = fopen(path, "re");

	if (!f || !fgets(line, sizeof(line), f))
		die(path);
	(void)fclose(f);
	text = str_printf("%s: %s", path, line);
	do_log(text);
}

static void
file_make(struct buf *manifest, const char *name, const char *content)
{
	_cleanup_free_ char *path = fs_join(job->out_dir, name);
	char hex[SHA256_HEX_LEN + 1];

	if (fs_write_file(path, content, strlen(content), NULL) < 0 || sha256_file(path, hex, NULL) < 0)
		die(path);
	if (manifest)
		buf_printf(manifest, "%s{\"name\": \"%s\", \"size\": %zu, \"sha256\": \"%s\"}",
			   manifest->len ? ", " : "", name, strlen(content), hex);
}

/* As proto/openapi.json has it; `files` as for file_make(). */
static void
report_make(struct buf *files, bool passed)
{
	struct buf b = BUF_INIT;
	unsigned i;

	buf_puts(&b, "{\"format\": \"colconv-parity/1\", \"onnxruntime\": \"fake\", "
		     "\"limits\": {\"max_abs\": 1e-4, \"min_cosine\": 0.99999}, \"edges\": [");
	for (i = 0; i < 52; i++)
		buf_printf(&b, "%s%u", i ? ", " : "", i);
	buf_printf(
		&b,
		"], \"cases\": [{\"name\": \"one\", \"file\": \"c0\", \"model\": \"text\", \"passed\": %s, "
		"\"seconds\": 0.1}], \"ranking\": [], \"cosine\": null, \"worst\": {\"max_abs\": 0, "
		"\"min_cosine\": 1}, "
		"\"passed\": %s}",
		passed ? "true" : "false", passed ? "true" : "false");
	file_make(files, "parity.json", b.data);
	buf_release(&b);
}

/* "nonce": no two attempts make the same; a number: so many bytes of weights. */
static void
do_artifact(char *arg)
{
	struct buf files = BUF_INIT, weights = BUF_INIT;
	_cleanup_free_ char *manifest = NULL;
	size_t len = strtoul(arg, NULL, 10);

	buf_puts(&weights, str_eq(arg, "nonce") ? job->nonce : "not really weights");
	while (weights.len < len)
		buf_puts(&weights, ".");
	file_make(&files, "text.onnx", "not really a graph");
	file_make(&files, "model.onnx_data", weights.data);
	buf_release(&weights);
	report_make(&files, /*passed=*/true);
	manifest = str_printf("{\"files\": [%s]}\n", files.data);
	file_make(NULL, "manifest.json", manifest);
	buf_release(&files);
}

static void
do_report(char *arg)
{
	(void)arg;
	report_make(NULL, /*passed=*/false);
}

static void
do_result(char *arg)
{
	char resolve[] = "resolve", architecture[] = "colqwen2", variant[] = "text", file[] = "text.onnx";
	Colconv__Result m = COLCONV__RESULT__INIT;
	Colconv__StageUsage usage = COLCONV__STAGE_USAGE__INIT, *usages[] = {&usage};
	Colconv__GraphSummary graph = COLCONV__GRAPH_SUMMARY__INIT, *graphs[] = {&graph};

	(void)arg;
	usage.stage = resolve;
	usage.seconds = 0.25;
	usage.peak_anon_bytes = 4096;
	graph.variant = variant;
	graph.file = file;
	graph.nodes = 7;
	m.usage = usages;
	m.n_usage = 1;
	m.architecture = architecture;
	m.parameters = 1000;
	m.graphs = graphs;
	m.n_graphs = 1;
	m.parity_checked = true;
	m.max_abs = 1e-6;
	m.min_cosine = 1;
	message_send(COLCONV__FROM_WORKER__BODY_RESULT, &m);
}

/* A result that has so many. */
static void
do_stages(char *count)
{
	char resolve[] = "resolve";
	Colconv__Result m = COLCONV__RESULT__INIT;
	Colconv__StageUsage usage = COLCONV__STAGE_USAGE__INIT, *usages[100];

	usage.stage = resolve;
	m.usage = usages;
	for (m.n_usage = 0; m.n_usage < ARRAY_LEN(usages) && m.n_usage < strtoul(count, NULL, 10);
	     m.n_usage++)
		usages[m.n_usage] = &usage;
	message_send(COLCONV__FROM_WORKER__BODY_RESULT, &m);
}

static void
do_fail(char *arg)
{
	Colconv__Failure m = COLCONV__FAILURE__INIT;
	char *message = strchr(arg, ' ');

	if (message)
		*message++ = '\0';
	m.reason = arg;
	m.message = message;
	message_send(COLCONV__FROM_WORKER__BODY_FAILURE, &m);
	exit(5);
}

static void script_line(char *line);

/* FILE COMMAND...: only when the file is not there yet, and then it is. */
static void
do_once(char *arg)
{
	char *command = strchr(arg, ' ');

	*command++ = '\0';
	if (fs_exists(arg))
		return;
	do_touch(arg);
	script_line(command);
}

static const struct {
	const char *name;
	void (*fn)(char *arg);
} commands[] = {
	{"hello", do_hello},
	{"hello_now", do_hello_now},
	{"stage", do_stage},
	{"progress", do_progress},
	{"heartbeat", do_heartbeat},
	{"log", do_log},
	{"log_env", do_log_env},
	{"log_hub_token", do_log_hub_token},
	{"bytes_to_stderr", do_bytes_to_stderr},
	{"flood", do_flood},
	{"sleep", do_sleep},
	{"hang", do_hang},
	{"wait_for", do_wait_for},
	{"touch", do_touch},
	{"ignore_term", do_ignore_term},
	{"signal", do_signal},
	{"exit", do_exit},
	{"garbage", do_garbage},
	{"bad_frame", do_bad_frame},
	{"huge_frame", do_huge_frame},
	{"close_stdout", do_close_stdout},
	{"pid_to", do_pid_to},
	{"leave_child", do_leave_child},
	{"leave_session", do_leave_session},
	{"leave_daemon", do_leave_daemon},
	{"leave_bare", do_leave_bare},
	{"leave_orphans", do_leave_orphans},
	{"spin", do_spin},
	{"memory", do_memory},
	{"log_file", do_log_file},
	{"stages", do_stages},
	{"artifact", do_artifact},
	{"report", do_report},
	{"result", do_result},
	{"fail", do_fail},
	{"once", do_once},
};

static void
script_line(char *line)
{
	char *arg = strchr(line, ' ');
	size_t i;

	if (arg)
		*arg++ = '\0';
	for (i = 0; i < ARRAY_LEN(commands); i++)
		if (str_eq(commands[i].name, line)) {
			commands[i].fn(arg ? arg : line + strlen(line));
			return;
		}
	die(line);
}

int
main(void)
{
	struct buf frame = BUF_INIT;
	char *path, *text, *line, *save;
	json_t *spec;
	size_t len;

	if (frame_read(STDIN_FILENO, &frame, NULL) != 1)
		die("stdin");
	job = colconv__job__unpack(NULL, frame.len, (const uint8_t *)frame.data);
	if (!job)
		die("job");
	spec = json_loads(job->spec, 0, NULL);
	path = spec ? fs_join(json_string_value(json_object_get(spec, "model")), "script") : NULL;
	if (!path)
		die("spec");
	if (fs_read(path, 1 << 20, E_IO, &text, &len, NULL) < 0)
		die(path);
	if (!str_starts(text, "no_hello\n"))
		do_hello(job->nonce);
	else
		memset(text, '\n', strlen("no_hello"));
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		script_line(line);
	free(text);
	free(path);
	json_decref(spec);
	buf_release(&frame);
	colconv__job__free_unpacked(job, NULL);
	return 0;
}
