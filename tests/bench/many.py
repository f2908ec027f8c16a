"""Rows with 100,000 finished and 10,000 queued jobs, compared with 100 of each."""
import os
import statistics
import subprocess
import time

from daemon import LOAD_CORES, Daemon, job, load, request, spawn

MIB = 1 << 20
SIZES = {"many": (100_000, 10_000), "few": (100, 100)}
PAGE = 10    # jobs, which each filter finds among the few too

# What is asked for; {middle} is the id of a finished job.
LISTS = {
    "first page": "limit={page}",
    "deep cursor": "limit={page}&cursor={middle}",
    "state": "limit={page}&state=failed",
    "queued": "limit={page}&state=queued",
    "model": "limit={page}&model=/srv/models/3",
    "label": "limit={page}&label=team=t3",
    "two labels": "limit={page}&label=team=t3&label=env=prod",
    "reason": "limit={page}&reason=trace",
    "owner": "limit={page}&owner=o3",
}

# As the daemon writes them: every fifth job failed, the rest are done, with artifacts that retention took. :first is
# the id before theirs, :n how many.
FINISHED = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :n)
INSERT INTO job (id, state, spec, created, started, ended, attempt, attempts_max, reason, message, result, model, owner, runner,
                 seconds, cpu_seconds, peak_rss_bytes, artifact_files, artifact_bytes, artifact_removed)
SELECT :first + i, iif(i % 5, 'done', 'failed'), :spec, 1770000000000 + i, 1770000001000 + i, 1770000002000 + i, 1, 3,
       iif(i % 5, NULL, 'trace'), iif(i % 5, NULL, 'no rule for this layer'), iif(i % 5, :result, NULL),
       '/srv/models/' || i % 7, 'o' || i % 7, 'local', 61.5, 60.25, 123456789,
       iif(i % 5, 4, 0), iif(i % 5, 9000000000, 0), iif(i % 5, 1770000003000 + i, 0) FROM n"""
QUEUED = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :n)
INSERT INTO job (id, spec, created, attempts_max, priority, model, owner)
SELECT :first + i, :spec, 1770000000000 + i, 3, i % 3, '/srv/models/' || i % 7, 'o' || i % 7 FROM n"""
REST = """
INSERT INTO label SELECT 'team', 't' || id % 7, id FROM job;
INSERT INTO label SELECT 'env', 'prod', id FROM job;
INSERT INTO event (job, at, name, data) SELECT id, created, 'state', '{"state":"queued","attempt":0,"reason":null,"message":null}' FROM job;
INSERT INTO event (job, at, name, data)
SELECT id, started, 'state', '{"state":"running","attempt":1,"reason":null,"message":null}' FROM job WHERE started;
INSERT INTO event (job, at, name, data) SELECT id, started, 'stage', '{"stage":"trace","attempt":1}' FROM job WHERE started;
INSERT INTO event (job, at, name, data) SELECT id, started, 'stage', '{"stage":"export","attempt":1}' FROM job WHERE started;
INSERT INTO event (job, at, name, data) SELECT id, started, 'log', '{"line":"27 layers, 2.2 B parameters"}' FROM job WHERE started;
INSERT INTO event (job, at, name, data)
SELECT id, ended, 'state', json_object('state', state, 'attempt', 1, 'reason', reason, 'message', message) FROM job WHERE ended;
INSERT INTO stage SELECT id, 1, 0, 'trace', 0.5, 1000000 FROM job WHERE started;
INSERT INTO stage SELECT id, 1, 1, 'export', 61, 100000000 FROM job WHERE started;
DELETE FROM tally;
INSERT INTO tally SELECT state, count(*) FROM job GROUP BY state;
"""
RESULT = ('{"architecture":"colqwen2","parameters":2208985600,"graphs":[{"variant":"text","file":"text.onnx","nodes":2931}],'
          '"parity_checked":true,"max_abs":1.1e-6,"min_cosine":0.9999999}')


class Filled:
    """A daemon with the jobs of a size, made when it is asked for."""

    def __init__(self, bench, name):
        self.bench, self.name, self.made = bench, name, None

    def daemon(self):
        if not self.made:
            self.made = Daemon(self.bench, self.name)
            self.fill()
        return self.made

    def fill(self):
        finished, queued = SIZES[self.name]
        if self.bench.tiny:
            finished, queued = min(finished, 1000), min(queued, 100)
        self.jobs, self.middle = finished + queued, finished // 2
        begin = time.monotonic()
        with self.made.run() as daemon:
            load(self.bench, daemon.port, 1, request("POST", "/v1/jobs", job(self.bench)), 0.1)
        with self.made.queue() as db, db:
            (spec,) = db.execute("SELECT spec FROM job LIMIT 1").fetchone()
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("DELETE FROM job")
            db.execute(FINISHED, {"first": 0, "n": finished, "spec": spec, "result": RESULT})
            db.execute(QUEUED, {"first": finished, "n": queued, "spec": spec})
            db.executescript(REST)
        self.bench.say("%d jobs made in %.1f s", self.jobs, time.monotonic() - begin)

    def get(self, port, path):
        path = path.format(page=PAGE, middle=self.middle)
        return load(self.bench, port, 1, request("GET", path), self.bench.seconds / 5)


def compare(bench, many, few, paths):
    """Median seconds of each path, of one client, with many jobs and with few, in turn."""
    took = {name: ([], []) for name in paths}
    with many.daemon().run() as large, few.daemon().run() as small:
        for _ in range(bench.repeat):
            for name, path in paths.items():
                took[name][0].append(many.get(large.port, path)["median"])
                took[name][1].append(few.get(small.port, path)["median"])
    medians = {name: tuple(map(statistics.median, pair)) for name, pair in took.items()}
    worst = max(medians, key=lambda name: medians[name][0] / medians[name][1])
    large, small = medians[worst]
    words = ", ".join(f"{name} {1e3 * a:.2f} ms" + (f" ({1e3 * b:.2f})" if name == worst else "") for name, (a, b) in medians.items())
    return large / small, {"seconds": medians, "worst": worst, "words": words}


def schedule(bench, many, few):
    took = ([], [])
    for _ in range(bench.repeat):
        for filled, samples in zip((many, few), took):
            argv = [bench.build / "tests/bench/claim", filled.daemon().state, "300"]
            samples.append(float(subprocess.run(argv, check=True, capture_output=True, text=True).stdout))
    large, small = map(statistics.median, took)
    return large / small, {"microseconds": took, "words": f"{large:.0f} us against {small:.0f} us"}


def start(bench, many):
    """In order, and after kill -9, when the whole database is checked."""
    clean, unclean = [], []
    daemon = many.daemon()
    for _ in range(bench.repeat):
        with daemon.run():
            clean.append(daemon.started_in)
            daemon.kill()
        with daemon.run():
            unclean.append(daemon.started_in)
    with daemon.queue() as db:
        (size,) = db.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()
    words = f"{1e3 * statistics.median(unclean):.0f} ms after kill -9; the database has {size / 1e6:.0f} MB"
    return 1e3 * statistics.median(clean), {"clean": clean, "unclean": unclean, "words": words}


def memory(bench, many):
    with many.daemon().run() as daemon:
        at_first = daemon.resident()
        load(bench, daemon.port, 64, request("GET", "/v1/jobs?limit=1000"), bench.seconds)
        size = daemon.resident()
    return size / MIB, {"jobs": many.jobs, "words": f"{at_first / MIB:.1f} MiB at first; {many.jobs} jobs, after lists of 1000 to 64 clients"}


def first_byte(argv, env):
    begin = time.monotonic()
    with spawn(argv, LOAD_CORES, stdout=subprocess.PIPE, env={**os.environ, **env}) as process:
        if not process.stdout.read(1):
            raise RuntimeError(f"{argv[0]} said nothing")
        took = time.monotonic() - begin
        process.stdout.read()
    if process.returncode:
        raise RuntimeError(f"{argv[0]} failed")
    return took


def ctl(bench, many):
    ours, theirs = [], []
    with many.daemon().run() as daemon:
        server = f"http://127.0.0.1:{daemon.port}"
        for _ in range(10 * bench.repeat):
            ours.append(first_byte([bench.build / "colconvctl", "list"], {"COLCONV_SERVER": server}))
            theirs.append(first_byte(["curl", "-sS", server + "/v1/jobs?limit=50"], {}))
    large, small = statistics.median(ours), statistics.median(theirs)
    return large / small, {"seconds": ours, "reference_seconds": theirs, "words": f"{1e3 * large:.1f} ms against {1e3 * small:.1f} ms"}


def rows(bench):
    many, few = Filled(bench, "many"), Filled(bench, "few")
    lists = {name: "/v1/jobs?" + query for name, query in LISTS.items()}
    yield "list", "slowest list of 10 at 110,000 jobs / at 200", "", None, lambda: compare(bench, many, few, lists)
    yield "get", "a job at 110,000 jobs / at 200", "", None, lambda: compare(bench, many, few, {"get": "/v1/jobs/{middle}"})
    yield "schedule", "claim of a job at 110,000 jobs / at 200", "", None, lambda: schedule(bench, many, few)
    yield "many", "colconvd: with 100,000 finished jobs", "MiB", "<= 32", lambda: memory(bench, many)
    yield "start", "start with 110,000 jobs", "ms", None, lambda: start(bench, many)
    yield "ctl-list", "colconvctl list at 110,000 jobs / curl", "", None, lambda: ctl(bench, many)
