"""Slow and hostile clients: limits on what each may use, and no effect on other clients."""
import os
import socket
import threading
import time

import pytest
from conftest import LIMIT, SUCCESS, wait_until

HOST = b"Host: localhost\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
STEP = 0.1  # s between the bytes of a slow client: far below connection_idle


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connect(daemon):
    return socket.create_connection(("127.0.0.1", daemon.port), timeout=LIMIT)


def until_closed(s):
    back = b""
    try:
        while chunk := s.recv(65536):
            back += chunk
    except ConnectionError:
        pass
    return back


def trickle(s, data):
    """
    Sends one byte at a time until the other side ends the connection. Returns its answer, the seconds until then, and
    the longest pause between two bytes, which on a busy machine may be longer than intended.
    """
    start = last = time.monotonic()
    s.settimeout(STEP)
    back, pause = b"", 0
    for byte in data:
        pause, last = max(pause, time.monotonic() - last), time.monotonic()
        try:
            s.sendall(bytes([byte]))
            chunk = s.recv(4096)
            if not chunk:
                break
            back += chunk
        except TimeoutError:
            pass
        except ConnectionError:
            break
    return back, time.monotonic() - start, pause


@pytest.mark.parametrize("request_", [
    b"G" * 1000,
    b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 1000,
    b"\r\n" * 1000,
    b"POST /v1/jobs HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\n" + b" " * 1000,
    b"POST /v1/jobs HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 1000,
], ids=["line", "header", "empty lines", "body", "chunks"])
def test_a_request_that_trickles_in(stopped, request_):
    """Each byte arrives in time, but the whole request takes too long."""
    stopped.start("--connection-idle", "1", "--request-timeout", "1")
    with connect(stopped) as s:
        back, seconds, pause = trickle(s, request_)
    # libmicrohttpd 1.0 refuses many empty lines at once.
    assert seconds > 1.5 or pause > 1 or request_.startswith(b"\r\n")
    assert back in (b"", b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    assert stopped.get("/healthz").status == 200


def test_the_time_begins_anew_with_each_request(stopped):
    stopped.start("--connection-idle", "2", "--request-timeout", "1")
    end = time.monotonic() + 4
    with connect(stopped) as s:
        while time.monotonic() < end:
            s.sendall(HEALTH)
            assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
            time.sleep(STEP)


def test_an_answer_may_take_longer_than_a_request(stopped):
    """A stream of events does not count as a late request."""
    stopped.start("--connection-idle", "1", "--request-timeout", "1", "--heartbeat", "1")
    job = stopped.submit("stage resolve\nhang\n")
    with connect(stopped) as s:
        s.sendall(b"GET /v1/jobs/%d/events HTTP/1.1\r\n" % job + HOST + b"\r\n")
        end = time.monotonic() + 4
        while time.monotonic() < end:
            assert s.recv(4096)


@pytest.mark.parametrize("request_, status", [
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    (b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431),
    (b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 2000 + b"\r\n", 431),
    (b"GET /v1/jobs?" + b"a=b&" * 65 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    (b"GET /v1/jobs?" + b"a=b&" * 1500 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    (b"GET /v1/jobs?" + b"&" * 8000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    (b"A" * 9000 + b" / HTTP/1.1\r\n" + HOST + b"\r\n", 414),
], ids=["path", "header", "headers", "65 parameters", "1500 parameters", "empty parameters", "method"])
def test_a_head_that_is_too_long(stopped, request_, status):
    stopped.start("--connection-idle", "60")
    with connect(stopped) as s:
        try:
            s.sendall(request_ + HEALTH)
        except ConnectionError:
            pass
        back = until_closed(s)
    assert b" 200 " not in back
    assert not back or int(back.split()[1]) == status, back
    assert stopped.get("/healthz").status == 200


def test_as_many_parameters_as_are_taken(stopped):
    stopped.start()
    answer = stopped.get("/v1/jobs?" + "&".join(["a=b"] * 64))
    assert (answer.status, answer.json["field"]) == (400, "a")


def test_a_longer_head_where_it_is_allowed(stopped):
    stopped.start("--header-max", "65536")
    assert stopped.request("GET", "/healthz", None, {"X": "a" * 30000}).status == 200


def test_connections_of_one_address(stopped):
    """When all connections of an address are in use (here by event streams), none is closed for a new one."""
    path = stopped.folder / "sock"
    stopped.start("--connections-per-address", "3", "--listen", f"unix:{path}")
    stream = b"GET /v1/events HTTP/1.1\r\n" + HOST + b"\r\n"
    held = [connect(stopped) for _ in range(3)]
    for s in held:
        s.sendall(stream)
        assert s.recv(4096)
    with connect(stopped) as s:
        assert until_closed(s) == b""
    # Another address has its own, and a Unix socket has none.
    for _ in range(3):
        held.append(socket.create_connection(("127.0.0.1", stopped.port), LIMIT, source_address=("127.0.0.9", 0)))
    for _ in range(10):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(LIMIT)
        s.connect(str(path))
        held.append(s)
    for s in held[3:]:
        s.sendall(HEALTH)
        assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
    held.pop(0).close()

    def one_more():
        with connect(stopped) as s:
            try:
                s.sendall(HEALTH)
                return s.recv(4096) != b""
            except ConnectionError:
                return False

    wait_until("the place is free again", one_more)
    for s in held:
        s.close()


def test_an_address_takes_the_place_of_its_own(stopped):
    stopped.start("--connections-per-address", "3")
    other = socket.create_connection(("127.0.0.1", stopped.port), LIMIT, source_address=("127.0.0.9", 0))
    other.sendall(HEALTH)
    assert other.recv(4096)
    held = [connect(stopped) for _ in range(10)]
    assert [until_closed(s) for s in held[:7]] == [b""] * 7
    for s in *held[7:], other:
        s.sendall(HEALTH)
        assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
        s.close()


def test_a_thousand_idle_connections(daemon):
    idle = [connect(daemon) for _ in range(1000)]
    half = [b"", b"GET /v1/jobs HT", b"POST /v1/jobs HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\n{"]
    for i, s in enumerate(idle):
        s.sendall(half[i % 3])
    before = cpu_seconds(daemon.process.pid)
    for _ in range(50):
        assert daemon.get("/v1/jobs").status == 200
    assert cpu_seconds(daemon.process.pid) - before < 2
    job = daemon.submit()
    assert daemon.wait_end(job)["state"] == "done"
    for s in idle:
        s.close()


def test_connections_beyond_the_limit_harm_nobody(stopped):
    stopped.start("--connections-max", "16", "--connections-per-address", "16")
    held = [connect(stopped) for _ in range(15)]
    for s in held:
        s.sendall(HEALTH)
        assert s.recv(4096)
    stream = connect(stopped)
    job_connection = held.pop()
    job_connection.close()
    job = None

    def submitted():
        nonlocal job
        try:
            job = stopped.submit("stage resolve\nhang\n")
        except OSError:
            return False
        return True

    stream.close()
    wait_until("there is a place", submitted)
    for _ in range(100):
        with connect(stopped) as s:
            until_closed_soon(s)
    for s in held:
        s.sendall(HEALTH)
        assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
        s.close()


def until_closed_soon(s):
    """Refused at once, or accepted and then closed."""
    s.settimeout(0.01)
    try:
        s.recv(1)
    except OSError:
        pass


def test_no_descriptor_is_left(stopped):
    """New clients wait in the socket's queue, and the daemon does not spin meanwhile."""
    stopped.start("--connections-per-address", "16", prefix=["prlimit", "--nofile=24:24"])
    before = cpu_seconds(stopped.process.pid)
    held = [connect(stopped) for _ in range(40)]
    served = []
    for s in held:
        s.sendall(HEALTH)
        s.settimeout(2)  # waited for once: by the first that is not served
        try:
            served.append(s.recv(4096) != b"")
        except TimeoutError:
            break
    assert 4 < len(served) < 16 and all(served)
    assert cpu_seconds(stopped.process.pid) - before < 0.5
    waiting = held[len(served)]
    held[0].close()
    waiting.settimeout(LIMIT)
    assert waiting.recv(4096).startswith(b"HTTP/1.1 200 ")
    for s in held:
        s.close()
    wait_until("all is well again", lambda: stopped.get("/healthz").status == 200)
    assert stopped.wait_end(stopped.submit())["state"] == "done"


def test_readers_that_do_not_read(daemon):
    """They request much and read nothing; other clients are served."""
    for _ in range(20):
        daemon.submit("stage resolve\nhang\n")
    held = []
    for _ in range(50):
        s = daemon.deaf_socket(4096)
        s.sendall((b"GET /v1/jobs?limit=100 HTTP/1.1\r\n" + HOST + b"\r\n") * 3)
        held.append(s)
    for _ in range(20):
        assert daemon.get("/healthz").status == 200
    for s in held:
        s.close()


def test_clients_that_reset(daemon):
    """Clients that reset their connections at any time."""
    requests = [HEALTH, HEALTH[:10], b"POST /v1/jobs HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\n{", b"", b"\0" * 100, bytes(range(255, 0, -1))]

    def client():
        for i in range(60):
            with connect(daemon) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                s.sendall(requests[i % len(requests)])

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert daemon.wait_end(daemon.submit(SUCCESS))["state"] == "done"
