"""Attempts seen from outside: left-over processes are killed, resource usage is measured, and the reason of the end is reported."""

import os
import pathlib
import re
import signal
import subprocess

import pytest
from conftest import BUILD, SUCCESS, wait_until

CGROUP = next((pathlib.Path(line.split()[1]) for line in open("/proc/mounts") if line.split()[2] == "cgroup2"), None)


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def children(pid):
    """With their states."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if int(parent) == pid:
            found.append((int(path.parent.name), state))
    return found


def pid_of(path):
    wait_until(f"{path} is there", path.exists)
    return int(path.read_text())


def tried(daemon, job):
    """Returns the job after its first attempt."""
    wait_until("the attempt ends", lambda: daemon.job(job)["reason"] or daemon.job(job)["ended"])
    return daemon.job(job)


@pytest.mark.parametrize("way", ["child", "session", "daemon"])
def test_what_escapes_is_gone_before_the_slot_is_free(stopped, tmp_path, way):
    stopped.start("--slots", "1")
    first = tmp_path / "first"
    job = stopped.submit(f"leave_{way} {first}\nartifact\nresult\n")
    crash = stopped.submit(f"once {tmp_path}/once leave_{way} {tmp_path}/second\nonce {tmp_path}/twice exit 1\n" + SUCCESS)
    assert stopped.wait_end(job)["state"] == "done"
    assert not alive(pid_of(first))
    assert "killed" not in (stopped.job(job)["message"] or "")
    tried(stopped, crash)
    assert not alive(pid_of(tmp_path / "second"))
    stopped.wait_log("1 processes that the worker left are killed")


@pytest.mark.parametrize("end", ["cancel", "timeout"])
def test_what_escapes_goes_when_the_worker_is_stopped(stopped, tmp_path, end):
    stopped.start("--slots", "1")
    left = [tmp_path / way for way in ("child", "session", "daemon")]
    script = "".join(f"leave_{path.name} {path}\n" for path in left)
    fields = {"timeout": 2} if end == "timeout" else {}
    job = stopped.submit(script + "ignore_term\nhang\n", **fields)
    pids = [pid_of(path) for path in left]
    if end == "cancel":
        stopped.post(f"/v1/jobs/{job}/cancel")
    ended = stopped.wait_end(job)
    assert (ended["state"], ended["reason"]) == (("cancelled", "cancelled") if end == "cancel" else ("failed", "timeout"))
    assert not any(alive(pid) for pid in pids)


def test_many_that_escape(stopped, tmp_path):
    stopped.start()
    left = [tmp_path / str(i) for i in range(80)]
    job = stopped.submit("".join(f"leave_session {path}\n" for path in left) + SUCCESS)
    assert stopped.wait_end(job)["state"] == "done"
    assert not any(alive(pid_of(path)) for path in left)


def test_a_stop_of_the_daemon_leaves_nothing(stopped, tmp_path):
    stopped.start()
    stopped.submit(f"leave_daemon {tmp_path}/left\nignore_term\nhang\n")
    pid = pid_of(tmp_path / "left")
    assert stopped.stop() == 0
    assert not alive(pid)


def die_beside(daemon, tmp_path, leave):
    """The daemon is killed while a worker hangs that has left a process behind: the job, and that process."""
    job = daemon.submit(f"once {tmp_path}/once {leave} {tmp_path}/left\nonce {tmp_path}/twice hang\n" + SUCCESS)
    pid = pid_of(tmp_path / "left")
    wait_until("it hangs", (tmp_path / "twice").exists)
    daemon.kill()
    assert alive(pid)
    return job, pid


def test_a_dead_daemon_s_workers_are_ended_by_the_next(stopped, tmp_path):
    stopped.start()
    job, pid = die_beside(stopped, tmp_path, "leave_daemon")
    stopped.start()
    assert not alive(pid)
    # The worker dies with its daemon, and may be at it still.
    stopped.wait_log("killed [12] processes that workers of the previous daemon left")
    assert stopped.wait_end(job)["state"] == "done"


def test_others_are_left_alone(stopped):
    """Processes with another attempt's nonce, with a part of a nonce, and without one."""
    others = [subprocess.Popen(["sleep", "100"], env={**os.environ, **env})
              for env in ({"COLCONV_ATTEMPT": "0" * 32}, {"COLCONV_ATTEMPT": ""}, {})]
    try:
        stopped.start()
        assert stopped.wait_end(stopped.submit("leave_session " + str(stopped.folder / "left") + "\n" + SUCCESS))["state"] == "done"
        assert [p.poll() for p in others] == [None, None, None]
    finally:
        for p in others:
            p.kill()
            p.wait()


def test_orphans_are_waited_for(stopped, tmp_path):
    stopped.start()
    job = stopped.submit(f"leave_orphans 50\ntouch {tmp_path}/ready\nwait_for {tmp_path}/go\n" + SUCCESS)
    wait_until("the orphans are made", (tmp_path / "ready").exists)
    wait_until("they are waited for", lambda: [s for _, s in children(stopped.process.pid)] in (["S"], ["R"]))
    (tmp_path / "go").touch()
    assert stopped.wait_end(job)["state"] == "done"
    assert children(stopped.process.pid) == []


def test_what_an_attempt_used(stopped):
    stopped.config.write_text("runner = here 1\n")
    stopped.start()
    job = stopped.submit("spin 0.3\nmemory 100000000\n" + SUCCESS)
    ended = stopped.wait_end(job)
    assert ended["runner"] == "here"
    assert ended["usage"]["seconds"] >= 0.3
    assert 0.3 <= ended["usage"]["cpu_seconds"] < 60
    assert 100e6 <= ended["usage"]["peak_rss_bytes"] < 1e9


def test_usage_of_a_crash(stopped):
    stopped.start()
    job = stopped.submit("spin 0.2\nfail bad_checkpoint it is torn\n")
    ended = stopped.wait_end(job)
    assert ended["runner"] == "local"
    assert ended["usage"]["cpu_seconds"] >= 0.2


def test_runner_of_a_running_job(stopped, tmp_path):
    stopped.start()
    job = stopped.submit(f"wait_for {tmp_path}/go\n" + SUCCESS)
    stopped.wait_running(job)
    running = stopped.job(job)
    assert (running["runner"], running["usage"]) == ("local", None)
    (tmp_path / "go").touch()
    stopped.wait_end(job)


def test_a_worker_goes_before_others_when_memory_runs_out(stopped):
    stopped.start()
    stopped.wait_end(stopped.submit("log_file /proc/self/oom_score_adj\n" + SUCCESS))
    stopped.wait_log("oom_score_adj: 500")


@pytest.fixture
def small_memory(stopped):
    """A control group (version 1) with 64 MiB."""
    group = pathlib.Path(f"/sys/fs/cgroup/memory/colconv-{os.getpid()}")
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(64 << 20))
    except OSError as error:
        pytest.skip(f"no control group with a limit of memory can be made here: {error}")
    yield group
    stopped.kill()
    wait_until("the group is empty", lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


def test_the_kernel_kills_a_worker_for_memory(stopped, small_memory):
    wrapper = stopped.folder / "limited"
    wrapper.write_text(f'#!/bin/sh\necho $$ > {small_memory}/cgroup.procs\nexec "$@"\n')
    wrapper.chmod(0o755)
    stopped.config.write_text(f"runner = small 1 {wrapper}\n")
    stopped.start()
    job = stopped.submit("log taking much\nmemory 200000000\n" + SUCCESS)
    queued = tried(stopped, job)
    assert queued["reason"] == "worker_killed"
    assert "as the kernel does when memory runs out" in queued["message"]
    assert queued["message"].endswith("it last wrote: taking much")
    assert queued["usage"]["peak_rss_bytes"] > 32 << 20


def test_a_kill_from_outside(stopped, tmp_path):
    stopped.start()
    job = stopped.submit(f"pid_to {tmp_path}/pid\nhang\n")
    os.kill(pid_of(tmp_path / "pid"), signal.SIGKILL)
    queued = tried(stopped, job)
    assert (queued["state"], queued["reason"]) == ("queued", "worker_killed")


MISCHIEF = [
    ("huge_frame", "worker_protocol", "a message of 1048576 bytes, more than the 65536 allowed"),
    ("stages 65", "worker_protocol", "result has more than 64 stages"),
    ("close_stdout\nhang", "worker_crashed", "said nothing for 2 s"),
    ("result\nhang", "worker_crashed", "said nothing for 2 s"),
    ("signal 19", "worker_crashed", "said nothing for 2 s"),
    ("ignore_term\nhang", "worker_crashed", "said nothing for 2 s"),
]


def test_mischief_is_ended_and_told(stopped):
    stopped.start("--worker-silence", "2", "--slots", str(len(MISCHIEF)))
    jobs = [stopped.submit(m[0] + "\n") for m in MISCHIEF]
    for job, (_, reason, words) in zip(jobs, MISCHIEF):
        queued = tried(stopped, job)
        assert queued["reason"] == reason
        assert words in queued["message"]


def test_a_flood_holds_nobody_up(stopped):
    """An endless flood of frames and of lines: the API still answers, and a cancel works."""
    stopped.start("--slots", "2")
    job = stopped.submit("stage trace\nflood 1000000000\n")
    stopped.wait_running(job)
    assert stopped.wait_end(stopped.submit())["state"] == "done"
    assert stopped.get("/healthz").status == 200
    stopped.post(f"/v1/jobs/{job}/cancel")
    assert stopped.wait_end(job)["state"] == "cancelled"


def test_a_scheduler_may_have_a_worker_wait(stopped):
    stopped.start("--worker-silence", "2", "--worker-start", "60")
    job = stopped.submit("no_hello\nsleep 3\nhello_now\n" + SUCCESS)
    assert stopped.wait_end(job)["attempt"] == 1


def test_but_not_for_ever(stopped):
    stopped.start("--worker-start", "1")
    queued = tried(stopped, stopped.submit("no_hello\nhang\n"))
    assert queued["message"] == "the worker said nothing for 1 s after its start"


def test_time_limit_of_one_job(stopped):
    stopped.start("--slots", "2")
    limited, free = stopped.submit("hang\n", timeout=1), stopped.submit("hang\n")
    ended = stopped.wait_end(limited)
    assert (ended["state"], ended["reason"]) == ("failed", "timeout")
    assert stopped.job(free)["state"] == "running"


def test_time_limit_of_the_daemon_is_the_longest(stopped):
    stopped.start("--job-timeout", "1")
    assert stopped.wait_end(stopped.submit("hang\n", timeout=1000))["reason"] == "timeout"


def test_a_job_that_kills_the_daemon(stopped, tmp_path):
    stopped.start("--restarts-max", "3")
    job = stopped.submit("hang\n")
    for _ in range(3):
        stopped.wait_running(job)
        stopped.kill()
        stopped.start("--restarts-max", "3")
    failed = stopped.job(job)
    assert (failed["state"], failed["reason"]) == ("failed", "worker_crashed")
    assert failed["message"] == "the daemon died 3 times under this job"


def test_a_stop_is_no_death(stopped):
    stopped.start("--restarts-max", "1")
    job = stopped.submit("hang\n")
    for _ in range(2):
        stopped.wait_running(job)
        assert stopped.stop() == 0
        stopped.start("--restarts-max", "1")
    stopped.wait_running(job)


@pytest.fixture
def delegated(stopped):
    """The daemon in a control group that is delegated to it, as systemd does."""
    group = CGROUP and CGROUP / f"colconv-{os.getpid()}"
    try:
        group.mkdir()
        os.setxattr(group, "user.delegate", b"1")
    except (OSError, AttributeError) as error:
        pytest.skip(f"no control group can be made here: {error}")
    wrapper = stopped.folder / "delegated"
    wrapper.write_text(f'#!/bin/sh\necho $$ > {group}/cgroup.procs\nexec "$@"\n')
    wrapper.chmod(0o755)
    stopped.group = group
    stopped.start_there = lambda *options: stopped.start(*options, prefix=[str(wrapper)])
    yield stopped
    if stopped.process:
        stopped.kill()
    for folder in sorted(group.rglob("*/"), reverse=True):
        (folder / "cgroup.kill").write_text("1")
        wait_until("the group is empty", lambda: "populated 0" in (folder / "cgroup.events").read_text())
        folder.rmdir()
    group.rmdir()


def attempts(daemon):
    return list(daemon.group.glob("attempt-*"))


def test_an_attempt_has_a_control_group(delegated, tmp_path):
    """The group kills even a process that hides, and is removed before the slot becomes free."""
    delegated.start_there("--worker-memory-max", "1000000000")
    delegated.wait_log(f"control groups in '{delegated.group}'")
    if "memory" not in (delegated.group / "cgroup.controllers").read_text():
        delegated.wait_log("worker_memory_max has no effect")
    job = delegated.submit(f"leave_bare {tmp_path}/bare\nlog_file /proc/self/cgroup\ntouch {tmp_path}/ready\n"
                           f"wait_for {tmp_path}/go\n" + SUCCESS)
    wait_until("it runs", (tmp_path / "ready").exists)
    pid = pid_of(tmp_path / "bare")
    assert len(attempts(delegated)) == 1
    assert str(pid) in (attempts(delegated)[0] / "cgroup.procs").read_text().split()
    assert str(delegated.process.pid) in (delegated.group / "daemon/cgroup.procs").read_text().split()
    (tmp_path / "go").touch()
    assert delegated.wait_end(job)["state"] == "done"
    assert not alive(pid)
    assert attempts(delegated) == []


def test_control_groups_of_a_dead_daemon_are_ended(delegated, tmp_path):
    delegated.start_there()
    job, pid = die_beside(delegated, tmp_path, "leave_bare")
    delegated.start_there()
    assert not alive(pid)
    assert delegated.wait_end(job)["state"] == "done"
    assert attempts(delegated) == []


def test_no_control_group_is_told(stopped):
    stopped.start("--worker-memory-max", "1000000000")
    stopped.wait_log("workers get no control groups: no control group is delegated")
    stopped.wait_log("worker_memory_max has no effect")


GPUS = ["GPU-8f6b2c1e-0000-4d6e-9c11-000000000001", "GPU-8f6b2c1e-0000-4d6e-9c11-000000000002"]


@pytest.fixture
def gpus(stopped, monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", str(BUILD / "tests/api"))
    monkeypatch.setenv("FAKE_GPUS", ",".join(GPUS))
    return stopped


def test_a_slot_for_each_gpu(gpus, tmp_path):
    gpus.start("--slots", "gpus")
    jobs = [gpus.submit(f"log_env CUDA_VISIBLE_DEVICES\nwait_for {tmp_path}/go\n" + SUCCESS) for _ in range(3)]
    for job in jobs[:2]:
        gpus.wait_running(job)
    assert [gpus.job(job)["state"] for job in jobs] == ["running", "running", "queued"]
    assert {gpus.job(job)["runner"] for job in jobs[:2]} == {"gpu0", "gpu1"}
    (tmp_path / "go").touch()
    assert {gpus.wait_end(job)["state"] for job in jobs} == {"done"}
    for uuid in GPUS:
        gpus.wait_log(f"CUDA_VISIBLE_DEVICES={uuid}")


@pytest.mark.parametrize("fake, words", [
    ("", "this host has no GPU"), ("driverless", "NVIDIA's driver does not answer: Driver Not Loaded"),
    ("broken", "GPU 0 gives no UUID: GPU is lost"), ("GPU-1 X=1", "the UUID of GPU 0 is not a single word"),
    (None, "cannot search for GPUs: libnvidia-ml.so.1:"),
])
def test_no_gpus(gpus, monkeypatch, fake, words):
    if fake is None:
        monkeypatch.delenv("LD_LIBRARY_PATH")
    else:
        monkeypatch.setenv("FAKE_GPUS", fake)
    got = subprocess.run([str(BUILD / "colconvd"), "--slots", "gpus", "--check-config"], capture_output=True, text=True)
    if fake is None and got.returncode == 0:
        pytest.skip("this host has GPUs")
    assert got.returncode == 2
    assert words in got.stderr
