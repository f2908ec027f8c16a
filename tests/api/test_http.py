"""Requests that the API refuses. Every error is a problem document."""

import contextlib
import json
import socket

import pytest
from conftest import LIMIT, SUCCESS, wait_until

HOST = "Host: localhost\r\n"


def test_health_and_version(daemon):
    assert daemon.get("/healthz").json == {"status": "ok"}
    assert daemon.get("/v1/version").json["api"] == 1


@pytest.mark.parametrize("path", ["/v1", "/v1/job", "/v1/jobs/", "/v1/jobs/0", "/v1/jobs/01", "/v1/jobs/-1",
                                  "/v1/jobs/x", "/v1/jobs/1/", "/v1/jobs/1/file", "/v1/jobs/99999999999999999999",
                                  "/healthz/x", "//healthz", "/v1/jobs/1/files/a%2fb"])
def test_no_such_route(daemon, path):
    answer = daemon.get(path)
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["code"] == "not_found"
    assert answer.json["status"] == 404 and answer.json["title"] == "Not Found"


@pytest.mark.parametrize("method, path", [
    ("GET", "/v1/jobs/1"), ("GET", "/v1/jobs/1/events"), ("GET", "/v1/jobs/1/files"), ("GET", "/v1/jobs/1/files/a"),
    ("GET", "/v1/jobs/1/parity"), ("POST", "/v1/jobs/1/cancel"), ("GET", "/v1/jobs/9223372036854775807"),
])
def test_no_such_job(daemon, method, path):
    answer = daemon.request(method, path)
    assert (answer.status, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("method, path, allow", [
    ("DELETE", "/v1/jobs", "POST, GET, HEAD"), ("PUT", "/v1/jobs/1", "GET, HEAD, DELETE"), ("POST", "/healthz", "GET, HEAD"),
    ("GET", "/v1/jobs/1/cancel", "POST"), ("HEAD", "/v1/jobs/1/cancel", "POST"), ("BREW", "/v1/version", "GET, HEAD"),
    ("OPTIONS", "/v1/jobs", "POST, GET, HEAD"),
])
def test_wrong_method(daemon, method, path, allow):
    answer = daemon.request(method, path)
    assert answer.status == 405
    assert answer.headers["Allow"] == allow


def test_head(daemon):
    job = daemon.submit()
    daemon.wait_end(job)
    for path in "/healthz", "/v1/jobs", f"/v1/jobs/{job}", f"/v1/jobs/{job}/events":
        answer = daemon.request("HEAD", path)
        assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("body, field", [
    ({}, "model"), ({"model": 5}, "model"), ({"model": "relative"}, "model"), ({"model": "/m", "modle": 1}, "modle"),
    ({"model": "/m", "dtype": "fp8"}, "dtype"), ({"model": "/m", "variants": []}, "variants"),
    ({"model": "/m", "variants": ["audio"]}, "variants[0]"), ({"model": "/m", "layout": 1}, "layout"),
    ({"model": "/m", "reference": ["/a", 1]}, "reference[1]"), ({"model": "/m", "labels": {"a": 1}}, "labels.a"),
    ({"model": "/m", "parity": 1}, "parity"), ({"model": "/m", "parity": {"max_abs": -1}}, "parity.max_abs"),
])
def test_bad_spec_names_the_field(daemon, body, field):
    answer = daemon.post("/v1/jobs", body)
    assert (answer.status, answer.json["code"]) == (400, "bad_request")
    assert answer.json.get("field") == field, answer.json


@pytest.mark.parametrize("body", [
    "", "{", "[]", "null", '"text"', '{"model": "/m"} {}', '{"model": "/m", "model": "/n"}', b'{"model": "/\xff"}',
    '{"model": "/m\\u0000x"}', "[" * 1000, '{"a":' * 40 + "1" + "}" * 40,
])
def test_bad_json(daemon, body):
    answer = daemon.post("/v1/jobs", body)
    assert (answer.status, answer.json["code"]) == (400, "bad_request")
    assert daemon.get("/v1/jobs").json["jobs"] == []


def test_paths_outside_the_roots(stopped, tmp_path):
    inside = tmp_path / "roots"
    (inside / "model").mkdir(parents=True)
    (inside / "model" / "script").write_text(SUCCESS)
    (inside / "out").symlink_to("/etc")
    stopped.start("--roots", str(inside))
    assert stopped.post("/v1/jobs", {"model": str(inside / "model")}).status == 202
    for path in "/etc", str(inside / "../models"), str(inside / "out"), str(inside / "out/ssl"):
        answer = stopped.post("/v1/jobs", {"model": path})
        assert (answer.status, answer.json["code"], answer.json["field"]) == (403, "not_allowed", "model"), path
    assert stopped.post("/v1/jobs", {"model": str(inside / "none")}).status == 400


def test_long_body(daemon):
    answer = daemon.post("/v1/jobs", b" " * (1024 * 1024 + 1))
    assert (answer.status, answer.json["code"]) == (413, "too_large")


def test_long_chunked_body(daemon):
    connection = daemon.connect()
    connection.request("POST", "/v1/jobs", iter([b" " * 65536] * 20), {"Transfer-Encoding": "chunked"},
                       encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_endless_body_is_cut_off(daemon):
    connection = daemon.connect()
    with pytest.raises(OSError):
        connection.request("POST", "/v1/jobs", iter([b" " * 65536] * 1000), {"Transfer-Encoding": "chunked"},
                           encode_chunked=True)
        connection.getresponse()
    connection.close()
    assert daemon.get("/healthz").status == 200


def test_chunked_body(daemon):
    body = json.dumps({"model": daemon.model(SUCCESS)}).encode()
    connection = daemon.connect()
    connection.request("POST", "/v1/jobs", iter([body[:7], body[7:]]), {"Transfer-Encoding": "chunked"},
                       encode_chunked=True)
    response = connection.getresponse()
    assert response.status == 202
    assert response.headers["Connection"] == "close"
    connection.close()


def test_web_pages_are_refused(daemon):
    answer = daemon.request("POST", "/v1/jobs", "{}", {"Origin": "https://example.org"})
    assert (answer.status, answer.json["code"]) == (403, "not_allowed")


SMUGGLED = "GET /healthz HTTP/1.1\r\n" + HOST + "\r\n"


@pytest.mark.parametrize("request_", [
    "POST /v1/jobs HTTP/1.1\r\n" + HOST + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello" + SMUGGLED,
    "POST /v1/jobs HTTP/1.1\r\n" + HOST + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello" + SMUGGLED,
    "POST /v1/jobs HTTP/1.1\r\n" + HOST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "POST /v1/jobs HTTP/1.1\r\n" + HOST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "POST /v1/jobs HTTP/1.1\r\n" + HOST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "POST /v1/jobs HTTP/1.1\r\n" + HOST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "POST /v1/jobs HTTP/1.1\r\n" + HOST + "Content-Length : 5\r\n\r\nhello" + SMUGGLED,
    "POST /v1/jobs HTTP/1.1\r\n" + HOST + "Content-Length: +5\r\n\r\nhello" + SMUGGLED,
    "POST /v1/jobs HTTP/1.1\r\n" + HOST + "Content-Length: 0x5\r\n\r\nhello" + SMUGGLED,
    "POST /v1/jobs HTTP/1.1\r\n" + HOST + "Bad(name): 1\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "GET /healthz HTTP/1.1\r\n\r\n" + SMUGGLED,
    "GET /healthz HTTP/1.1\r\n" + HOST + HOST + "\r\n" + SMUGGLED,
    "POST /v1/jobs HTTP/1.1\r\n" + HOST + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}" + SMUGGLED,
])
def test_smuggling(daemon, request_):
    """Refused, then the connection is closed: nothing after such a request is read as another one."""
    try:
        back = daemon.raw(request_.encode())
    except ConnectionResetError:
        back = b""
    # libmicrohttpd 0.9.75 writes the head of its own refusals twice, so replies are not counted.
    assert b"HTTP/1.1 2" not in back
    if back:
        assert back.startswith(b"HTTP/1.1 400 "), back


@contextlib.contextmanager
def slow_client(daemon):
    """Sends half of a body and then nothing."""
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=LIMIT) as s:
        s.sendall(b"POST /v1/jobs HTTP/1.1\r\n" + HOST.encode() + b"Content-Length: 100\r\n\r\n{")
        yield s


def test_slow_client_is_closed(stopped):
    stopped.start("--connection-idle", "1")
    with slow_client(stopped) as slow:
        assert slow.recv(4096) == b""


def test_slow_client_holds_nobody_up(stopped):
    stopped.start("--connection-idle", "3600")
    with slow_client(stopped):
        assert stopped.get("/healthz").status == 200


def test_client_that_leaves_while_it_waits(daemon):
    """The client has left when the commit is answered, but the job exists."""
    body = json.dumps({"model": daemon.model(SUCCESS)}).encode()
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=LIMIT) as s:
            s.sendall(b"POST /v1/jobs HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n" % (HOST.encode(), len(body)) + body)
    daemon.submit()
    assert daemon.get("/healthz").status == 200


def test_keep_alive(daemon):
    connection = daemon.connect()
    for path in "/healthz", "/nothing", "/v1/jobs", "/v1/jobs/7":
        connection.request("GET", path)
        connection.getresponse().read()
    sock = connection.sock
    connection.request("GET", "/healthz")
    assert connection.sock is sock
    connection.getresponse().read()
    connection.close()


def test_connections_have_a_limit(stopped):
    """When all connections are in use (here by event streams), none is closed for a new client."""
    stopped.start("--connections-max", "16", "--connections-per-address", "16")
    held = [socket.create_connection(("127.0.0.1", stopped.port), timeout=LIMIT) for _ in range(16)]
    for s in held:
        s.sendall(b"GET /v1/events HTTP/1.1\r\n" + HOST.encode() + b"\r\n")
        assert s.recv(4096)
    with pytest.raises(OSError):
        stopped.get("/healthz")
    for s in held:
        s.close()

    def let_in():
        try:
            return stopped.get("/healthz").status == 200
        except OSError:
            return False  # the daemon has not seen all of them go
    wait_until("there is room again", let_in)
