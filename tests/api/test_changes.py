"""Who may change which job, and the line of the log for each change."""
import json
import os
import re

import pytest

from conftest import SUCCESS, UnixConnection, wait_until

TOKENS = {"eye": "read", "ci": "submit", "other": "submit", "root": "admin"}


@pytest.fixture
def guarded(stopped):
    file = stopped.folder / "tokens"
    file.write_text("".join(f"{name} {scope} {name * 8}\n" for name, scope in TOKENS.items()))
    file.chmod(0o600)
    stopped.sock = stopped.folder / "sock"
    return stopped.start("--tokens", str(file), "--roots", "/", "--listen", f"unix:{stopped.sock}", "--slots", "4")


def call(daemon, name, method, path, body=None):
    return daemon.request(method, path, body and json.dumps(body), {"Authorization": f"Bearer {name * 8}"})


def unix_call(daemon, method, path, body=None):
    connection = UnixConnection(daemon.sock)
    connection.request(method, path, body and json.dumps(body))
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response.status, json.loads(data) if data else None


def submit(daemon, name, script=SUCCESS):
    answer = call(daemon, name, "POST", "/v1/jobs", {"model": daemon.model(script)})
    assert answer.status == 202
    return answer.json["id"]


def end(daemon, job):
    return call(daemon, "eye", "GET", f"/v1/jobs/{job}?wait=60").json["state"]


CHANGES = [("POST", "/cancel"), ("POST", "/retry"), ("DELETE", "/files"), ("DELETE", "")]


def test_a_submit_token_changes_its_own_jobs_only(guarded):
    mine, foreign = submit(guarded, "ci"), submit(guarded, "other")
    status, job = unix_call(guarded, "POST", "/v1/jobs", {"model": guarded.model(SUCCESS)})
    nobodys = job["id"]
    assert status == 202 and job["owner"] is None
    for job in mine, foreign, nobodys:
        assert end(guarded, job) == "done"
    for method, what in CHANGES:
        for job, owner in (foreign, "with the token 'other'"), (nobodys, "without a token"):
            answer = call(guarded, "ci", method, f"/v1/jobs/{job}{what}")
            assert (answer.status, answer.json["code"]) == (403, "not_allowed"), (method, what)
            assert f"job {job} was submitted {owner}" in answer.json["detail"] and "its own jobs only" in answer.json["detail"]
        assert call(guarded, "eye", method, f"/v1/jobs/{mine}{what}").status == 403
        assert call(guarded, "ci", method, f"/v1/jobs/999{what}").status == 404
    assert sorted(guarded.artifacts()) == sorted(map(str, (mine, foreign, nobodys)))
    assert call(guarded, "ci", "DELETE", f"/v1/jobs/{mine}/files").status == 204
    assert call(guarded, "ci", "DELETE", f"/v1/jobs/{mine}").status == 204
    assert call(guarded, "eye", "GET", f"/v1/jobs/{mine}").status == 404
    assert call(guarded, "root", "DELETE", f"/v1/jobs/{foreign}/files").status == 204
    assert unix_call(guarded, "DELETE", f"/v1/jobs/{nobodys}")[0] == 204


def test_it_cancels_and_retries_its_own(guarded):
    mine, foreign = submit(guarded, "ci", "hang\n"), submit(guarded, "other", "hang\n")
    assert call(guarded, "ci", "POST", f"/v1/jobs/{foreign}/cancel").status == 403
    assert call(guarded, "ci", "POST", f"/v1/jobs/{mine}/cancel").status in (200, 202)
    assert end(guarded, mine) == "cancelled"
    assert call(guarded, "other", "POST", f"/v1/jobs/{mine}/retry").status == 403
    assert call(guarded, "ci", "POST", f"/v1/jobs/{mine}/retry").status == 200
    assert call(guarded, "root", "POST", f"/v1/jobs/{foreign}/cancel").status in (200, 202)
    assert end(guarded, foreign) == "cancelled"


def test_each_change_is_a_line_of_the_log(guarded):
    job = submit(guarded, "ci")
    assert end(guarded, job) == "done"
    hanging = submit(guarded, "other", "hang\n")
    call(guarded, "ci", "POST", f"/v1/jobs/{hanging}/cancel")  # refused: no line
    call(guarded, "root", "POST", f"/v1/jobs/{hanging}/cancel")
    assert end(guarded, hanging) == "cancelled"
    call(guarded, "other", "POST", f"/v1/jobs/{hanging}/retry")
    call(guarded, "ci", "DELETE", f"/v1/jobs/{job}/files")
    unix_call(guarded, "DELETE", f"/v1/jobs/{job}")
    third = submit(guarded, "ci")
    assert end(guarded, third) == "done"
    call(guarded, "root", "POST", "/v1/purge", {"keep_artifacts": 0})
    call(guarded, "root", "POST", "/v1/purge", {"keep_artifacts": 0, "dry_run": True})
    at = "from 127.0.0.1"
    uid = f"uid {os.getuid()} on the Unix socket"
    expected = [
        rf"job={job} submitted by token 'ci' {at}: '{guarded.models}/\w+'",
        rf"job={hanging} submitted by token 'other' {at}: '.*'",
        rf"job={hanging} (cancelled|asked to stop) by token 'root' {at}",
        rf"job={hanging} queued again by token 'other' {at}",
        rf"job={job} artifact removed by token 'ci' {at}",
        rf"job={job} deleted by {uid}",
        rf"job={third} submitted by token 'ci' {at}: '.*'",
        rf"purged 1 artifacts with \d+ bytes and 0 jobs by token 'root' {at}",
    ]
    wait_until("the last line", lambda: any(line.startswith("purged") for line in guarded.log))
    lines = [line for line in guarded.log if " by token " in line or f" by {uid}" in line]
    assert len(lines) == len(expected), lines
    for line, pattern in zip(lines, expected):
        assert re.fullmatch(pattern, line), (line, pattern)


def test_a_replay_is_no_change(guarded):
    model = guarded.model(SUCCESS)
    for _ in range(3):
        guarded.request("POST", "/v1/jobs", json.dumps({"model": model}), {"Authorization": "Bearer " + "ci" * 8, "Idempotency-Key": "k"})
    assert guarded.stop() == 0
    assert len([line for line in guarded.log if " submitted by " in line]) == 1


def test_nothing_from_outside_breaks_a_line(daemon):
    """Without tokens; a path with what a terminal or a log would obey is refused, and the longest one is cut at no harm."""
    for evil in "/m\njob=1 deleted by token 'root'", "/m\x1b[2J", "/m\u202e", "/m\u2028x":
        assert daemon.post("/v1/jobs", {"model": evil}).status == 400
    job = daemon.post("/v1/jobs", {"model": "/" + "\u00e9" * 4000}).json["id"]
    wait_until("its line", lambda: any(line.startswith(f"job={job} submitted by 127.0.0.1 without a token: '/\u00e9") for line in daemon.log))
    daemon.stop()
    assert not any(c in line for line in daemon.log for c in "\x1b\u202e\u2028"), daemon.log
    assert not any("deleted" in line for line in daemon.log)
