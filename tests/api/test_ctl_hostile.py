"""colconvctl and a hostile server: output is bounded, and never reaches a terminal unescaped."""
import json
import subprocess
import time

import pytest
from ctl import CTL, ctl, environment, on_terminal, stub  # noqa: F401
from stub import event, job, past

# Every kind that a terminal obeys or that hides what is there: C0, DEL, C1, an override, an isolate, a line separator.
EVIL = "a\x1b[31mb\x7fc\x9b31md\u202ee\u2066f\u2028g\u200eh"
RAW = ["\x1b[31m", "\x7f", "\x9b", "\u202e", "\u2066", "\u2028", "\u200e"]


def rows(*ids):
    return [job("done", id=i) for i in ids]


def limited(server, *args, mib=100):
    """Runs with a memory limit; returns the exit status and stderr."""
    r = subprocess.run(["prlimit", f"--data={mib << 20}", CTL, *args], env=environment(server), stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, text=True, timeout=60)
    return r.returncode, r.stderr


# What has no end


def test_a_listing_that_names_ever_new_pages(stub):
    n = [0]

    def page(h):
        n[0] += 1
        h.answer(200, {"jobs": rows(1), "next": str(n[0])})

    stub.routes["GET", "/v1/jobs"] = page
    status, err = limited(stub, "list", "--all")
    assert status == 1 and "the list of jobs at" in err and "does not end, after 5000 pages" in err
    assert n[0] == 5000


def test_a_listing_that_names_the_same_page(stub):
    stub.routes["GET", "/v1/jobs"] = lambda h: h.answer(200, {"jobs": rows(2), "next": "x"})
    r = ctl(stub, "list", "--all")
    assert r.returncode == 1 and "does not end" in r.stderr and len(stub.asked("GET", "/v1/jobs")) == 2


def test_a_listing_of_empty_pages(stub):
    stub.routes["GET", "/v1/jobs"] = lambda h: h.answer(200, {"jobs": [], "next": "x"})
    r = ctl(stub, "list", "--all")
    assert r.returncode == 1 and "does not end" in r.stderr and len(stub.asked("GET", "/v1/jobs")) == 2


def test_a_history_without_end(stub):
    n = [0]

    def page(h):
        n[0] += 1
        h.answer(200, {"events": [past(n[0], "stage", stage="export")], "next": n[0]})

    stub.routes["GET", "/v1/jobs/42/history"] = page
    status, err = limited(stub, "history", "42")
    assert status == 1 and "the history of job 42 at" in err and "does not end, after 5000 pages" in err


@pytest.mark.parametrize("body, words", [
    (b"[" + b"0," * 4000000 + b"0]", "it has more than 524288 values"),
    (b"[" * 100000, "nested deeper than"),
    (b'"' + b"x" * (17 << 20) + b'"', "longer than 16777216 bytes"),
], ids=["values", "depth", "bytes"])
def test_a_large_answer(stub, body, words):
    stub.routes["GET", "/v1/status"] = lambda h: h.answer(200, body)
    status, err = limited(stub, "status")
    assert status and words in err


def endless(h, status, piece, kind="application/json"):
    h.send_response(status)
    h.send_header("Content-Type", kind)
    h.send_header("Connection", "close")
    h.end_headers()
    h.close_connection = True
    while True:
        h.wfile.write(piece)    # until the client goes away


def test_an_answer_without_end(stub):
    stub.routes["GET", "/v1/status"] = lambda h: endless(h, 200, b" " * 65536)
    status, err = limited(stub, "status")
    assert status == 2 and "longer than 16777216 bytes" in err


def test_an_error_without_end(stub):
    stub.routes["GET", "/v1/status"] = lambda h: endless(h, 500, b" " * 65536)
    status, err = limited(stub, "status")
    assert status == 9 and "its error has no end" in err


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 65536, b"data: " + b"x" * 65536 + b"\n"], ids=["line", "lines"])
def test_an_event_without_end(stub, piece):
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: endless(h, 200, piece, "text/event-stream")
    status, err = limited(stub, "watch", "42")
    assert status and "too long" in err


def test_lines_without_end(stub):
    """--tail keeps possible last lines, but not more than its limit."""
    n = [0]

    def page(h):
        n[0] += 1
        h.answer(200, {"events": [past(1000 * n[0] + i, "log", line="x" * 4000) for i in range(1000)], "next": n[0]})

    stub.routes["GET", "/v1/jobs/42/history"] = page
    status, err = limited(stub, "logs", "42", "--follow", "--tail", "100000000", mib=256)
    assert status == 2 and "ask for fewer" in err


# What a terminal would obey


def shown(stub, *args):
    """Returns what a terminal receives from a client that draws nothing."""
    text, _ = on_terminal(args, **environment(stub, TERM="dumb"))
    return text


def clean(text):
    return not any(raw in text for raw in RAW)


EVIL_JOB = job("failed", spec={**job()["spec"], "model": EVIL, "labels": {EVIL: EVIL}}, owner=EVIL, reason="internal",
               message=EVIL, stage=EVIL, runner=EVIL)


@pytest.mark.parametrize("args", [
    ["list"], ["list", "-o", "wide"], ["list", "-o", "json"], ["show", "42"], ["watch", "42"], ["logs", "42"],
    ["history", "42"], ["artifacts"], ["models"], ["models", "x"], ["models", "other"], ["runners", "-o", "wide"], ["status"], ["version"], ["parity", "42"],
    ["api", "/v1/jobs/42"], ["api", "/v1/none"], ["fetch", "42", "-o", "FOLDER"], ["purge", "--dry-run"],
])
def test_what_a_server_says_is_harmless_on_a_terminal(stub, tmp_path, args):
    stub.routes["GET", "/v1/jobs"] = lambda h: h.answer(200, {"jobs": [EVIL_JOB], "next": None})
    stub.routes["GET", "/v1/jobs/42"] = lambda h: h.answer(200, json.dumps(EVIL_JOB, ensure_ascii=False).encode())
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: h.events(event("job", EVIL_JOB))
    stub.routes["GET", "/v1/jobs/42/log"] = lambda h: h.answer(200, EVIL.encode() + b"\n", "text/plain")
    stub.routes["GET", "/v1/jobs/42/history"] = lambda h: h.answer(200, {
        "events": [past(1, "log", line=EVIL), past(2, EVIL, stage=EVIL)], "next": None})
    stub.routes["GET", "/v1/artifacts"] = lambda h: h.answer(200, {"artifacts": [
        {"job": 7, "model": EVIL, "published": EVIL, "files": 3, "bytes": 1}], "next": None})
    stub.routes["GET", "/v1/models"] = lambda h: h.answer(200, {
        "models": [{"architecture": EVIL, "name": EVIL, "variants": [EVIL],
                    "classes": [{"class": EVIL, "library": EVIL, "heads": [EVIL], "backbone": EVIL, "checkpoints": [EVIL]}, EVIL]}],
        "repositories": [{"name": EVIL, "class": "x", "status": EVIL, "detail": EVIL, "note": EVIL, "pages": EVIL}, EVIL, {"name": "others" + EVIL}],
        "options": {EVIL: [EVIL]}})
    stub.routes["GET", "/v1/runners"] = lambda h: h.answer(200, {"runners": [
        {"name": EVIL, "slots": 1, "busy": 0, "command": [EVIL], "environment": [EVIL], "jobs": []}]})
    stub.routes["GET", "/v1/version"] = lambda h: h.answer(200, {"version": EVIL, "api": 1})
    stub.routes["GET", "/v1/jobs/42/parity"] = lambda h: h.answer(200, {
        "cases": [{"name": EVIL, "model": EVIL, "message": EVIL, "passed": False}], "ranking": [], "passed": False})
    stub.routes["GET", "/v1/jobs/42/files"] = lambda h: h.answer(200, {"files": [{"name": EVIL, "size": 0, "sha256": EVIL}]})
    stub.routes["GET", "/v1/none"] = lambda h: h.problem(404, "not_found", EVIL, EVIL)

    text = shown(stub, *[str(tmp_path / "new") if arg == "FOLDER" else arg for arg in args])

    assert clean(text), [text]
    if args not in (["status"], ["purge", "--dry-run"]):
        assert "\\u202e" in text.lower() or "a?[31m" in text, text


def test_a_character_that_comes_in_two_pieces(stub):
    def halves(h):
        h.stream_begin()
        for piece in (b"na\xc3", b"\xafve \xe2\x80", b"\xae \xf0\x9f\x98", b"\x80 \xc2", b"\n"):
            h.wfile.write(piece)
            h.wfile.flush()
            time.sleep(0.05)

    stub.routes["GET", "/v1/none"] = halves
    assert shown(stub, "api", "/v1/none").strip() == "na\u00efve \\u202e \U0001f600 \\xc2"


def test_in_a_pipe_it_is_as_it_came(stub):
    stub.routes["GET", "/v1/none"] = lambda h: h.answer(200, EVIL.encode(), "text/plain")
    r = subprocess.run([CTL, "api", "/v1/none"], env=environment(stub), capture_output=True)
    assert r.stdout == EVIL.encode()


def trickled(h, pieces, pause):
    h.stream_begin()
    for piece in pieces:
        h.wfile.write(piece)
        h.wfile.flush()
        time.sleep(pause)


def test_a_stream_that_comes_in_single_bytes(stub):
    """A stream of events may be slow."""
    whole = event("job", job(stage="export"), 5) + event("state", {"job": 42, "state": "done"}, 6) + event("job", job("done"), 6)
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: trickled(h, [whole[i:i + 1] for i in range(len(whole))], 0.0005)
    stub.routes["GET", "/v1/jobs/42"] = lambda h: h.answer(200, job("done"))
    got = ctl(stub, "watch", 42)
    assert (got.returncode, got.stderr.count("done")) == (0, 1), got.stderr


def test_an_answer_that_trickles_ends(stub):
    """All answers except event streams need 1024 bytes a second, measured over a minute."""
    stub.routes["GET", "/v1/status"] = lambda h: trickled(h, [b" "] * 10000, 0.1)
    start = time.monotonic()
    got = subprocess.run([CTL, "status"], env=environment(stub), capture_output=True, text=True, timeout=300)
    assert got.returncode == 9
    assert "slow" in got.stderr or "bytes" in got.stderr, got.stderr
    assert time.monotonic() - start > 55
