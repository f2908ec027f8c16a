"""`colconvctl convert`, which runs a worker without a daemon."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from ctl import CTL, WORKER, ctl, environment, on_terminal, wait_until  # noqa: F401


DONE = "stage resolve\nstage export\nprogress 10 20\nartifact\nresult\n"


@pytest.fixture
def convert(tmp_path):
    """Writes a script for the fake worker and converts the folder `model` into `out`."""
    if not os.path.exists(WORKER):
        pytest.skip("fake_worker is not built")
    model = tmp_path / "model"
    model.mkdir()

    def run(script, *args):
        (model / "script").write_text(script)
        return ctl(None, "convert", "model", "-o", "out", "--worker", WORKER, *args, cwd=tmp_path)

    run.dir = tmp_path
    return run


def test_convert(convert):
    r = convert(DONE, "--variants", "text", "--positions", "arange")
    assert r.returncode == 0 and r.stdout == "out\n"
    assert r.stderr == "convert: resolve\nconvert: export\nconvert: parity holds: max abs 1.00e-06, min cosine 1.00000000\n"
    assert (convert.dir / "out" / "text.onnx").exists()
    assert sorted(os.listdir(convert.dir)) == ["model", "out"]
    mask = os.umask(0)
    os.umask(mask)
    assert (convert.dir / "out").stat().st_mode & 0o777 == 0o777 & ~mask


def test_convert_json(convert):
    doc = json.loads(convert(DONE, "--json").stdout)
    assert doc["dir"] == "out" and doc["architecture"] == "colqwen2" and doc["graphs"][0]["nodes"] == 7
    assert doc["stages"] == [{"name": "resolve", "seconds": 0.25, "peak_anon_bytes": 4096}]


def test_convert_does_not_overwrite(convert):
    assert convert(DONE).returncode == 0
    (convert.dir / "out" / "old").touch()
    r = convert(DONE)
    assert r.returncode == 2 and "'out' is there already; --force replaces it" in r.stderr
    r = convert("fail trace no\n", "--force")
    assert r.returncode == 5 and (convert.dir / "out" / "old").exists()
    assert convert(DONE, "--force").returncode == 0
    assert not (convert.dir / "out" / "old").exists()


def finished_in(convert, stderr):
    """Returns the folder of a finished artifact that could not be moved into place."""
    kept = re.search("the conversion is finished and its artifact is in '([^']+)'; move it from there", stderr)
    assert kept, stderr
    assert os.path.exists(os.path.join(kept[1], "text.onnx"))
    return kept[1]


def test_convert_keeps_what_it_cannot_put_in_place(convert):
    """A folder that is the current directory of another process cannot be swapped."""
    (convert.dir / "model").mkdir(exist_ok=True)
    (convert.dir / "model" / "script").write_text(DONE)
    here = convert.dir / "here"
    here.mkdir()
    r = ctl(None, "convert", "../model", "-o", ".", "--worker", WORKER, "--force", cwd=here)
    assert r.returncode == 1 and r.stdout == ""
    finished_in(convert, r.stderr)


def test_convert_to_a_mount_point(convert):
    out = convert.dir / "out"
    out.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", out], capture_output=True).returncode:
        pytest.skip("only root can mount")
    try:
        r = convert(DONE, "--force")
        assert r.returncode == 1 and r.stderr.count("busy") == 1
        finished_in(convert, r.stderr)
        assert list(out.iterdir()) == []
    finally:
        subprocess.run(["umount", out], check=True)


def test_the_old_artifact_is_there_until_the_new_one_is(convert):
    assert convert(DONE).returncode == 0
    (convert.dir / "out" / "old").touch()
    (convert.dir / "model" / "script").write_text(DONE)
    argv = ["strace", "-f", "-e", "trace=rename,renameat,renameat2,unlink,unlinkat,rmdir", CTL, "convert", "model", "-o", "out",
            "--worker", WORKER, "--force"]
    if not shutil.which("strace"):
        pytest.skip("there is no strace")
    r = subprocess.run(argv, env=environment(None), cwd=convert.dir, capture_output=True, text=True, timeout=30)
    assert r.returncode == 0
    calls = [line for line in r.stderr.splitlines() if '"out"' in line]
    assert len(calls) == 1 and "RENAME_EXCHANGE" in calls[0], calls
    assert not (convert.dir / "out" / "old").exists() and sorted(os.listdir(convert.dir)) == ["model", "out"]


def test_convert_replaces_nothing_but_artifacts(convert):
    (convert.dir / "out").mkdir()
    assert convert(DONE, "--force").returncode == 0
    for f in (convert.dir / "out").iterdir():
        f.unlink()
    (convert.dir / "out" / "thesis.tex").touch()
    r = convert(DONE, "--force")
    assert r.returncode == 2 and "it is not an artifact; not replacing it" in r.stderr
    assert (convert.dir / "out" / "thesis.tex").exists()


@pytest.mark.parametrize("script,exit_status,words", [
    ("fail bad_checkpoint shard 3 is cut\n", 5, "the conversion failed (bad_checkpoint): shard 3 is cut"),
    ("report\nfail parity one case\n", 10, "the conversion failed (parity): one case"),
    ("fail io no disk\n", 5, "the conversion failed (io): no disk"),
    ("log <6>chatter\nlog it broke\nexit 3\n", 5, "convert: it broke\n"),
    ("bytes_to_stderr 9000\nexit 3\n", 5, "convert: \\xff\\xff"),
    ("exit 3\n", 5, "the worker ended with exit status 3 and without a result"),
    ("exit 0\n", 5, "the worker ended with exit status 0 and without a result"),
    ("signal 9\n", 5, "the worker ended with signal 9 (Killed) and without a result"),
    ("result\nexit 1\n", 5, "the worker ended with exit status 1"),
    ("garbage\nhang\n", 5, "a frame of "),
    ("bad_frame\nhang\n", 5, "the worker sent something that is not a message"),
    ("no_hello\nstage export\nhang\n", 5, "the worker does not say hello"),
    ("hello stranger\nhang\n", 5, "the worker answers for another job"),
])
def test_convert_that_fails(convert, script, exit_status, words):
    r = convert(script)
    assert r.returncode == exit_status and r.stdout == ""
    assert words in r.stderr and "chatter" not in r.stderr
    assert os.listdir(convert.dir) == ["model"]


def test_convert_with_floods_and_children_left_behind(convert):
    assert convert("flood 5000\n" + DONE).returncode == 0
    pid_file = convert.dir / "pid"
    assert convert(f"leave_child {pid_file}\n" + DONE, "--force").returncode == 0
    pid = int(pid_file.read_text())
    wait_until(lambda: not alive(pid))


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_convert_without_a_worker(convert):
    r = ctl(None, "convert", "model", "-o", "out", "--worker", "/no/such/worker", cwd=convert.dir)
    assert r.returncode == 1 and "cannot start '/no/such/worker'" in r.stderr
    assert os.listdir(convert.dir) == ["model"]


@pytest.mark.parametrize("script,signals", [("hang\n", [signal.SIGINT]), ("hang\n", [signal.SIGTERM]),
                                            ("ignore_term\nhang\n", [signal.SIGINT, signal.SIGINT])])
def test_convert_interrupted(convert, script, signals):
    (convert.dir / "model" / "script").write_text(script.replace("hang", "stage export\nhang"))
    p = subprocess.Popen([CTL, "convert", "model", "-o", "out", "--worker", WORKER], cwd=convert.dir, text=True,
                         env=environment(), stderr=subprocess.PIPE)
    assert p.stderr.readline() == "convert: export\n"
    p.send_signal(signals[0])
    assert "stopping the worker" in p.stderr.readline()
    for s in signals[1:]:
        p.send_signal(s)
    assert p.wait(20) == 6
    assert os.listdir(convert.dir) == ["model"]


def test_convert_on_a_terminal(convert):
    (convert.dir / "model" / "script").write_text("stage export\nprogress 0 20\nsleep 0.1\nprogress 10 20\nhang\n")
    shown, status = on_terminal(["convert", convert.dir / "model", "-o", convert.dir / "out", "--worker", WORKER],
                                b" 50%", lambda fd: os.write(fd, b"\x03"), **environment(TERM="xterm"))
    assert status == 6 and "10 B of 20 B" in shown
    assert os.listdir(convert.dir) == ["model"]


def test_convert_takes_the_file_of_a_job(convert):
    (convert.dir / "job.json").write_text(json.dumps({
        "model": str(convert.dir / "model"), "positions": "arange", "priority": 5, "timeout": 60, "attempts": 1,
        "labels": {"a": "b"}}))
    (convert.dir / "model" / "script").write_text(DONE)
    r = ctl(None, "convert", "-f", "job.json", "-o", "out", "--worker", WORKER, cwd=convert.dir)
    assert r.returncode == 0 and (convert.dir / "out" / "text.onnx").exists()
    r = ctl(None, "convert", "-f", "-", "-o", "out2", "--worker", WORKER, cwd=convert.dir, stdin='{"modle": "/"}')
    assert r.returncode == 2 and "there must be a model" in r.stderr
    r = ctl(None, "convert", "model", "-f", "-", "-o", "out2", "--worker", WORKER, cwd=convert.dir, stdin='{"dtpye": "x"}')
    assert r.returncode == 2 and "dtpye" in r.stderr


def test_convert_tells_a_mistyped_folder_from_a_repository_at_once(convert):
    for name in ("colqwen2", "colpali"):
        (convert.dir / "models" / name).mkdir(parents=True)
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(convert.dir / "home")}

    def words(model):
        r = ctl(None, "convert", model, "-o", "out", "--worker", WORKER, cwd=convert.dir, **environment)
        return r.stderr.splitlines()[0]

    assert words("models/colqwn2") == ("colconvctl: there is no folder 'models/colqwn2' here (did you mean 'models/colqwen2'?); "
                                       "taking it for a repository of the Hub")
    assert words("models/other") == "colconvctl: there is no folder 'models/other' here; taking it for a repository of the Hub"
    assert "there is no folder" not in words("elsewhere/other")
