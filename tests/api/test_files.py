"""Files of artifacts: complete, in ranges, conditional, removed; and names that lead elsewhere."""
import contextlib
import hashlib
import os
import socket
import sqlite3

import pytest
from conftest import LIMIT, Daemon

CONTENT = b"not really weights"


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """One daemon with one artifact: nothing here changes it."""
    daemon = Daemon(tmp_path_factory.mktemp("files")).start()
    daemon.done = daemon.submit()
    assert daemon.wait_end(daemon.done)["state"] == "done"
    yield daemon
    assert daemon.stop() == 0
    assert not [line for line in daemon.log if "Sanitizer" in line or "runtime error" in line]


def path(daemon, name="model.onnx_data"):
    return f"/v1/jobs/{daemon.done}/files/{name}"


def fetch(daemon, method="GET", name="model.onnx_data", **headers):
    return daemon.request(method, path(daemon, name), None, {k.replace("_", "-"): v for k, v in headers.items()})


ETAG = '"%s"' % hashlib.sha256(CONTENT).hexdigest()


def test_whole(done):
    answer = fetch(done)
    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.headers["ETag"] == ETAG
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Range" not in answer.headers


def test_etags_are_those_of_the_list(done):
    for file in done.get(f"/v1/jobs/{done.done}/files").json["files"]:
        answer = fetch(done, name=file["name"])
        assert answer.headers["ETag"] == f'"{file["sha256"]}"'
        assert hashlib.sha256(answer.body).hexdigest() == file["sha256"]
        assert len(answer.body) == file["size"]


@pytest.mark.parametrize("asked, first, last", [
    ("bytes=0-0", 0, 0), ("bytes=4-9", 4, 9), ("bytes=4-", 4, 17), ("bytes=17-17", 17, 17), ("bytes=0-17", 0, 17),
    ("bytes=4-99999999999999999999", 4, 17), ("bytes=-1", 17, 17), ("bytes=-18", 0, 17), ("bytes=-1000", 0, 17),
])
def test_a_range(done, asked, first, last):
    answer = fetch(done, Range=asked)
    assert (answer.status, answer.body) == (206, CONTENT[first:last + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/18"
    assert answer.headers["Content-Length"] == str(last - first + 1)
    assert answer.headers["ETag"] == ETAG


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "bytes=9-3", "bytes=x-y", "bytes=", "lines=0-1", "bytes 0-1", "0-1"])
def test_what_is_no_range_is_ignored(done, asked):
    answer = fetch(done, Range=asked)
    assert (answer.status, answer.body) == (200, CONTENT)


@pytest.mark.parametrize("asked", ["bytes=18-", "bytes=18-19", "bytes=-0", "bytes=99999999999999999999-"])
def test_outside(done, asked):
    answer = fetch(done, Range=asked)
    assert (answer.status, answer.json["code"], answer.json["field"]) == (416, "bad_range", "Range")
    assert answer.headers["Content-Range"] == "bytes */18"


@pytest.mark.parametrize("condition, status", [
    (ETAG, 206), ("W/" + ETAG, 200), ('"other"', 200), (ETAG[1:-1], 200), ("*", 200), (ETAG.upper(), 200),
    ("Wed, 21 Oct 2015 07:28:00 GMT", 200), (f'"x", {ETAG}', 200),
])
def test_if_range(done, condition, status):
    answer = fetch(done, Range="bytes=4-9", If_Range=condition)
    assert (answer.status, answer.body) == (status, CONTENT[4:10] if status == 206 else CONTENT)


def test_if_range_goes_before_the_range_is_looked_at(done):
    assert fetch(done, Range="bytes=99-", If_Range='"other"').status == 200
    assert fetch(done, Range="bytes=99-", If_Range=ETAG).status == 416


@pytest.mark.parametrize("condition", [ETAG, "*", "W/" + ETAG, f'"a", {ETAG}', f'{ETAG} , "b"', f'"a",W/{ETAG},"b"'])
def test_not_modified(done, condition):
    for more in {}, {"Range": "bytes=0-1"}, {"Range": "bytes=99-"}:
        answer = fetch(done, If_None_Match=condition, **more)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["ETag"] == ETAG


@pytest.mark.parametrize("condition", ['"a"', ETAG[:-2] + '"', ETAG[1:-1], "", f'"a{ETAG[1:]}', f"x{ETAG}"])
def test_modified(done, condition):
    assert fetch(done, If_None_Match=condition).status == 200


def test_head(done):
    answer = fetch(done, "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert (answer.headers["Content-Length"], answer.headers["ETag"]) == ("18", ETAG)
    assert fetch(done, "HEAD", Range="bytes=0-1").headers["Content-Length"] == "18"  # a range is of GET alone
    assert fetch(done, "HEAD", If_None_Match=ETAG).status == 304


def test_the_connection_goes_on_after_each(done):
    connection = done.connect()
    for headers, status in ({}, 200), ({"Range": "bytes=1-2"}, 206), ({"Range": "bytes=99-"}, 416), ({"If-None-Match": "*"}, 304):
        for method in "GET", "HEAD":
            connection.request(method, path(done), headers=headers)
            sock = connection.sock
            assert connection.getresponse().read() is not None
            assert connection.sock is sock
    connection.close()


def test_parity_report(done):
    url = f"/v1/jobs/{done.done}/parity"
    answer = done.get(url)
    etag = answer.headers["ETag"]
    assert (answer.status, answer.json["passed"]) == (200, True)
    assert done.request("GET", url, None, {"If-None-Match": etag}).status == 304
    part = done.request("GET", url, None, {"Range": "bytes=0-99", "If-Range": etag})
    assert (part.status, part.headers["Content-Range"]) == (206, f"bytes 0-99/{len(answer.body)}")


@pytest.mark.parametrize("name", [
    "..", "%2e%2e", ".", "%2e", "..%2f..%2fqueue.db", "%2e%2e%2f%2e%2e%2fqueue.db", "../../queue.db", "%252e%252e", "model.onnx_data%00",
    "model.onnx_data%00.json", "%00", "model.onnx_data/", "/model.onnx_data", "%2fetc%2fpasswd", "model.onnx_data%2f", "./model.onnx_data",
    "%2e/model.onnx_data", "model.onnx_data%", "%c0%ae%c0%ae", "..%5c..", "MODEL.ONNX_DATA", "a" * 256, "nothing", "%",
])
def test_no_such_file(done, name):
    answer = done.get(path(done, name))
    assert (answer.status, answer.json["code"]) == (404, "not_found")


def test_encoded_name(done):
    assert done.get(path(done, "model%2eonnx%5fdata")).body == CONTENT


def test_a_link_in_the_artifact_is_not_followed(daemon):
    job = daemon.submit()
    daemon.wait_end(job)
    file = daemon.state / "artifacts" / str(job) / "model.onnx_data"
    for target in "/etc/passwd", "text.onnx":
        file.unlink()
        file.symlink_to(target)
        assert daemon.get(f"/v1/jobs/{job}/files/model.onnx_data").status == 404
    file.unlink()
    os.mkfifo(file)
    assert daemon.get(f"/v1/jobs/{job}/files/model.onnx_data").status == 404


def test_a_file_that_was_cut_is_not_passed_off_as_whole(daemon):
    job = daemon.submit()
    daemon.wait_end(job)
    os.truncate(daemon.state / "artifacts" / str(job) / "model.onnx_data", 5)
    answer = daemon.get(f"/v1/jobs/{job}/files/model.onnx_data")
    assert (answer.status, answer.json["code"]) == (500, "mismatch")


def test_an_artifact_that_was_removed(stopped):
    stopped.start()
    job = stopped.submit()
    stopped.wait_end(job)
    assert stopped.stop() == 0
    with contextlib.closing(sqlite3.connect(stopped.state / "queue.db")) as db, db:
        db.execute("UPDATE job SET artifact_removed = 1 WHERE id = ?", (job,))
        db.execute("DELETE FROM file WHERE job = ?", (job,))
    stopped.start()
    assert stopped.get(f"/v1/jobs/{job}/files").json == {"files": []}
    for name in "files/model.onnx_data", "files/nothing":
        answer = stopped.get(f"/v1/jobs/{job}/{name}")
        assert (answer.status, answer.json["code"]) == (410, "gone")
    assert stopped.get(f"/v1/jobs/{job}/parity").json["cases"]  # the report stays with the job


def test_none_before_the_job_is_done(daemon):
    job = daemon.submit("stage resolve\nartifact\nhang\n")
    daemon.wait_running(job)
    assert daemon.get(f"/v1/jobs/{job}/files").json == {"files": []}
    assert daemon.get(f"/v1/jobs/{job}/files/model.onnx_data").status == 404
    assert daemon.get(f"/v1/jobs/{job}/parity").status == 404


def test_reader_that_leaves_in_the_middle(done):
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", done.port), timeout=LIMIT) as s:
            s.sendall(f"GET {path(done)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            s.recv(10)
    assert fetch(done).status == 200
