"""The process: start, stop, death and recovery, settings."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading

import pytest
from conftest import BUILD, LIMIT, SUCCESS, TOP, Events, wait_until

STAGES = ["wait_for {go}", "stage resolve", "progress 1 2", "stage export", "artifact", "result"]


@pytest.mark.parametrize("at", range(len(STAGES) + 1))
def test_killed_at_any_stage(stopped, at):
    """kill -9 while a worker is at its nth step: the job ends as done, exactly once, and no files are left over."""
    stopped.start()
    go, here = stopped.folder / "go", stopped.folder / "here"
    steps = [step.format(go=here) for step in STAGES]
    script = steps[:at] + [f"touch {here}", f"wait_for {go}"] + steps[at:]
    here.touch() if at > 0 else None
    job = stopped.submit("\n".join(script) + "\n")
    wait_until("the worker is there", here.exists)
    stopped.wait_running(job)
    stopped.kill()
    go.touch()
    here.touch()
    stopped.start()
    ended = stopped.wait_end(job)
    assert ended["state"] == "done"
    assert stopped.artifacts() == [str(job)]
    assert stopped.staged() == []
    assert len(stopped.get("/v1/jobs").json["jobs"]) == 1


def test_killed_under_load_loses_no_accepted_job(stopped):
    stopped.start("--slots", "2")
    jobs = [stopped.submit() for _ in range(20)]
    stopped.kill()
    stopped.start("--slots", "4")
    for job in jobs:
        assert stopped.wait_end(job)["state"] == "done"
    assert stopped.artifacts() == sorted(map(str, jobs))
    assert stopped.staged() == []


def test_sigterm_hands_jobs_back(stopped):
    go = stopped.folder / "go"
    stopped.start()
    job = stopped.submit(f"stage resolve\nwait_for {go}\n" + SUCCESS)
    stream = Events(stopped, job, last=0)
    stream.wait("stage")
    assert stopped.stop() == 0
    assert stopped.staged() == []
    go.touch()
    stopped.start()
    ended = stopped.wait_end(job)
    assert (ended["state"], ended["attempt"], ended["attempts_max"]) == ("done", 2, 4)


def test_sigterm_with_a_worker_that_ignores_it(stopped):
    stopped.start()
    job = stopped.submit("ignore_term\nstage resolve\nhang\n")
    Events(stopped, job, last=0).wait("stage")
    assert stopped.stop() == 0


@pytest.mark.parametrize("path, body", [("/v1/jobs", {"model": "/m"}), ("/v1/purge", {"keep_jobs": 100})])
def test_sigterm_under_load(stopped, path, body):
    """Requests that arrive while the daemon stops are answered, or their connections are closed; the daemon exits cleanly."""
    stopped.start("--slots", "1")
    stopped.submit("hang\n")
    answered = []

    def ask():
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = stopped.connect()
            while True:
                connection.request("POST", path, json.dumps(body))
                answered.append(connection.getresponse().read())

    threads = [threading.Thread(target=ask) for _ in range(24)]
    for thread in threads:
        thread.start()
    wait_until("there is load", lambda: len(answered) > 100)
    assert stopped.stop() == 0
    for thread in threads:
        thread.join()


def test_sigterm_ends_streams_and_takes_no_more(stopped):
    stopped.start()
    job = stopped.submit("stage resolve\nhang\n")
    streams = [Events(stopped, job) for _ in range(5)]
    stopped.wait_running(job)
    assert stopped.stop() == 0
    for stream in streams:
        assert "done" not in [data.get("state") for _, data, _ in stream]
    with pytest.raises(ConnectionRefusedError):
        stopped.get("/healthz")


def test_cancelled_job_is_not_handed_back(stopped):
    stopped.start()
    job = stopped.submit("ignore_term\nstage resolve\nhang\n")
    Events(stopped, job, last=0).wait("stage")
    stopped.post(f"/v1/jobs/{job}/cancel")
    assert stopped.stop() == 0
    stopped.start()
    assert stopped.job(job)["state"] == "cancelled"


def test_job_cancelled_while_the_daemon_stops_is_not_handed_back(stopped):
    stopped.start("--stop-grace", "3")
    job = stopped.submit("ignore_term\nstage resolve\nhang\n")
    Events(stopped, job, last=0).wait("stage")
    connection = stopped.connect()
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    stopped.process.send_signal(signal.SIGTERM)
    wait_until("the daemon stops", lambda: any("stopping" in line for line in stopped.log))
    connection.request("POST", f"/v1/jobs/{job}/cancel")
    assert connection.getresponse().status == 202
    assert stopped.process.wait(LIMIT) == 0
    stopped.start()
    assert stopped.job(job)["state"] == "cancelled"


def test_retry_survives_a_restart(stopped):
    once = stopped.folder / "once"
    stopped.start()
    job = stopped.submit(f"once {once} exit 3\n" + SUCCESS)
    Events(stopped, job).wait_state(lambda j: j["reason"])
    stopped.stop()
    stopped.start()
    assert stopped.wait_end(job)["state"] == "done"


def run(*options):
    return subprocess.run([BUILD / "colconvd", *options], capture_output=True, text=True, timeout=LIMIT)


def test_one_daemon_a_state_folder(stopped):
    stopped.start()
    second = run(*stopped.command()[1:])
    assert second.returncode == 1
    assert "is in use by process" in second.stderr
    assert stopped.get("/healthz").status == 200


@pytest.mark.parametrize("options, words", [
    (["--listen", "0.0.0.0:1"], "'0.0.0.0:1' is reached from other hosts"), (["--listen", "here"], "is not an address"),
    (["--slots", "0"], "slots must be a whole number from 1 to 64, or gpus"), (["--log-level", "loud"], "log level must be"),
    (["--runner", "x"], "a runner needs"), (["--roots", "relative"], "root 'relative'"), (["--frobnicate"], "unknown option"),
    (["--config", "/nonexistent"], "'/nonexistent'"),
])
def test_bad_settings(options, words):
    got = run(*options, "--check-config")
    assert got.returncode in (2, 4)
    assert words in got.stderr


@pytest.fixture
def check_config(tmp_path):
    """What --check-config says of a file, and the file's name."""
    def check(text):
        config = tmp_path / "colconvd.conf"
        config.write_text(text)
        return run("--config", str(config), "--check-config"), config
    return check


@pytest.mark.parametrize("text, words", [
    ("listen = unix:/a\nlisten = 0.0.0.0:1\n", "line 2: address '0.0.0.0:1' is reached from other hosts"),
    ("\n\nroots = /etc/passwd\n", "line 3: root '/etc/passwd' must be an absolute path of a folder"),
    ("runner = a 1\nrunner = b 1\nrunner = a 2\n", "line 3: runner 'a' is defined twice"),
    ("log_level = loud\n", "line 1: log level must be"), ("stop_mode = now\n", "line 1: stop mode must be hand_back or drain"),
    ("worker = colconv-worker\n", "line 1: worker 'colconv-worker' must be an absolute path of a program"),
    ("worker = /etc/passwd\n", "line 1: worker '/etc/passwd' must be an absolute path of a program"),
])
def test_bad_files(check_config, text, words):
    """Each error names the wrong line."""
    got, config = check_config(text)
    assert got.returncode in (2, 4)
    assert f"'{config}' {words}" in got.stderr


@pytest.mark.parametrize("text, words", [
    ("runner = a 1\nslots = 2\n", "slots has no effect"), ("drain_timeout = 9\n", "drain_timeout has no effect"),
    ("streams_max = 100\nconnections_max = 100\n", "streams_max 100 leaves none"),
    ("job_timeout = 60\n", "worker_silence 120 s is not shorter than job_timeout 60 s"),
    ("runner = a 1\nrunner = b 1 X=1 no-such-srun -n 1\n", "runner 'b' has no program 'no-such-srun'"),
    ("runner = b 1 /etc/passwd\n", "runner 'b' has no program '/etc/passwd'"),
    ("state = /tmp/x\nroots = /tmp\n", "jobs may read the state folder '/tmp/x'"),
])
def test_odd_files(check_config, text, words):
    """Settings that are allowed but surely a mistake."""
    got, config = check_config(text)
    assert got.returncode == 0
    assert "warning: " + words in got.stderr


@pytest.mark.parametrize("journal, prefix", [("here", "<3>"), ("elsewhere", "error: "), (None, "error: ")])
def test_levels_are_numbers_in_a_journal_only(journal, prefix):
    read_end, write_end = os.pipe()
    with open(read_end) as log, open(write_end, "wb") as stderr:
        pipe = os.fstat(write_end)
        stream = {"here": f"{pipe.st_dev}:{pipe.st_ino}", "elsewhere": f"{pipe.st_dev}:{pipe.st_ino + 1}"}.get(journal)
        environment = {name: value for name, value in os.environ.items() if name != "JOURNAL_STREAM"}
        subprocess.run([BUILD / "colconvd", "--no-such-option"], stderr=stderr, timeout=LIMIT,
                       env={**environment, **({"JOURNAL_STREAM": stream} if stream else {})}, check=False)
        stderr.close()
        lines = log.read().splitlines()
    assert any(line.startswith(prefix + "colconvd: ") for line in lines), lines


def test_a_worker_run_by_hand_prints_words():
    got = subprocess.run([BUILD / "colconv-worker", "stray"], capture_output=True, text=True, timeout=LIMIT, check=False)
    assert got.stderr == "error: usage: unexpected 'stray'; see --help\n"
    fed = subprocess.run([BUILD / "colconv-worker"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert fed.stderr.startswith("<3>")


def test_nothing_odd(tmp_path):
    config = tmp_path / "colconvd.conf"
    config.write_text("runner = a 1 X=1 env -i\nstate = /srv/models2\nroots = /tmp\n")
    got = run("--config", str(config), "--check-config")
    assert (got.returncode, got.stderr) == (0, "")


def test_check_config_touches_nothing(tmp_path):
    got = run("--state", str(tmp_path / "state"), "--check-config")
    assert (got.returncode, got.stderr) == (0, "")
    assert not (tmp_path / "state").exists()


def test_help_and_version():
    assert "--worker-silence" in run("--help").stdout
    assert re.fullmatch(r"colconvd \d+\.\d+\.\d+\n", run("--version").stdout)


def test_configuration_file_is_that_of_the_table():
    assert (TOP / "etc/colconvd.conf").read_text() == run("--print-config").stdout


def test_manual_has_every_setting():
    """The page is generated when colconvd is built, so it always matches the table."""
    page = run("--print-manual").stdout
    assert (BUILD / "daemon/service/colconvd.conf.5").read_text() == page
    for name in re.findall(r"^#(\w+) =", run("--print-config").stdout, re.M):
        assert f"\n.B {name}\n" in page


@pytest.mark.skipif(not shutil.which("man"), reason="there is no man")
@pytest.mark.parametrize("page", [TOP / "daemon/service/colconvd.8", BUILD / "daemon/service/colconvd.conf.5"])
def test_manuals_are_good_troff(page):
    got = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, timeout=LIMIT,
                         env=dict(os.environ, LC_ALL="C.UTF-8", MANPAGER="cat"))
    assert (got.returncode, got.stderr) == (0, "")


def test_unix_socket(stopped):
    path = stopped.folder / "sock"
    for _ in range(2):  # the second start finds the socket of a killed daemon
        stopped.start("--listen", f"unix:{path}")
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(path))
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            back = b""
            while chunk := s.recv(4096):
                back += chunk
        assert back.startswith(b"HTTP/1.1 200 ")
        stopped.kill()
    stopped.start("--listen", f"unix:{path}")
    assert stopped.stop() == 0
    assert not path.exists()


def test_full_disk_is_survived(stopped, small_disk):
    """Submitting fails with 507, reading still works, and submitting works again when there is room."""
    stopped.start(prefix=small_disk("40m"))
    blocker = stopped.submit("hang\n")
    stopped.wait_running(blocker)
    filler = pathlib.Path(f"/proc/{stopped.process.pid}/root{stopped.state}/filler")
    with pytest.raises(OSError), open(filler, "wb", buffering=0) as f:
        while True:
            f.write(bytes(4096))
    for _ in range(1000):
        answer = stopped.post("/v1/jobs", {"model": "/m" * 1000})
        if answer.status != 202:
            break
    assert (answer.status, answer.json["code"]) == (507, "no_space")
    accepted = stopped.get("/v1/jobs?limit=1").json["jobs"][0]["id"]
    filler.unlink()
    assert stopped.submit() > accepted
    assert stopped.stop() == 0


def test_a_disk_that_is_full_of_an_attempt_is_freed(stopped, small_disk):
    """The files of a failed attempt are removed before the queue is written, because the write needs room too."""
    prefix = small_disk("40m")
    go = stopped.folder / "go"
    stopped.start(prefix=prefix)
    job = stopped.submit(f"artifact 4000000\nstage export\nwait_for {go}\nexit 3\n", attempts=1)
    Events(stopped, job, last=0).wait("stage")
    filler = pathlib.Path(f"/proc/{stopped.process.pid}/root{stopped.state}/filler")
    with pytest.raises(OSError), open(filler, "wb", buffering=0) as f:
        while True:
            f.write(bytes(512))
    go.touch()
    assert stopped.wait_end(job)["reason"] == "worker_crashed"
    assert stopped.stop() == 0
