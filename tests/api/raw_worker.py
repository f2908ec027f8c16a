"""Runs the real worker without a daemon: jobs and messages are frames of proto/worker.proto, read one at a time."""
import fcntl
import json
import os
import struct
import subprocess

from conftest import BUILD

F_SETPIPE_SZ = 1031
PACKETS = os.O_DIRECT  # each write is a message of its own, and a pipe of one page holds one
KINDS = {1: "hello", 2: "stage", 3: "progress", 4: "heartbeat", 5: "result", 6: "failure"}


def varint(n):
    out = b""
    while n > 0x7f:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def text_field(number, text):
    data = text.encode()
    return varint(number << 3 | 2) + varint(len(data)) + data


def fields(data):
    """{number: value}: a number, or the bytes of a string or message."""
    def take():
        nonlocal at
        n = shift = 0
        while True:
            byte = data[at]
            at += 1
            n |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return n

    at, found = 0, {}
    while at < len(data):
        tag = take()
        if tag & 7 == 0:
            found[tag >> 3] = take()
        elif tag & 7 == 1:
            found[tag >> 3] = data[at:at + 8]
            at += 8
        else:
            n = take()
            found[tag >> 3] = data[at:at + n]
            at += n
    return found


class Worker:
    """A worker that is at most one message ahead of the reader: it blocks while it writes the next one."""

    def __init__(self, spec, out, roots=(), stderr=subprocess.PIPE, **env):
        job = text_field(1, "nonce") + text_field(19, json.dumps(spec)) + text_field(3, str(out))
        job += b"".join(text_field(17, str(r)) for r in roots)
        self.read_fd, write_fd = os.pipe2(os.O_CLOEXEC | PACKETS)
        fcntl.fcntl(self.read_fd, F_SETPIPE_SZ, 4096)
        self.process = subprocess.Popen([BUILD / "colconv-worker"], stdin=subprocess.PIPE, stdout=write_fd, stderr=stderr,
                                        env={**os.environ, **env})
        os.close(write_fd)
        self.process.stdin.write(struct.pack("<I", len(job)) + job)
        self.process.stdin.close()

    def message(self):
        """(kind, fields), or None at the end."""
        packet = os.read(self.read_fd, 65536)
        if not packet:
            return None
        (number, body), = fields(packet[4:]).items()
        return KINDS[number], fields(body)

    def wait_stage(self, name):
        while message := self.message():
            if message[0] == "stage" and message[1][1] == name.encode():
                return
        raise AssertionError(f"it ended before {name}: {self.process.stderr.read()}")

    def end(self):
        """(kind, reason, sentence) of the last message."""
        last = None
        while message := self.message():
            last = message
        os.close(self.read_fd)
        if self.process.stderr:
            self.process.stderr.close()
        self.process.wait(60)
        assert last, "it ended without a word"
        return last[0], last[1].get(1, b"").decode() if last[0] == "failure" else "", last[1].get(2, b"").decode() if last[0] == "failure" else ""
