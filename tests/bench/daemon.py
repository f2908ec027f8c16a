"""colconvd with its own state folder, load generators, and nginx for comparison."""
import contextlib
import grp
import json
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import time

import machine

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = {CORES[0]}                        # what is measured...
LOAD_CORES = set(CORES[1:]) or SERVER_CORE      # ...and what loads it do not share one, where there are two

NGINX = """\
user {user} {group};
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
	default_type application/json;
	server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""


def spawn(argv, cores, **options):
    """Starts a process on these cores; its children inherit them."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        return subprocess.Popen(argv, **options)
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def running(argv, log, cores=SERVER_CORE):
    with open(log, "wb") as out, spawn(argv, cores, stdout=out, stderr=out) as process:
        try:
            yield process
        finally:
            process.terminate()


class Daemon:
    """A daemon with one slot, and a worker that runs forever without doing anything."""

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
                "--queue-max", "10000000", "--preflight", "0"]
        begin = time.monotonic()
        with running(argv, self.folder / "log") as process:
            while not self.port_file.exists():
                if process.poll() is not None or time.monotonic() > begin + 60:
                    raise RuntimeError("colconvd did not start: " + (self.folder / "log").read_text().strip())
                time.sleep(0.001)
            self.started_in = time.monotonic() - begin
            self.pid, self.port = process.pid, int(self.port_file.read_text())
            yield self

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def queue(self):
        """The database, when the daemon does not run."""
        return contextlib.closing(sqlite3.connect(self.state / "queue.db"))

    def resident(self):
        return int(machine.field(f"/proc/{self.pid}/status", "VmRSS").split()[0]) * 1024

    def cpu(self):
        """Seconds so far."""
        with open(f"/proc/{self.pid}/stat") as f:
            words = f.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def remove(self):
        shutil.rmtree(self.folder)


def request(method, path, body=None):
    data = json.dumps(body).encode() if body is not None else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


def job(bench):
    return {"model": str(bench.scratch), "variants": ["text"], "labels": {"team": "search"}}


@contextlib.contextmanager
def loading(bench, port, clients, data, seconds, nice=0):
    """The load as a process; its answers are for loaded()."""
    path = bench.scratch / f"request-{time.monotonic_ns()}"
    path.write_bytes(data)
    argv = ["nice", "-n", str(nice), bench.build / "tests/bench/load", str(port), str(clients), str(seconds), path]
    with spawn(argv, LOAD_CORES, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
            path.unlink()


def loaded(process):
    out, err = process.communicate()
    if process.returncode:
        raise RuntimeError(err.strip())
    result = json.loads(out)
    if result["failed"]:
        raise RuntimeError(f"{result['failed']} requests were refused")
    result["rate"] = result["ok"] / result["seconds"]
    return result


def load(bench, port, clients, data, seconds):
    with loading(bench, port, clients, data, seconds) as process:
        return loaded(process)


def share_words(results):
    """Says whether the client was the bottleneck."""
    share = statistics.median(r["cpu"] for r in results)
    return f"the client had {share:.0%} of its core"


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def nginx(folder, body):
    folder.mkdir()
    (folder / "www").mkdir()
    (folder / "www" / "job").write_bytes(body)
    port = 20000 + os.getpid() % 20000
    names = {"user": pwd.getpwuid(os.geteuid()).pw_name, "group": grp.getgrgid(os.getegid()).gr_name}
    (folder / "conf").write_text(NGINX.format(folder=folder, port=port, **names))
    end = time.monotonic() + 10
    with running(["nginx", "-p", folder, "-c", folder / "conf"], folder / "out"):
        while not answers(port):
            if time.monotonic() > end:
                raise RuntimeError("nginx did not start: " + (folder / "out").read_text().strip())
            time.sleep(0.05)
        yield port
