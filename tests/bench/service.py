"""Rows about the daemon: durable submissions against bare SQLite, reads against nginx, and its memory."""
import contextlib
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import time

import machine

CLIENTS = 64
CROWDS = (127, 128, 256, 1000)    # where servers of this kind have been seen to stall
JOBS = 100_000
MIB = 1 << 20

NGINX = """\
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
	access_log off;
	keepalive_requests 1000000000;
	client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
	uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
	server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""


@contextlib.contextmanager
def running(argv, log):
    with open(log, "wb") as out, subprocess.Popen(argv, stdout=out, stderr=out) as process:
        try:
            yield process
        finally:
            process.terminate()


class Daemon:
    """On an empty state folder, with one slot and a worker that does nothing, for ever."""

    def __init__(self, bench, name):
        self.bench, self.folder = bench, bench.scratch / name
        self.folder.mkdir()
        self.state, self.port_file = self.folder / "state", self.folder / "port"
        self.config = self.folder / "conf"
        self.config.touch()
        self.worker = self.folder / "worker"
        self.worker.write_text("#!/bin/sh\nexec sleep 100000\n")
        self.worker.chmod(0o755)

    @contextlib.contextmanager
    def run(self):
        self.port_file.unlink(missing_ok=True)
        argv = [self.bench.build / "colconvd", "--config", self.config, "--state", self.state, "--listen", "127.0.0.1:0",
                "--port-file", self.port_file, "--worker", self.worker, "--stop-grace", "0", "--log-level", "warning",
                "--queue-max", "10000000"]
        with running(argv, self.folder / "log") as process:
            end = time.monotonic() + 30
            while not self.port_file.exists():
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("colconvd did not start: " + (self.folder / "log").read_text().strip())
                time.sleep(0.01)
            self.pid, self.port = process.pid, int(self.port_file.read_text())
            yield self

    def request(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        return head.encode() + data

    def queue(self):
        """The database, of a daemon that does not run."""
        return contextlib.closing(sqlite3.connect(self.state / "queue.db"))

    def resident(self):
        return int(machine.field(f"/proc/{self.pid}/status", "VmRSS").split()[0]) * 1024


def load(bench, port, clients, request):
    path = bench.scratch / "request"
    path.write_bytes(request)
    done = subprocess.run([bench.build / "tests/bench/load", str(port), str(clients), str(bench.seconds), path],
                          capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    result = json.loads(done.stdout)
    if result["failed"]:
        raise RuntimeError(f"{result['failed']} of the requests with {clients} clients were refused")
    return result


def rate(result):
    return result["ok"] / result["seconds"]


def job(bench):
    return {"model": str(bench.scratch), "variants": ["text"], "labels": {"team": "search"}}


def submissions(bench):
    ours, bare = [], []
    for i in range(bench.repeat):
        name = f"submissions{i}"
        daemon = Daemon(bench, name)
        with daemon.run():
            ours.append(rate(load(bench, daemon.port, CLIENTS, daemon.request("POST", "/v1/jobs", job(bench)))))
        with daemon.queue() as db:
            (spec_len,) = db.execute("SELECT max(length(spec)) FROM job").fetchone()
        done = subprocess.run([bench.build / "tests/bench/bare_sqlite", daemon.folder / "bare", str(bench.seconds),
                               str(spec_len)], check=True, capture_output=True, text=True)
        bare.append(float(done.stdout))
        shutil.rmtree(daemon.folder)
        bench.say("submissions: %.0f/s against %.0f/s", ours[-1], bare[-1])
    value, reference = statistics.median(ours), statistics.median(bare)
    return value / reference, {"rates": ours, "reference_rates": bare, "words": f"{value:.0f}/s against {reference:.0f}/s"}


def stalls(bench):
    slowest = {}
    daemon = Daemon(bench, "stalls")
    with daemon.run():
        for clients in CROWDS:
            slowest[clients] = load(bench, daemon.port, clients, daemon.request("POST", "/v1/jobs", job(bench)))["slowest"]
    shutil.rmtree(daemon.folder)
    words = ", ".join(f"{n} clients: {1000 * s:.0f} ms" for n, s in slowest.items())
    return max(slowest.values()), {"slowest": slowest, "words": words}


@contextlib.contextmanager
def nginx(folder, body):
    folder.mkdir()
    (folder / "www").mkdir()
    (folder / "www" / "job").write_bytes(body)
    port = 20000 + os.getpid() % 20000
    (folder / "conf").write_text(NGINX.format(folder=folder, port=port))
    with running(["nginx", "-p", folder, "-c", folder / "conf"], folder / "out"):
        time.sleep(1)
        yield port


def reads(bench):
    import http.client

    ours, theirs = [], []
    daemon = Daemon(bench, "reads")
    with daemon.run(), contextlib.ExitStack() as stack:
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port)
        connection.request("POST", "/v1/jobs", json.dumps(job(bench)))
        connection.getresponse().read()
        connection.request("GET", "/v1/jobs/1")
        body = connection.getresponse().read()
        connection.close()
        port = stack.enter_context(nginx(bench.scratch / "nginx", body)) if shutil.which("nginx") else None
        for _ in range(bench.repeat):
            ours.append(rate(load(bench, daemon.port, CLIENTS, daemon.request("GET", "/v1/jobs/1"))))
            if port:
                theirs.append(rate(load(bench, port, CLIENTS, daemon.request("GET", "/job"))))
    shutil.rmtree(daemon.folder)
    value = statistics.median(ours)
    if not theirs:
        return None, {"rates": ours, "words": f"{value:.0f}/s; nginx is not installed"}
    return value / statistics.median(theirs), {"rates": ours, "reference_rates": theirs,
                                               "words": f"{value:.0f}/s against {statistics.median(theirs):.0f}/s"}


def idle(bench):
    daemon = Daemon(bench, "idle")
    with daemon.run():
        size = daemon.resident()
    shutil.rmtree(daemon.folder)
    return size / MIB, {}


def many(bench):
    """Finished jobs are rows of the queue, made as the daemon itself made the first."""
    jobs = 1000 if bench.tiny else JOBS
    daemon = Daemon(bench, "many")
    with daemon.run():
        load(bench, daemon.port, 1, daemon.request("POST", "/v1/jobs", job(bench)))
    with daemon.queue() as db, db:
        (spec,) = db.execute("SELECT spec FROM job LIMIT 1").fetchone()
        result = json.dumps({"architecture": "colqwen2", "parameters": 1, "graphs": [], "parity_checked": False})
        db.execute("DELETE FROM job")
        db.executemany("INSERT INTO job (state, spec, created, started, ended, attempt, attempts_max, result) "
                       "VALUES ('done', ?, 1, 1, 1, 1, 3, ?)", ((spec, result) for _ in range(jobs)))
        db.execute("DELETE FROM tally")
        db.execute("INSERT INTO tally SELECT state, count(*) FROM job GROUP BY state")
    with daemon.run():
        load(bench, daemon.port, CLIENTS, daemon.request("GET", "/v1/jobs?limit=1000"))
        size = daemon.resident()
    shutil.rmtree(daemon.folder)
    return size / MIB, {"jobs": jobs, "words": f"{jobs} jobs, after lists of 1000 to {CLIENTS} clients"}


def rows(bench):
    yield "submissions", f"durable jobs/s, {CLIENTS} clients / bare SQLite", "", ">= 4", lambda: submissions(bench)
    yield "stalls", "slowest submission in a crowd", "s", "<= 1", lambda: stalls(bench)
    yield "reads", f"status reads/s, {CLIENTS} clients / nginx", "", ">= 0.9", lambda: reads(bench)
    yield "idle", "colconvd: resident memory, idle", "MiB", "<= 16", lambda: idle(bench)
    yield "many", "colconvd: with 100,000 finished jobs", "MiB", "<= 32", lambda: many(bench)
