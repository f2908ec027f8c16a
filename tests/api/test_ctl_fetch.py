"""colconvctl downloads artifacts."""

import hashlib
import os
import threading

import pytest
from ctl import ctl, environment, on_terminal, stub  # noqa: F401
from stub import FILES


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
    assert r.returncode == 3 and "job 42 has no artifact, it is running" in r.stderr and os.listdir(tmp_path) == []


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
    assert ctl(stub, "fetch", 42, "-o", tmp_path).returncode == 0
    assert [r[3] for r in stub.asked("GET", "/v1/jobs/42/files/text.onnx")] == ["bytes=2-", None]
    assert (tmp_path / "text.onnx").read_bytes() == FILES["text.onnx"]


@pytest.mark.parametrize("start", [0, 7])
def test_fetch_of_another_range_than_was_asked_for(stub, tmp_path, start):
    content = FILES["model.onnx_data"]
    (tmp_path / "model.onnx_data.partial").write_bytes(content[:1000])
    stub.routes["GET", DATA] = lambda h: h.answer(206, content[start:], "x/y", [
        ("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")])
    assert ctl(stub, "fetch", 42, "-o", tmp_path).returncode == (11 if start else 0)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "", ".", "a/../b", "a//b", "a/", "a/b/../../../c"])
def test_fetch_of_names_that_lead_away(stub, tmp_path, name):
    stub.routes["GET", "/v1/jobs/42/files"] = lambda h: h.answer(200, {"files": [
        {"name": name, "size": 0, "sha256": hashlib.sha256(b"").hexdigest()}]})
    r = ctl(stub, "fetch", 42, "-o", tmp_path / "in")
    assert r.returncode == 1 and "is not a file name" in r.stderr
    assert os.listdir(tmp_path / "in") == [] and os.listdir(tmp_path) == ["in"]


def test_fetch_through_a_link(stub, tmp_path):
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "text.onnx.partial").symlink_to("victim")
    assert ctl(stub, "fetch", 42, "-o", tmp_path).returncode == 1
    assert (tmp_path / "victim").read_text() == "mine"


# Several at once

MANY = {f"model.onnx_data_{i}": bytes([i]) * 50000 for i in range(9)}


def many(stub):
    stub.routes["GET", "/v1/jobs/42/files"] = lambda h: h.answer(200, {"files": [
        {"name": n, "size": len(b), "sha256": hashlib.sha256(b).hexdigest()} for n, b in MANY.items()]})


@pytest.mark.parametrize("parallel", [1, 4, 16])
def test_fetch_several_at_once(stub, tmp_path, parallel):
    many(stub)
    busy, most, lock, together = [0], [0], threading.Lock(), threading.Event()

    def one(h, content):
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
            if busy[0] == min(parallel, len(MANY)):
                together.set()
        together.wait(10)   # nobody is answered before as many as may have asked
        h.file(content)
        with lock:
            busy[0] -= 1

    for name, content in MANY.items():
        stub.routes["GET", f"/v1/jobs/42/files/{name}"] = lambda h, content=content: one(h, content)
    assert ctl(stub, "fetch", 42, "-o", tmp_path, "--parallel", parallel).returncode == 0
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == MANY
    assert most[0] <= parallel + 1 and together.is_set()


def test_one_bad_file_keeps_what_the_others_got(stub, tmp_path):
    many(stub)
    for name, content in MANY.items():
        stub.routes["GET", f"/v1/jobs/42/files/{name}"] = lambda h, c=content: h.file(c)
    bad = "model.onnx_data_3"
    stub.routes["GET", f"/v1/jobs/42/files/{bad}"] = lambda h: h.file(b"x" * 50000)
    r = ctl(stub, "fetch", 42, "-o", tmp_path, "--parallel", 1)
    assert r.returncode == 11 and f"'{bad}': after 3 tries: the bytes do not have the hash that was published" in r.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"model.onnx_data_{i}" for i in range(3)]


def test_fetch_interrupted_and_gone_on_with(stub, tmp_path):
    content = FILES["model.onnx_data"]
    hold = threading.Event()

    def half(h):
        h.send_response(200)
        h.send_header("Content-Length", str(len(content)))
        h.end_headers()
        h.wfile.write(content[:600000])
        h.wfile.flush()
        hold.wait(10)

    stub.routes["GET", DATA] = half
    shown, status = on_terminal(["fetch", 42, "-o", tmp_path], b" 57%", lambda fd: os.write(fd, b"\x03"),
                                **environment(stub, TERM="xterm"))
    hold.set()
    assert status == 6 and f"interrupted; 'colconvctl fetch 42 -o {tmp_path}' continues with what is there" in shown
    assert (tmp_path / "model.onnx_data.partial").read_bytes() == content[:600000]
    stub.routes["GET", DATA] = lambda h: h.file(content)
    assert ctl(stub, "fetch", 42, "-o", tmp_path).returncode == 0
    assert stub.asked("GET", DATA)[-1][3] == "bytes=600000-" and (tmp_path / "model.onnx_data").read_bytes() == content


def test_fetch_of_an_artifact_that_was_removed(stub, tmp_path):
    stub.routes["GET", "/v1/jobs/42/files"] = lambda h: h.problem(410, "gone", "the artifact of job 42 was removed")
    r = ctl(stub, "fetch", 42, cwd=tmp_path)
    assert r.returncode == 3 and "submit the job again" in r.stderr
