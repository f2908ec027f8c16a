"""Compares the schemas in proto with what the programs really accept and return."""
import json
import re

import pytest

import schema
from conftest import BUILD, TOP

GOLDEN = TOP / "tests/golden/colqwen2-tiny"
REQUEST = "JobRequest"
WHOLE = {
    "model": "/m", "variants": ["text", "unified"], "dtype": "fp32", "target": "ort", "storage": "bf16", "layout": "sharded",
    "adapter": "merge", "shard_size": "2GB", "profile": "seed", "positions": "arange", "mask_mode": "bidirectional", "dim": 64, "task": "code", "head": "cls", "reference": ["/a/b"], "parity": {"max_abs": 1e-4, "min_cosine": 0.9, "min_top5": 0.5, "seed": 1}, "device": "cpu", "outputs": ["embeddings", "is_image_token"],
    "labels": {"team": "search"}, "priority": -100, "timeout": 2592000, "attempts": 10,
}


@pytest.fixture
def real(stopped):
    return stopped.start("--worker", str(BUILD / "colconv-worker"), "--slots", "1")


@pytest.mark.parametrize("fields,name", [
    ({"variants": ["text", "image", "unified"]}, "done"),
    ({"parity": False, "labels": {"team": "search"}}, "done"),
    ({"dtype": "fp16", "layout": "sharded", "shard_size": "1MB", "profile": "seed"}, "done"),
    ({"variants": ["unified"], "parity": {"max_abs": 1e-12}}, "failed"),
])
def test_what_a_conversion_says(real, fields, name):
    job = real.post("/v1/jobs", {"model": str(GOLDEN), **fields}).json
    schema.check(job, "Job")

    end = real.wait_end(job["id"])

    assert end["state"] == name, end
    schema.check(end, "Job")
    schema.check(end["spec"], REQUEST)
    if fields.get("parity") is not False:
        schema.check(real.get(f"/v1/jobs/{job['id']}/parity").json, "ParityReport")
    if name == "done":
        manifest = real.get(f"/v1/jobs/{job['id']}/files/manifest.json")
        schema.check(json.loads(manifest.body), "manifest.schema.json")


def test_jobs_in_every_state(daemon):
    running = daemon.submit("stage export\nprogress 1 2\nhang\n")
    daemon.wait_running(running)
    ended = [daemon.submit(), daemon.submit("fail bad_checkpoint no\n")]
    for job in ended:
        daemon.wait_end(job)
    cancelled = daemon.submit("hang\n")
    daemon.post(f"/v1/jobs/{cancelled}/cancel")
    daemon.wait_end(cancelled)

    jobs = daemon.get("/v1/jobs").json["jobs"]

    assert {j["state"] for j in jobs} >= {"running", "done", "failed", "cancelled"}
    for job in jobs:
        schema.check(job, "Job")


@pytest.mark.parametrize("change", [
    {}, {"priority": 100, "timeout": 1, "attempts": 1}, {"timeout": None}, {"variants": ["image"]}, {"parity": True}, {"parity": False}, {"parity": {}}, {"labels": {}}, {"reference": []},
    {"base": None}, {"priority": 1.0, "shard_size": 4096.0}, {"shard_size": "4096"}, {"shard_size": "5kB"}, {"shard_size": "1.5 GiB"},
    {"model": "a_b/c.d-e"}, {"labels": {"ü" * 64: "😀" * 64}},
])
def test_requests_that_are_taken(daemon, change):
    request = {**WHOLE, "model": daemon.model("hang\n"), **change}

    assert list(schema.errors(request, *schema.named(REQUEST))) == []
    assert daemon.post("/v1/jobs", request).status == 202


@pytest.mark.parametrize("change", [
    {"model": "relative"}, {"model": 7}, {"model": "/a\nb"}, {"model": "/" + "x" * 4096}, {"variants": []},
    {"variants": ["text", "text"]}, {"variants": ["audio"]}, {"variants": "text"}, {"dtype": "fp8"}, {"layout": "none"},
    {"positions": ""}, {"mask_mode": "none"}, {"dim": -1}, {"dim": 1.5}, {"dim": "64"}, {"task": "none"}, {"head": "pooled"}, {"storage": "fp8"}, {"outputs": ["embeddings_bits"]}, {"outputs": []}, {"target": "cuda"}, {"profile": "none"},
    {"shard_size": 0}, {"shard_size": []}, {"reference": ["case"]}, {"reference": ["/a"] * 65}, {"parity": 1},
    {"parity": {"max_abs": -1}}, {"parity": {"min_cosine": 1.1}}, {"parity": {"min_top5": -0.1}}, {"parity": {"seed": -1}}, {"parity": {"seed": 0.5}},
    {"parity": {"bogus": 1}}, {"labels": {"a": 1}}, {"labels": {"a": ""}}, {"labels": {"": "a"}}, {"labels": {"a": "x" * 65}},
    {"labels": {str(i): "x" for i in range(17)}}, {"priority": 101}, {"priority": "1"}, {"timeout": 0}, {"timeout": 2592001},
    {"attempts": 0}, {"attempts": 11}, {"attempts": 1.5}, {"bogus": 1},
    {"storage": "bf16", "dtype": "fp16"}, {"profile": "fastembed"}, {"layout": "single"}, {"revision": "main"}, {"shard_size": "4095"},
    {"shard_size": "1B"}, {"shard_size": ""}, {"shard_size": 1e300}, {"model": "a--b/c"}, {"model": "a/b.git"}, {"model": "a/b..c"}, {"model": "-a/b"},
    *({name: None} for name in WHOLE.keys() - {"timeout"}), *({"parity": {name: None}} for name in ("max_abs", "min_cosine", "min_top5", "seed")),

])
def test_requests_that_are_refused(daemon, change):
    request = {**WHOLE, "model": daemon.model("hang\n"), **change}

    assert list(schema.errors(request, *schema.named(REQUEST)))
    assert daemon.post("/v1/jobs", request).status == 400


def test_the_words_are_those_of_the_tables():
    """tests/unit/test_fields checks the words of the request's fields."""
    variants = re.findall(r'^VARIANT\(\w+, +"(\w+)"', (TOP / "daemon/spec/variants.def").read_text(), re.MULTILINE)
    assert schema.named("ParityGraph")[0]["enum"] == variants
    assert schema.load("manifest.schema.json")["$defs"]["graph"]["enum"] == variants

    states = re.findall(r'^STATE\(\w+, +"(\w+)"', (TOP / "daemon/spec/states.def").read_text(), re.MULTILINE)
    assert schema.named("State")[0]["enum"] == states
