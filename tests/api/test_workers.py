"""Workers that crash, hang, send nonsense, and leave processes behind."""

import os
import pathlib
import re

import pytest
from conftest import SUCCESS, TOP, Events, wait_until


def first_end(daemon, job):
    """The job after its first attempt, in the pause before the next."""
    stream = Events(daemon, job)
    try:
        return stream.wait_state(lambda j: j["attempt"] == 1 and j["state"] == "queued")
    finally:
        stream.close()


MISCHIEF = [
    ("exit 3", "worker_crashed", "exit status 3"),
    ("exit 0", "worker_crashed", "exit status 0 and without a result"),
    ("signal 9", "worker_killed", "killed from outside (signal 9 (Killed))"),
    ("exit 137", "worker_killed", "killed from outside (exit status 137)"),
    ("garbage", "worker_protocol", "longer than the 1048576 allowed"),
    ("bad_frame", "worker_protocol", "4 bytes that are not a message"),
    ("hello again", "worker_protocol", "the worker said Hello twice"),
    ("fail io the disk is sick", "io", "the disk is sick"),
]


def test_retried(stopped):
    """The first attempt fails in the given way, the second succeeds."""
    stopped.start("--slots", str(len(MISCHIEF)))
    jobs = [stopped.submit(f"once {stopped.folder}/{i} {m[0]}\n" + SUCCESS) for i, m in enumerate(MISCHIEF)]
    for job, (_, reason, words) in zip(jobs, MISCHIEF):
        queued = first_end(stopped, job)
        assert queued["reason"] == reason
        assert words in queued["message"]
    for job in jobs:
        ended = stopped.wait_end(job)
        assert (ended["state"], ended["attempt"], ended["reason"], ended["message"]) == ("done", 2, None, None)
    assert stopped.staged() == []


def test_last_words_of_a_crash(daemon):
    folder = daemon.folder
    job = daemon.submit(f"once {folder}/once log out of memory in lm.3\nonce {folder}/twice exit 9\n" + SUCCESS)
    queued = first_end(daemon, job)
    assert queued["message"].endswith("exit status 9 and without a result; it last wrote: out of memory in lm.3")


def test_fails_after_all_attempts(daemon):
    job = daemon.submit("exit 1\n")
    ended = daemon.wait_end(job)
    assert (ended["state"], ended["reason"], ended["attempt"]) == ("failed", "worker_crashed", 3)


@pytest.mark.parametrize("script", [
    "no_hello\nstage resolve\nhang\n", "no_hello\nhello 0123456789abcdef0123456789abcdef\nstage resolve\nhang\n",
    "result\nstage late\nhang\n", "result\nresult\nhang\n",
])
def test_protocol_is_kept(daemon, script):
    job = daemon.submit(script)
    queued = first_end(daemon, job)
    assert queued["reason"] == "worker_protocol"


def test_failure_names_reason_and_is_final(daemon):
    job = daemon.submit("stage resolve\nfail bad_checkpoint header of 'a.safetensors' is torn\n")
    ended = daemon.wait_end(job)
    assert (ended["state"], ended["attempt"]) == ("failed", 1)
    assert (ended["reason"], ended["message"]) == ("bad_checkpoint", "header of 'a.safetensors' is torn")


def test_failure_of_no_known_reason(daemon):
    ended = daemon.wait_end(daemon.submit("fail gremlins in the pipe\n"))
    assert (ended["state"], ended["reason"]) == ("failed", "internal")


def test_parity_failure_keeps_its_report(daemon):
    job = daemon.submit("artifact\nreport\nfail parity max_abs is 3\n")
    assert daemon.wait_end(job)["reason"] == "parity"
    assert daemon.get(f"/v1/jobs/{job}/parity").json["passed"] is False
    assert daemon.get(f"/v1/jobs/{job}/files/text.onnx").status == 404
    assert daemon.artifacts() == [] and daemon.staged() == []


def test_result_with_a_bad_exit_is_a_crash(daemon):
    job = daemon.submit("artifact\nresult\nexit 4\n")
    queued = first_end(daemon, job)
    assert "exit status 4 after its result" in queued["message"]
    assert daemon.artifacts() == [] and daemon.staged() == []


def test_result_without_files(daemon):
    ended = daemon.wait_end(daemon.submit("result\n"))
    assert (ended["state"], ended["reason"]) == ("failed", "mismatch")
    assert daemon.artifacts() == [] and daemon.staged() == []


def test_silent_worker_is_stopped(stopped):
    stopped.start("--worker-silence", "1")
    queued = first_end(stopped, stopped.submit("hang\n"))
    assert "said nothing for 1 s" in queued["message"]


def test_heartbeats_are_no_silence(stopped):
    stopped.start("--worker-silence", "2")
    job = stopped.submit(9 * "sleep 0.25\nheartbeat\n" + "artifact\nresult\n")
    assert stopped.wait_end(job)["attempt"] == 1


def test_time_limit_of_a_job(stopped):
    stopped.start("--job-timeout", "1")
    ended = stopped.wait_end(stopped.submit("hang\n"))
    assert (ended["state"], ended["reason"]) == ("failed", "timeout")


def test_flood(daemon):
    job = daemon.submit("stage trace\nflood 20000\nartifact\nresult\n")
    assert daemon.wait_end(job)["state"] == "done"
    lines = [line for line in daemon.log if "flood" in line or "dropped" in line]
    assert len(lines) < 2000
    assert any("lines dropped" in line for line in lines)


def test_bytes_that_are_no_text(daemon):
    job = daemon.submit("bytes_to_stderr 5000\n" + SUCCESS)
    assert daemon.wait_end(job)["state"] == "done"
    assert any("worker[" in line and "????" in line for line in daemon.log)


def test_children_of_a_worker_are_killed(daemon, tmp_path):
    for i, end in enumerate(("artifact\nresult\n", "exit 1\n")):
        pid_file = tmp_path / f"child{i}"
        job = daemon.submit(f"leave_child {pid_file}\n{end}")
        Events(daemon, job).wait_state(lambda j: j["state"] == "done" or j["reason"])
        pid = int(pid_file.read_text())
        wait_until("the child is gone", lambda: not os.path.exists(f"/proc/{pid}") or
                   open(f"/proc/{pid}/stat").read().split()[2] == "Z")


def test_runner_sets_prefix_and_environment(stopped):
    stopped.config.write_text("# two places\nrunner = gpu0 1 COLCONV_TEST=zero env COLCONV_MORE=one\n")
    stopped.start()
    job = stopped.submit("log_env COLCONV_TEST\nlog_env COLCONV_MORE\n" + SUCCESS)
    assert stopped.wait_end(job)["state"] == "done"
    stopped.wait_log("COLCONV_TEST=zero")
    stopped.wait_log("COLCONV_MORE=one")
    stopped.wait_log("running on 'gpu0'")


def test_a_worker_gets_no_secret_of_the_daemon(stopped, monkeypatch, tmp_path):
    (tmp_path / "hf_token").write_text("hf_hidden")
    secrets = {"HF_TOKEN": "hf_hidden", "CREDENTIALS_DIRECTORY": str(tmp_path), "COLCONV_TOKEN": "hidden", "AWS_SECRET_ACCESS_KEY": "hidden",
               "PATHOLOGY": "hidden"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    stopped.start()
    asked = "".join(f"log_env {name}\n" for name in [*secrets, "OMP_NUM_THREADS", "PATH"])
    assert stopped.wait_end(stopped.submit(asked + SUCCESS))["state"] == "done"
    said = "\n".join(stopped.log)
    for name in secrets:
        assert f"{name}=\n" in said, name
    assert "OMP_NUM_THREADS=3" in said and f"PATH={os.environ['PATH']}" in said
    assert "hidden" not in said  # the path of the model has the name of this test


def test_the_manual_names_each_variable_of_a_worker():
    rows = re.findall(r'^ENVIRONMENT\("([^"]+)"', (TOP / "daemon/runner/environment.def").read_text(), re.M)
    manual = (TOP / "daemon/service/colconvd.8").read_text()
    assert len(rows) > 30 and [row for row in rows if f".BR {row} " not in manual] == []


def test_worker_that_does_not_start(stopped):
    worker = stopped.folder / "worker"
    worker.write_text("#!/nowhere/interpreter\n")
    worker.chmod(0o755)
    stopped.start("--worker", str(worker))
    job = stopped.submit()
    queued = Events(stopped, job).wait_state(lambda j: j["reason"])
    assert (queued["state"], queued["reason"]) == ("queued", "io")
    assert f"cannot start '{worker}'" in queued["message"]


def test_slots_are_a_limit(stopped, tmp_path):
    stopped.start("--slots", "2")
    go = tmp_path / "go"
    jobs = [stopped.submit(f"wait_for {go}\n" + SUCCESS) for _ in range(4)]
    for job in jobs[:2]:
        stopped.wait_running(job)
    assert [stopped.job(job)["state"] for job in jobs] == ["running", "running", "queued", "queued"]
    go.touch()
    assert {stopped.wait_end(job)["state"] for job in jobs} == {"done"}


@pytest.mark.parametrize("source", ["variable", "credential"])
def test_the_hub_token_goes_to_jobs_that_may_ask_the_hub(stopped, source):
    """The token is in the job's message, because a worker has neither the daemon's environment nor its credentials."""
    token = "hf_aTokenThatNobodySeesHere"
    credentials = stopped.folder / "credentials"
    credentials.mkdir()
    (credentials / "hf_token").write_text(token)
    set_by = f"HF_TOKEN={token}" if source == "variable" else f"CREDENTIALS_DIRECTORY={credentials}"
    stopped.start(prefix=["env", "-u", "HF_TOKEN", "-u", "CREDENTIALS_DIRECTORY", set_by])
    script = f"log_env HF_TOKEN\nlog_env CREDENTIALS_DIRECTORY\nlog_hub_token {token}\n{SUCCESS}"
    base = str(TOP / "tests/golden/colqwen2-tiny")

    def told(adapter=False, **fields):
        model = stopped.model(script)
        if adapter:
            pathlib.Path(model, "adapter_config.json").write_text("{}")
        answer = stopped.post("/v1/jobs", {"model": model, **fields})
        assert answer.status == 202, answer.body
        job = answer.json["id"]
        assert stopped.wait_end(job)["state"] == "done"
        log = [line.split(": ", 1)[1] for line in stopped.log if f" job={job}: " in line]
        assert {"HF_TOKEN=", "CREDENTIALS_DIRECTORY="} <= set(log), log
        return next(line for line in log if line.startswith("hub token"))

    assert told() == "hub token: none"
    assert told(adapter=True) == "hub token: as expected"
    assert told(adapter=True, base=base) == "hub token: none"
    assert told(base="owner/name") == "hub token: as expected"
    assert not any(token in line for line in stopped.log)
