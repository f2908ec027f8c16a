"""An operator's signals to the process, SIGHUP and SIGTERM, and the messages to systemd."""

import os
import signal
import socket
import threading
import time

import pytest
from conftest import LIMIT, SUCCESS, Events, wait_until


def logged(daemon, words):
    wait_until(f"the log says '{words}'", lambda: any(words in line for line in daemon.log))


def reload(daemon, text):
    """Sends SIGHUP with this configuration file, and waits until the daemon has read it."""
    answers = ("were read again", "stay as they are")
    before = sum(any(a in line for a in answers) for line in daemon.log)
    daemon.config.write_text(text)
    daemon.process.send_signal(signal.SIGHUP)
    wait_until("the settings are read", lambda: sum(any(a in line for a in answers) for line in daemon.log) > before)


class Manager:
    """Systemd's end of NOTIFY_SOCKET: the messages, in order."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.messages = []
        os.environ["NOTIFY_SOCKET"] = str(path)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while message := self.socket.recv(4096):
            self.messages.append(message.decode())

    def wait(self, words):
        wait_until(f"systemd is told '{words}'", lambda: any(words in m for m in self.messages))

    def kinds(self):
        return [m.split("=")[0] for m in self.messages]


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path / "notify")
    yield manager
    del os.environ["NOTIFY_SOCKET"]
    os.environ.pop("WATCHDOG_USEC", None)
    manager.socket.shutdown(socket.SHUT_RDWR)


def test_reload_of_limits_and_roots(stopped):
    stopped.start()
    assert stopped.post("/v1/jobs", {"model": "/" + "m" * 2000}).status == 202
    reload(stopped, f"body_max = 1024\nroots = {stopped.models}\nlog_level = debug\n")
    assert stopped.post("/v1/jobs", {"model": "/" + "m" * 2000}).status == 413
    refused = stopped.post("/v1/jobs", {"model": "/etc"})
    assert (refused.status, refused.json["field"]) == (403, "model")
    assert stopped.wait_end(stopped.submit())["state"] == "done"
    logged(stopped, "POST '/v1/jobs' 403 ")
    stopped.wait_log("body_max is changed")
    reload(stopped, "")
    assert stopped.post("/v1/jobs", {"model": "/" + "m" * 2000}).status == 202


@pytest.mark.parametrize("text, words", [
    ("slots = 0\n", "line 1: slots must be a whole number from 1 to 64, or gpus, not '0'"),
    ("\nroots = /nonexistent\n", "line 2: root '/nonexistent' must be an absolute path of a folder"),
    ("slots = 2\nslots = 3\n", "line 2: line 1 has already set slots"),
])
def test_reload_of_a_bad_file_changes_nothing(stopped, text, words):
    stopped.config.write_text("body_max = 1024\n")
    stopped.start()
    reload(stopped, text + "body_max = 4096\n")
    logged(stopped, f"error: '{stopped.config}' {words}")
    assert stopped.post("/v1/jobs", {"model": "/" + "m" * 2000}).status == 413


def test_reload_of_what_needs_a_start(stopped):
    stopped.start()
    reload(stopped, "connections_max = 100\nheartbeat = 2\n")
    logged(stopped, "warning: connections_max takes effect at the next start")
    logged(stopped, "heartbeat is changed")


def test_reload_of_runners(stopped):
    """A removed runner finishes its job; an added one takes the next job."""
    go = stopped.folder / "go"
    stopped.config.write_text("runner = old 1 WHERE=old\n")
    stopped.start()
    first = stopped.submit(f"log_env WHERE\nstage resolve\nwait_for {go}\n" + SUCCESS)
    Events(stopped, first).wait("stage")
    second = stopped.submit("log_env WHERE\n" + SUCCESS)
    reload(stopped, "runner = new 1 WHERE=new\n")
    assert stopped.wait_end(second)["state"] == "done"
    assert stopped.job(first)["state"] == "running"
    go.touch()
    assert stopped.wait_end(first)["attempt"] == 1
    logged(stopped, f"job={first}: WHERE=old")
    logged(stopped, f"job={second}: WHERE=new")
    third = stopped.submit("log_env WHERE\n" + SUCCESS)
    assert stopped.wait_end(third)["state"] == "done"
    logged(stopped, f"job={third}: WHERE=new")


def test_reload_of_slots(stopped):
    go = stopped.folder / "go"
    stopped.start()
    jobs = [stopped.submit(f"stage resolve\nwait_for {go}\n" + SUCCESS) for _ in range(2)]
    stopped.wait_running(jobs[0])
    assert stopped.job(jobs[1])["state"] == "queued"
    reload(stopped, "slots = 2\n")
    stopped.wait_running(jobs[1])
    go.touch()
    for job in jobs:
        assert stopped.wait_end(job)["state"] == "done"


def test_drain(stopped):
    """The running job finishes; queued and new jobs wait for the next start."""
    go = stopped.folder / "go"
    stopped.start("--stop-mode", "drain")
    running = stopped.submit(f"stage resolve\nwait_for {go}\n" + SUCCESS)
    Events(stopped, running).wait("stage")
    queued = stopped.submit()
    stopped.process.send_signal(signal.SIGTERM)
    logged(stopped, "Terminated: stopping")
    late = stopped.submit()
    assert [stopped.job(j)["state"] for j in (running, queued, late)] == ["running", "queued", "queued"]
    for job in queued, late:
        assert stopped.job(job)["waiting"] == {"for": "stop", "ahead": None, "until": None}
    assert {j["waiting"]["for"] for j in stopped.get("/v1/jobs?state=queued").json["jobs"]} == {"stop"}
    go.touch()
    assert stopped.process.wait(LIMIT) == 0
    stopped.reader.join(LIMIT)
    stopped.start()
    assert [stopped.wait_end(j)["state"] for j in (running, queued, late)] == ["done"] * 3
    assert stopped.job(running)["attempt"] == 1


def test_drain_with_nothing_to_wait_for(stopped):
    stopped.start("--stop-mode", "drain")
    assert stopped.stop() == 0


@pytest.mark.parametrize("options, again", [(["--drain-timeout", "1"], False), ([], True)])
def test_drain_is_cut_short(stopped, options, again):
    """A drain ends at its time limit or by a second SIGTERM: running jobs are handed back."""
    go = stopped.folder / "go"
    stopped.start("--stop-mode", "drain", *options)
    job = stopped.submit(f"stage resolve\nwait_for {go}\n" + SUCCESS)
    Events(stopped, job).wait("stage")
    stopped.process.send_signal(signal.SIGTERM)
    logged(stopped, "Terminated: stopping")
    if again:
        stopped.process.send_signal(signal.SIGTERM)
    assert stopped.process.wait(LIMIT) == 0
    stopped.reader.join(LIMIT)
    assert any("drain_timeout passed" in line for line in stopped.log) != again
    assert stopped.staged() == []
    go.touch()
    stopped.start()
    assert stopped.wait_end(job)["attempt"] == 2


def test_systemd_is_told(stopped, manager):
    os.environ["WATCHDOG_USEC"] = "300000"
    go = stopped.folder / "go"
    stopped.start("--stop-mode", "drain")
    manager.wait(f"READY=1\nMAINPID={stopped.process.pid}")
    manager.wait("STATUS=0 running, 0 queued")
    wait_until("the watchdog is fed", lambda: manager.kinds().count("WATCHDOG") > 3)
    jobs = [stopped.submit(f"stage resolve\nwait_for {go}\n" + SUCCESS) for _ in range(2)]
    stopped.wait_running(jobs[0])
    manager.wait("STATUS=1 running, 1 queued")
    manager.messages.clear()
    before_us = time.monotonic_ns() // 1000
    reload(stopped, "slots = nonsense\n")
    manager.wait("READY=1")
    assert manager.kinds().index("RELOADING") < manager.kinds().index("READY")
    told = [m for m in manager.messages if m.startswith("RELOADING=1\nMONOTONIC_USEC=")]
    assert before_us <= int(told[0].rpartition("=")[2]) <= time.monotonic_ns() // 1000
    stopped.process.send_signal(signal.SIGTERM)
    manager.wait("STOPPING=1")
    manager.wait("EXTEND_TIMEOUT_USEC=30000000")
    manager.wait("STATUS=Stopping: 1 running, 1 queued")
    go.touch()
    assert stopped.process.wait(LIMIT) == 0


def test_sighup_while_stopping(stopped):
    go = stopped.folder / "go"
    stopped.start("--stop-mode", "drain")
    job = stopped.submit(f"stage resolve\nwait_for {go}\n" + SUCCESS)
    Events(stopped, job).wait("stage")
    stopped.process.send_signal(signal.SIGTERM)
    logged(stopped, "Terminated: stopping")
    stopped.process.send_signal(signal.SIGHUP)
    logged(stopped, "SIGHUP while the daemon stops, ignoring")
    go.touch()
    assert stopped.process.wait(LIMIT) == 0


def test_log_has_no_line_of_others(stopped):
    """Text from outside never starts a log line of its own."""
    stopped.start("--log-level", "debug")
    assert stopped.raw(b"GET /%0a%3c0%3eforged%ff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 404")
    logged(stopped, "'/?<0>forged?' 404")
    assert not [line for line in stopped.log if line.startswith(("<0>", "forged"))]
