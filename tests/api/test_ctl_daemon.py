"""Every command of colconvctl against the real daemon."""

import json

import pytest
from conftest import SUCCESS
from ctl import ctl as run


@pytest.fixture
def ctl(daemon):
    def call(*args, status=0, **more):
        r = run(None, *args, COLCONV_SERVER=f"http://127.0.0.1:{daemon.port}", **more)
        assert r.returncode == status, r.stderr
        return r
    return call


def test_a_job_from_its_submission_to_its_end(daemon, ctl, tmp_path):
    model = daemon.model(SUCCESS)
    assert ctl("submit", model, "--label", "team=search", "--priority", 5, "--key", "k").stdout == "1\n"
    assert ctl("submit", model, "--label", "team=search", "--priority", 5, "--key", "k").stdout == "1\n"
    assert "Idempotency-Key" in ctl("submit", model, "--key", "k", status=2).stderr
    ctl("wait", 1)
    assert ctl("list", "-o", "name", "--state", "done", "--label", "team=search", "--model", model).stdout == "1\n"
    assert ctl("list", "-o", "name", "--label", "team=other").stdout == ""
    assert "priority       5\n" in ctl("show", 1).stdout
    assert ctl("logs", 1).stdout.endswith(" hello\n") and ctl("logs", "-f", 1).stdout == ctl("logs", 1).stdout
    history = ctl("history", 1).stdout
    assert "state  queued\n" in history and "stage  export\n" in history and "state  done" in history
    assert ctl("fetch", 1, cwd=tmp_path).stdout == "job-1\n" and (tmp_path / "job-1" / "text.onnx").exists()
    assert "passed" in ctl("parity", 1).stdout
    assert ctl("artifacts", "-o", "name").stdout == "1\n"
    assert ctl("purge", "--keep-artifacts", 0, "--dry-run").stdout == "artifacts of 1\n"
    ctl("delete", "--artifact", 1)
    assert "artifact       4 files" in ctl("show", 1).stdout and "removed" in ctl("show", 1).stdout
    assert "the artifact of job 1 was removed at" in ctl("fetch", 1, cwd=tmp_path, status=3).stderr
    ctl("delete", 1)
    ctl("show", 1, status=3)


def test_what_fails_is_tried_again(daemon, ctl):
    ctl("submit", daemon.model("fail bad_checkpoint no\n"))
    assert "job 1: failed (bad_checkpoint): no" in ctl("watch", 1, status=5).stderr
    assert ctl("list", "--reason", "bad_checkpoint", "-o", "name").stdout == "1\n"
    ctl("retry", 1)
    ctl("wait", 1, status=5)
    ctl("cancel", 1, status=1)
    assert json.loads(ctl("show", 1, "--json").stdout)["attempt"] == 2


def test_what_waits_and_what_is_cancelled(daemon, ctl):
    for _ in range(6):
        ctl("submit", daemon.model("stage export\nhang\n"))
    assert "1 s before the jobs ended" in ctl("wait", 1, 6, "--timeout", 1, status=7).stderr
    ctl("cancel", *range(1, 7))
    ctl("wait", *range(1, 7), status=6)
    assert ctl("list", "--all", "--state", "cancelled", "-o", "name").stdout == "6\n5\n4\n3\n2\n1\n"


def test_the_daemon_itself(daemon, ctl):
    assert "0 queued, 0 running" in ctl("status").stdout
    assert "0 of 4" in ctl("runners").stdout
    assert "colqwen2" in ctl("models", "-o", "name").stdout
    assert "slots" in json.loads(ctl("config", "--daemon", "--json").stdout)
    assert json.loads(ctl("api", "/openapi.json").stdout)["openapi"] == "3.1.0"
    assert ctl("api", "/metrics").stdout.startswith("#")
    assert json.loads(ctl("api", "/readyz").stdout) == {"status": "ready"}


def test_tokens(stopped, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("ann read read-read-read-read\nbob submit submit-submit-submit\nroot admin admin-admin-admin\n")
    tokens.chmod(0o600)
    stopped.start("--tokens", str(tokens), "--roots", "/")

    def ctl(token, *args):
        env = {"COLCONV_TOKEN": token} if token else {}
        return run(None, *args, COLCONV_SERVER=f"http://127.0.0.1:{stopped.port}", **env)

    model = stopped.model(SUCCESS)
    for token in (None, "not-one-of-its-tokens"):
        r = ctl(token, "list")
        assert r.returncode == 4 and "COLCONV_TOKEN" in r.stderr
    assert ctl("read-read-read-read", "submit", model).returncode == 4
    assert ctl("submit-submit-submit", "submit", model, "--wait").returncode == 0
    assert ctl("read-read-read-read", "list", "--owner", "bob", "-o", "name").stdout == "1\n"
    assert ctl("admin-admin-admin", "submit", model, "--wait").returncode == 0
    assert ctl("submit-submit-submit", "delete", 2).returncode == 4  # another's job
    assert ctl("submit-submit-submit", "delete", 1).returncode == 0
    assert ctl("admin-admin-admin", "delete", 2).returncode == 0
