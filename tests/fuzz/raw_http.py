#!/usr/bin/env python3
"""
Bytes that are nearly HTTP, for a live daemon: the answers are HTTP, none is a 5xx but 505, of another version, and it lives.

    tests/fuzz/raw_http.py [--seconds N] [--seed N]

By hand, with a daemon built with --enable-sanitizers in COLCONV_BUILD; see also tests/contract.
"""
import argparse
import collections
import os
import pathlib
import random
import re
import shutil
import socket
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))

from conftest import SUCCESS, Daemon  # noqa: E402

HOST = "Host: localhost\r\n"
JOB = '{"model": "/m", "labels": {"a": "b"}, "parity": {"seed": 1}}'
PURGE = '{"keep_jobs": 1000000, "dry_run": true}'
SEEDS = [text.encode() for text in [
    f"GET /v1/jobs?state=done,failed&label=a=b&limit=2&cursor=9 HTTP/1.1\r\n{HOST}\r\n",
    f"HEAD /v1/jobs/1/files/model.onnx_data HTTP/1.1\r\n{HOST}Range: bytes=2-5\r\nIf-Range: \"x\"\r\n\r\n",
    f"GET /v1/jobs/1/files/text.onnx HTTP/1.1\r\n{HOST}Range: bytes=-3\r\nIf-None-Match: W/\"a\", \"b\", *\r\n\r\n",
    f"GET /v1/jobs/1/history?after=0&limit=3 HTTP/1.1\r\n{HOST}Connection: keep-alive\r\n\r\nGET /v1/jobs/1/log?tail=2 HTTP/1.0\r\n{HOST}\r\n",
    f"GET /v1/jobs/1/events HTTP/1.1\r\n{HOST}Last-Event-ID: 1\r\nAccept: text/event-stream\r\n\r\n",
    f"POST /v1/jobs HTTP/1.1\r\n{HOST}Idempotency-Key: k-1\r\nContent-Type: application/json\r\nContent-Length: {len(JOB)}\r\n\r\n{JOB}",
    f"POST /v1/purge HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n{len(PURGE):x}\r\n{PURGE}\r\n0\r\nX: y\r\n\r\n",
    f"POST /v1/purge HTTP/1.1\r\n{HOST}Expect: 100-continue\r\nContent-Length: {len(PURGE)}\r\n\r\n{PURGE}",
    f"POST /v1/jobs/1/retry HTTP/1.1\r\n{HOST}Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 0\r\n\r\n",
    f"DELETE /v1/jobs/99 HTTP/1.1\r\n{HOST}Authorization: Bearer 0123456789abcdef\r\nCookie: a=b; c\r\n\r\n",
    f"OPTIONS * HTTP/1.1\r\n{HOST}\r\n", f"GET http://localhost/metrics HTTP/1.1\r\n{HOST}Upgrade: h2c\r\n\r\n",
]]
TOKENS = [b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"%00", b"%", b"%ff", b"..", b"/", b"?", b"&", b"=", b",", b"-", b"\"", b"{", b"[", b"\\u0000",
          b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"HTTP/1.1", b"HTTP/9.9", b"18446744073709551616", b"-1", b"ffffffffffffffff\r\n",
          b"0\r\n\r\n", b"\xff\xfe", b"\xc3", b"A" * 9000, b"Host: x\r\n", b"bytes=9223372036854775807-", b"\r\n\r\n"]


def mutate(r, data):
    data = bytearray(data)
    for _ in range(r.randint(0, 6)):
        at, n, what = r.randint(0, len(data)), r.randint(1, 12), r.randrange(7)
        if what == 0 and at < len(data):
            data[at] ^= 1 << r.randrange(8)
        elif what == 1:
            data[at:at] = r.choice(TOKENS)
        elif what == 2:
            data[at : at + n] = r.choice(TOKENS)
        elif what == 3:
            del data[at : at + n]
        elif what == 4:
            data[at:at] = data[at : at + 4 * n]
        elif what == 5:
            other = r.choice(SEEDS)
            start = r.randrange(len(other))
            data[at : at + n] = other[start : start + 8 * n]
        elif r.random() < 0.3:
            del data[at:]
    return bytes(data)


def send(port, data, r):
    """Sends the bytes in one or several pieces; returns everything until the other side closes, or until 0.2 s after we have closed ours."""
    back = b""
    with socket.create_connection(("127.0.0.1", port), timeout=0.2) as s:
        try:
            cut = r.randint(0, len(data)) if r.random() < 0.3 else len(data)
            s.sendall(data[:cut])
            s.sendall(data[cut:])
            if r.random() < 0.9:
                s.shutdown(socket.SHUT_WR)
            while chunk := s.recv(65536):
                back += chunk
        except OSError:
            pass
    return back


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="colconv-fuzz-"))
    daemon = Daemon(folder).start("--slots", "1", "--log-level", "warning", "--connection-idle", "2", "--request-timeout", "2")
    daemon.wait_end(daemon.submit(SUCCESS))
    r = random.Random(args.seed)
    end = time.monotonic() + args.seconds
    statuses, failed, n = collections.Counter(), [], 0
    while time.monotonic() < end and daemon.process.poll() is None and len(failed) < 5:
        data = mutate(r, r.choice(SEEDS))
        back = send(daemon.port, data, r)
        n += 1
        found = re.match(rb"HTTP/1\.[01] (\d{3}) ", back)
        status = int(found[1]) if found else None
        statuses[status] += 1
        if (back and not found) or (status or 0) >= 500 and status != 505:
            failed.append((data, back[:300]))
    alive = daemon.process.poll() is None and daemon.get("/healthz").status == 200
    good = alive and daemon.stop() == 0 and not failed and not any("Sanitizer" in line or "runtime error" in line for line in daemon.log)
    for data, back in failed:
        print(f"{data!r}\n    {back!r}")
    print("\n".join(daemon.log[-20:]) if not good else "", end="")
    print(", ".join(f"{status or 'closed'}: {count}" for status, count in sorted(statuses.items(), key=lambda x: x[0] or 0)))
    print(f"{n} requests, seed {args.seed}, {os.environ.get('COLCONV_BUILD', 'this build')}: {'passed' if good else 'FAILED'}")
    shutil.rmtree(folder)
    return not good


if __name__ == "__main__":
    sys.exit(main())
