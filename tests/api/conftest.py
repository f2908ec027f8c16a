"""Every test gets its own daemon: a fresh state folder, a free port, and a worker that follows a script."""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

import contract

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("COLCONV_BUILD", TOP)).resolve()
LIMIT = 25  # s: for what should take milliseconds, on a machine that is busy; below connection_idle

SUCCESS = """\
stage resolve
progress 1 2
log hello
stage export
progress 2 2
artifact
result
"""


class Answer:
    def __init__(self, response, head=False):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        if not head and self.status != 206 and "json" in (response.headers["Content-Type"] or ""):
            self.json = json.loads(self.body)


def wait_until(what, condition, limit=LIMIT):
    """Waits for a condition outside the API, where no event can be awaited."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"waited too long: {what}"
        time.sleep(0.005)


ENDED = ("done", "failed", "cancelled")


class Events:
    """A stream of events, for one job or all jobs; from the beginning, or after the event with the number `last`."""

    def __init__(self, daemon, job=None, last=None):
        self.connection = daemon.connect()
        self.last = last
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        self.connection.request("GET", f"/v1/jobs/{job}/events" if job else "/v1/events", headers=headers)
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()
        assert self.response.headers["Content-Type"] == "text/event-stream"

    def __iter__(self):
        """(name, data, number or None)"""
        event = {}
        for line in self.response:
            line = line.decode().rstrip("\n")
            if not line:
                if event:
                    number = int(event["id"]) if "id" in event else None
                    if number is not None:
                        self.last = number
                    yield event["event"], json.loads(event["data"]), number
                event = {}
            elif not line.startswith(":"):
                key, value = line.split(": ", 1)
                event[key] = value

    def wait(self, name, condition=lambda data: True):
        for event, data, _ in self:
            if event == name and condition(data):
                return data
        raise AssertionError(f"the stream ended without {name}")

    def wait_state(self, condition):
        """
        Waits for a state: in the document at the beginning of the stream, or in a later change. Both have "state",
        "attempt", "reason" and "message".
        """
        for event, data, _ in self:
            if event in ("job", "state") and condition(data):
                return data
        raise AssertionError("the stream ended without this state")

    def close(self):
        self.connection.close()


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=LIMIT)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT)
        self.sock.connect(str(self.path))


class Daemon:
    def __init__(self, folder):
        self.folder = folder
        self.state = folder / "state"
        self.models = folder / "models"
        self.models.mkdir()
        self.port_file = folder / "port"
        self.config = folder / "colconvd.conf"
        self.config.write_text("")
        self.process = None
        self.log = []

    def command(self, *options):
        return [
            str(BUILD / "colconvd"), "--config", str(self.config), "--state", str(self.state),
            "--listen", "127.0.0.1:0", "--port-file", str(self.port_file),
            "--worker", str(BUILD / "tests/api/fake_worker"), "--stop-grace", "1",
            "--preflight", "0", *options,  # the folders of fake_worker's jobs hold a script and no checkpoint
        ]

    def start(self, *options, prefix=()):
        self.port_file.unlink(missing_ok=True)
        self.process = subprocess.Popen([*prefix, *self.command(*options)], stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read_log, args=(self.process.stderr,))
        self.reader.start()
        wait_until("the daemon listens", lambda: self.port_file.exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log
        self.port = int(self.port_file.read_text())
        return self

    def read_log(self, stream):
        with stream:
            self.log.extend(line.rstrip("\n") for line in stream)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join(LIMIT)

    def stop(self):
        """Stops the daemon as systemd does; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(LIMIT)
        self.reader.join(LIMIT)
        return status

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)

    def deaf_socket(self, buffer):
        """A connection that takes few bytes while nobody reads from it."""
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        s.settimeout(LIMIT)
        s.connect(("127.0.0.1", self.port))
        return s

    def request(self, method, path, body=None, headers={}):
        connection = self.connect()
        try:
            connection.request(method, path, body, headers)
            answer = Answer(connection.getresponse(), method == "HEAD")
        finally:
            connection.close()
        contract.check(method, path, answer)
        return answer

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, body=None):
        return self.request("POST", path, body if body is None or isinstance(body, (str, bytes)) else json.dumps(body))

    def raw(self, data):
        """Sends bytes to a socket; returns everything that arrives until it is closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT) as s:
            s.sendall(data)
            back = b""
            while chunk := s.recv(65536):
                back += chunk
            return back

    def model(self, script):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.models))
        (folder / "script").write_text(script)
        return str(folder)

    def wait_log(self, pattern):
        """A line may be written before an answer and read after it, so wait for it. `pattern` is a regular expression."""
        wait_until(f"no line of the log has '{pattern}'", lambda: any(re.search(pattern, line) for line in self.log))

    def submit(self, script=SUCCESS, **fields):
        answer = self.post("/v1/jobs", {"model": self.model(script), **fields})
        assert answer.status == 202, answer.body
        return answer.json["id"]

    def job(self, job):
        return self.get(f"/v1/jobs/{job}").json

    def wait_end(self, job):
        stream = Events(self, job)
        try:
            return stream.wait("job", lambda j: j["state"] in ENDED)
        finally:
            stream.close()

    def wait_running(self, job):
        stream = Events(self, job)
        try:
            return stream.wait_state(lambda j: j["state"] == "running")
        finally:
            stream.close()

    def staged(self):
        return sorted(p.name for p in (self.state / "staging").iterdir())

    def artifacts(self):
        return sorted(p.name for p in (self.state / "artifacts").iterdir())


@pytest.fixture
def stopped(tmp_path):
    """A daemon that the test starts itself, with its own options."""
    daemon = Daemon(tmp_path)
    yield daemon
    if daemon.process and daemon.process.poll() is None:
        daemon.kill()
    shutil.rmtree(tmp_path, ignore_errors=True)
    if any("Sanitizer" in line or "runtime error" in line for line in daemon.log):
        pytest.fail("\n".join(daemon.log))


@pytest.fixture
def small_disk(stopped):
    """Of a size ("12m"): the command that gives the daemon a state folder on a disk of its own."""
    def prefix(size):
        command = ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size={size} none "{stopped.state}" && exec "$@"', "sh"]
        if subprocess.run([*command, "true"], capture_output=True).returncode:
            pytest.skip("no mounts are allowed here")
        return command
    stopped.state.mkdir()
    return prefix


@pytest.fixture
def daemon(stopped):
    return stopped.start("--slots", "4")
