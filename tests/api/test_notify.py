"""The setting notify: a command that gets the JSON of each job that ends."""
import json
import os
import signal
import subprocess

import pytest

from conftest import SUCCESS, wait_until


@pytest.fixture
def noted(stopped):
    """A daemon whose command appends what it reads to a file; `body` is what else the script does, before that."""
    def start(body="", **settings):
        script = stopped.folder / "notify"
        stopped.notes = stopped.folder / "notes"
        script.write_text(f"#!/bin/sh\n{body}\ncat >> {stopped.notes}\n")
        script.chmod(0o755)
        lines = [f"notify = {script} --word", *(f"{name} = {value}" for name, value in settings.items())]
        stopped.config.write_text("\n".join(lines) + "\n")
        return stopped.start("--slots", "1")
    return start


def notes(daemon):
    return [json.loads(line) for line in daemon.notes.read_text().splitlines()] if daemon.notes.exists() else []


def notified(daemon):
    return int((daemon.state / "notified").read_text())


def wait_notes(daemon, n):
    wait_until(f"{n} notes", lambda: len(notes(daemon)) >= n)
    return notes(daemon)


def test_each_end_is_told_once_and_in_order(noted):
    daemon = noted()
    done = daemon.submit(SUCCESS, labels={"team": "\u00e9"})
    daemon.wait_end(done)
    hanging = daemon.submit("hang\n")
    queued = daemon.submit(SUCCESS)
    daemon.wait_running(hanging)
    daemon.post(f"/v1/jobs/{queued}/cancel")
    daemon.post(f"/v1/jobs/{hanging}/cancel")
    told = wait_notes(daemon, 3)
    assert [(j["id"], j["state"]) for j in told] == [(done, "done"), (queued, "cancelled"), (hanging, "cancelled")]
    assert told[0] == daemon.job(done)
    daemon.wait_end(daemon.submit(SUCCESS))
    assert len(wait_notes(daemon, 4)) == 4
    wait_until("the end is recorded", lambda: notified(daemon) == daemon.get("/v1/jobs/4/history").json["events"][-1]["id"])
    assert daemon.stop() == 0
    daemon.start("--slots", "1")
    daemon.wait_end(daemon.submit(SUCCESS))
    assert [j["id"] for j in wait_notes(daemon, 5)] == [done, queued, hanging, 4, 5]


def test_a_command_that_fails_is_told_in_the_log_and_the_next_runs(noted):
    daemon = noted("test -e $0.failed || { touch $0.failed; exit 3; }")
    first = daemon.submit(SUCCESS)
    daemon.wait_end(first)
    wait_until("the warning", lambda: f"warning: job={first} the command of the setting notify ended with exit status 3" in daemon.log)
    second = daemon.submit(SUCCESS)
    assert [j["id"] for j in wait_notes(daemon, 1)] == [second]


def test_a_command_that_hangs_is_killed_with_its_children(noted):
    daemon = noted("sleep 1000 & echo $! > $(dirname $0)/child; wait", notify_timeout=1)
    job = daemon.submit(SUCCESS)
    daemon.wait_end(job)
    wait_until("the warning", lambda: any("ran longer than notify_timeout" in line for line in daemon.log))
    child = int((daemon.folder / "child").read_text())
    wait_until("the child is gone", lambda: not os.path.exists(f"/proc/{child}"))
    assert daemon.get("/healthz").status == 200


def test_a_killed_daemon_tells_again(noted):
    daemon = noted("echo $$ > $(dirname $0)/pid.tmp; mv $(dirname $0)/pid.tmp $(dirname $0)/pid; test -e $(dirname $0)/go || sleep 1000")
    job = daemon.submit(SUCCESS)
    daemon.wait_end(job)
    wait_until("the command runs", lambda: (daemon.folder / "pid").exists())
    daemon.kill()
    assert notes(daemon) == []
    (daemon.folder / "go").touch()
    daemon.start("--slots", "1")
    assert [j["id"] for j in wait_notes(daemon, 1)] == [job]
    last = daemon.submit(SUCCESS)
    assert [j["id"] for j in wait_notes(daemon, 2)] == [job, last]
    assert daemon.stop() == 0


def test_ends_from_before_the_setting_are_not_told(stopped, noted):
    stopped.start("--slots", "1")
    stopped.wait_end(stopped.submit(SUCCESS))
    assert stopped.stop() == 0
    daemon = noted()
    later = daemon.submit(SUCCESS)
    assert [j["id"] for j in wait_notes(daemon, 1)] == [later]
    config = daemon.config.read_text()

    def reload(text):
        daemon.config.write_text(text)
        seen = len(daemon.log)
        daemon.process.send_signal(signal.SIGHUP)
        wait_until("the settings are read", lambda: any("were read again" in line for line in daemon.log[seen:]))

    reload("")
    daemon.wait_end(daemon.submit(SUCCESS))
    reload(config)
    last = daemon.submit(SUCCESS)
    assert [j["id"] for j in wait_notes(daemon, 2)] == [later, last]


@pytest.mark.parametrize("command", ["notify", "/none/such", "/etc/passwd"])
def test_a_wrong_command_is_refused_at_the_start(stopped, command):
    stopped.config.write_text(f"notify = {command} x\n")
    refused = subprocess.run([*stopped.command(), "--check-config"], capture_output=True, text=True)
    assert refused.returncode == 2 and f"'{command}' must be the absolute path of a program" in refused.stderr, refused


def test_the_command_gets_no_secrets(stopped, noted, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    daemon = noted("env > $(dirname $0)/env")
    daemon.wait_end(daemon.submit(SUCCESS))
    wait_notes(daemon, 1)
    assert "hf_secret" not in (daemon.folder / "env").read_text()
