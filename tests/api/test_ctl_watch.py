"""colconvctl follows jobs."""

import json
import os
import re
import subprocess
import threading

import pytest
from ctl import CTL, EXPORT, ctl, environment, on_terminal, render, stub, wait_until  # noqa: F401
from stub import Stub, event, job, state


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
    while "lost the daemon" not in (line := p.stderr.readline()):
        assert line, "it ended"
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


class LongJob:
    """A job that goes to 25, 50 and 75 percent and then ends; each call of go_on() moves it one step."""

    def __init__(self, stub):
        self.going_on = threading.Semaphore(0)
        stub.routes["GET", "/v1/jobs/42/events"] = self.run

    def go_on(self, fd=None):
        self.going_on.release()

    def to_75_percent(self, then):
        """Steps for on_terminal(): each percentage must be on the screen before the next step."""
        return b" 25%", self.go_on, b" 50%", self.go_on, b" 75%", then

    def run(self, h):
        h.events(event("job", EXPORT))
        for done in (1000, 2000, 3000):
            h.wfile.write(event("progress", {"stage": "export", "done": done, "total": 4000, "unit": "bytes",
                                             "detail": "lm.03.mlp"}))
            h.wfile.flush()
            self.going_on.acquire(timeout=10)
        h.wfile.write(event("job", job("done")))


def test_watch_on_a_terminal(stub):
    long_job = LongJob(stub)
    shown, status = on_terminal(["watch", 42], *long_job.to_75_percent(long_job.go_on), **environment(stub, TERM="xterm"))
    assert status == 0
    assert "\r\x1b[J" in shown and "\x1b[32m" in shown
    assert "3.00 kB of 4.00 kB" in shown and "kB/s" in shown and " left" in shown
    assert "3.00 kB in " in shown and "job 42: done" in shown


def test_watch_without_colour_or_redrawing(stub):
    long_job = LongJob(stub)
    shown, _ = on_terminal(["watch", 42], *long_job.to_75_percent(long_job.go_on),
                           **environment(stub, TERM="xterm", NO_COLOR="1"))
    assert "\x1b[J" in shown and "\x1b[32m" not in shown
    for _ in range(3):
        long_job.go_on()
    shown, _ = on_terminal(["watch", 42], **environment(stub, TERM="dumb"))
    assert "\x1b" not in shown and "job 42: export\r\n" in shown and "%" not in shown


def test_ctrl_c_detaches(stub):
    long_job = LongJob(stub)
    shown, status = on_terminal(["watch", 42], *long_job.to_75_percent(lambda fd: os.write(fd, b"\x03")),
                                **environment(stub, TERM="xterm"))
    long_job.go_on()
    assert status == 0 and "come back with 'colconvctl watch 42'" in shown
    assert stub.asked("POST", "/v1/jobs/42/cancel") == []


# What the contract says of streams

def test_watch_of_changes_that_are_told_alone(stub):
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: h.events(
        event("job", job("queued", waiting={"for": "slot", "ahead": 2, "until": None}), 5), state("running", 6),
        event("stage", {"job": 42, "stage": "export", "attempt": 1}, 7),
        state("queued", 8, reason="worker_crashed", message="signal 9"), state("running", 9, attempt=2),
        event("stage", {"job": 42, "stage": "export", "attempt": 2}, 10), state("done", 11, attempt=2),
        event("job", job("done", attempt=2)))
    assert ctl(stub, "watch", 42).stderr.splitlines() == [
        "job 42: queued, 2 ahead", "job 42: running", "job 42: export",
        "job 42: queued again (worker_crashed): signal 9", "job 42: running, attempt 2", "job 42: export",
        "job 42: done; 'colconvctl fetch 42' downloads it"]


def test_watch_goes_on_after_the_last_event(stub):
    stub.routes["GET", "/v1/jobs/42/events"] = [
        lambda h: h.events(event("job", EXPORT, 5), event("log", {"line": "<4>once"}, 6), b"id: 99\nevent: log\ndata: {"),
        lambda h: h.events(state("done", 7), event("job", job("done")))]
    r = ctl(stub, "watch", 42)
    assert r.returncode == 0 and r.stderr.count("once") == 1
    assert [h.get("Last-Event-ID") for h in stub.headers] == [None, "6"]


def test_ids_that_are_no_numbers_are_not_sent_back(stub):
    stub.routes["GET", "/v1/jobs/42/events"] = [
        lambda h: h.events(b"id: 1\rX: y\n" + event("job", EXPORT)), lambda h: h.events(event("job", job("done")))]
    assert ctl(stub, "watch", 42).returncode == 0
    assert stub.headers[-1].get("Last-Event-ID") is None


# Many jobs

def jobs(stub, **ends):
    """Routes for jobs j1, j2, ... that end as given."""
    for name, end in ends.items():
        number = int(name[1:])
        reason = None if end in ("done", "cancelled") else end
        end = "failed" if reason else end
        stub.routes["GET", f"/v1/jobs/{number}/events"] = lambda h, n=number, e=end, r=reason: h.events(
            event("job", job(id=n), 1), event("job", job(e, id=n, reason=r, message="because")))


@pytest.mark.parametrize("ends,exit_status", [
    ({"j1": "done", "j2": "done"}, 0), ({"j1": "done", "j2": "cancelled"}, 6), ({"j1": "cancelled", "j2": "parity"}, 10),
    ({"j1": "parity", "j2": "io", "j3": "cancelled"}, 5), ({"j1": "done", "j2": "timeout"}, 5)])
def test_wait(stub, ends, exit_status):
    jobs(stub, **ends)
    r = ctl(stub, "wait", *[n[1:] for n in ends])
    assert r.returncode == exit_status and r.stdout == ""
    told = {line.split(":")[0] for line in r.stderr.splitlines()}
    assert told == {f"job {n[1:]}" for n, e in ends.items() if e != "done"}
    docs = json.loads(ctl(stub, "wait", "--json", *[n[1:] for n in ends]).stdout)
    assert [d["id"] for d in docs] == [int(n[1:]) for n in ends]


def test_wait_gives_up(stub):
    hold = threading.Event()
    jobs(stub, j1="done")
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: (h.events(event("job", EXPORT)), hold.wait(10))
    r = ctl(stub, "wait", 1, 42, "--timeout", "1s")
    hold.set()
    assert r.returncode == 7
    assert r.stderr == "colconvctl: gave up after 1 s before the job ended; come back with 'colconvctl wait 42'\n"


def test_wait_for_no_job(stub):
    jobs(stub, j1="done")
    assert ctl(stub, "wait", 1, 99).returncode == 3


def test_watch_of_all_that_live(stub):
    stub.routes["GET", "/v1/jobs"] = lambda h: h.answer(200, {"jobs": [job(id=2), job("queued", id=1)], "next": None})
    jobs(stub, j1="done", j2="done")
    r = ctl(stub, "watch")
    assert r.returncode == 0 and stub.requests[0][1] == "/v1/jobs?state=queued,running&limit=64"
    assert "job 1: done" in r.stderr and "job 2: done" in r.stderr
    stub.routes["GET", "/v1/jobs"] = lambda h: h.answer(200, {"jobs": [], "next": None})
    r = ctl(stub, "watch")
    assert r.returncode == 0 and r.stderr == "colconvctl: no job waits or runs\n"


def test_watch_of_many_at_once_on_a_terminal(stub):
    """Each job has its own line, redrawn in place; the lines of finished jobs stay above."""
    finish, last = threading.Event(), threading.Event()

    def running(h, number, done):
        h.events(event("job", job(id=number)), event("stage", {"stage": "export", "attempt": 1}),
                 event("progress", {"stage": "export", "done": done, "total": 100, "unit": "nodes", "detail": ""}))
        finish.wait(10)
        if number == 2:
            last.wait(10)
        h.wfile.write(event("job", job("done", id=number)))

    def waiting(h):
        h.events(event("job", job("queued", id=3, waiting={"for": "slot", "ahead": 4, "until": None})))
        last.wait(10)
        h.wfile.write(event("job", job("cancelled", id=3)))

    stub.routes["GET", "/v1/jobs/1/events"] = lambda h: running(h, 1, 25)
    stub.routes["GET", "/v1/jobs/2/events"] = lambda h: running(h, 2, 75)
    stub.routes["GET", "/v1/jobs/3/events"] = waiting
    shown, status = on_terminal(["watch", 1, 2, 3], b"(?s)25%.*75%.*4 ahead", lambda fd: finish.set(),
                                b"job 1: done", lambda fd: last.set(), **environment(stub, TERM="xterm", NO_COLOR="1"))
    assert status == 6
    screen = render(shown)
    assert "job 3: queued, 4 ahead" in shown and "\x1b[2A\r\x1b[J" in shown
    for line in ("job 1: done; 'colconvctl fetch 1' downloads it", "job 2: done; 'colconvctl fetch 2' downloads it",
                 "job 3: cancelled"):
        assert screen.count(line) == 1
    stages = [line for line in screen if "export" in line]
    assert len(screen) == 5 and re.match(r"job 1: export +25 nodes in \d", stages[0]), screen


def test_ctrl_c_leaves_many_to_themselves(stub):
    finish = threading.Event()
    for n in (1, 2):
        stub.routes["GET", f"/v1/jobs/{n}/events"] = lambda h, n=n: (
            h.events(event("job", {**EXPORT, "id": n})), finish.wait(10))
    jobs(stub, j3="done")
    shown, status = on_terminal(["watch", 1, 2, 3], b"job 3: done", lambda fd: os.write(fd, b"\x03"),
                                **environment(stub, TERM="xterm"))
    finish.set()
    assert status == 0 and "detached; the jobs continue; come back with 'colconvctl watch 1 2'" in shown


def test_a_board_higher_than_the_terminal(stub):
    finish = threading.Event()
    numbers = range(1, 31)
    for n in numbers:
        stub.routes["GET", f"/v1/jobs/{n}/events"] = lambda h, n=n: (
            h.events(event("job", job("queued", id=n))), finish.wait(10), h.wfile.write(event("job", job("done", id=n))))
    shown, status = on_terminal(["watch", *numbers], b"and 8 more", lambda fd: finish.set(),
                                **environment(stub, TERM="xterm"))
    assert status == 0 and "... and 8 more" in shown


@pytest.mark.parametrize("line, shown", [("<3>trace: it broke", 1), ("<3>the disk is odd", 2)])
def test_a_failure_is_told_once(stub, line, shown):
    """The worker logs the failure and the job's message repeats it, but it is printed only once."""
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: h.events(
        event("job", EXPORT, 5), event("log", {"line": line}, 6),
        event("job", job("failed", reason="trace", message="it broke"), 7))
    lines = [x for x in ctl(stub, "watch", 42).stderr.splitlines() if "it broke" in x or "odd" in x]
    assert len(lines) == shown and lines[-1].startswith("job 42: failed (trace): it broke; ")
