"""Rows about the daemon: durable submissions against bare SQLite, status reads against nginx, its memory."""
import contextlib
import http.client
import shutil
import statistics
import subprocess

from daemon import SERVER_CORE, Daemon, job, load, nginx, request, share_words, spawn

CLIENTS = (1, 64, 127, 128, 256, 1000)    # servers of this kind have been seen to stall at 128
READERS = 64
MIB = 1 << 20


def bare(bench, daemon):
    with daemon.queue() as db:
        (spec_len,) = db.execute("SELECT max(length(spec)) FROM job").fetchone()
    argv = [bench.build / "tests/bench/bare_sqlite", daemon.folder / "bare", str(bench.seconds), str(spec_len)]
    with spawn(argv, SERVER_CORE, stdout=subprocess.PIPE, text=True) as process:
        out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("bare_sqlite failed")
    return float(out)


def submit(bench, clients):
    ours, theirs, cpu = [], [], []
    for i in range(bench.repeat):
        daemon = Daemon(bench, f"submit-{clients}-{i}")
        with daemon.run():
            ours.append(load(bench, daemon.port, clients, request("POST", "/v1/jobs", job(bench)), bench.seconds))
            cpu.append(daemon.cpu() / ours[-1]["ok"])
        theirs.append(bare(bench, daemon))
        daemon.remove()
    rate, reference = statistics.median(r["rate"] for r in ours), statistics.median(theirs)
    slowest = max(r["slowest"] for r in ours)
    words = (f"{rate:.0f}/s against {reference:.0f}/s; slowest {1000 * slowest:.0f} ms; daemon {1e6 * statistics.median(cpu):.0f} us "
             f"of CPU a job; {share_words(ours)}")
    return rate / reference, {"loads": ours, "reference_rates": theirs, "cpu": cpu, "slowest": slowest, "words": words}


def stall(bench):
    """Longer than the one above, and all on one daemon."""
    slowest = {}
    daemon = Daemon(bench, "stall")
    with daemon.run():
        for clients in CLIENTS:
            answer = load(bench, daemon.port, clients, request("POST", "/v1/jobs", job(bench)), 2 * bench.seconds)
            slowest[clients] = answer["slowest"]
    daemon.remove()
    return max(slowest.values()), {"slowest": slowest,
                                   "words": ", ".join(f"{n} clients: {1000 * s:.0f} ms" for n, s in slowest.items())}


def first_job(bench, port):
    """Submits it, and returns what a status read answers."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("POST", "/v1/jobs", request("POST", "", job(bench)).partition(b"\r\n\r\n")[2])
        connection.getresponse().read()
        connection.request("GET", "/v1/jobs/1")
        return connection.getresponse().read()


def status(bench):
    ours, theirs, cpu = [], [], []
    daemon = Daemon(bench, "status")
    with daemon.run(), contextlib.ExitStack() as stack:
        body = first_job(bench, daemon.port)
        port = stack.enter_context(nginx(bench.scratch / "nginx", body)) if shutil.which("nginx") else None
        for _ in range(bench.repeat):
            before = daemon.cpu()
            ours.append(load(bench, daemon.port, READERS, request("GET", "/v1/jobs/1"), bench.seconds))
            cpu.append((daemon.cpu() - before) / ours[-1]["ok"])
            if port:
                theirs.append(load(bench, port, READERS, request("GET", "/job"), bench.seconds))
    daemon.remove()
    rate = statistics.median(r["rate"] for r in ours)
    detail = {"loads": ours, "reference_loads": theirs, "cpu": cpu}
    words = f"{len(body)} bytes; daemon {1e6 * statistics.median(cpu):.0f} us of CPU a read; {share_words(ours)}"
    if not theirs:
        return None, {**detail, "words": f"{rate:.0f}/s; nginx is not installed; {words}"}
    reference = statistics.median(r["rate"] for r in theirs)
    return rate / reference, {**detail, "words": f"{rate:.0f}/s against {reference:.0f}/s; {words}"}


def idle(bench):
    daemon = Daemon(bench, "idle")
    with daemon.run():
        size = daemon.resident()
    daemon.remove()
    return size / MIB, {}


def rows(bench):
    for n in CLIENTS:
        yield (f"submit-{n}", f"durable jobs/s, {n} client{'s' * (n > 1)} / bare SQLite", "", ">= 4" if n == 64 else None,
               lambda n=n: submit(bench, n))
    yield "submit-stall", "slowest submission of any number of clients", "s", "<= 1", lambda: stall(bench)
    yield "status", f"status reads/s, {READERS} clients / nginx", "", ">= 0.9", lambda: status(bench)
    yield "idle", "colconvd: resident memory, idle", "MiB", "<= 16", lambda: idle(bench)
