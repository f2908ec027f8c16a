"""colconvctl and jobs: submit, list, show, change."""

import json

import pytest
import stub as daemon
from ctl import EXPORT, ctl, stub  # noqa: F401
from stub import FILES, event, job


def sent(stub):
    return json.loads(stub.asked("POST", "/v1/jobs")[-1][2])


def test_submit(stub, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "link").symlink_to("model")
    (tmp_path / "a.safetensors").touch()
    r = ctl(stub, "submit", "link", "--variants", "text,image", "--dtype", "fp32", "--layout", "single", "--positions",
            "arange", "--reference", "a.safetensors", "--max-abs", "1e-3", "--min-cosine=0.9", "--seed", 7, "--label",
            "team=search", cwd=tmp_path)
    assert r.returncode == 0 and r.stdout == "42\n"
    assert sent(stub) == {
        "model": f"{tmp_path}/model", "variants": ["text", "image"], "dtype": "fp32", "layout": "single",
        "positions": "arange", "reference": [f"{tmp_path}/a.safetensors"],
        "parity": {"max_abs": 1e-3, "min_cosine": 0.9, "seed": 7}, "labels": {"team": "search"}}
    assert ctl(stub, "submit", "/on/another/machine", "--no-parity").returncode == 0
    assert sent(stub) == {"model": "/on/another/machine", "parity": False}


def test_submit_from_a_file(stub, tmp_path):
    (tmp_path / "job.json").write_text('{"model": "/m", "labels": {"a": "1"}, "parity": false}')
    assert ctl(stub, "submit", "-f", "job.json", "--label", "b=2", cwd=tmp_path).returncode == 0
    assert sent(stub) == {"model": "/m", "labels": {"a": "1", "b": "2"}, "parity": False}
    assert ctl(stub, "submit", "/n", "-f", "job.json", "--seed", 3, cwd=tmp_path).returncode == 0
    assert sent(stub) == {"model": "/n", "labels": {"a": "1"}, "parity": {"seed": 3}}
    (tmp_path / "job.json").write_text("[1]")
    r = ctl(stub, "submit", "-f", "job.json", cwd=tmp_path)
    assert r.returncode == 2 and "'job.json' is not a JSON object" in r.stderr


def test_submit_wait_and_fetch(stub, tmp_path):
    r = ctl(stub, "submit", "/", "--fetch", "out", cwd=tmp_path)
    assert r.returncode == 0 and r.stdout == "42\n"
    assert (tmp_path / "out" / "text.onnx").read_bytes() == FILES["text.onnx"]
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: h.events(
        event("job", job("failed", reason="trace", message="no")))
    r = ctl(stub, "submit", "/", "--fetch", "out2", cwd=tmp_path)
    assert r.returncode == 5 and not (tmp_path / "out2").exists()


def test_list(stub):
    stub.routes["GET", "/v1/jobs"] = lambda h: h.answer(200, {"jobs": [
        EXPORT, job("done", id=7, spec={"model": "/evil\x1b[2J"})], "next": None})
    r = ctl(stub, "list", "--state", "a&b", "--limit", 3)
    assert r.returncode == 0
    head, first, second = r.stdout.splitlines()
    assert head.split() == ["ID", "STATE", "DETAIL", "AGE", "MODEL"]
    assert first.split()[:3] == ["42", "running", "export"] and first.endswith("/srv/models/colqwen2")
    assert second.endswith("/evil\\x1b[2J")
    assert stub.requests[-1][1] == "/v1/jobs?state=a%26b&limit=3"


def test_show(stub):
    stub.routes["GET", "/v1/jobs/42"] = lambda h: h.answer(200, job(
        "failed", reason="parity", message="case text-long\x1b", labels={},
        stages=[{"name": "export", "seconds": 12.5, "peak_anon_bytes": 9437184}],
        result={"architecture": "colqwen2", "graphs": [{"variant": "text", "file": "text.onnx", "nodes": 812}]}))
    r = ctl(stub, "show", 42)
    assert r.returncode == 0 and "\x1b" not in r.stdout
    rows = [line.split(None, 1) for line in r.stdout.splitlines() if line]
    for row in (["state", "failed"], ["reason", "parity"], ["message", "case text-long\\x1b"], ["attempt", "1 of 3"],
                ["model", "/srv/models/colqwen2"], ["variants", '["text"]'], ["architecture", "colqwen2"]):
        assert row in rows
    assert any(line.split() == ["export", "12.50", "9.44", "MB"] for line in r.stdout.splitlines())
    assert any(line.split() == ["text", "text.onnx", "812"] for line in r.stdout.splitlines())


def test_cancel(stub):
    stub.routes["POST", "/v1/jobs/7/cancel"] = lambda h: h.answer(200, job("cancelled", id=7))
    r = ctl(stub, "cancel", 42, 7)
    assert r.returncode == 0 and r.stderr == "job 42 is asked to stop\njob 7 is cancelled\n"
    assert stub.asked("POST", "/v1/jobs/42/cancel")[0][2] == ""
    stub.routes["POST", "/v1/jobs/42/cancel"] = lambda h: h.problem(409, "conflict", "job 42 has ended")
    r = ctl(stub, "cancel", 42)
    assert r.returncode == 1 and "job 42 has ended" in r.stderr


def test_parity(stub, tmp_path):
    r = ctl(stub, "parity", 42)
    assert r.returncode == 10
    assert r.stdout.splitlines()[1].split() == ["text-short", "text", "24", "1.50e-06", "1.00e-07", "0.99999990", "0",
                                                "ok"]
    assert "text-long (text): the graph does not run\\x1b[31m" in r.stdout
    assert "ranking by text: 4 queries, 3 documents, largest score change 2.00e-06, order kept" in r.stdout
    (tmp_path / "parity.json").write_text(json.dumps({**daemon.PARITY, "passed": True}))
    assert ctl(None, "parity", tmp_path / "parity.json").returncode == 0
    r = ctl(None, "parity", tmp_path / "none.json")
    assert r.returncode == 2 and "cannot open" in r.stderr
    stub.routes["GET", "/v1/jobs/42/parity"] = lambda h: h.problem(404, "not_found", "job 42 has no parity report")
    assert ctl(stub, "parity", 42).returncode == 3
