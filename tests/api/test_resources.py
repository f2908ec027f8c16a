"""Resources that the daemon itself can run out of: disk, descriptors, processes; and a state folder that is moved."""
import http.client
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time

import pytest
from conftest import SUCCESS, Events, wait_until


@pytest.fixture
def disk(stopped, small_disk, tmp_path):
    """A daemon on its own disk, which outlives the daemon: the test holds the mount namespace."""
    small_disk("40m")  # or the test is skipped
    holder = subprocess.Popen(["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size=40m none "{stopped.state}" && echo ready && exec sleep 600'],
                              stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "ready\n"
    stopped.inside = ["nsenter", "-t", str(holder.pid), "-U", "-m", "--preserve-credentials"]
    stopped.folder_there = pathlib.Path(f"/proc/{holder.pid}/root{stopped.state}")
    yield stopped
    if stopped.process and stopped.process.poll() is None:
        stopped.kill()
    holder.kill()
    holder.wait()
    holder.stdout.close()


def fill(daemon):
    """Fills the disk to the last byte."""
    filler = daemon.folder_there / "filler"
    for size in (1 << 20, 4096, 1):
        with pytest.raises(OSError), open(filler, "ab", buffering=0) as f:
            while True:
                f.write(bytes(size))
    return filler


def lines(daemon, words):
    """The lines of the log with these words. Waits for the first one: it may be read after an answer that came later."""
    daemon.wait_log(re.escape(words))
    return [line for line in daemon.log if words in line]


def test_starts_on_a_full_disk_and_purges(disk):
    disk.start(prefix=disk.inside)
    jobs = [disk.submit("artifact 100000\nresult\n") for _ in range(3)]
    for job in jobs:
        assert disk.wait_end(job)["state"] == "done"
    assert disk.stop() == 0
    fill(disk)

    disk.start(prefix=disk.inside)

    assert [j["id"] for j in disk.get("/v1/jobs").json["jobs"]] == jobs[::-1]
    assert disk.get("/readyz").status == 503
    assert disk.post("/v1/jobs", {"model": "/m"}).status == 507
    assert lines(disk, "Remove artifacts (colconvctl purge)")
    purged = disk.post("/v1/purge", {"keep_artifacts": 1})
    assert (purged.status, purged.json["artifacts"]) == (200, jobs[:2])
    assert disk.get(f"/v1/jobs/{jobs[2]}/files/text.onnx").status == 200
    waiting = disk.submit(SUCCESS)  # into the room of the reserve
    assert disk.job(waiting)["state"] == "queued"
    (disk.folder_there / "filler").unlink()
    assert disk.wait_end(waiting)["state"] == "done"
    assert disk.job(waiting)["attempt"] == 1
    assert len(lines(disk, "is full: it has")) == 1 and lines(disk, "jobs are started again")


def test_recovers_on_a_full_disk_with_the_reserve(disk):
    disk.start(prefix=disk.inside)
    job = disk.submit("hang\n")
    disk.wait_running(job)
    disk.kill()
    fill(disk)

    disk.start(prefix=disk.inside)

    assert disk.job(job)["state"] == "queued"
    assert lines(disk, "1 queued again")
    assert disk.stop() == 0


def test_starts_on_a_full_disk_without_the_reserve_and_recovers_later(disk):
    disk.start(prefix=disk.inside)
    done, job = disk.submit(SUCCESS), disk.submit("hang\n")
    assert disk.wait_end(done)["state"] == "done"
    disk.wait_running(job)
    disk.kill()
    (disk.folder_there / "reserve").unlink()
    filler = fill(disk)
    with open(filler, "rb") as f:
        size = f.seek(0, 2)

    disk.start(prefix=disk.inside)

    assert lines(disk, "No job starts until there is room")
    assert disk.get(f"/v1/jobs/{done}/files/text.onnx").status == 200
    assert disk.job(job)["state"] == "running"
    with open(filler, "r+b") as f:
        f.truncate(size - (20 << 20))
    Events(disk, job, last=0).wait_state(lambda j: j["state"] == "running" and j["attempt"] == 2)
    assert disk.job(job)["attempts_max"] == 4
    disk.post(f"/v1/jobs/{job}/cancel")
    assert disk.wait_end(job)["state"] == "cancelled"
    assert disk.stop() == 0


def test_a_full_disk_makes_an_ended_attempt_warn_once(disk):
    """The queue cannot record the end of the attempt: the daemon retries every few seconds, but warns only once."""
    go = disk.folder / "go"
    disk.start("--slots", "1", prefix=disk.inside)
    job = disk.submit(f"wait_for {go}\nexit 3\n", attempts=1)
    disk.wait_running(job)
    (disk.folder_there / "reserve").unlink()
    filler = fill(disk)
    while disk.post("/v1/jobs", {"model": "/m" * 1000}).status == 202:
        pass  # until the queue's own files have no room left either
    go.touch()

    assert lines(disk, f"job={job} try=1: ")
    time.sleep(7)  # longer than the pause before the next try
    assert disk.job(job)["state"] == "running"
    assert len(lines(disk, f"job={job} try=1: ")) == 1
    filler.unlink()
    assert disk.wait_end(job)["reason"] == "worker_crashed"
    assert len(lines(disk, f"job={job} try=1 ended")) == 1


def test_a_port_file_without_room_is_only_a_warning(disk):
    """The daemon starts and serves on a full disk; only the port file is missing."""
    disk.start(prefix=disk.inside)
    assert disk.stop() == 0
    (disk.folder_there / "reserve").unlink()
    fill(disk)
    disk.port_file = disk.folder_there / "port"
    command = [str(disk.state / "port") if o == str(disk.port_file) else o for o in disk.command()]
    disk.process = subprocess.Popen([*disk.inside, *command], stderr=subprocess.PIPE, text=True)
    disk.reader = threading.Thread(target=disk.read_log, args=(disk.process.stderr,))
    disk.reader.start()

    disk.wait_log("/port.tmp.*, ignoring$")
    disk.port = int(re.findall(r"listening on .* port (\d+)", "\n".join(disk.log))[-1])
    assert disk.get("/healthz").status == 200
    assert not disk.port_file.exists()
    assert disk.stop() == 0


def limit_set(daemon, what, n):
    """Sets a limit of the running daemon; the hard limit stays."""
    subprocess.run(["prlimit", f"--{what}={n}:", "-p", str(daemon.process.pid)], check=True)


@pytest.mark.parametrize("what", ["nofile", "nproc"])
def test_what_runs_out_costs_no_attempt(stopped, what):
    """When a worker cannot be started, the job waits for the missing resource and loses no attempt."""
    if what == "nproc" and os.geteuid() == 0:
        pytest.skip("root has no limit of processes")
    stopped.start("--slots", "1")
    warm = stopped.submit(attempts=1)
    assert stopped.wait_end(warm)["state"] == "done"
    used = len(list(pathlib.Path(f"/proc/{stopped.process.pid}/fd").iterdir()))
    limit_set(stopped, what, used + 3 if what == "nofile" else 1)

    job = stopped.submit(attempts=1)

    wait_until("it says so", lambda: lines(stopped, "no job is started until then"))
    wait_until("the job is queued", lambda: stopped.job(job)["state"] == "queued")
    limit_set(stopped, what, 4096)
    end = stopped.wait_end(job)
    assert (end["state"], end["attempts_max"] - end["attempt"]) == ("done", 0)
    assert len(lines(stopped, "is started until then")) == 1


@pytest.mark.parametrize("how", ["moved", "removed", "replaced"])
def test_a_state_folder_that_goes_away(stopped, how):
    stopped.start()
    assert stopped.wait_end(stopped.submit())["state"] == "done"
    if how == "moved":
        stopped.state.rename(stopped.folder / "elsewhere")
    elif how == "removed":
        shutil.rmtree(stopped.state)
    else:
        stopped.state.rename(stopped.folder / "elsewhere")
        stopped.state.mkdir()
        shutil.copy(stopped.folder / "elsewhere/queue.db", stopped.state)

    try:
        assert stopped.post("/v1/jobs", {"model": "/m"}).status == 500
    except (ConnectionError, http.client.HTTPException):
        pass  # it may end before the answer is out
    assert stopped.process.wait(15) != 0
    stopped.reader.join(15)
    assert lines(stopped, "was moved or removed while the daemon ran")


def test_a_state_folder_that_moves_behind_a_link_is_the_same(stopped):
    stopped.start()
    stopped.state.rename(stopped.folder / "elsewhere")
    stopped.state.symlink_to(stopped.folder / "elsewhere")

    assert stopped.wait_end(stopped.submit())["state"] == "done"
