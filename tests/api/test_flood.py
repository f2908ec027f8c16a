"""
Many hostile clients and one normal client. The normal one is answered long before the others are closed as idle
(connection_idle, 30 s), and afterwards the hostile ones leave nothing behind.
"""
import contextlib
import http.client
import json
import os
import re
import select
import socket
import threading
import time

import pytest
from conftest import BUILD, LIMIT, UnixConnection, wait_until

HOST = b"Host: localhost\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /v1/jobs HTTP/1.1\r\n" + HOST
SOON = 10  # s: far below connection_idle, and enough for a busy machine


def metric(daemon, name):
    text = daemon.get("/metrics").body.decode()
    return float(re.search(rf"^{name} (\S+)$", text, re.M)[1])


# The address sanitizer keeps what was freed for a while: then memory says nothing.
SANITIZED = b"__asan_init" in (BUILD / "colconvd").read_bytes()


def resident(daemon):
    if SANITIZED:
        return 0
    with open(f"/proc/{daemon.process.pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def connect(daemon, source="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", daemon.port), LIMIT, source_address=(source, 0))


def deep_folder(daemon, name, n):
    """A checkpoint with a path of several kilobytes, which makes a large job."""
    folder = daemon.models.joinpath(*[name] * n)
    folder.mkdir(parents=True)
    (folder / "script").write_text("stage resolve\nhang\n")
    return str(folder)


def seconds_of(connection, path="/healthz"):
    """The seconds that a new connection, a request and its answer take."""
    start = time.monotonic()
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status == 200
    return time.monotonic() - start


def seconds_over_tcp(daemon, path="/healthz", source="127.0.0.1"):
    return seconds_of(http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=LIMIT, source_address=(source, 0)), path)


@contextlib.contextmanager
def crowd(*members):
    """Calls each function repeatedly; returns the list of calls that have ended so far."""
    ended, calls = threading.Event(), []

    def run(member):
        while not ended.is_set():
            with contextlib.suppress(OSError):
                member()
            calls.append(member)

    threads = [threading.Thread(target=run, args=(m,)) for m in members]
    for thread in threads:
        thread.start()
    try:
        yield calls
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def hang_up_after(daemon, data):
    def member():
        with connect(daemon) as s:
            s.sendall(data)
    return member


# What libmicrohttpd refuses by itself, what we refuse, and what goes away in the middle.
REFUSED = {
    "empty cookies": b"GET /healthz HTTP/1.1\r\n" + HOST + b"Cookie: " + b";" * 120 + b"\r\n\r\n",
    "many cookies": b"GET /healthz HTTP/1.1\r\n" + HOST + b"Cookie: " + b"a=b;" * 300 + b"\r\n\r\n",
    "a cookie that fills the memory": b"GET /healthz HTTP/1.1\r\n" + HOST + b"Cookie: " + b"a" * 5000 + b"\r\n\r\n",
    "many headers": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 300 + b"\r\n",
    "a long header": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 9000 + b"\r\n\r\n",
    "a long path": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "many parameters": b"GET /v1/jobs?" + b"a&" * 1000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "no version": b"GET /healthz\r\n" + HOST + b"\r\n",
    "another version": b"GET /healthz HTTP/9.9\r\n" + HOST + b"\r\n",
    "a length that is none": POST + b"Content-Length: x\r\n\r\n",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n1",
    "a chunk that is none": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a chunk that is too long": POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffffff\r\n",
    "a header without a colon": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X\r\n\r\n",
    "a body of which half comes": POST + b"Content-Length: 100\r\n\r\n{",
    "headers of which half come": b"GET /healthz HTTP/1.1\r\nHost: local",
    "a body that is too long": POST + b"Content-Length: 2000000\r\n\r\n" + b" " * 100000,
    "expecting": POST + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
    "no route": b"GET /nothing HTTP/1.1\r\n" + HOST + b"\r\n",
    "a stream that nobody waits for": b"GET /v1/events HTTP/1.1\r\n" + HOST + b"\r\n",
    "a job that nobody waits for": b"GET /v1/jobs/1?wait=300 HTTP/1.1\r\n" + HOST + b"\r\n",
    "bytes": bytes(range(256)),
    "upgrade": b"GET /healthz HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: x\r\n\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_no_request_is_left_in_memory(stopped, name):
    """When nothing runs, as many requests were released as allocated."""
    daemon = stopped.start("--heartbeat", "1")    # a stream that is closed by halves is found by writing to it
    daemon.submit("stage resolve\nhang\n")
    for i in range(300):
        with connect(daemon) as s, contextlib.suppress(OSError):    # it may be refused before all is sent
            s.sendall(REFUSED[name])
            if i % 3 == 0:
                s.shutdown(socket.SHUT_WR)
            if i % 3 != 2:
                s.settimeout(0.002)
                s.recv(4096)
    wait_until("all have gone", lambda: metric(daemon, "colconv_connections") == 1, SOON)
    assert metric(daemon, "colconv_requests") == 1
    assert metric(daemon, "colconv_request_bytes") == 0


def test_requests_of_every_kind_leave_no_memory(stopped):
    """After 2,000 requests, 4,000 more do not increase the memory, with as many connections at once as allowed."""
    stopped.start("--heartbeat", "1", "--connections-max", "64")

    def some(n):
        kinds = list(REFUSED.values())
        for i in range(n):
            with connect(stopped) as s, contextlib.suppress(OSError):
                s.sendall(kinds[i % len(kinds)])
                s.shutdown(socket.SHUT_WR)
                s.settimeout(0.5 if i % 7 == 0 else 0.001)
                s.recv(4096)
        wait_until("all have gone", lambda: metric(stopped, "colconv_connections") == 1, SOON)
        return resident(stopped)

    held = [connect(stopped) for _ in range(64)]
    for s in held:
        s.sendall(HEALTH[:-2])
    wait_until("all have come", lambda: metric(stopped, "colconv_connections") >= 40)
    for s in held:
        s.close()
    first = some(2000)
    assert some(int(os.environ.get("FLOOD_REQUESTS", "4000"))) - first < 1 << 20
    assert metric(stopped, "colconv_requests") == 1


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: local", b"", HEALTH[:-2], HEALTH, POST + b"Content-Length: 9\r\n\r\n{"],
                         ids=["half a head", "nothing", "all but the end", "a whole request", "half a body"])
def test_clients_that_hang_up_at_once(stopped, data):
    """One socket at a time in each thread: data and end of stream arrive before the daemon reads."""
    path = stopped.folder / "sock"
    stopped.start("--listen", f"unix:{path}", "--connections-max", "256")
    with crowd(*[hang_up_after(stopped, data)] * 3) as calls:
        wait_until("there is a crowd", lambda: len(calls) > 100)
        times = [f() for _ in range(5) for f in (lambda: seconds_of(UnixConnection(path)), lambda: seconds_over_tcp(stopped))]
    assert max(times) < SOON, times
    wait_until("all have gone", lambda: metric(stopped, "colconv_connections") == 1, SOON)


def test_clients_that_hang_up_are_forgotten_soon(daemon):
    """Closed soon, not only after connection_idle: clients with half a head, with half a body, and after an answer."""
    for data in HEALTH[:30], POST + b"Content-Length: 100\r\n\r\n{", HEALTH:
        for _ in range(100):
            with connect(daemon) as s:
                s.sendall(data)
        wait_until("all have gone", lambda: metric(daemon, "colconv_connections") == 1, SOON)


def test_who_says_that_it_sends_no_more_is_answered(daemon):
    """A client may close its sending side; it still gets its answer, also a delayed one."""
    job = daemon.submit("stage resolve\nhang\n")
    for data in HEALTH, HEALTH * 5, b"GET /v1/jobs/%d HTTP/1.1\r\n" % job + HOST + b"\r\n", HEALTH + HEALTH[:20]:
        with connect(daemon) as s:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            back = b""
            while chunk := s.recv(65536):
                back += chunk
        assert back.count(b"HTTP/1.1 200 OK") == data.count(b"\r\n\r\n")


@pytest.mark.parametrize("data", [b"", HEALTH[:30], HEALTH, b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n"],
                         ids=["nothing", "half a head", "a request and then nothing", "an answer that is not read"])
def test_ten_thousand_connections(stopped, data):
    """Connections above the limit are closed, the oldest first, and a new client is answered."""
    path = stopped.folder / "sock"
    stopped.start("--listen", f"unix:{path}", "--connections-max", "256")
    held = []
    for i in range(10_000):
        s = stopped.deaf_socket(2048)
        with contextlib.suppress(OSError):
            s.sendall(data)
        held.append(s)
        if len(held) > 500:
            held.pop(0).close()
        if i % 500 == 499:
            assert seconds_of(UnixConnection(path)) < SOON
            assert seconds_over_tcp(stopped) < SOON
            assert metric(stopped, "colconv_connections") <= 256
    for s in held:
        s.close()
    wait_until("all have gone", lambda: metric(stopped, "colconv_connections") == 1, SOON)


def test_a_whole_request_is_not_given_up(stopped):
    """Streams and waiting requests stay open while new clients come and go."""
    stopped.start("--connections-max", "32", "--connections-per-address", "32")
    job = stopped.submit("stage resolve\nhang\n")
    stopped.wait_running(job)
    kept = [connect(stopped) for _ in range(16)]
    for i, s in enumerate(kept):
        s.sendall((b"GET /v1/events" if i % 2 else b"GET /v1/jobs/%d?wait=300" % job) + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    wait_until("they wait", lambda: metric(stopped, "colconv_requests") == 17)
    for _ in range(200):
        connect(stopped).close()
    idle = [connect(stopped) for _ in range(100)]
    assert seconds_over_tcp(stopped) < SOON
    assert stopped.post(f"/v1/jobs/{job}/cancel").status == 202
    for i, s in enumerate(kept):
        back = s.recv(65536)
        assert b"200 OK" in back
        while b"cancelled" not in back:
            chunk = s.recv(65536)
            assert chunk
            back += chunk
    for s in kept + idle:
        s.close()


def test_shares_of_listeners_and_addresses(stopped):
    """One listener cannot use all connections, and one address cannot use all of its listener's, even if every connection is in use."""
    path = stopped.folder / "sock"
    stopped.start("--listen", "127.0.0.2:0", "--listen", f"unix:{path}", "--connections-max", "48")
    stream = b"GET /v1/events HTTP/1.1\r\n" + HOST + b"\r\n"
    held = []

    def take(source, n):
        taken = 0
        for _ in range(n):
            s = connect(stopped, source)
            held.append(s)
            with contextlib.suppress(OSError):
                s.sendall(stream)
                taken += s.recv(4096) != b""
        return taken

    # of 48, each of three listeners keeps 4 for itself; an address may have three quarters of the 40 that are left
    assert take("127.0.0.1", 48) == 30
    assert take("127.0.0.9", 48) == 10
    assert seconds_of(UnixConnection(path)) < SOON
    assert seconds_of(UnixConnection(path), "/v1/jobs") < SOON
    for s in held:
        s.close()

    def gone():
        with contextlib.suppress(OSError):    # until then there is no place for this one either
            return metric(stopped, "colconv_connections") == 1

    wait_until("all have gone", gone)


def test_all_bodies_share_a_budget(stopped):
    """The largest bodies are refused; a normal submission succeeds at the same time."""
    stopped.start("--bodies-max", "1048576", "--body-max", "500000")
    before = resident(stopped)
    held = [connect(stopped) for _ in range(50)]
    for s in held:
        with contextlib.suppress(OSError):
            s.sendall(POST + b"Content-Length: 400000\r\n\r\n" + b" " * 399_999)
    wait_until("they came", lambda: 0 < metric(stopped, "colconv_request_bytes") <= 1048576)
    small = connect(stopped)
    small.sendall(POST + b"Content-Length: 2\r\n\r\n{")
    assert stopped.post("/v1/jobs", {"model": stopped.model("stage resolve\nhang\n")}).status == 202
    small.sendall(b"}")
    assert b" 400 " in small.recv(4096)
    assert resident(stopped) - before < 8 << 20
    wait_until("most are refused", lambda: len(select.select(held, [], [], 0)[0]) > 40)
    refused = 0
    for s in select.select(held, [], [], 0)[0]:
        with contextlib.suppress(OSError):
            refused += s.recv(4096).startswith(b"HTTP/1.1 503 ")
    assert refused > 40
    for s in held:
        s.close()
    wait_until("all is free again", lambda: metric(stopped, "colconv_request_bytes") == 0)


def test_answers_share_a_budget(stopped):
    """Readers that do not read can use a limited amount of memory. Small answers are still sent, and large ones again afterwards."""
    path = stopped.folder / "sock"
    stopped.start("--listen", f"unix:{path}", "--answers-max", "1048576")
    model = deep_folder(stopped, "x" * 200, 15)
    for _ in range(100):
        assert stopped.post("/v1/jobs", {"model": model}).status == 202
    large = len(stopped.get("/v1/jobs?limit=1000").body)
    assert large > 1 << 18    # more than the kernel takes from us
    before = resident(stopped)
    held = []
    for _ in range(200):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(LIMIT)
        s.connect(str(path))
        s.sendall(b"GET /v1/jobs?limit=1000 HTTP/1.1\r\n" + HOST + b"\r\n")
        held.append(s)
    wait_until("the budget is used up", lambda: stopped.get("/v1/jobs?limit=1000").status == 503)
    refused = stopped.get("/v1/jobs?limit=1000")
    assert (refused.status, refused.json["code"]) == (503, "busy") and refused.headers["Retry-After"]
    assert stopped.get("/v1/status").status == 200
    assert metric(stopped, "colconv_request_bytes") <= 1048576
    assert resident(stopped) - before < 16 << 20
    for s in held:
        s.close()
    wait_until("all is free again", lambda: metric(stopped, "colconv_request_bytes") == 0)
    assert len(stopped.get("/v1/jobs?limit=1000").body) == large


def test_a_page_of_large_jobs_is_bounded(stopped):
    """The page ends early, and `next` continues where it ended."""
    stopped.start()
    model = deep_folder(stopped, "\u4e2d" * 80, 14)
    labels = {f"l{i}": "\u4e2d" * 60 for i in range(8)}
    for _ in range(200):
        assert stopped.post("/v1/jobs", {"model": model, "labels": labels}).status == 202
    ids, cursor, pages = [], None, 0
    while True:
        answer = stopped.get("/v1/jobs?limit=1000" + (f"&cursor={cursor}" if cursor else ""))
        assert len(answer.body) < 1 << 19
        ids += [j["id"] for j in answer.json["jobs"]]
        pages += 1
        cursor = answer.json["next"]
        if cursor is None:
            break
    assert pages > 1 and ids == sorted(ids, reverse=True) and len(ids) == len(set(ids)) == 200


def test_as_many_connections_as_descriptors_allow(stopped):
    stopped.start("--connections-max", "2048", prefix=["prlimit", "--nofile=256:256"])
    assert any("connections_max is 96, not 2048" in line and "256 descriptors" in line for line in stopped.log)
    held = [connect(stopped) for _ in range(300)]
    for s in held[-50:]:
        s.sendall(HEALTH)
        assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert metric(stopped, "colconv_connections") <= 96
    job = stopped.submit()
    assert stopped.wait_end(job)["state"] == "done"
    for s in held:
        s.close()
