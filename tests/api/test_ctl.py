"""colconvctl as its users meet it: against a scripted daemon, and with a scripted worker."""

import hashlib
import json
import os
import pty
import select
import signal
import socket
import subprocess
import threading
import time

import pytest
import stub as daemon
from stub import FILES, Stub, event, job

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("COLCONV_BUILD", TOP)
CTL = os.path.join(BUILD, "colconvctl")
WORKER = os.path.join(BUILD, "tests", "api", "fake_worker")
COMMANDS = ["submit", "list", "show", "watch", "cancel", "fetch", "parity", "convert", "inspect", "version", "help"]

EXPORT = job(stage="export", progress={"done": 0, "total": 4000, "unit": "bytes", "detail": "lm.00"})


@pytest.fixture
def stub():
    s = Stub()
    yield s
    s.close()


def environment(server=None, **more):
    env = {k: v for k, v in os.environ.items() if k not in ("COLCONV_SERVER", "NO_COLOR")}
    env.update(more)
    if server:
        env["COLCONV_SERVER"] = server.url
    return env


def ctl(server, *args, cwd=None, **env):
    return subprocess.run([CTL, *map(str, args)], env=environment(server, **env), cwd=cwd, timeout=30, text=True,
                          capture_output=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


# The command line

@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(command):
    for r in (ctl(None, command, "--help"), ctl(None, command, "-h"), ctl(None, "help", command)):
        assert r.returncode == 0 and r.stderr == ""
        assert r.stdout.startswith(f"Usage: colconvctl {command}")
        assert "--json" in r.stdout and "--server URL" in r.stdout


def test_help_lists_the_commands():
    shown = ctl(None, "--help").stdout
    assert all(f"  {c} " in shown for c in COMMANDS)
    assert [c["name"] for c in json.loads(ctl(None, "help", "--json").stdout)] == COMMANDS


@pytest.mark.parametrize("args,words", [
    ([], "Usage: colconvctl"),
    (["bogus"], "there is no command 'bogus'"),
    (["help", "bogus"], "there is no command 'bogus'"),
    (["list", "--bogus"], "there is no option '--bogus'; see 'colconvctl list --help'"),
    (["list", "x"], "list does not take 'x'"),
    (["list", "--limit", "0"], "--limit must be from 1 to 1000"),
    (["show"], "show needs ID"),
    (["show", "x"], "a job's id must be a whole number, not 'x'"),
    (["show", "0"], "a job's id must be from 1"),
    (["watch", "1", "--timeout", "soon"], "--timeout must be a whole number"),
    (["submit"], "submit needs MODEL, or a --file with one"),
    (["submit", "/", "--no-parity", "--seed", "1"], "--seed has no use when parity is not checked"),
    (["submit", "no/such/folder"], "cannot find 'no/such/folder': No such file or directory"),
    (["submit", "--file", "/no/such/file"], "cannot open '/no/such/file'"),
    (["convert", "/"], "convert needs --output DIR"),
    (["convert", "/", "-o", "x", "--dtype", "fp8"], "dtype must be"),
    (["list", "--server", "ftp://x"], "the server must be http://HOST:PORT or unix:/PATH, not 'ftp://x'"),
    (["list", "--server", "unix:relative"], "the server must be"),
])
def test_usage_errors(stub, tmp_path, args, words):
    r = ctl(stub, *args, cwd=tmp_path)
    assert r.returncode == 2 and r.stdout == ""
    assert words in r.stderr
    assert stub.requests == []


@pytest.mark.parametrize("args", [["list"], ["show", "42"], ["watch", "42"], ["cancel", "42"], ["fetch", "42"],
                                  ["parity", "42"], ["submit", "/"]])
def test_unreachable(tmp_path, args):
    url = f"http://127.0.0.1:{free_port()}"
    r = ctl(None, *args, COLCONV_SERVER=url, cwd=tmp_path)
    assert r.returncode == 9 and r.stdout == ""
    assert r.stderr == (f"colconvctl: cannot reach the daemon at {url}: Connection refused; "
                        "is colconvd running? (systemctl status colconvd, or --server)\n")
    r = ctl(None, *args, "--server", f"unix:{tmp_path}/none", cwd=tmp_path)
    assert r.returncode == 9 and "cannot reach the daemon at unix:" in r.stderr


def test_server_given_in_each_way(stub, tmp_path):
    assert ctl(None, "list", "--server", stub.url).returncode == 0
    assert ctl(None, "--server", stub.url + "/", "list").returncode == 0
    assert ctl(stub, "list", http_proxy="http://127.0.0.1:1").returncode == 0
    local = Stub(unix=f"{tmp_path}/sock")
    try:
        assert "running" in ctl(local, "list").stdout
    finally:
        local.close()


def test_version(stub):
    r = ctl(stub, "version")
    assert r.returncode == 0 and r.stdout.startswith("colconvctl ") and r.stdout.endswith("\ncolconvd 9.9\n")
    assert json.loads(ctl(stub, "version", "--json").stdout)["daemon"]["version"] == "9.9"
    r = ctl(None, "version", COLCONV_SERVER=f"http://127.0.0.1:{free_port()}")
    assert r.returncode == 0 and "cannot reach the daemon" in r.stderr
    assert ctl(None, "--version").stdout.startswith("colconvctl ")


@pytest.mark.parametrize("args", [["list"], ["show", "42"], ["cancel", "42"], ["parity", "42"], ["submit", "/"],
                                  ["submit", "/", "--wait"], ["fetch", "42"], ["version"], ["help"]])
def test_json_is_json(stub, tmp_path, args):
    r = ctl(stub, *args, "--json", cwd=tmp_path)
    assert r.returncode == (10 if args[0] == "parity" else 0)
    assert json.loads(r.stdout)


# Problems

@pytest.mark.parametrize("status,code,exit_status", [
    (400, "bad_request", 2), (404, "not_found", 3), (403, "not_allowed", 4), (409, "conflict", 1), (503, "busy", 1),
    (500, "internal", 1), (413, "too_large", 2),
])
def test_problem_documents(stub, status, code, exit_status):
    stub.routes["GET", "/v1/jobs/42"] = lambda h: h.problem(status, code, "it is \x1b[31mso\u009b")
    r = ctl(stub, "show", 42)
    assert r.returncode == exit_status
    assert "it is ?[31mso\\u009b" in r.stderr and "\x1b" not in r.stderr


def test_problem_names_the_field(stub):
    stub.routes["POST", "/v1/jobs"] = lambda h: h.problem(400, "bad_request", "must be one of fp32", "dtype")
    assert "colconvctl: dtype: must be one of fp32; see 'colconvctl submit --help'" in ctl(stub, "submit", "/").stderr
    stub.routes["POST", "/v1/jobs"] = lambda h: h.problem(400, "bad_request", "dtype must be one of fp32", "dtype")
    assert "colconvctl: dtype must be one of fp32;" in ctl(stub, "submit", "/").stderr


@pytest.mark.parametrize("status,exit_status", [(401, 4), (403, 4), (404, 3), (502, 1)])
def test_errors_that_are_no_problem_documents(stub, status, exit_status):
    stub.routes["GET", "/v1/jobs/42"] = lambda h: h.answer(status, b"<html>no</html>", "text/html")
    r = ctl(stub, "show", 42)
    assert r.returncode == exit_status and f"answers {status} to GET /v1/jobs/42" in r.stderr


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": 1, "a": 2}', b"[" * 100, b"\xff"])
def test_answers_that_are_no_json(stub, body):
    stub.routes["GET", "/v1/jobs/42"] = lambda h: h.answer(200, body)
    r = ctl(stub, "show", 42)
    assert r.returncode == 1 and r.stdout == "" and "/v1/jobs/42 at '" in r.stderr


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"jobs": 7}', b'{"id": "x", "spec": 3}'])
def test_documents_of_another_shape_do_no_harm(stub, tmp_path, body):
    for path in ("", "/42", "/42/files", "/42/parity"):
        stub.routes["GET", "/v1/jobs" + path] = lambda h: h.answer(200, body)
    assert [ctl(stub, *args, cwd=tmp_path).returncode
            for args in (["list"], ["show", 42], ["fetch", 42], ["parity", 42])] == [0, 0, 1, 10]


# submit, list, show, cancel, parity

def sent(stub):
    return json.loads(stub.asked("POST", "/v1/jobs")[-1][2])


def test_submit(stub, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "link").symlink_to("model")
    (tmp_path / "a.safetensors").touch()
    r = ctl(stub, "submit", "link", "--variants", "text,image", "--dtype", "fp32", "--layout", "single", "--positions",
            "arange", "--reference", "a.safetensors", "--max-abs", "1e-3", "--min-cosine=0.9", "--seed", 7, "--label",
            "team=search", cwd=tmp_path)
    assert r.returncode == 0 and r.stdout == "42\n"
    assert sent(stub) == {
        "model": f"{tmp_path}/model", "variants": ["text", "image"], "dtype": "fp32", "layout": "single",
        "positions": "arange", "reference": [f"{tmp_path}/a.safetensors"],
        "parity": {"max_abs": 1e-3, "min_cosine": 0.9, "seed": 7}, "labels": {"team": "search"}}
    assert ctl(stub, "submit", "/on/another/machine", "--no-parity").returncode == 0
    assert sent(stub) == {"model": "/on/another/machine", "parity": False}


def test_submit_from_a_file(stub, tmp_path):
    (tmp_path / "job.json").write_text('{"model": "/m", "labels": {"a": "1"}, "parity": false}')
    assert ctl(stub, "submit", "-f", "job.json", "--label", "b=2", cwd=tmp_path).returncode == 0
    assert sent(stub) == {"model": "/m", "labels": {"a": "1", "b": "2"}, "parity": False}
    assert ctl(stub, "submit", "/n", "-f", "job.json", "--seed", 3, cwd=tmp_path).returncode == 0
    assert sent(stub) == {"model": "/n", "labels": {"a": "1"}, "parity": {"seed": 3}}
    (tmp_path / "job.json").write_text("[1]")
    r = ctl(stub, "submit", "-f", "job.json", cwd=tmp_path)
    assert r.returncode == 2 and "'job.json' is not a JSON object" in r.stderr


def test_submit_wait_and_fetch(stub, tmp_path):
    r = ctl(stub, "submit", "/", "--fetch", "out", cwd=tmp_path)
    assert r.returncode == 0 and r.stdout == "42\n"
    assert (tmp_path / "out" / "text.onnx").read_bytes() == FILES["text.onnx"]
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: h.events(
        event("job", job("failed", reason="trace", message="no")))
    r = ctl(stub, "submit", "/", "--fetch", "out2", cwd=tmp_path)
    assert r.returncode == 5 and not (tmp_path / "out2").exists()


def test_list(stub):
    stub.routes["GET", "/v1/jobs"] = lambda h: h.answer(200, {"jobs": [
        EXPORT, job("done", id=7, spec={"model": "/evil\x1b[2J"})], "next": None})
    r = ctl(stub, "list", "--state", "a&b", "--limit", 3)
    assert r.returncode == 0
    head, first, second = r.stdout.splitlines()
    assert head.split() == ["ID", "STATE", "STAGE", "AGE", "MODEL"]
    assert first.split()[:3] == ["42", "running", "export"] and first.endswith("/srv/models/colqwen2")
    assert second.endswith("/evil\\x1b[2J")
    assert stub.requests[-1][1] == "/v1/jobs?limit=3&state=a%26b"


def test_show(stub):
    stub.routes["GET", "/v1/jobs/42"] = lambda h: h.answer(200, job(
        "failed", reason="parity", message="case text-long\x1b", labels={},
        stages=[{"name": "export", "seconds": 12.5, "peak_anon_bytes": 9437184}],
        result={"architecture": "colqwen2", "graphs": [{"variant": "text", "file": "text.onnx", "nodes": 812}]}))
    r = ctl(stub, "show", 42)
    assert r.returncode == 0 and "\x1b" not in r.stdout
    rows = [line.split(None, 1) for line in r.stdout.splitlines() if line]
    for row in (["state", "failed"], ["reason", "parity"], ["message", "case text-long\\x1b"], ["attempt", "1 of 3"],
                ["model", "/srv/models/colqwen2"], ["variants", '["text"]'], ["architecture", "colqwen2"]):
        assert row in rows
    assert any(line.split() == ["export", "12.50", "9.44", "MB"] for line in r.stdout.splitlines())
    assert any(line.split() == ["text", "text.onnx", "812"] for line in r.stdout.splitlines())


def test_cancel(stub):
    stub.routes["POST", "/v1/jobs/7/cancel"] = lambda h: h.answer(200, job("cancelled", id=7))
    r = ctl(stub, "cancel", 42, 7)
    assert r.returncode == 0 and r.stderr == "job 42 is asked to stop\njob 7 is cancelled\n"
    assert stub.asked("POST", "/v1/jobs/42/cancel")[0][2] == ""
    stub.routes["POST", "/v1/jobs/42/cancel"] = lambda h: h.problem(409, "conflict", "job 42 has ended")
    r = ctl(stub, "cancel", 42)
    assert r.returncode == 1 and "job 42 has ended" in r.stderr


def test_parity(stub, tmp_path):
    r = ctl(stub, "parity", 42)
    assert r.returncode == 10
    assert r.stdout.splitlines()[1].split() == ["text-short", "text", "24", "1.50e-06", "1.00e-07", "0.99999990", "0",
                                                "ok"]
    assert "text-long (text): the graph does not run\\x1b[31m" in r.stdout
    assert "ranking by text: 4 queries, 3 documents, largest score change 2.00e-06, order kept" in r.stdout
    (tmp_path / "parity.json").write_text(json.dumps({**daemon.PARITY, "passed": True}))
    assert ctl(None, "parity", tmp_path / "parity.json").returncode == 0
    r = ctl(None, "parity", tmp_path / "none.json")
    assert r.returncode == 2 and "cannot open" in r.stderr
    stub.routes["GET", "/v1/jobs/42/parity"] = lambda h: h.problem(404, "not_found", "job 42 has no parity report")
    assert ctl(stub, "parity", 42).returncode == 3


# watch

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
                                     "job 42: export", "job 42 is done; 'colconvctl fetch 42' downloads it"]
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
        assert f"job 42 failed ({reason}): because" in r.stderr


def test_watch_several(stub):
    stub.routes["GET", "/v1/jobs/7/events"] = lambda h: h.events(event("job", job("cancelled", id=7)))
    r = ctl(stub, "watch", 7, 42)
    assert r.returncode == 6 and "job 7 was cancelled" in r.stderr and "job 42 is done" in r.stderr


def test_watch_of_no_job(stub):
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: h.problem(404, "not_found", "there is no job 42")
    assert ctl(stub, "watch", 42).returncode == 3


@pytest.mark.parametrize("stream", [b"", b"hello", b"event: job\ndata: {]\n\n", b"event: job\ndata: 3\n\n"])
def test_watch_of_nonsense(stub, stream):
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: h.events(stream)
    assert ctl(stub, "watch", 42).returncode == 1


def state(name, attempt, reason=None, message=None, number=1):
    return event("state", {"job": 42, "state": name, "attempt": attempt, "reason": reason, "message": message}, number)


def test_watch_of_a_second_attempt(stub):
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: h.events(
        event("job", EXPORT), state("queued", 1, "worker_crashed", "signal 9"), state("running", 2),
        event("stage", {"job": 42, "stage": "export", "attempt": 2}), state("done", 2), event("job", job("done")))
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


def test_watch_goes_on_after_the_last_event(stub):
    """What was seen is not asked for again: neither lines of the log nor states are told twice."""
    asked = []

    def first(h):
        asked.append(h.headers.get("Last-Event-ID"))
        h.events(event("job", job("queued"), 3), state("running", 1, number=4), event("log", {"line": "one"}, 5),
                 event("progress", {"stage": "export", "done": 1, "total": 2, "unit": "bytes", "detail": ""}, 5)
                 .replace(b"id: 5\n", b""), b"id: 6\nevent: log\ndata: cut")

    def second(h):
        asked.append(h.headers.get("Last-Event-ID"))
        h.events(event("log", {"line": "two"}, 6), state("done", 1, number=7), event("job", job("done"), 7))

    stub.routes["GET", "/v1/jobs/42/events"] = [first, second]
    r = ctl(stub, "watch", 42)
    assert r.returncode == 0
    assert asked == [None, "5"]
    for words in "job 42: queued\n", "job 42: running\n", "job 42: one\n", "job 42: two\n":
        assert r.stderr.count(words) == 1, r.stderr


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


def on_terminal(args, until, then, **env):
    """Runs on a terminal; calls then(pid) when `until` was seen. What was shown, and the exit status."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(CTL, [CTL, *map(str, args)], env)
    shown = b""
    told = False
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if not select.select([fd], [], [], 0.1)[0]:
            continue
        try:
            part = os.read(fd, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
        if not told and until in shown:
            told = True
            then(fd)
    os.close(fd)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


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
    assert "\r\x1b[K" in shown and "\x1b[32m" in shown
    assert "3.00 kB of 4.00 kB" in shown and "kB/s" in shown and " left" in shown
    assert "3.00 kB in " in shown and "job 42 is done" in shown


def test_watch_without_colour_or_redrawing(stub):
    finish = threading.Event()
    stub.routes["GET", "/v1/jobs/42/events"] = long_job(finish)
    shown, _ = on_terminal(["watch", 42], b" 75%", lambda fd: finish.set(),
                           **environment(stub, TERM="xterm", NO_COLOR="1"))
    assert "\x1b[K" in shown and "\x1b[32m" not in shown
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


# fetch

def test_fetch(stub, tmp_path):
    r = ctl(stub, "fetch", 42, cwd=tmp_path)
    assert r.returncode == 0 and r.stdout == "job-42\n"
    assert {p.name: p.read_bytes() for p in (tmp_path / "job-42").iterdir()} == FILES
    # What is there and right is not fetched again; what is wrong is.
    (tmp_path / "job-42" / "text.onnx").write_bytes(b"grapX")
    n = len(stub.requests)
    assert ctl(stub, "fetch", 42, cwd=tmp_path).returncode == 0
    assert [r[1] for r in stub.requests[n:]] == ["/v1/jobs/42/files", "/v1/jobs/42/files/text.onnx"]
    assert (tmp_path / "job-42" / "text.onnx").read_bytes() == FILES["text.onnx"]


def test_fetch_some_files(stub, tmp_path):
    assert ctl(stub, "fetch", 42, "-o", tmp_path / "a" / "b", "--file", "text.onnx").returncode == 0
    assert os.listdir(tmp_path / "a" / "b") == ["text.onnx"]
    r = ctl(stub, "fetch", 42, "--file", "none", cwd=tmp_path)
    assert r.returncode == 3 and "the artifact has no file 'none'" in r.stderr


def test_fetch_without_an_artifact(stub, tmp_path):
    stub.routes["GET", "/v1/jobs/42/files"] = lambda h: h.answer(200, {"files": []})
    r = ctl(stub, "fetch", 42, cwd=tmp_path)
    assert r.returncode == 3 and "job 42 has no artifact" in r.stderr and os.listdir(tmp_path) == []


DATA = "/v1/jobs/42/files/model.onnx_data"


def test_fetch_goes_on_after_a_break(stub, tmp_path):
    content = FILES["model.onnx_data"]
    stub.routes["GET", DATA] = [lambda h: h.file_cut(content, 300000), lambda h: h.file(content)]
    assert ctl(stub, "fetch", 42, "-o", tmp_path).returncode == 0
    assert (tmp_path / "model.onnx_data").read_bytes() == content
    assert [r[3] for r in stub.asked("GET", DATA)] == [None, "bytes=300000-"]


@pytest.mark.parametrize("ranges", [True, False])
def test_fetch_goes_on_in_another_run(stub, tmp_path, ranges):
    content = FILES["model.onnx_data"]
    (tmp_path / "model.onnx_data.partial").write_bytes(content[:1000])
    stub.routes["GET", DATA] = lambda h: h.file(content, ranges)
    assert ctl(stub, "fetch", 42, "-o", tmp_path).returncode == 0
    assert (tmp_path / "model.onnx_data").read_bytes() == content
    assert stub.asked("GET", DATA)[0][3] == "bytes=1000-"
    assert not (tmp_path / "model.onnx_data.partial").exists()


def test_fetch_with_a_partial_file_that_is_whole_or_too_long(stub, tmp_path):
    (tmp_path / "model.onnx_data.partial").write_bytes(FILES["model.onnx_data"])
    (tmp_path / "text.onnx.partial").write_bytes(b"far too long")
    assert ctl(stub, "fetch", 42, "-o", tmp_path).returncode == 0
    assert stub.asked("GET", DATA) == []
    assert (tmp_path / "text.onnx").read_bytes() == FILES["text.onnx"]


def test_fetch_keeps_what_came_when_the_daemon_stays_away(stub, tmp_path):
    stub.routes["GET", DATA] = [lambda h: h.file_cut(FILES["model.onnx_data"], 1000),
                                lambda h: h.file_cut(b"x" * 10, 0)]
    r = ctl(stub, "fetch", 42, "-o", tmp_path)
    assert r.returncode == 9
    assert (tmp_path / "model.onnx_data.partial").read_bytes() == FILES["model.onnx_data"][:1000]
    assert not (tmp_path / "model.onnx_data").exists()


@pytest.mark.parametrize("content", [b"graph"[::-1], b"grap", b"graphs", b""])
def test_fetch_of_the_wrong_bytes(stub, tmp_path, content):
    stub.routes["GET", "/v1/jobs/42/files/text.onnx"] = lambda h: h.file(content)
    r = ctl(stub, "fetch", 42, "-o", tmp_path)
    assert r.returncode == 11 and "'text.onnx'" in r.stderr
    assert not (tmp_path / "text.onnx").exists() and not (tmp_path / "text.onnx.partial").exists()


def test_fetch_of_a_bad_partial_file(stub, tmp_path):
    (tmp_path / "text.onnx.partial").write_bytes(b"XX")
    assert ctl(stub, "fetch", 42, "-o", tmp_path).returncode == 11
    assert ctl(stub, "fetch", 42, "-o", tmp_path).returncode == 0


@pytest.mark.parametrize("start", [0, 7])
def test_fetch_of_another_range_than_was_asked_for(stub, tmp_path, start):
    content = FILES["model.onnx_data"]
    (tmp_path / "model.onnx_data.partial").write_bytes(content[:1000])
    stub.routes["GET", DATA] = lambda h: h.answer(206, content[start:], "x/y", [
        ("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")])
    assert ctl(stub, "fetch", 42, "-o", tmp_path).returncode == (11 if start else 0)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "", ".", "a/b"])
def test_fetch_of_names_that_lead_away(stub, tmp_path, name):
    stub.routes["GET", "/v1/jobs/42/files"] = lambda h: h.answer(200, {"files": [
        {"name": name, "size": 0, "sha256": hashlib.sha256(b"").hexdigest()}]})
    r = ctl(stub, "fetch", 42, "-o", tmp_path / "in")
    assert r.returncode == 1 and "is no name of a file" in r.stderr
    assert os.listdir(tmp_path / "in") == [] and os.listdir(tmp_path) == ["in"]


def test_fetch_through_a_link(stub, tmp_path):
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "text.onnx.partial").symlink_to("victim")
    assert ctl(stub, "fetch", 42, "-o", tmp_path).returncode == 1
    assert (tmp_path / "victim").read_text() == "mine"


# convert

DONE = "stage resolve\nstage export\nprogress 10 20\nartifact\nresult\n"


@pytest.fixture
def convert(tmp_path):
    """Writes a worker's script and converts; out of the folder `model` into `out`."""
    if not os.path.exists(WORKER):
        pytest.skip("fake_worker is not built")
    model = tmp_path / "model"
    model.mkdir()

    def run(script, *args):
        (model / "script").write_text(script)
        return ctl(None, "convert", "model", "-o", "out", "--worker", WORKER, *args, cwd=tmp_path)

    run.dir = tmp_path
    return run


def test_convert(convert):
    r = convert(DONE, "--variants", "text", "--positions", "arange")
    assert r.returncode == 0 and r.stdout == "out\n"
    assert r.stderr == "convert: resolve\nconvert: export\nconvert: parity holds: max abs 1.00e-06, min cosine 1.00000000\n"
    assert (convert.dir / "out" / "text.onnx").exists()
    assert sorted(os.listdir(convert.dir)) == ["model", "out"]
    mask = os.umask(0)
    os.umask(mask)
    assert (convert.dir / "out").stat().st_mode & 0o777 == 0o777 & ~mask


def test_convert_json(convert):
    doc = json.loads(convert(DONE, "--json").stdout)
    assert doc["dir"] == "out" and doc["architecture"] == "colqwen2" and doc["graphs"][0]["nodes"] == 7
    assert doc["stages"] == [{"name": "resolve", "seconds": 0.25, "peak_anon_bytes": 4096}]


def test_convert_does_not_overwrite(convert):
    assert convert(DONE).returncode == 0
    (convert.dir / "out" / "old").touch()
    r = convert(DONE)
    assert r.returncode == 2 and "'out' is there already; --force replaces it" in r.stderr
    r = convert("fail trace no\n", "--force")
    assert r.returncode == 5 and (convert.dir / "out" / "old").exists()
    assert convert(DONE, "--force").returncode == 0
    assert not (convert.dir / "out" / "old").exists()


def test_convert_replaces_nothing_but_artifacts(convert):
    (convert.dir / "out").mkdir()
    assert convert(DONE, "--force").returncode == 0
    for f in (convert.dir / "out").iterdir():
        f.unlink()
    (convert.dir / "out" / "thesis.tex").touch()
    r = convert(DONE, "--force")
    assert r.returncode == 2 and "not replacing what is no artifact" in r.stderr
    assert (convert.dir / "out" / "thesis.tex").exists()


@pytest.mark.parametrize("script,exit_status,words", [
    ("fail bad_checkpoint shard 3 is cut\n", 5, "the conversion failed (bad_checkpoint): shard 3 is cut"),
    ("report\nfail parity one case\n", 10, "the conversion failed (parity): one case"),
    ("fail io no disk\n", 5, "the conversion failed (io): no disk"),
    ("log <6>chatter\nlog it broke\nexit 3\n", 5, "convert: it broke\n"),
    ("bytes_to_stderr 9000\nexit 3\n", 5, "convert: \\xff\\xff"),
    ("exit 3\n", 5, "the worker ended with exit status 3 and without a result"),
    ("exit 0\n", 5, "the worker ended with exit status 0 and without a result"),
    ("signal 9\n", 5, "the worker ended with signal 9 (Killed) and without a result"),
    ("result\nexit 1\n", 5, "the worker ended with exit status 1"),
    ("garbage\nhang\n", 5, "a frame of "),
    ("bad_frame\nhang\n", 5, "the worker said something that is no message"),
    ("no_hello\nstage export\nhang\n", 5, "the worker does not say hello"),
    ("hello stranger\nhang\n", 5, "the worker answers for another job"),
])
def test_convert_that_fails(convert, script, exit_status, words):
    r = convert(script)
    assert r.returncode == exit_status and r.stdout == ""
    assert words in r.stderr and "chatter" not in r.stderr
    assert os.listdir(convert.dir) == ["model"]


def test_convert_with_floods_and_children_left_behind(convert):
    assert convert("flood 5000\n" + DONE).returncode == 0
    pid_file = convert.dir / "pid"
    assert convert(f"leave_child {pid_file}\n" + DONE, "--force").returncode == 0
    pid = int(pid_file.read_text())
    wait_until(lambda: not alive(pid))


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_convert_without_a_worker(convert):
    r = ctl(None, "convert", "model", "-o", "out", "--worker", "/no/such/worker", cwd=convert.dir)
    assert r.returncode == 1 and "cannot start '/no/such/worker'" in r.stderr
    assert os.listdir(convert.dir) == ["model"]


@pytest.mark.parametrize("script,signals", [("hang\n", [signal.SIGINT]), ("hang\n", [signal.SIGTERM]),
                                            ("ignore_term\nhang\n", [signal.SIGINT, signal.SIGINT])])
def test_convert_interrupted(convert, script, signals):
    (convert.dir / "model" / "script").write_text(script.replace("hang", "stage export\nhang"))
    p = subprocess.Popen([CTL, "convert", "model", "-o", "out", "--worker", WORKER], cwd=convert.dir, text=True,
                         env=environment(), stderr=subprocess.PIPE)
    assert p.stderr.readline() == "convert: export\n"
    for s in signals:
        p.send_signal(s)
        time.sleep(0.2)
    assert p.wait(20) == 6
    assert "stopping the worker" in p.stderr.read()
    assert os.listdir(convert.dir) == ["model"]


def test_convert_on_a_terminal(convert):
    (convert.dir / "model" / "script").write_text("stage export\nprogress 0 20\nsleep 0.1\nprogress 10 20\nhang\n")
    shown, status = on_terminal(["convert", convert.dir / "model", "-o", convert.dir / "out", "--worker", WORKER],
                                b" 50%", lambda fd: os.write(fd, b"\x03"), **environment(TERM="xterm"))
    assert status == 6 and "10 B of 20 B" in shown
    assert os.listdir(convert.dir) == ["model"]
