"""colconvctl follows jobs."""

import json
import os
import subprocess
import threading
import time

import pytest
from ctl import CTL, EXPORT, ctl, environment, on_terminal, stub, wait_until  # noqa: F401
from stub import Stub, event, job


def test_watch_through_a_pipe(stub):
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: h.events(
        b": comment\n\n",
        event("job", job("queued")), event("job", job()), event("stage", {"stage": "trace", "attempt": 1}),
        event("progress", {"stage": "trace", "done": 1, "total": 2, "unit": "nodes", "detail": "x"}),
        event("log", {"line": "<6>chatter"}), event("log", {"line": "<4>careful\x1b"}),
        event("stage", {"stage": "export", "attempt": 1}), event("job", job("done")))
    r = ctl(stub, "watch", 42)
    assert r.returncode == 0 and r.stdout == ""
    assert r.stderr.splitlines() == ["job 42: queued", "job 42: running", "job 42: trace", "job 42: careful\\x1b",
                                     "job 42: export", "job 42: done; 'colconvctl fetch 42' downloads it"]
    assert "job 42: chatter" in ctl(stub, "watch", "--log", 42).stderr


def test_watch_json(stub):
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: h.events(event("job", job()), event("job", job("done")))
    r = ctl(stub, "watch", "--json", 42)
    assert [json.loads(line)["data"]["state"] for line in r.stdout.splitlines()] == ["running", "done"]


@pytest.mark.parametrize("state,reason,exit_status", [
    ("done", None, 0), ("failed", "trace", 5), ("failed", "io", 5), ("failed", "timeout", 5), ("failed", "parity", 10),
    ("failed", "what", 5), ("cancelled", "cancelled", 6)])
def test_watch_exit_statuses(stub, state, reason, exit_status):
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: h.events(
        event("job", job(state, reason=reason, message="because")))
    r = ctl(stub, "watch", 42)
    assert r.returncode == exit_status
    if state == "failed":
        assert f"job 42: failed ({reason}): because" in r.stderr


def test_watch_several(stub):
    stub.routes["GET", "/v1/jobs/7/events"] = lambda h: h.events(event("job", job("cancelled", id=7)))
    r = ctl(stub, "watch", 7, 42)
    assert r.returncode == 6 and "job 7: cancelled" in r.stderr and "job 42: done" in r.stderr


def test_watch_of_no_job(stub):
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: h.problem(404, "not_found", "there is no job 42")
    assert ctl(stub, "watch", 42).returncode == 3


@pytest.mark.parametrize("stream", [b"", b"hello", b"event: job\ndata: {]\n\n", b"event: job\ndata: 3\n\n"])
def test_watch_of_nonsense(stub, stream):
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: h.events(stream)
    assert ctl(stub, "watch", 42).returncode == 1


def test_watch_of_a_second_attempt(stub):
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: h.events(
        event("job", EXPORT), event("job", job("queued", reason="worker_crashed", message="signal 9")),
        event("job", job(attempt=2)), event("stage", {"stage": "export", "attempt": 2}), event("job", job("done")))
    assert ctl(stub, "watch", 42).stderr.splitlines()[:-1] == [
        "job 42: running", "job 42: export", "job 42: queued again (worker_crashed): signal 9",
        "job 42: running, attempt 2", "job 42: export"]


def test_watch_survives_a_lost_stream(stub):
    stub.routes["GET", "/v1/jobs/42/events"] = [
        lambda h: h.events(event("job", EXPORT)),
        lambda h: h.problem(503, "busy", "starting"),
        lambda h: h.events(event("job", job("done")))]
    r = ctl(stub, "watch", 42)
    assert r.returncode == 0
    assert r.stderr.count("lost the daemon") == 1 and r.stderr.count("the daemon is back") == 1


def test_watch_survives_a_restart():
    first = Stub()
    first.routes["GET", "/v1/jobs/42/events"] = lambda h: h.events(event("job", EXPORT))
    p = subprocess.Popen([CTL, "watch", "42"], env=environment(first), stderr=subprocess.PIPE, text=True)
    wait_until(lambda: first.requests)
    first.close()
    time.sleep(0.4)
    second = Stub(port=first.port)
    try:
        assert p.wait(20) == 0
    finally:
        second.close()
        p.kill()
    assert "the daemon is back" in p.stderr.read()


def test_watch_gives_up(stub):
    hold = threading.Event()

    def silent(h):
        h.events(event("job", job()))
        hold.wait(10)

    stub.routes["GET", "/v1/jobs/42/events"] = silent
    r = ctl(stub, "watch", 42, "--timeout", 1)
    hold.set()
    assert r.returncode == 7 and "gave up after 1 s before the job ended" in r.stderr
    stub.routes["GET", "/v1/jobs/42/events"] = [lambda h: h.events(event("job", job())),
                                                lambda h: h.problem(503, "busy", "no")]
    r = ctl(stub, "watch", 42, "--timeout", 1)
    assert r.returncode == 9 and "gave up after 1 s without the daemon" in r.stderr


def long_job(finish):
    def run(h):
        h.events(event("job", EXPORT))
        for done in (1000, 2000, 3000):
            time.sleep(0.06)
            h.wfile.write(event("progress", {"stage": "export", "done": done, "total": 4000, "unit": "bytes",
                                             "detail": "lm.03.mlp"}))
            h.wfile.flush()
        finish.wait(10)
        h.wfile.write(event("job", job("done")))
    return run


def test_watch_on_a_terminal(stub):
    finish = threading.Event()
    stub.routes["GET", "/v1/jobs/42/events"] = long_job(finish)
    shown, status = on_terminal(["watch", 42], b" 75%", lambda fd: finish.set(), **environment(stub, TERM="xterm"))
    assert status == 0
    assert "\r\x1b[J" in shown and "\x1b[32m" in shown
    assert "3.00 kB of 4.00 kB" in shown and "kB/s" in shown and " left" in shown
    assert "3.00 kB in " in shown and "job 42: done" in shown


def test_watch_without_colour_or_redrawing(stub):
    finish = threading.Event()
    stub.routes["GET", "/v1/jobs/42/events"] = long_job(finish)
    shown, _ = on_terminal(["watch", 42], b" 75%", lambda fd: finish.set(),
                           **environment(stub, TERM="xterm", NO_COLOR="1"))
    assert "\x1b[J" in shown and "\x1b[32m" not in shown
    finish.set()
    shown, _ = on_terminal(["watch", 42], b"export", lambda fd: None, **environment(stub, TERM="dumb"))
    assert "\x1b" not in shown and "job 42: export\r\n" in shown and "%" not in shown


def test_ctrl_c_detaches(stub):
    finish = threading.Event()
    stub.routes["GET", "/v1/jobs/42/events"] = long_job(finish)
    shown, status = on_terminal(["watch", 42], b" 75%", lambda fd: os.write(fd, b"\x03"),
                                **environment(stub, TERM="xterm"))
    finish.set()
    assert status == 0 and "come back with 'colconvctl watch 42'" in shown
    assert stub.asked("POST", "/v1/jobs/42/cancel") == []
