"""
A second request past the parser (request smuggling): what two readers of one stream may take for
the end of a request differently.

Every attempt carries a POST that would submit a job and one that would cancel the job that runs.
Neither may happen, whatever is answered to the rest.
"""
import json
import re
import socket

import pytest
from conftest import LIMIT, Daemon

HOST = "Host: localhost\r\n"
JOB = '{"model": "/smuggled"}'


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    daemon = Daemon(tmp_path_factory.mktemp("smuggling")).start("--connection-idle", "1", "--request-timeout", "1")
    daemon.running = daemon.submit("stage resolve\nhang\n")
    daemon.wait_running(daemon.running)
    yield daemon
    assert daemon.stop() == 0
    assert not [line for line in daemon.log if "Sanitizer" in line or "runtime error" in line]


def smuggled(daemon):
    return (f"POST /v1/jobs/{daemon.running}/cancel HTTP/1.1\r\n{HOST}\r\n"
            f"POST /v1/jobs HTTP/1.1\r\n{HOST}Content-Length: {len(JOB)}\r\n\r\n{JOB}")


def exchange(daemon, data):
    """Sends bytes to a socket that stays open; returns everything until the daemon closes it."""
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=LIMIT) as s:
        back = b""
        try:
            s.sendall(data)
            while chunk := s.recv(65536):
                back += chunk
        except ConnectionError:
            pass
        return back


def answers(back):
    """The status of every answer. libmicrohttpd 0.9.75 writes the head of its own refusals twice: a repeated head counts once."""
    heads = re.findall(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n", back)
    found = []
    for i, head in enumerate(heads):
        if i == 0 or head[0] != heads[i - 1][0] or not is_own(head):
            found.append(int(head[0]))
    return found


def is_own(head):
    return b"application/problem+json" not in head[1] and b"application/json" not in head[1]


def jobs(daemon):
    return [(j["id"], j["state"], j["cancel_requested"]) for j in daemon.get("/v1/jobs").json["jobs"]]


def attempt(daemon, request):
    """Makes the exchange, then checks that no job was added or cancelled."""
    before = jobs(daemon)
    back = exchange(daemon, request.encode())
    assert jobs(daemon) == before, back
    return back


POST = "POST /v1/jobs HTTP/1.1\r\n" + HOST
GET = "GET /healthz HTTP/1.1\r\n" + HOST
CANCEL_NONE = "POST /v1/jobs/99/cancel HTTP/1.1\r\n" + HOST
CHUNKED = "Transfer-Encoding: chunked\r\n"

# What is refused whole: one answer, then the end.
REFUSED = {
    # the length said twice
    "cl.cl same": POST + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "cl.cl other": POST + "Content-Length: 2\r\nContent-Length: 300\r\n\r\n{}",
    "cl list": POST + "Content-Length: 2, 2\r\n\r\n{}",
    "cl list other": POST + "Content-Length: 2,300\r\n\r\n{}",
    "cl.te": POST + "Content-Length: 5\r\n" + CHUNKED + "\r\n0\r\n\r\n",
    "te.cl": POST + CHUNKED + "Content-Length: 5\r\n\r\n0\r\n\r\n",
    "cl0.te": POST + "Content-Length: 0\r\n" + CHUNKED + "\r\n0\r\n\r\n",
    "cl.te on GET": GET + "Content-Length: 5\r\n" + CHUNKED + "\r\n0\r\n\r\n",
    "te.te": POST + CHUNKED + CHUNKED + "\r\n0\r\n\r\n",
    "te.te identity": POST + CHUNKED + "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "te identity.te": POST + "Transfer-Encoding: identity\r\n" + CHUNKED + "\r\n0\r\n\r\n",
    # the length said oddly
    "cl +": POST + "Content-Length: +2\r\n\r\n{}",
    "cl -": POST + "Content-Length: -2\r\n\r\n{}",
    "cl 0x": POST + "Content-Length: 0x2\r\n\r\n{}",
    "cl hex": POST + "Content-Length: 2e\r\n\r\n{}",
    "cl inner space": POST + "Content-Length: 2 2\r\n\r\n{}",
    "cl empty": POST + "Content-Length:\r\n\r\n{}",
    "cl word": POST + "Content-Length: two\r\n\r\n{}",
    "cl point": POST + "Content-Length: 2.0\r\n\r\n{}",
    "cl quoted": POST + 'Content-Length: "2"\r\n\r\n{}',
    "cl beyond 64 bits": POST + "Content-Length: 18446744073709551618\r\n\r\n{}",
    "cl full-width digit": POST + "Content-Length: \uff12\r\n\r\n{}",
    "te gzip": POST + "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
    "te gzip, chunked": POST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "te chunked, gzip": POST + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "te x": POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "te quoted": POST + 'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "te empty": POST + "Transfer-Encoding:\r\n\r\n0\r\n\r\n",
    "te vertical tab": POST + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "te form feed": POST + "Transfer-Encoding: chunked\x0c\r\n\r\n0\r\n\r\n",
    "te parameter": POST + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    # names of headers
    "space before colon": POST + "Content-Length : 2\r\n\r\n{}",
    "tab before colon": POST + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    "space before name": POST.replace(HOST, "") + " " + HOST + "\r\n",
    "no colon": POST + "Content-Length 2\r\n\r\n{}",
    "NUL in name": POST + "Content-Length\0: 2\r\n\r\n{}",
    "DEL in value": POST + "X: a\x7fb\r\nContent-Length: 2\r\n\r\n{}",
    "name in brackets": POST + "Bad(name): 1\r\n\r\n",
    "name with NBSP": POST + "Content-Length\u00a0: 2\r\n\r\n{}",
    # lines
    "bare LF hides te": POST + "X: a\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "bare CR hides te": POST + "X: a\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    # the host
    "no host": "GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": GET + "Host: localhost\r\n\r\n",
    "two hosts of which one folded": GET + "hOsT: other\r\n\r\n",
    # the first line
    "no version": "GET /healthz\r\n" + HOST + "\r\n",
    "another version": "GET /healthz HTTP/3.0\r\n" + HOST + "\r\n",
    "content-encoding": POST + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_whole(target, name):
    back = attempt(target, REFUSED[name] + smuggled(target))
    assert b" 2" not in b"".join(re.findall(rb"HTTP/1\.[01]( \d)", back)), back
    found = answers(back)
    assert len(found) <= 1 and (not found or 400 <= found[0] < 500 or found[0] == 505), back


# libmicrohttpd 1.0 refuses a bare LF in a head that 0.9 still answers.
BARE_LF = {200, 400}

# What has an answer of its own, and after which nothing more is read.
ENDED = {
    "chunked": (POST + CHUNKED + "\r\n2\r\n{}\r\n0\r\n\r\n", {400}),
    "chunk extension": (POST + CHUNKED + '\r\n2;a="b"\r\n{}\r\n0\r\n\r\n', {400}),
    "chunk extension with a bare LF": (POST + CHUNKED + "\r\n2;a\n{}\r\n0\r\n\r\n", {400}),
    "chunk of upper-case hex": (POST + CHUNKED + "\r\nA\r\n{         \r\n0\r\n\r\n", {400}),
    "chunk size with 0x": (POST + CHUNKED + "\r\n0x2\r\n{}\r\n0\r\n\r\n", {400}),
    "chunk size with +": (POST + CHUNKED + "\r\n+2\r\n{}\r\n0\r\n\r\n", {400}),
    "chunk size with -": (POST + CHUNKED + "\r\n-2\r\n{}\r\n0\r\n\r\n", {400}),
    "chunk size with a space": (POST + CHUNKED + "\r\n2 \r\n{}\r\n0\r\n\r\n", {400}),
    "chunk size empty": (POST + CHUNKED + "\r\n\r\n{}\r\n0\r\n\r\n", {400}),
    "chunk size of 17 digits": (POST + CHUNKED + "\r\n10000000000000002\r\n{}\r\n0\r\n\r\n", {400, 413}),
    "chunk size of 64 bits": (POST + CHUNKED + "\r\nffffffffffffffff\r\n{}\r\n0\r\n\r\n", {400, 408, 413}),
    "chunk longer than said": (POST + CHUNKED + "\r\n1\r\n{}\r\n0\r\n\r\n", {400}),
    "chunk without its end": (POST + CHUNKED + "\r\n2\r\n{}0\r\n\r\n", {400}),
    "last chunk missing": (POST + CHUNKED + "\r\n2\r\n{}\r\n", {400}),
    "last chunk of many noughts": (POST + CHUNKED + "\r\n2\r\n{}\r\n0000000000000000000\r\n\r\n", {400}),
    "trailer with a length": (POST + CHUNKED + "\r\n2\r\n{}\r\n0\r\nContent-Length: 300\r\n\r\n", {400}),
    "trailer with an encoding": (POST + CHUNKED + "\r\n2\r\n{}\r\n0\r\n" + CHUNKED + "\r\n", {400}),
    "trailer with a host": (POST + CHUNKED + "\r\n2\r\n{}\r\n0\r\n" + HOST + "\r\n", {400}),
    "trailer without end": (POST + CHUNKED + "\r\n2\r\n{}\r\n0\r\nX: a\r\n", {400, 408}),
    "chunked of 1.0": (POST.replace("1.1", "1.0") + CHUNKED + "\r\n2\r\n{}\r\n0\r\n\r\n", {400}),
    "chunked on GET": (GET + CHUNKED + "\r\n2\r\n{}\r\n0\r\n\r\n", {400}),
    "body on GET": (GET + "Content-Length: 2\r\n\r\n{}", {400}),
    "body where none belongs": (CANCEL_NONE + "Content-Length: 2\r\n\r\n{}", {400}),
    "body of no route": ("POST /nothing HTTP/1.1\r\n" + HOST + "Content-Length: 2\r\n\r\n{}", {404}),
    "a length that bare CR hides": (GET + "X: a\rContent-Length: 2\r\n\r\n{}", {400}),
    "a length that bare LF hides": (GET + "X: a\nContent-Length: 2\r\n\r\n{}", {400}),
    "a length that bare LF hides, of as many bytes": (GET + "X:  a\nContent-Length: 2\r\n\r\n{}", {400}),
    "a bare LF, and no request after it": (GET + "X:  a\nY: b\r\n\r\n", BARE_LF),
    "a line without a name, and bare LFs": (GET + "X: a\nY: b\n:\n\r\n", {200, 400}),
    "a bare LF after the first line": (GET.replace("\r\n", "\n", 1) + "X:  a\r\n\r\n", BARE_LF),
    "a bare LF at the end": (GET + "X:  a\r\n\n", BARE_LF),
    "a name without a space before its value": (GET + "X:a\r\nY:  b\r\n\r\n", {200}),
    "no name": (POST + ": 2\r\n\r\n{}", {400}),
    "NUL in value": (POST + "Content-Length: 2\0 \r\n\r\n{}", {400}),
    "NUL in another value, and no body": (GET + "X: a\0b\r\n\r\n", {400}),
    "NUL in the host": ("GET /healthz HTTP/1.1\r\nHost: localhost\0.evil.example\r\n\r\n", {400}),
    "NUL after the host": ("GET /healthz HTTP/1.1\r\nHost: localhost\0\r\n\r\n", {400}),
    "NUL before the host": ("GET /healthz HTTP/1.1\r\nHost: \0localhost\r\n\r\n", {400}),
    "NUL in the path": ("GET /healthz\0/../v1/jobs HTTP/1.1\r\n" + HOST + "\r\n", {400}),
    "NUL after the path": ("GET /healthz\0 HTTP/1.1\r\n" + HOST + "\r\n", {400}),
    "NUL in the query": ("GET /healthz?a=\0b HTTP/1.1\r\n" + HOST + "\r\n", {400}),
    "NUL after the method": ("GET\0 /healthz HTTP/1.1\r\n" + HOST + "\r\n", {400}),
    "NUL in a key": ("GET /healthz HTTP/1.1\r\n" + HOST + "Idempotency-Key: a\0b\r\n\r\n", {400}),
    "NUL in another value": (POST + "X: a\0b\r\nContent-Length: 2\r\n\r\n{}", {400}),
    "obs-fold": (GET + "X: a\r\n\tb\r\n\r\n", {400}),
    "obs-fold after a bare LF": (GET + "X: a\n\tb\r\n\r\n", {400}),
    "obs-fold of te": (POST + "Transfer-Encoding:\r\n chunked\r\nContent-Length: 2\r\n\r\n{}", {400}),
    "obs-fold of cl": (POST + "Content-Length: 2\r\n 0\r\n\r\n{}", {400}),
    "close": (GET + "Connection: close\r\n\r\n", {200}),
    "1.0": ("GET /healthz HTTP/1.0\r\n" + HOST + "\r\n", {200}),
}


@pytest.mark.parametrize("name", ENDED)
def test_nothing_is_read_after_it(target, name):
    request, allowed = ENDED[name]
    back = attempt(target, request + smuggled(target))
    found = answers(back)
    assert len(found) <= 1 and set(found) <= allowed, back


# What swallows the smuggled bytes as its body, as said.
@pytest.mark.parametrize("length", ["%d", "00000000%d"])
def test_a_body_is_as_long_as_said(target, length):
    inner = smuggled(target)
    request = POST + "Content-Length: " + length % len(inner) + "\r\n\r\n" + inner + GET + "Connection: close\r\n\r\n"
    back = attempt(target, request)
    assert answers(back) == [400, 200], back


@pytest.mark.parametrize("te", ["chunked", "Chunked", " chunked", "chunked ", "\tchunked\t"])
def test_a_chunk_is_as_long_as_said(target, te):
    inner = smuggled(target)
    request = POST + "Transfer-Encoding:" + te + f"\r\n\r\n{len(inner):x}\r\n{inner}\r\n0\r\n\r\n" + inner
    back = attempt(target, request)
    assert answers(back) == [400], back


@pytest.mark.parametrize("header", ["X:a", "X:  a", "X: a\nY: b"])
def test_an_odd_head_is_the_last(target, header):
    """If a byte cannot be assigned to a header, the request may be answered, but nothing after it is read."""
    back = attempt(target, GET + header + "\r\n\r\n" + smuggled(target))
    allowed = BARE_LF if "\n" in header else {200}
    assert len(answers(back)) == 1 and set(answers(back)) <= allowed, back
    assert b"Connection: close" in back


def test_pipelined_requests_are_all_answered_in_order(target):
    paths = ["/healthz", "/nothing", "/v1/version", "/v1/jobs/99", f"/v1/jobs/{target.running}"] * 20
    request = "".join(f"GET {p} HTTP/1.1\r\n{HOST}\r\n" for p in paths)
    back = exchange(target, (request + GET + "Connection: close\r\n\r\n").encode())
    assert answers(back) == [200, 404, 200, 404, 200] * 20 + [200]


def test_pipelined_submissions_are_each_a_job(daemon):
    body = json.dumps({"model": daemon.model("stage resolve\nhang\n")})
    request = POST + f"Content-Length: {len(body)}\r\n\r\n{body}"
    back = exchange(daemon, (request * 10 + GET + "Connection: close\r\n\r\n").encode())
    assert answers(back) == [202] * 10 + [200]
    assert [j["id"] for j in daemon.get("/v1/jobs").json["jobs"]] == list(range(10, 0, -1))


def test_every_byte_alone(daemon):
    """A request that arrives byte by byte is the same request."""
    body = json.dumps({"model": daemon.model("stage resolve\nhang\n")})
    request = (POST + f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}").encode()
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=LIMIT) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(request)):
            s.sendall(request[i:i + 1])
        back = b""
        while chunk := s.recv(4096):
            back += chunk
    assert answers(back) == [202]


def test_the_upgrades_that_are_not_there(target):
    for upgrade in "h2c", "websocket", "TLS/1.2":
        request = GET + f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
        assert answers(attempt(target, request + GET + "Connection: close\r\n\r\n")) == [200, 200]
    assert answers(attempt(target, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) in ([], [400], [505])
    assert answers(attempt(target, "CONNECT localhost:1 HTTP/1.1\r\n" + HOST + "Connection: close\r\n\r\n")) == [404]
