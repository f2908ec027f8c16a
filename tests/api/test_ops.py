"""What an operator sees, and how things are removed."""

import http.client
import json
import pathlib
import re
import signal
import sys
import threading
import time

import pytest

import prometheus
import schema
from conftest import TOP, Events, wait_until

sys.path.insert(0, str(TOP / "tests/docs"))
import codes  # noqa: E402


def test_contract_is_served(daemon):
    answer = daemon.get("/openapi.json")
    assert (answer.status, answer.json) == (200, schema.API)
    assert answer.body == (TOP / "proto/openapi.json").read_bytes()
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("text, status", [
    ("{}", 304), ("*", 304), ('"other", {}', 304), ('"a,b",{} ', 304), ("W/{}", 304), ('"other"', 200), ("", 200),
    ("x{}", 200), (",,", 200),
])
def test_embedded_file_is_not_sent_again(daemon, text, status):
    etag = daemon.get("/openapi.json").headers["ETag"]
    answer = daemon.request("GET", "/openapi.json", headers={"If-None-Match": text.format(etag)})
    assert (answer.status, answer.headers["ETag"]) == (status, etag)
    assert bool(answer.body) == (status == 200)


def schema_of(path, method="get", status="200"):
    answer = schema.API["paths"][path][method]["responses"][status]
    return answer["content"]["application/json"]["schema"]


def check(value, path, method="get"):
    found = list(schema.errors(value, schema_of(path, method), schema.API))
    assert not found, "\n".join(found)


def done(daemon, n=1):
    jobs = [daemon.submit() for _ in range(n)]
    for job in jobs:
        assert daemon.wait_end(job)["state"] == "done"
    return jobs


def trash(daemon):
    return sorted(p.name for p in (daemon.state / "trash").iterdir())


def stored(daemon):
    return [a["job"] for a in daemon.get("/v1/artifacts?limit=1000").json["artifacts"]]


def test_delete_artifact(daemon):
    (job,) = done(daemon)
    before, report = daemon.job(job), daemon.get(f"/v1/jobs/{job}/parity")
    assert report.status == 200
    assert daemon.request("DELETE", f"/v1/jobs/{job}/files").status == 204
    after = daemon.job(job)
    schema.check(after, "Job")
    assert after["artifact"].pop("removed") and before["artifact"].pop("removed") is None
    assert after == before
    assert daemon.artifacts() == []
    assert daemon.get(f"/v1/jobs/{job}/files").json == {"files": []}
    wait_until("the trash is empty", lambda: trash(daemon) == [])
    assert daemon.request("DELETE", f"/v1/jobs/{job}/files").status == 204  # it is gone
    kept = daemon.get(f"/v1/jobs/{job}/parity")
    assert (kept.status, kept.json) == (200, report.json)
    assert daemon.get(f"/v1/jobs/{job}/files/parity.json").status == 410


def test_delete_job(daemon):
    jobs = done(daemon, 2)
    answer = daemon.request("DELETE", f"/v1/jobs/{jobs[0]}")
    assert (answer.status, answer.body) == (204, b"")
    for path in "", "/files", "/files/text.onnx", "/parity", "/events":
        assert daemon.get(f"/v1/jobs/{jobs[0]}{path}").status == 404
    assert daemon.request("DELETE", f"/v1/jobs/{jobs[0]}").status == 404
    assert [j["id"] for j in daemon.get("/v1/jobs").json["jobs"]] == [jobs[1]]
    assert daemon.artifacts() == [str(jobs[1])]
    wait_until("the trash is empty", lambda: trash(daemon) == [])
    assert daemon.submit() > jobs[1]


def test_removal_is_told(daemon):
    """A removal is sent to streams of all jobs, however the job was removed."""
    jobs = done(daemon, 2)
    connection = daemon.connect()
    connection.request("GET", "/v1/events")
    response = connection.getresponse()
    assert daemon.request("DELETE", f"/v1/jobs/{jobs[0]}").status == 204
    daemon.post("/v1/purge", {"keep_jobs": 0})
    told = []
    for line in response:
        if line == b"event: removed\n":
            told.append(json.loads(next(response).decode().removeprefix("data: "))["job"])
        if len(told) == 2:
            break
    assert told == jobs


def test_delete_refused(stopped):
    stopped.start()
    running, queued = stopped.submit("hang\n"), stopped.submit()
    stopped.wait_running(running)
    for job in running, queued:
        for path in "", "/files":
            answer = stopped.request("DELETE", f"/v1/jobs/{job}{path}")
            assert (answer.status, answer.json["code"]) == (409, "conflict")
    for path in "", "/files":
        assert stopped.request("DELETE", f"/v1/jobs/99{path}").status == 404
        assert stopped.request("DELETE", f"/v1/jobs/{queued}{path}", "{}").status == 400
    stopped.post(f"/v1/jobs/{queued}/cancel")
    assert stopped.request("DELETE", f"/v1/jobs/{queued}/files").status == 409
    assert stopped.request("DELETE", f"/v1/jobs/{queued}").status == 204


def test_download_outlives_its_artifact(daemon):
    """A reader that pauses half-way still gets the rest, although the job was removed."""
    size = 32 << 20
    job = daemon.submit(f"artifact {size}\nresult\n")
    daemon.wait_end(job)
    connection = daemon.connect()
    connection.request("GET", f"/v1/jobs/{job}/files/model.onnx_data")
    response = connection.getresponse()
    got = len(response.read(1 << 20))
    assert daemon.request("DELETE", f"/v1/jobs/{job}").status == 204
    wait_until("the other files are gone", lambda: not list((daemon.state / "trash").glob("*/manifest.json")))
    while chunk := response.read(1 << 20):
        got += len(chunk)
    assert got == size


def test_purge(stopped):
    daemon = stopped.start()  # one slot: published in order
    jobs = done(daemon, 5)
    sizes = {a["job"]: a["bytes"] for a in daemon.get("/v1/artifacts").json["artifacts"]}

    dry = daemon.post("/v1/purge", {"keep_artifacts": 2, "dry_run": True})
    check(dry.json, "/v1/purge", "post")
    assert dry.json == {"artifacts": jobs[:3], "jobs": [], "bytes": sum(sizes[j] for j in jobs[:3]), "dry_run": True}
    assert sorted(stored(daemon)) == jobs

    wet = daemon.post("/v1/purge", {"keep_artifacts": 2})
    assert wet.json == {**dry.json, "dry_run": False}
    assert stored(daemon) == [jobs[4], jobs[3]]

    assert daemon.post("/v1/purge", {"keep_artifacts": 2, "keep_bytes": 10**12, "keep_seconds": 3600}).json["artifacts"] == []
    both = {"keep_jobs": 1, "keep_artifacts": 1}
    dry = daemon.post("/v1/purge", {**both, "dry_run": True}).json
    assert (dry["jobs"], dry["artifacts"]) == (jobs[:4], [jobs[3]])
    assert daemon.post("/v1/purge", both).json == {**dry, "dry_run": False}
    assert [j["id"] for j in daemon.get("/v1/jobs").json["jobs"]] == [jobs[4]]
    assert daemon.post("/v1/purge", {"keep_seconds": 0}).json["artifacts"] == [jobs[4]]
    assert daemon.artifacts() == []
    wait_until("the trash is empty", lambda: trash(daemon) == [])
    assert daemon.post("/v1/purge", {"dry_run": False}).json == {"artifacts": [], "jobs": [], "bytes": 0, "dry_run": False}


def test_purge_of_many(daemon):
    """More than one turn of the event loop can remove."""
    jobs = [daemon.submit("hang\n") for _ in range(200)]
    for job in jobs:
        daemon.post(f"/v1/jobs/{job}/cancel")
    for job in jobs[:4]:
        daemon.wait_end(job)
    answer = daemon.post("/v1/purge", {"keep_jobs": 0})
    assert (answer.status, answer.json["jobs"]) == (200, jobs)
    assert daemon.get("/v1/jobs").json["jobs"] == []


@pytest.mark.parametrize("body, field", [
    ({}, None), ([], None), ("x", None), (b"{", None), ({"keep_artifacts": -1}, "keep_artifacts"),
    ({"keep_bytes": "1GB"}, "keep_bytes"), ({"keep_seconds": 1.5}, "keep_seconds"), ({"keep_jobs": None}, "keep_jobs"),
    ({"keep_jobs": True}, "keep_jobs"), ({"keep_jobs": 1, "dry_run": 1}, "dry_run"), ({"keep": 1}, "keep"),
    (b'{"keep_bytes": 99999999999999999999}', "keep_bytes"),
])
def test_purge_refused(daemon, body, field):
    (job,) = done(daemon)
    answer = daemon.post("/v1/purge", body)
    assert (answer.status, answer.json["code"], answer.json.get("field")) == (400, "bad_request", field)
    assert stored(daemon) == [job]


@pytest.mark.parametrize("option, kept", [("--keep-artifacts", 2), ("--keep-bytes", 1), ("--keep-jobs", 3)])
def test_limits_are_applied_after_each_publication(stopped, option, kept):
    stopped.start(option, str(kept))
    jobs = done(stopped, 6)
    wait_until("the limit is kept", lambda: len(stopped.artifacts()) == kept)
    assert stored(stopped) == sorted(jobs[-kept:], reverse=True)
    left = [j["id"] for j in stopped.get("/v1/jobs").json["jobs"]]
    assert len(left) == (kept if option == "--keep-jobs" else 6)
    wait_until("the trash is empty", lambda: trash(stopped) == [])


def test_limits_are_applied_at_the_start(stopped):
    stopped.start()
    jobs = done(stopped, 3)
    stopped.stop()
    (stopped.state / "trash/7.1").mkdir()
    (stopped.state / "trash/7.1/file").write_text("left by a crash")
    stopped.start("--keep-artifacts", "1")
    wait_until("the limit is kept", lambda: stopped.artifacts() == [str(jobs[2])])
    wait_until("the trash is empty", lambda: trash(stopped) == [])


def test_limits_are_reloaded(stopped):
    stopped.start()
    jobs = done(stopped, 3)
    stopped.config.write_text("keep_artifacts = 1\n")
    stopped.process.send_signal(signal.SIGHUP)
    wait_until("the limit is kept", lambda: stopped.artifacts() == [str(jobs[2])])


def test_killed_while_removing(stopped):
    """kill -9 between any two steps: visible artifacts are complete, removed ones are gone, and none ends up in lost/."""
    stopped.start("--slots", "4")
    jobs = done(stopped, 24)
    deleted = []
    for turn in range(6):
        mine = jobs[turn * 4:turn * 4 + 4]
        threads = [threading.Thread(target=delete, args=(stopped, job, turn % 2, deleted)) for job in mine]
        for thread in threads:
            thread.start()
        time.sleep(turn * 0.002)
        stopped.kill()
        for thread in threads:
            thread.join()
        stopped.start("--slots", "4")
    for job in jobs:
        answer = stopped.get(f"/v1/jobs/{job}")
        there = (stopped.state / "artifacts" / str(job)).exists()
        if answer.status == 404:
            assert not there
            continue
        assert job not in deleted
        assert there == (answer.json["artifact"]["removed"] is None)
        assert len(stopped.get(f"/v1/jobs/{job}/files").json["files"]) == (4 if there else 0)
    assert list((stopped.state / "lost").iterdir()) == []
    wait_until("the trash is empty", lambda: trash(stopped) == [])


def delete(daemon, job, whole, deleted):
    try:
        if daemon.request("DELETE", f"/v1/jobs/{job}" + ("" if whole else "/files")).status == 204 and whole:
            deleted.append(job)
    except OSError:
        pass
    except http.client.HTTPException:
        pass


def test_artifacts(daemon):
    jobs = done(daemon, 5)
    page = daemon.get("/v1/artifacts?limit=2").json
    check(page, "/v1/artifacts")
    assert [a["job"] for a in page["artifacts"]] == [jobs[4], jobs[3]]
    entry, files = page["artifacts"][0], daemon.get(f"/v1/jobs/{jobs[4]}/files").json["files"]
    assert (entry["files"], entry["bytes"]) == (len(files), sum(f["size"] for f in files))
    assert entry["published"] == daemon.job(jobs[4])["ended"]
    seen = []
    path = "/v1/artifacts?limit=2"
    while path:
        page = daemon.get(path).json
        seen += [a["job"] for a in page["artifacts"]]
        path = page["next"] and f"/v1/artifacts?limit=2&cursor={page['next']}"
    assert seen == jobs[::-1]
    assert daemon.get("/v1/artifacts?cursor=0").json == {"artifacts": [], "next": None}
    assert len(daemon.get("/v1/artifacts?cursor=9999999999999999999").json["artifacts"]) == 5
    for query in "limit=0", "limit=1001", "limit=x", "cursor=-1", "cursor=x", "before=1", "limit", "limit=1&limit=2":
        answer = daemon.get(f"/v1/artifacts?{query}")
        assert (answer.status, answer.json["field"]) == (400, query.split("=")[0])


def test_status(stopped):
    stopped.start("--slots", "3")
    done(stopped, 2)
    stopped.wait_running(stopped.submit("hang\n"))
    status = stopped.get("/v1/status").json
    check(status, "/v1/status")
    assert (status["ready"], status["stopping"]) == (True, False)
    assert status["slots"]["total"] == 3
    assert (status["jobs"]["done"], status["jobs"]["running"]) == (2, 1)
    artifacts = stopped.get("/v1/artifacts").json["artifacts"]
    assert status["disk"]["artifacts"] == 2
    assert status["disk"]["artifact_bytes"] == sum(a["bytes"] for a in artifacts)
    assert status["disk"]["queue_bytes"] >= (stopped.state / "queue.db").stat().st_size
    assert 0 < status["disk"]["free_bytes"] <= status["disk"]["total_bytes"]
    newest = status["event"]
    assert newest >= max(j["event"] for j in stopped.get("/v1/jobs").json["jobs"])
    stopped.post("/v1/purge", {"keep_jobs": 0})
    assert stopped.get("/v1/status").json["event"] >= newest


def test_models_are_those_of_the_tables(daemon):
    got = daemon.get("/v1/models").json
    check(got, "/v1/models")
    rows = re.findall(r'^ARCHITECTURE\((\w+), +"([^"]+)"', (TOP / "daemon/spec/architectures.def").read_text(), re.MULTILINE)
    assert [(m["architecture"], m["name"]) for m in got["models"]] == rows
    assert got["models"][0]["variants"] == ["text", "image", "unified", "preprocess", "page"]
    known = {r["name"]: r for r in got["repositories"]}
    checkpoints = [(name, m["architecture"], c["class"]) for m in got["models"] for c in m["classes"] for name in c["checkpoints"]]
    assert sorted(checkpoints) == sorted((name, r["architecture"], r["class"]) for name, r in known.items() if r["architecture"])
    assert known["vidore/colqwen2-v1.0"]["status"] == "verified"
    assert known["athrael-soju/ColUltraVBERT"]["status"] == "refused" and known["athrael-soju/ColUltraVBERT"]["detail"]
    # A class that two families have: the head decides.
    assert known["jinaai/jina-embeddings-v4-vllm-code"]["architecture"] == "jina_v4"
    assert known["nomic-ai/nomic-embed-multimodal-7b"]["architecture"] == "colqwen2_5"
    properties = schema.named("JobRequest")[0]["properties"]
    words = {k: v.get("items", v).get("enum") for k, v in properties.items()}  # of one word, or of a list of words
    assert got["options"] == {k: v for k, v in words.items() if v}


def test_fields_are_those_of_the_contract(daemon):
    """The fields match the contract. tests/unit/test_fields compares the contract with fields.def."""
    want = schema.job_fields()

    got = {field["name"]: field for field in daemon.get("/v1/models").json["fields"]}

    assert got.keys() == want.keys()
    for name, field in got.items():
        assert field["help"][1:] == want[name]["description"][1:]
        for key in ("minimum", "maximum", "default"):
            if key in field and key in want[name]:
                assert field[key] == want[name][key], name
    assert got["dtype"]["words"] == ["fp32", "fp16"]
    assert got["variants"]["words"] == want["variants"]["items"]["enum"]
    assert (got["priority"]["minimum"], got["priority"]["maximum"], got["priority"]["default"]) == (-100, 100, 0)


def test_errors_are_the_rows_of_the_table(daemon):
    got = daemon.get("/v1/errors").json
    check(got, "/v1/errors")
    assert [(e["code"], e["status"], e["retryable"], e["meaning"], e["remedy"]) for e in got["errors"]] == [
        (row.name, int(row.http), row.again, row.meaning, row.remedy) for row in codes.codes()]


def test_runners(stopped):
    stopped.start("--runner", "a 2 TOKEN=hush X=1 nice -n 1", "--runner", "b 1")
    job = stopped.submit("hang\n")
    stopped.wait_running(job)
    got = stopped.get("/v1/runners")
    check(got.json, "/v1/runners")
    assert b"hush" not in got.body
    assert got.json["runners"] == [
        {"name": "a", "slots": 2, "busy": 1, "command": ["nice", "-n", "1"], "environment": ["TOKEN", "X"], "jobs": [job]},
        {"name": "b", "slots": 1, "busy": 0, "command": [], "environment": [], "jobs": []},
    ]


def test_config(stopped):
    stopped.start("--runner", "a 2 TOKEN=hush nice -n 1", "--keep-jobs", "7")
    got = stopped.get("/v1/config")
    check(got.json, "/v1/config")
    assert b"hush" not in got.body
    assert got.json["runner"] == ["a 2 TOKEN=... nice -n 1"]
    assert got.json["keep_jobs"] == 7
    assert got.json["state"] == str(stopped.state)
    names = re.findall(r"^SETTING\((\w+),", (TOP / "daemon/service/settings.def").read_text(), re.MULTILINE)
    assert list(got.json) == names


def test_ready(stopped):
    stopped.start()
    assert stopped.get("/readyz").json == {"status": "ready"}
    Events(stopped, stopped.submit("ignore_term\nstage resolve\nhang\n")).wait("stage")
    connection = stopped.connect()
    connection.request("GET", "/readyz")
    assert connection.getresponse().read() == b'{"status":"ready"}'
    stopped.process.terminate()
    wait_until("it stops", lambda: any("stopping" in line for line in stopped.log))
    connection.request("GET", "/readyz")
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["detail"]) == (503, "the daemon is stopping")


def test_not_ready_with_a_full_disk(stopped, small_disk):
    stopped.start(prefix=small_disk("12m"))
    answer = stopped.get("/readyz")
    assert (answer.status, answer.json["code"]) == (503, "busy")
    assert "is full" in answer.json["detail"]
    assert stopped.get("/v1/status").json["ready"] is False
    assert stopped.get("/healthz").status == 200


def metrics(daemon):
    answer = daemon.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return prometheus.parse(answer.body.decode())


def sample(got, name, **labels):
    return got[name][tuple(sorted(labels.items()))]


def test_metrics_of_a_fresh_daemon(daemon):
    got = metrics(daemon)
    assert sample(got, "colconv_ready") == 1
    assert sample(got, "colconv_slots", runner="local") == 4
    assert sum(got["colconv_jobs"].values()) == 0
    routes = re.findall(r'^ROUTE\((\w+), +"([^"]+)"', (TOP / "daemon/http/api/routes.def").read_text(), re.MULTILINE)
    shown = {(dict(labels)["method"], dict(labels)["route"]) for labels in got["colconv_http_requests_total"]}
    assert shown == {*routes, ("other", "none")}
    fds = pathlib.Path(f"/proc/{daemon.process.pid}/fd")
    wait_until("the connection is closed", lambda: sample(got, "process_open_fds") == len(list(fds.iterdir())) + 1)
    assert abs(sample(got, "process_start_time_seconds") - time.time()) < 60
    assert 1 << 20 < sample(got, "process_resident_memory_bytes") < 1 << 30


def test_metrics_count(daemon):
    done(daemon, 2)
    bad = daemon.submit("stage trace\nfail bad_checkpoint no\n")
    daemon.wait_end(bad)
    stream = Events(daemon, daemon.submit("stage export\nhang\n"))
    stream.wait("stage")
    for _ in range(3):
        assert daemon.get("/v1/nothing").status == 404
    daemon.post("/v1/jobs", {})

    got = metrics(daemon)

    assert {dict(labels)["state"]: n for labels, n in got["colconv_jobs"].items()} == \
        {"queued": 0, "running": 1, "done": 2, "failed": 1, "cancelled": 0}
    assert sample(got, "colconv_submissions_total") == 4
    assert sample(got, "colconv_attempts_total", end="done") == 2
    assert sample(got, "colconv_attempts_total", end="bad_checkpoint") == 1
    assert sum(got["colconv_attempts_total"].values()) == 3
    assert sample(got, "colconv_queue_wait_seconds_count") == 4
    assert sample(got, "colconv_stage_seconds_count", stage="resolve") == 2
    assert sample(got, "colconv_stage_seconds_sum", stage="resolve") == 0.5
    assert sample(got, "colconv_slots_busy", runner="local") == 1
    assert sample(got, "colconv_event_streams") == 1
    assert sample(got, "colconv_connections") >= 2
    assert sample(got, "colconv_artifacts") == 2
    assert sample(got, "colconv_artifact_bytes") == sum(a["bytes"] for a in daemon.get("/v1/artifacts").json["artifacts"])
    total = "colconv_http_requests_total"
    assert sample(got, total, method="POST", route="/v1/jobs", status="2xx") == 4
    assert sample(got, total, method="POST", route="/v1/jobs", status="4xx") == 1
    assert sample(got, total, method="other", route="none", status="4xx") == 3
    assert sample(got, "colconv_http_request_duration_seconds_count", method="POST", route="/v1/jobs") == 5
    stream.close()


@pytest.mark.parametrize("path", ["etc/prometheus-rules.yml", "proto/api.md"])
def test_metrics_that_are_written_of_exist(daemon, path):
    names = set(re.findall(r"\bcolconv_[a-z_]+|\bprocess_[a-z]\w+", (TOP / path).read_text()))
    there = set(metrics(daemon))
    assert names
    assert {n for n in names if n not in there and not {n + "_sum", n + "_count"} <= there} == set()


def test_metrics_escape_labels(stopped):
    stopped.start("--runner", 'a"b\\c 1')
    assert sample(metrics(stopped), "colconv_slots", runner='a"b\\c') == 1
