"""
The latency of another client: during 1,000 slow connections, 100 event streams and a flood of submissions; and while
others connect and hang up as fast as they can.
"""
import contextlib
import http.client
import re
import socket
import subprocess
import threading
import time

from daemon import LOAD_CORES, Daemon, job, load, loaded, loading, request, spawn

SLOW = 1000
STREAMS = 100
FLOOD = 64
HANGERS_UP = 3
NICE = 10    # of the crowd, which shares cores with the clients whose time is taken


@contextlib.contextmanager
def slow_connections(port, n):
    """Connections that send a byte of a request at intervals; those that the daemon closes are opened again."""
    head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
    ended = threading.Event()
    open_now = []

    def connect():
        s = socket.create_connection(("127.0.0.1", port))
        s.sendall(head)
        return s

    def drip():
        while not ended.is_set():
            for i, s in enumerate(open_now):
                try:
                    s.send(b"x")
                except OSError:
                    s.close()
                    open_now[i] = connect()
                if ended.wait(2 / n):
                    return

    open_now.extend(connect() for _ in range(n))
    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        for s in open_now:
            s.close()


def others(bench, port):
    """The latencies of a reading and a submitting client at the same time."""
    seconds = 2 * bench.seconds
    with loading(bench, port, 1, request("GET", "/v1/jobs/1"), seconds) as reader:
        posted = load(bench, port, 1, request("POST", "/v1/jobs", job(bench)), seconds)
        return loaded(reader), posted


@contextlib.contextmanager
def crowd(bench, port):
    """Runs the whole crowd; each part must last for the whole measurement."""
    with (slow_connections(port, SLOW),
          loading(bench, port, STREAMS, request("GET", "/v1/events"), 600, NICE) as streams,
          loading(bench, port, FLOOD, request("POST", "/v1/jobs", job(bench)), 600, NICE) as flood):
        time.sleep(1)
        yield
        for process in (streams, flood):
            if process.poll() is not None:
                raise RuntimeError("the crowd went away: " + process.stderr.read().strip())


def newcomers(port, seconds):
    """Seconds that each of one client's new connections takes to be answered; None for one that is not."""
    times = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            times.append(time.monotonic() - start)
        except OSError:
            times.append(None)
        connection.close()
    return times


def hung_up(bench, port):
    """The times of newcomers while others connect, send half a request and hang up; and how many of those there were."""
    argv = ["nice", "-n", str(NICE), bench.build / "tests/bench/flood", str(port), str(2 * bench.seconds)]
    flood = [spawn(argv, LOAD_CORES, stdout=subprocess.PIPE, text=True) for _ in range(HANGERS_UP)]
    times = newcomers(port, 2 * bench.seconds)
    made = sum(int(process.communicate()[0]) for process in flood)
    time.sleep(1)
    return times, made, left_over(port)


def left_over(port):
    """The number of connections that are still open, without this one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return int(float(re.search(r"^colconv_connections (\S+)$", text, re.M)[1])) - 1


def newcomers_words(times, made, left):
    answered = sorted(t for t in times if t is not None)
    if not answered:
        return f"beside {made} that hung up: none of {len(times)} new connections was answered"
    return (f"beside {made} that hung up: {len(answered)} of {len(times)} new connections answered, p50/p99/max "
            f"{1e3 * answered[len(answered) // 2]:.1f}/{1e3 * answered[len(answered) * 99 // 100]:.1f}/{1e3 * answered[-1]:.0f}; "
            f"{left} connections left 1 s later")


def words(what, result):
    return f"{what} {1e3 * result['median']:.1f}/{1e3 * result['p99']:.1f}/{1e3 * result['slowest']:.0f}"


def hostile(bench):
    daemon = Daemon(bench, "hostile")
    with daemon.run():
        load(bench, daemon.port, 1, request("POST", "/v1/jobs", job(bench)), 0.1)
        quiet = others(bench, daemon.port)
        with crowd(bench, daemon.port):
            loud = others(bench, daemon.port)
        flood = hung_up(bench, daemon.port)
    with daemon.queue() as db:
        (jobs,) = db.execute("SELECT count(*) FROM job").fetchone()
    daemon.remove()
    return 1e3 * loud[0]["p99"], {
        "quiet": quiet, "loud": loud, "jobs": jobs, "newcomers": flood[0], "hung_up": flood[1],
        "words": f"p50/p99/max: {words('GET', loud[0])}, {words('POST', loud[1])}; "
                 f"without {words('GET', quiet[0])}, {words('POST', quiet[1])}; {jobs} jobs were made; "
                 f"{newcomers_words(*flood)}"}


def rows(bench):
    yield "hostile", "p99 of another client's GET in a crowd", "ms", None, lambda: hostile(bench)
