"""Submitting, reading, listing and cancelling jobs."""

import json
import threading

import pytest
from conftest import SUCCESS, Events



def test_submit_and_get(daemon):
    model = daemon.model(SUCCESS)
    answer = daemon.post("/v1/jobs", {"model": model, "labels": {"team": "search"}, "parity": {"max_abs": 0.001}})
    assert answer.status == 202
    assert answer.headers["Location"] == "/v1/jobs/1"
    assert answer.json["id"] == 1
    assert answer.json["state"] == "queued"
    assert answer.json["spec"]["labels"] == {"team": "search"}
    assert answer.json["spec"]["parity"]["max_abs"] == 0.001
    job = daemon.wait_end(1)
    assert job["state"] == "done"
    assert job["attempt"] == 1
    assert job["result"] == {
        "architecture": "colqwen2", "parameters": 1000, "parity_checked": True, "max_abs": 1e-6, "min_cosine": 1.0, "warnings": [],
        "graphs": [{"variant": "text", "file": "text.onnx", "nodes": 7}],
    }
    assert job["stages"] == [{"name": "resolve", "seconds": 0.25, "peak_anon_bytes": 4096}]
    assert daemon.job(1) == job
    assert daemon.staged() == []


def test_running_job_shows_stage_and_progress(daemon, tmp_path):
    go = tmp_path / "go"
    job = daemon.submit(f"stage export\nprogress 5 10\nwait_for {go}\nartifact\nresult\n")
    stream = Events(daemon, job)
    stream.wait("progress")
    shown = daemon.job(job)
    assert shown["state"] == "running"
    assert shown["stage"] == "export"
    assert shown["progress"] == {"done": 5, "total": 10, "unit": "bytes", "detail": "lm.03.mlp"}
    go.touch()
    assert stream.wait("job", lambda j: j["state"] == "done")["stage"] is None


def test_files(daemon):
    job = daemon.submit()
    assert daemon.wait_end(job)["state"] == "done"
    files = daemon.get(f"/v1/jobs/{job}/files").json["files"]
    assert [f["name"] for f in files] == ["manifest.json", "model.onnx_data", "parity.json", "text.onnx"]
    for f in files:
        answer = daemon.get(f"/v1/jobs/{job}/files/{f['name']}")
        assert answer.status == 200
        assert len(answer.body) == f["size"]
        head = daemon.request("HEAD", f"/v1/jobs/{job}/files/{f['name']}")
        assert head.headers["Content-Length"] == str(f["size"]) and head.body == b""
    assert daemon.get(f"/v1/jobs/{job}/parity").json["passed"] is True
    for name in ("nothing", "..", "%2e%2e", "..%2f..%2fqueue.db", "text.onnx/", "a/b", ""):
        assert daemon.get(f"/v1/jobs/{job}/files/{name}").status == 404, name


def test_files_of_a_job_that_is_not_done(stopped):
    stopped.start()
    running = stopped.submit("artifact\nhang\n")
    queued = stopped.submit()
    stopped.wait_running(running)
    for job in running, queued:
        assert stopped.get(f"/v1/jobs/{job}/files").json == {"files": []}
        assert stopped.get(f"/v1/jobs/{job}/files/text.onnx").status == 404
        assert stopped.get(f"/v1/jobs/{job}/parity").status == 404


def test_list(daemon):
    jobs = [daemon.submit() for _ in range(5)]
    for job in jobs:
        daemon.wait_end(job)
    bad = daemon.submit("fail bad_checkpoint header of 'a' is torn\n")
    daemon.wait_end(bad)
    page = daemon.get("/v1/jobs?limit=4").json
    assert [j["id"] for j in page["jobs"]] == [6, 5, 4, 3]
    assert page["next"] == "3"
    page = daemon.get(f"/v1/jobs?limit=4&cursor={page['next']}").json
    assert [j["id"] for j in page["jobs"]] == [2, 1]
    assert page["next"] is None
    assert [j["id"] for j in daemon.get("/v1/jobs?state=failed").json["jobs"]] == [bad]
    assert daemon.get("/v1/jobs?state=cancelled").json == {"jobs": [], "next": None}


def test_cancel_queued(stopped):
    stopped.start()
    first = stopped.submit("hang\n")
    second = stopped.submit()
    stopped.wait_running(first)
    stream = Events(stopped, second)
    answer = stopped.post(f"/v1/jobs/{second}/cancel")
    assert (answer.status, answer.json["state"]) == (200, "cancelled")
    assert [(name, data["state"]) for name, data, _ in stream] == [
        ("job", "queued"), ("state", "cancelled"), ("job", "cancelled")]
    again = stopped.post(f"/v1/jobs/{second}/cancel")
    assert (again.status, again.json["code"]) == (409, "conflict")


def test_cancel_running(daemon):
    job = daemon.submit("stage trace\nhang\n")
    daemon.wait_running(job)
    assert daemon.job(job)["cancel_requested"] is False
    answer = daemon.post(f"/v1/jobs/{job}/cancel")
    assert (answer.status, answer.json["state"], answer.json["cancel_requested"]) == (202, "running", True)
    ended = daemon.wait_end(job)
    assert (ended["state"], ended["reason"], ended["attempt"]) == ("cancelled", "cancelled", 1)
    assert daemon.staged() == []


def test_cancel_of_a_worker_that_ignores_term(daemon):
    job = daemon.submit("ignore_term\nstage trace\nhang\n")
    Events(daemon, job, last=0).wait("stage")
    daemon.post(f"/v1/jobs/{job}/cancel")
    assert daemon.wait_end(job)["state"] == "cancelled"


def test_cancel_takes_no_body(daemon):
    job = daemon.submit("hang\n")
    answer = daemon.post(f"/v1/jobs/{job}/cancel", {"why": "not"})
    assert answer.status == 400
    assert "takes no body" in answer.json["detail"]


def test_many_submissions_at_once(stopped):
    """127, 128 and more connections are ready in one turn: each is answered with its own id."""
    stopped.start()
    blocker = stopped.submit("hang\n")
    stopped.wait_running(blocker)
    body = json.dumps({"model": stopped.model(SUCCESS)})
    for n in 127, 128, 129, 256:
        connections = [stopped.connect() for _ in range(n)]
        for connection in connections:
            connection.request("POST", "/v1/jobs", body)
        ids = set()
        for connection in connections:
            response = connection.getresponse()
            assert response.status == 202
            ids.add(json.loads(response.read())["id"])
            connection.close()
        assert len(ids) == n


def test_many_watchers_and_writers(daemon):
    """Submitting and watching clients at one daemon; every job ends exactly once."""
    ends = []

    def client():
        ends.append(daemon.wait_end(daemon.submit()))

    threads = [threading.Thread(target=client) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(job["id"] for job in ends) == list(range(1, 17))
    assert {job["state"] for job in ends} == {"done"}
    assert daemon.artifacts() == sorted(map(str, range(1, 17)))
