"""Events: streams, histories, logs, and requests that wait."""

import http.client
import socket
import threading
import time

import pytest
from conftest import LIMIT, SUCCESS, Events, UnixConnection, wait_until


def history(daemon, job, limit=7):
    """Reads the whole history, page by page."""
    events, after = [], 0
    while after is not None:
        page = daemon.get(f"/v1/jobs/{job}/history?after={after}&limit={limit}").json
        events += page["events"]
        assert page["next"] is None or page["next"] == str(page["events"][-1]["id"])
        after = page["next"]
    return events


def test_events(daemon, tmp_path):
    go = tmp_path / "go"
    job = daemon.submit(f"wait_for {go}\nstage resolve\nprogress 1 2\nlog h\xe9llo\nsleep 0.02\nartifact\nresult\n")
    daemon.wait_running(job)
    stream = Events(daemon, job)
    events = iter(stream)
    seen = [next(events)]
    go.touch()
    seen += list(events)
    assert [(name, data.get("state")) for name, data, _ in seen] == [
        ("job", "running"), ("stage", None), ("progress", None), ("log", None), ("state", "done"), ("job", "done")]
    assert seen[1][1] == {"job": job, "stage": "resolve", "attempt": 1}
    assert seen[2][1:] == ({"job": job, "done": 1, "total": 2, "unit": "bytes", "detail": "lm.03.mlp",
                            "stage": "resolve"}, None)
    assert seen[3][1] == {"job": job, "line": "h\xe9llo"}
    assert seen[4][1] == {"job": job, "state": "done", "attempt": 1, "reason": None, "message": None}
    assert seen[-1][1] == daemon.job(job)
    ids = [number for name, _, number in seen if number]
    assert ids == [2, 3, 4, 5, 5]


def test_events_of_an_ended_job(daemon):
    job = daemon.submit()
    last = daemon.wait_end(job)["event"]
    assert [(n, d["state"]) for n, d, _ in Events(daemon, job)] == [("job", "done")]
    assert [(n, d["state"], i) for n, d, i in Events(daemon, job, last=last)] == [("job", "done", last)]


def test_history_is_what_streams_say(daemon):
    job = daemon.submit(SUCCESS)
    live = [(i, n, d) for n, d, i in Events(daemon, job, last=0) if i][:-1]
    told = history(daemon, job)
    assert [(e["id"], e["event"], e["data"]) for e in told] == live
    assert [e["data"]["state"] for e in told if e["event"] == "state"] == ["queued", "running", "done"]
    assert [e["data"]["stage"] for e in told if e["event"] == "stage"] == ["resolve", "export"]
    assert [e["data"]["line"] for e in told if e["event"] == "log"] == ["hello"]
    assert {e["job"] for e in told} == {job}
    assert [e["at"] for e in told] == sorted(e["at"] for e in told)
    again = [(i, n, d) for n, d, i in Events(daemon, job, last=told[2]["id"])]
    assert again[:-1] == live[3:]
    assert again[-1][:2] == (told[-1]["id"], "job")


def test_failed_attempts_are_told(daemon, tmp_path):
    job = daemon.submit(f"log before\nonce {tmp_path}/once exit 3\n" + SUCCESS)
    daemon.wait_end(job)
    told = [tuple(e["data"].get(k) for k in ("state", "attempt", "reason", "line")) for e in history(daemon, job)
            if e["event"] != "stage"]
    assert told == [
        ("queued", 0, None, None), ("running", 1, None, None), (None, None, None, "before"),
        ("queued", 1, "worker_crashed", None), ("running", 2, None, None), (None, None, None, "attempt 2"),
        (None, None, None, "before"), (None, None, None, "hello"), ("done", 2, None, None)]
    assert [e["data"]["attempt"] for e in history(daemon, job) if e["event"] == "stage"] == [2, 2]


def test_events_of_all_jobs(daemon):
    stream = Events(daemon)
    events = iter(stream)
    assert next(events) == ("ready", {}, 0) and stream.last == 0
    jobs = [daemon.submit() for _ in range(3)]
    seen = []
    while sum(data.get("state") == "done" for _, data, _ in seen) < 3:
        seen.append(next(events))
    stream.close()
    assert {name for name, _, _ in seen} == {"state", "stage", "progress"}
    numbered = [(i, n, d) for n, d, i in seen if i]
    want = sorted((e["id"], e["event"], e["data"]) for job in jobs for e in history(daemon, job) if e["event"] != "log")
    assert numbered == want
    assert [d for _, d, _ in seen if "done" in d] and all("job" in d for _, d, _ in seen)
    # After what was seen, and from the start.
    for last in 0, want[4][0]:
        again = iter(Events(daemon, last=last))
        assert [next(again)[::-1][:1] for _ in range(len([w for w in want if w[0] > last]))] == [
            (w[0],) for w in want if w[0] > last]


def test_a_replay_has_a_limit(stopped):
    """A client that missed more events than the limit starts again: with the job's document, or with `ready`."""
    stopped.start("--replay-max", "5", "--slots", "2")
    quiet, loud = stopped.submit("hang\n"), stopped.submit(30 * "log line\n" + SUCCESS)
    stopped.wait_running(quiet)
    newest = stopped.wait_end(loud)["event"]
    assert [(n, i) for n, _, i in Events(stopped, loud, last=0)] == [("job", newest)]
    assert next(iter(Events(stopped, last=0))) == ("ready", {}, newest)
    assert len(list(Events(stopped, loud, last=newest - 5))) == 6
    # Of a job its own events count alone.
    first = next(iter(Events(stopped, quiet, last=0)))
    assert (first[0], first[1]["state"]) == ("state", "queued")


def test_an_event_that_never_was(daemon):
    """The client's last event does not exist, as after a change of the database: it starts again."""
    job = daemon.submit()
    daemon.wait_end(job)
    assert [n for n, _, _ in Events(daemon, job, last=2**63 - 1)] == ["job"]
    assert next(iter(Events(daemon, last=12345)))[0] == "ready"


@pytest.mark.parametrize("value", ["x", "-1", "1x", "0x10", "1.5", "", "9223372036854775808", "9" * 100, "\xe9"])
@pytest.mark.parametrize("path", ["/v1/jobs/1/events", "/v1/events"])
def test_bad_last_event_id(daemon, path, value):
    daemon.submit("hang\n")
    answer = daemon.request("GET", path, headers={"Last-Event-ID": value})
    assert (answer.status, answer.json["code"], answer.json["field"]) == (400, "bad_request", "Last-Event-ID")


@pytest.mark.parametrize("query, field", [
    ("?wait=301", "wait"), ("?wait=-1", "wait"), ("?wait=x", "wait"), ("?wait", "wait"), ("?after=-1", "after"),
    ("?after=9223372036854775808", "after"), ("?wate=1", "wate"), ("/history?limit=0", "limit"),
    ("/history?limit=1001", "limit"), ("/history?wait=301", "wait"), ("/history?after=x", "after"),
    ("/history?tail=1", "tail"), ("/log?tail=-1", "tail"), ("/log?tail=1000001", "tail"), ("/log?wait=1", "wait"),
    ("/events?after=1", "after"),
])
def test_bad_parameters(daemon, query, field):
    job = daemon.submit("hang\n")
    answer = daemon.get(f"/v1/jobs/{job}{query}")
    assert (answer.status, answer.json["code"], answer.json["field"]) == (400, "bad_request", field)


@pytest.mark.parametrize("path", ["?wait=1", "/history", "/history?wait=1", "/log", "/events"])
def test_of_no_job(daemon, path):
    assert daemon.get(f"/v1/jobs/7{path}").status == 404


def test_heartbeat(stopped):
    stopped.start("--heartbeat", "1")
    job = stopped.submit("hang\n")
    for stream in Events(stopped, job), Events(stopped):
        assert any(line == b":\n" for line in stream.response)


def test_streams_have_a_limit(stopped):
    """Waiting requests count as well."""
    stopped.start("--streams-max", "3")
    job = stopped.submit("hang\n")
    streams = [Events(stopped, job), Events(stopped, job)]
    waiting = stopped.connect()
    waiting.request("GET", f"/v1/jobs/{job}?wait=60")
    for _ in range(2):  # requests after it: it waits by now
        stopped.get("/healthz")
    for path in f"/v1/jobs/{job}/events", "/v1/events", f"/v1/jobs/{job}?wait=1":
        answer = stopped.get(path)
        assert (answer.status, answer.json["code"]) == (503, "busy")
    assert stopped.get(f"/v1/jobs/{job}").status == 200
    stopped.post(f"/v1/jobs/{job}/cancel")
    for stream in streams:
        assert list(stream)[-1][1]["state"] == "cancelled"
    assert b'"cancelled"' in waiting.getresponse().read()
    assert next(iter(Events(stopped)))[0] == "ready"


def test_a_job_is_removed_under_those_who_watch(daemon):
    """The job's streams end, a stream of all jobs continues, and waiting requests are told that the job was removed."""
    job = daemon.submit("fail trace no\n")
    newest = daemon.wait_end(job)["event"]
    everything = iter(Events(daemon))
    assert next(everything)[0] == "ready"
    waiting = daemon.connect()
    waiting.request("GET", f"/v1/jobs/{job}?wait=60&after={newest}")
    for _ in range(2):  # requests after it: it waits by now
        daemon.get("/healthz")
    assert daemon.request("DELETE", f"/v1/jobs/{job}").status == 204
    assert next(everything) == ("removed", {"job": job}, None)
    response = waiting.getresponse()
    assert (response.status, b'"not_found"' in response.read()) == (404, True)
    for path in "events", "history", "log":
        assert daemon.get(f"/v1/jobs/{job}/{path}").status == 404
    # Its events are gone from every replay, and ids go on.
    again = daemon.submit()
    seen = iter(Events(daemon, last=0))
    assert next(seen) == ("state", {"job": again, "state": "queued", "attempt": 0, "reason": None, "message": None},
                          newest + 1)


def test_a_job_is_removed_under_a_slow_reader(stopped):
    """The job is removed in the middle of the replay."""
    job, slow = slow_reader(stopped)
    (stopped.folder / "go2").touch()
    stopped.wait_end(job)
    assert stopped.request("DELETE", f"/v1/jobs/{job}").status == 204
    seen = list(slow)
    assert seen[-1] == ("removed", {"job": job}, None)
    assert 10 < len(seen) < 1102


# More than a socket's buffer holds.
FLOOD = 100 * f"log {'x' * 990}\n" + "".join(f"stage {'s' * 26}{i}\n" for i in range(1000))


def slow_reader(daemon, *options):
    """A stream that is not read, for a job with more events than the socket's buffer holds."""
    path = daemon.folder / "sock"
    daemon.start("--listen", f"unix:{path}", "--stream-backlog", "4096", *options)
    go = daemon.folder / "go"
    job = daemon.submit(f"wait_for {go}\n{FLOOD}" + 5 * "progress 1 1\n" + f"touch {go}1\nwait_for {go}2\n{SUCCESS}")
    connect, daemon.connect = daemon.connect, lambda: UnixConnection(path)
    slow = Events(daemon, job)
    daemon.connect = connect
    go.touch()
    wait_until("all was said", (daemon.folder / "go1").exists)
    wait_until("all is written down", lambda: len(history(daemon, job, 1000)) == 1102, 2 * LIMIT)
    return job, slow


def test_slow_reader_of_events_holds_up_nobody_and_misses_nothing(stopped):
    """Events that do not fit into the socket and the backlog are read from the queue later. Progress events are not: only the newest matters."""
    job, slow = slow_reader(stopped)
    assert stopped.job(job)["state"] == "running"
    (stopped.folder / "go2").touch()
    stopped.wait_end(job)
    seen = list(slow)
    told = [(e["event"], e["data"], e["id"]) for e in history(stopped, job, 1000)]
    assert seen[0][0] == "job" and seen[-1][:2] == ("job", stopped.job(job))
    assert [e for e in seen[1:-1] if e[2]] == [e for e in told if e[2] > seen[0][2]]
    assert "progress" not in [name for name, data, _ in seen if data.get("stage") != "resolve"]


def test_reader_that_takes_nothing_is_cut_off(stopped):
    """Closed like any idle connection. It reconnects, and has missed nothing."""
    job, slow = slow_reader(stopped, "--connection-idle", "1")

    def connections():
        with open("/proc/net/unix") as f:
            return sum(line.split()[5] == "03" and line.endswith(f" {stopped.folder}/sock\n") for line in f)

    wait_until("it is cut off", lambda: connections() == 0)
    with pytest.raises((http.client.IncompleteRead, AssertionError)):
        slow.wait("job", lambda j: j["state"] == "done")
    assert 2 < slow.last < stopped.job(job)["event"]
    again = iter(Events(stopped, job, last=slow.last))
    assert next(again)[2] == slow.last + 1
    (stopped.folder / "go2").touch()
    assert list(again)[-1][1]["state"] == "done"


def test_a_hundred_subscribers(daemon, tmp_path):
    """Subscribers of one job and of all jobs; each receives all events in order."""
    go = tmp_path / "go"
    job = daemon.submit(f"wait_for {go}\n" + "".join(f"stage s{i}\nlog line {i}\n" for i in range(20)) + SUCCESS)
    streams = [Events(daemon, job, last=0) for _ in range(70)] + [Events(daemon, last=0) for _ in range(30)]
    go.touch()
    daemon.wait_end(job)
    told = [(e["event"], e["data"], e["id"]) for e in history(daemon, job)]
    for stream in streams[:70]:
        assert [e for e in stream if e[2]][:-1] == told
    told = [e for e in told if e[0] != "log"]
    for stream in streams[70:]:
        events = iter(stream)
        numbered = []
        while len(numbered) < len(told):
            numbered += [e for e in [next(events)] if e[2]]
        assert numbered == told


def test_head_of_a_stream(daemon):
    """HEAD opens no stream, and the connection stays usable."""
    job = daemon.submit("hang\n")
    connection = daemon.connect()
    for path in f"/v1/jobs/{job}/events", "/v1/events", f"/v1/jobs/{job}/log", f"/v1/jobs/{job}/history":
        connection.request("HEAD", path)
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"")
    connection.close()


def test_wait_for_the_end(daemon, tmp_path):
    go = tmp_path / "go"
    job = daemon.submit(f"wait_for {go}\n" + SUCCESS)
    connections = [daemon.connect() for _ in range(20)]
    for connection in connections:
        connection.request("GET", f"/v1/jobs/{job}?wait=60")
    go.touch()
    for connection in connections:
        assert b'"done"' in connection.getresponse().read()
    assert daemon.get(f"/v1/jobs/{job}?wait=300").json["state"] == "done"  # at once, or the connection gives up


def test_wait_for_an_event(daemon, tmp_path):
    """Each answer is the job with a later event; the last one is its end."""
    go = tmp_path / "go"
    job = daemon.submit(f"wait_for {go}\n" + SUCCESS)
    daemon.wait_running(job)
    doc, seen = daemon.job(job), []
    go.touch()
    while doc["state"] != "done":
        seen.append(doc["event"])
        doc = daemon.get(f"/v1/jobs/{job}?wait=60&after={doc['event']}").json
    assert seen == sorted(set(seen))


def test_wait_for_history(daemon, tmp_path):
    go = tmp_path / "go"
    job = daemon.submit(f"wait_for {go}\n" + SUCCESS)
    got, threads = [], []
    daemon.wait_running(job)

    def follow():
        mine, after = [], 0
        while not mine or mine[-1]["data"].get("state") != "done":
            mine += daemon.get(f"/v1/jobs/{job}/history?after={after}&wait=60").json["events"]
            after = mine[-1]["id"]
        got.append(mine)

    threads = [threading.Thread(target=follow) for _ in range(5)]
    for thread in threads:
        thread.start()
    go.touch()
    for thread in threads:
        thread.join()
    assert got == 5 * [history(daemon, job)]


def test_wait_is_over_after_its_time(daemon):
    job = daemon.submit("hang\n")
    daemon.wait_running(job)
    started = time.monotonic()
    assert daemon.get(f"/v1/jobs/{job}?wait=1").json["state"] == "running"
    assert daemon.get(f"/v1/jobs/{job}/history?after=1000&wait=1").json == {"events": [], "next": None}
    assert time.monotonic() - started >= 2
    assert daemon.get(f"/v1/jobs/{job}?wait=0&after=1000").json["state"] == "running"


def test_who_waits_gets_an_answer_when_the_daemon_stops(stopped):
    stopped.start()
    job = stopped.submit("hang\n")
    stopped.wait_running(job)
    connections = [stopped.connect() for _ in range(3)]
    for connection in connections:
        connection.request("GET", f"/v1/jobs/{job}?wait=300")
    for _ in range(2):  # requests after those: they wait by now
        stopped.get("/healthz")
    assert stopped.stop() == 0
    for connection in connections:
        assert b'"running"' in connection.getresponse().read()


@pytest.mark.parametrize("path", ["/v1/jobs/{}?wait=300", "/v1/jobs/{}/history?after=1000&wait=300",
                                  "/v1/jobs/{}/events", "/v1/events"])
def test_who_goes_away_takes_no_place(stopped, path):
    stopped.start("--streams-max", "5", "--heartbeat", "3600")
    job = stopped.submit("hang\n")
    wait_until("it runs", lambda: stopped.job(job)["state"] == "running")
    for _ in range(3):
        left = [stopped.connect() for _ in range(5)]
        for connection in left:
            connection.request("GET", path.format(job))
        wait_until("all places are taken", lambda: stopped.request("HEAD", "/v1/events").status == 503)
        for connection in left:
            connection.close()
        wait_until("all places are free", lambda: stopped.request("HEAD", "/v1/events").status == 200)


def test_who_says_no_more_may_read_on(daemon):
    """A client may close its sending side after the request, as `nc -N` does."""
    job = daemon.submit("hang\n")
    daemon.wait_running(job)
    wait_until("that stream is over", lambda: b"\ncolconv_event_streams 0\n" in daemon.get("/metrics").body)
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=LIMIT) as s:
        s.sendall(f"GET /v1/jobs/{job}?wait=300 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        s.shutdown(socket.SHUT_WR)
        assert b'"running"' in s.recv(65536)


def test_progress_does_not_overtake_its_stage(daemon, tmp_path):
    """This also holds for stages that are not committed at once."""
    go = tmp_path / "go"
    stages = [f"s{i}" for i in range(60)]
    script = "".join(f"stage {s}\nprogress 1 1\n" for s in stages)
    job = daemon.submit(f"wait_for {go}\n{script}artifact\nresult\n")
    daemon.wait_running(job)
    stream = Events(daemon, job)
    go.touch()
    told, progress = [], 0
    for name, data, _ in stream:
        if name == "stage":
            told.append(data["stage"])
        elif name == "progress":
            assert data["stage"] == told[-1]
            progress += 1
    stream.close()
    assert told == stages and progress == len(stages)
    assert [e["data"]["stage"] for e in history(daemon, job) if e["event"] == "stage"] == stages


def log_lines(daemon, job, query=""):
    answer = daemon.get(f"/v1/jobs/{job}/log{query}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    return [line.split(" ", 1)[1] for line in answer.body.decode().split("\n")[:-1]]


def test_log(daemon):
    job = daemon.submit("log one\nlog two \xe9\u4e2d\U0001f600\nlog tab\there \x1b[31mred\x07\x7f\nlog \nlog last\n" + SUCCESS)
    daemon.wait_end(job)
    lines = log_lines(daemon, job)
    assert lines == ["one", "two \xe9\u4e2d\U0001f600", lines[2], "last", "hello"]
    assert not any(ord(c) < 32 or ord(c) == 127 for c in lines[2]) and "red" in lines[2]
    assert log_lines(daemon, job, "?tail=2") == ["last", "hello"]
    assert log_lines(daemon, job, "?tail=0") == []
    assert log_lines(daemon, job, "?tail=1000000") == lines


def test_log_of_bytes_that_are_no_text(daemon):
    job = daemon.submit("bytes_to_stderr 5000\n" + SUCCESS)
    daemon.wait_end(job)
    assert log_lines(daemon, job) == [1000 * "?", "hello"]


def test_log_of_a_job_that_did_not_begin(stopped):
    stopped.start()
    stopped.wait_running(stopped.submit("hang\n"))
    assert log_lines(stopped, stopped.submit()) == []


def test_log_has_a_limit(stopped, tmp_path):
    """The limit is for all attempts together; the last line says once that the log is full."""
    stopped.start("--log-max", "8192")
    noise = 20 * f"log {'x' * 900}\n"
    job = stopped.submit(f"{noise}once {tmp_path}/once exit 3\n{noise}" + SUCCESS)
    assert stopped.wait_end(job)["attempt"] == 2
    body = stopped.get(f"/v1/jobs/{job}/log").body
    assert 6000 < len(body) <= 8192
    lines = log_lines(stopped, job)
    assert lines[-1] == "(the log is full, at 8192 bytes)"
    assert set(lines[:-1]) == {900 * "x"}
    assert [e["data"] for e in history(stopped, job) if e["event"] == "stage"]


def test_a_flood_of_stages_is_not_written_down(daemon):
    job = daemon.submit("".join(f"stage s{i}\n" for i in range(1100)) + "log end\n" + SUCCESS)
    assert daemon.wait_end(job)["state"] == "done"
    assert sum(e["event"] == "stage" for e in history(daemon, job, 1000)) == 1000
