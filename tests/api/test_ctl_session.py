"""The first ten minutes of a new user: a terminal and a real daemon. tests/logs/session.txt records the screen."""

import json
import os
import shlex
import socket
import threading

import pytest
from conftest import BUILD
from ctl import WORKER, environment, free_port, on_terminal, render, wait_until

LONG = """\
stage resolve
progress 1 1
stage export
log <4>this checkpoint has weights that nobody uses
progress 5 20
touch {0}/begun
wait_for {0}/go
progress 20 20
artifact 30000000
result
"""


class Link:
    """Forwards connections to the daemon, but only a limited number of bytes of one of them until `whole` is set."""

    FIRST = 12_000_000

    def __init__(self, port):
        self.to, self.whole = port, threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                near.close()
                continue
            threading.Thread(target=self.pump, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(far, near, True), daemon=True).start()

    def pump(self, source, sink, down):
        passed = 0
        try:
            while data := source.recv(65536):
                sink.sendall(data)
                passed += len(data)
                if down and passed > self.FIRST:
                    self.whole.wait()
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for s in (source, sink):
                s.close()


class Session:
    def __init__(self, folder):
        self.folder = folder
        self.text = []
        self.env = environment(TERM="xterm", XDG_CONFIG_HOME=str(folder / "config"))

    def note(self, words):
        self.text.append(f"\n# {words}\n")

    def __call__(self, line, *steps, status=0):
        """Types a line; returns the resulting screen."""
        shown, got = on_terminal(shlex.split(line)[1:], *steps, cwd=self.folder, **self.env)
        screen = render(shown)
        self.text += [f"$ {line}", *screen, *([f"[exit status {got}]"] if got else [])]
        assert got == status, "\n".join(self.text)
        return "\n".join(screen)

    def write(self):
        os.makedirs(os.path.join(BUILD, "tests", "logs"), exist_ok=True)
        with open(os.path.join(BUILD, "tests", "logs", "session.txt"), "w") as f:
            f.write("\n".join(self.text).replace(str(self.folder), "/home/new") + "\n")


@pytest.fixture
def session(tmp_path):
    s = Session(tmp_path)
    yield s
    s.write()


def ctrl_c(fd):
    os.write(fd, b"\x03")


def test_the_first_ten_minutes(session, stopped):
    if not os.path.exists(WORKER):
        pytest.skip("fake_worker is not built")
    session.note("What is this?")
    session.env["COLCONV_SERVER"] = f"http://127.0.0.1:{free_port()}"
    assert "Usage: colconvctl" in session("colconvctl", status=2)
    assert "did you mean 'submit'?" in session("colconvctl submti model", status=2)
    assert "did you mean '--state'?" in session("colconvctl list --stat queued", status=2)
    session("colconvctl help list")

    session.note("No daemon")
    assert "check that colconvd runs there" in session("colconvctl list", status=9)
    session("colconvctl config")

    session.note("The daemon is started")
    stopped.start("--slots", "1")
    link = Link(stopped.port)
    (session.folder / "config" / "colconv").mkdir(parents=True)
    (session.folder / "config" / "colconv" / "colconvctl.conf").write_text(f"server = http://127.0.0.1:{link.port}\n")
    del session.env["COLCONV_SERVER"]
    session("colconvctl version")
    assert "no jobs found" in session("colconvctl list")

    session.note("A first job")
    (session.folder / "model").mkdir()
    (session.folder / "model" / "script").write_text(LONG.format(session.folder))
    assert "cannot find 'mdoel'" in session("colconvctl submit mdoel", status=2)
    assert "dtype" in session("colconvctl submit model --dtype fp8", status=2)
    assert "colconvctl watch 1" in session("colconvctl submit model")
    wait_until(lambda: (session.folder / "begun").exists())
    assert "come back with 'colconvctl watch 1'" in session("colconvctl watch 1", b" 25%", ctrl_c)
    session("colconvctl submit model --label who=me --priority 5")
    assert "running" in session("colconvctl list")
    session("colconvctl show 2")
    assert "job 1 has no artifact, it is running" in session("colconvctl fetch 1", status=3)
    shown = session("colconvctl watch", b" 25%", lambda fd: (session.folder / "go").touch())
    assert "job 1: done" in shown and "job 2: done" in shown
    session("colconvctl logs 1")

    session.note("The files, over a slow line")
    assert "continues with what is there" in session("colconvctl fetch 1", rb" [2-9]\d%", ctrl_c, status=6)
    link.whole.set()
    session("colconvctl fetch 1")
    assert "is there already" in session("colconvctl fetch 1")

    session.note("A job that fails")
    (session.folder / "broken").mkdir()
    (session.folder / "broken" / "script").write_text(
        "stage resolve\nlog <3>header of 'model-00003.safetensors' is cut\n"
        "fail bad_checkpoint header of 'model-00003.safetensors' is longer than the file\n")
    assert "compare the checkpoint's files" in session("colconvctl submit broken --fetch out", status=5)
    session("colconvctl list --state failed")
    session("colconvctl show 3")
    session("colconvctl logs 3")
    session("colconvctl fetch 3", status=3)
    session("colconvctl cancel 3", status=1)
    session("colconvctl show 99", status=3)

    session.note("The one line that most need")
    assert "its files are in 'onnx'" in session("colconvctl submit model --fetch onnx")
    assert json.loads((session.folder / "onnx" / "manifest.json").read_text())["files"]
    session("colconvctl list -o wide")

    session.note("The daemon goes away while it is watched")
    (session.folder / "go").unlink()
    (session.folder / "begun").unlink()
    session("colconvctl submit model")
    wait_until(lambda: (session.folder / "begun").exists())

    def restart(fd):
        port = stopped.port
        stopped.stop()
        (session.folder / "go").touch()
        stopped.start("--slots", "1", "--listen", f"127.0.0.1:{port}")

    shown = session("colconvctl watch 5", b" 25%", restart)
    assert "lost the daemon" in shown and "the daemon is back" in shown and "job 5: done" in shown
