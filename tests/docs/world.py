"""
The place where the examples of the documents run.

The documents speak of a server as a reader has one: checkpoints in /srv/models, a daemon at 127.0.0.1:8470, its state in
/var/lib/colconv. Here each of these names stands for something below a temporary folder: a tiny checkpoint with random
weights, the real programs on a free port. Nothing else of an example is changed.
"""
import atexit
import functools
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import pytest

from pages import SOURCE

BUILD = pathlib.Path(os.environ.get("COLCONV_BUILD", SOURCE)).resolve()
LIMIT = 120  # s, for one block on a busy machine


@functools.cache
def checkpoint():
    """The folder of a tiny checkpoint, made once and removed when Python exits."""
    holder = tempfile.TemporaryDirectory()
    atexit.register(holder.cleanup)
    folder = pathlib.Path(holder.name) / "checkpoint"
    shutil.copytree(SOURCE / "tests/golden/e2e-colqwen2", folder, ignore=shutil.ignore_patterns("e2e.*", "page-*"))
    return folder


@functools.cache
def python_with(*packages):
    """A Python that imports the packages: COLCONV_DOCS_PYTHON, or the one that runs the tests; None: neither does."""
    for python in (os.environ.get("COLCONV_DOCS_PYTHON"), sys.executable):
        if python and subprocess.run([python, "-c", f"import {', '.join(packages)}"], capture_output=True).returncode == 0:
            return python
    return None


def python_or_skip(*packages):
    return python_with(*packages) or pytest.skip(f"no Python with {', '.join(packages)}; COLCONV_DOCS_PYTHON can name one")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class World:
    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.daemon = None
        self.names = (
            ("127.0.0.1:8470", f"127.0.0.1:{self.port}"),
            ("/srv/", f"{folder}/srv/"),
            ("/var/lib/colconv", f"{folder}/state"),
            ("/etc/colconv.tokens", f"{folder}/tokens"),
        )
        folder.mkdir(exist_ok=True)
        for name in ("srv/models", "srv/onnx", "here"):
            (folder / name).mkdir(parents=True)
        (folder / "none.conf").write_text("")
        (folder / "bin").mkdir()
        for program in ("colconvd", "colconvctl", "colconv-parity", "colconv-embed"):
            (folder / "bin" / program).symlink_to(BUILD / program)
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("COLCONV_SERVER", "COLCONV_TOKEN", "HF_"))},
            "PATH": f"{folder}/bin:{os.environ['PATH']}", "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "LC_ALL": "C.UTF-8",
            "COLCONV_SERVER": f"http://127.0.0.1:{self.port}", "HF_HUB_OFFLINE": "1", "NO_COLOR": "1",
            "LD_LIBRARY_PATH": str(BUILD / "tests/api"), "FAKE_GPUS": "GPU-0,GPU-1",    # a host with two GPUs
        }
        # An answer of the daemon that is an error fails the example.
        (folder / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
        shutil.copytree(checkpoint(), folder / "srv/models/colqwen2-v1.0-hf")
        (folder / "srv/pages").mkdir()
        for page in sorted((SOURCE / "tests/golden/e2e-colqwen2").glob("page-*.png")):
            shutil.copy(page, folder / "srv/pages")
        for case in sorted((SOURCE / "tests/golden/colqwen2-tiny").glob("case-*.safetensors")):
            shutil.copy(case, folder / "srv/models")

    def inside(self, text):
        """The example with the real names of this test environment."""
        for name, real in self.names:
            text = text.replace(name, real)
        return text

    def outside(self, text):
        """A program's output, with the names from the documents."""
        for name, real in self.names:
            text = text.replace(real, name)
        return text

    def run(self, text):
        """Runs a block in bash; returns the exit status and all output."""
        done = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", self.inside(text)], cwd=self.folder / "here", env=self.environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT)
        return done.returncode, self.outside(done.stdout)

    def start(self, text):
        """Runs a block that starts a daemon, and waits until it answers."""
        command = "exec " + self.inside(text).strip()
        if "--listen" not in command:
            command += f" --listen 127.0.0.1:{self.port}"
        if "--config" not in command:
            command += f" --config {self.folder}/none.conf"
        self.daemon = subprocess.Popen(["bash", "-c", command], cwd=self.folder / "here", env=self.environment, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=(self.folder / "log").open("w"))
        end = time.monotonic() + LIMIT
        while True:
            assert self.daemon.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < end, "the daemon does not answer"
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.02)

    def close(self):
        if self.daemon:
            self.daemon.terminate()
            self.daemon.wait(LIMIT)
        shutil.rmtree(self.folder, ignore_errors=True)


# What differs between two runs: numbers, and the units and blanks that change with them.
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?: ?(?:[kMGT]?B|ms|s|min|h)(?!\w))?")


def shape(line):
    """A line of output without the parts that differ between two runs."""
    return re.sub(r"\s+", " ", NUMBER.sub("#", line)).strip()


def missing_line(wanted, said):
    """The first line of an example's output that the program did not print, or not in this order; None when all lines were printed."""
    lines = iter([shape(line) for line in said.splitlines()])
    for line in wanted.splitlines():
        if line.strip() not in ("", "...") and shape(line) not in lines:
            return line
    return None
