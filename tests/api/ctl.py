"""Shared by the tests of colconvctl: runs it, also on a terminal, against a scripted daemon."""

import os
import pty
import re
import select
import socket
import subprocess
import time

import pytest
from stub import Stub, job

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("COLCONV_BUILD", TOP)
CTL = os.path.join(BUILD, "colconvctl")
WORKER = os.path.join(BUILD, "tests", "api", "fake_worker")

EXPORT = job(stage="export", progress={"done": 0, "total": 4000, "unit": "bytes", "detail": "lm.00"})


@pytest.fixture
def stub():
    s = Stub()
    yield s
    s.close()


def environment(server=None, **more):
    """Our environment, without the variables that would change what colconvctl does."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("COLCONV_SERVER", "COLCONV_TOKEN", "NO_COLOR"))}
    env["XDG_CONFIG_HOME"] = "/nonexistent"
    env.update(more)
    if server:
        env["COLCONV_SERVER"] = server.url
    return env


def ctl(server, *args, cwd=None, stdin=None, **env):
    return subprocess.run([CTL, *map(str, args)], env=environment(server, **env), cwd=cwd, timeout=30, text=True,
                          capture_output=True, input=stdin)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def on_terminal(args, *steps, cwd=None, **env):
    """
    Runs a program on a terminal. The steps are a pattern, a function, a pattern, a function ...: when a pattern was
    seen, its function is called with the terminal, and the next pattern is awaited. Returns the output and the exit
    status.
    """
    patterns, functions = list(steps[0::2]), list(steps[1::2])
    pid, fd = pty.fork()
    if pid == 0:
        if cwd:
            os.chdir(cwd)
        os.execve(CTL, [CTL, *map(str, args)], env)
    shown = b""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if not select.select([fd], [], [], 0.1)[0]:
            continue
        try:
            part = os.read(fd, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
        if patterns and re.search(patterns[0], shown):
            del patterns[0]
            functions.pop(0)(fd)
    os.close(fd)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def render(shown):
    """Returns the final content of the screen; it understands the few control sequences that the board uses."""
    lines, row = [""], 0
    shown = re.sub(r"\x1b\[\d*m", "", shown)
    for part in re.split(r"(\r|\n|\x1b\[\d*[AJ])", shown):
        if part == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif part.endswith("A") and part.startswith("\x1b["):
            row -= int(part[2:-1])
        elif part == "\x1b[J":
            del lines[row + 1:]
            lines[row] = ""
        elif part != "\r":
            lines[row] += part
    return [line for line in lines if line]
