"""A job that was made before: the files of the earlier job are used again, and stay until no job has them."""
import json
import os
import shutil

import pytest

from conftest import BUILD, TOP

GOLDEN = TOP / "tests/golden/colqwen2-tiny"


@pytest.fixture
def real(stopped):
    return stopped.start("--worker", str(BUILD / "colconv-worker"), "--slots", "1")


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "checkpoint"
    shutil.copytree(GOLDEN, folder)
    return folder


def convert(daemon, model, **fields):
    answer = daemon.post("/v1/jobs", {"model": str(model), "variants": ["text"], **fields})
    assert answer.status == 202, answer.body
    job = daemon.wait_end(answer.json["id"])
    assert job["state"] == "done", job
    return job


def inode(daemon, job):
    return os.stat(daemon.state / f"artifacts/{job['id']}/model.onnx_data").st_ino


def stored(daemon):
    return daemon.get("/v1/status").json["disk"]["artifact_bytes"]


def test_the_same_job_again_is_done_at_once(real, checkpoint):
    first = convert(real, checkpoint)
    assert first["artifact"]["cached"] is False and first["artifact"]["made_by"] == first["id"]
    size = stored(real)
    second = convert(real, checkpoint, labels={"other": "label"}, priority=3)
    assert second["artifact"] == {**first["artifact"], "cached": True}
    assert second["result"] == first["result"]
    assert [stage["name"] for stage in second["stages"]] == ["resolve"]
    assert inode(real, first) == inode(real, second)
    assert stored(real) == size
    third = convert(real, checkpoint)
    assert third["artifact"]["made_by"] == first["id"]
    assert real.get(f"/v1/jobs/{third['id']}/log").body.decode().count("an earlier job has converted the same sources") == 1


def test_what_stays_after_one_is_removed(real, checkpoint):
    first = convert(real, checkpoint)
    second = convert(real, checkpoint)
    size = stored(real)
    assert real.request("DELETE", f"/v1/jobs/{first['id']}").status in (200, 204)
    assert stored(real) == size
    body = real.get(f"/v1/jobs/{second['id']}/files/model.onnx_data").body
    assert len(body) > 100000
    third = convert(real, checkpoint)  # the oldest that is left is used
    assert third["artifact"]["cached"]
    assert third["artifact"]["made_by"] == first["id"]
    for job in (second, third):
        assert real.request("DELETE", f"/v1/jobs/{job['id']}").status in (200, 204)
    assert stored(real) == 0
    assert not convert(real, checkpoint)["artifact"]["cached"]


def change_weights(folder):
    name = folder / "model.safetensors"
    data = bytearray(name.read_bytes())
    data[-2] ^= 1
    name.write_bytes(data)


def change_config(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "note": "changed"}))


def add_card(folder):
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")


@pytest.mark.parametrize("change", [change_weights, change_config, add_card])
def test_another_source_is_converted(real, checkpoint, change):
    convert(real, checkpoint)
    change(checkpoint)
    assert not convert(real, checkpoint)["artifact"]["cached"]
    assert convert(real, checkpoint)["artifact"]["cached"]


@pytest.mark.parametrize("fields", [{"variants": ["image"]}, {"layout": "embedded"}, {"parity": {"seed": 2}}, {"parity": False}])
def test_other_options_are_another_job(real, checkpoint, fields):
    convert(real, checkpoint)
    assert not convert(real, checkpoint, **fields)["artifact"]["cached"]


def test_it_can_be_refused(real, checkpoint):
    first = convert(real, checkpoint)
    second = convert(real, checkpoint, cache=False)
    assert not second["artifact"]["cached"]
    assert inode(real, first) != inode(real, second)


def test_references_are_sources(real, checkpoint):
    case = str(sorted(GOLDEN.glob("case-text*"))[0])
    assert not convert(real, checkpoint, reference=[case])["artifact"]["cached"]
    assert convert(real, checkpoint, reference=[case])["artifact"]["cached"]
    assert not convert(real, checkpoint)["artifact"]["cached"]


@pytest.mark.parametrize("lost", ["", "text.onnx"])
def test_an_artifact_that_is_not_whole_is_not_used(real, checkpoint, lost):
    """The row says that the artifact is there, and its folder or a file of it is gone, as after a restore: the job is converted."""
    first = convert(real, checkpoint)
    gone = real.state / f"artifacts/{first['id']}" / lost
    gone.unlink() if lost else shutil.rmtree(gone)
    second = convert(real, checkpoint)
    assert not second["artifact"]["cached"]
    assert second["attempt"] == 2
    real.wait_log(f"job={second['id']} cannot share the files of an earlier job")
