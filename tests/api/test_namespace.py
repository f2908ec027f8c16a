"""The real worker, started by a wrapper script as its runner: it has its own network and mounts, and one shared folder."""

import contextlib
import os
import signal
import subprocess

import pytest
from conftest import BUILD, TOP, wait_until
from test_convert import GOLDEN, check_one_artifact, submit
from test_runners import children, tried

WRAPPER = TOP / "etc/runners/isolated"


def copied(source, folder):
    subprocess.run(["cp", "-r", source, folder], check=True)
    return folder


def shared(tmp_path):
    """The shared folders, including the target when runtime/ beside the worker is a link."""
    return f"{tmp_path}:{(BUILD / 'runtime').resolve()}" if (BUILD / "runtime").exists() else str(tmp_path)


@pytest.fixture
def isolated(stopped, tmp_path):
    env = {**os.environ, "COLCONV_SHARED": shared(tmp_path)}
    tried = subprocess.run([WRAPPER, "/usr/bin/true"], env=env, capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"no namespaces are allowed here: {tried.stderr.strip()}")
    stopped.config.write_text(f"runner = isolated 1 COLCONV_SHARED={shared(tmp_path)} {WRAPPER}\n")
    stopped.start("--worker", str(BUILD / "colconv-worker"))
    return stopped


def inside(tmp_path, command):
    got = subprocess.run([WRAPPER, "/bin/sh", "-c", command], env={**os.environ, "COLCONV_SHARED": str(tmp_path)},
                         capture_output=True, text=True, check=True)
    return got.stdout.split()


def test_only_the_folder_is_in_common(isolated, tmp_path):
    names = inside(tmp_path, "ls /")
    assert set(names) - {"lib32", "lib64", "sbin"} == {"bin", "dev", "etc", "lib", "proc", "sys", "tmp", "usr", tmp_path.parts[1]}
    assert inside(tmp_path, f"ls {tmp_path.parent}") == [tmp_path.name]
    assert inside(tmp_path, "ls /sys/class/net") == ["lo"]
    assert len(inside(tmp_path, "echo /proc/[0-9]*")) <= 3
    assert inside(tmp_path, "touch /usr/here 2>/dev/null || echo refused") == ["refused"]
    assert os.readlink("/proc/self/ns/net") not in inside(tmp_path, "readlink /proc/self/ns/net")


def test_a_job_is_done_there(isolated, tmp_path):
    job = submit(isolated, copied(GOLDEN, tmp_path / "checkpoint"), variants=["text", "image"])
    ended = isolated.wait_end(job)
    assert (ended["state"], ended["attempt"], ended["runner"]) == ("done", 1, "isolated")
    assert ended["result"]["parity_checked"]
    check_one_artifact(isolated, job)


def test_a_checkpoint_elsewhere_is_not_seen(isolated, tmp_path_factory):
    ended = isolated.wait_end(submit(isolated, copied(GOLDEN, tmp_path_factory.mktemp("elsewhere") / "checkpoint")))
    assert (ended["state"], ended["reason"]) == ("failed", "bad_checkpoint")


def descendants(pid):
    for child, _ in children(pid):
        yield child
        yield from descendants(child)


def held(daemon):
    """The real worker, suspended in the middle of its work, so that the test does not depend on its speed."""
    def found():
        for pid in descendants(daemon.process.pid):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/exe").endswith("/colconv-worker"):
                    os.kill(pid, signal.SIGSTOP)
                    return True
    wait_until("the worker is at work", found)


def nothing_left(daemon):
    assert children(daemon.process.pid) == []
    assert daemon.staged() == []
    assert daemon.artifacts() == []


def test_cancel_reaches_it(isolated, tmp_path):
    job = submit(isolated, copied(GOLDEN, tmp_path / "checkpoint"))
    held(isolated)
    isolated.post(f"/v1/jobs/{job}/cancel")
    assert isolated.wait_end(job)["state"] == "cancelled"
    nothing_left(isolated)


def test_time_limit_reaches_it(isolated, tmp_path):
    job = submit(isolated, copied(GOLDEN, tmp_path / "checkpoint"), timeout=4)
    held(isolated)
    ended = isolated.wait_end(job)
    assert (ended["state"], ended["reason"]) == ("failed", "timeout")
    nothing_left(isolated)


def test_a_killed_wrapper_takes_all_along(isolated, tmp_path):
    job = submit(isolated, copied(GOLDEN, tmp_path / "checkpoint"))
    held(isolated)
    (wrapper, _), = children(isolated.process.pid)
    os.kill(wrapper, signal.SIGKILL)
    queued = tried(isolated, job)
    assert (queued["state"], queued["reason"]) == ("queued", "worker_killed")
    nothing_left(isolated)
