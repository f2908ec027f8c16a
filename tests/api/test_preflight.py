"""Wrong submissions: what the daemon sees in a job's folders is refused at once, and everything that a worker accepts passes."""
import json
import os
import shutil

import pytest

from conftest import BUILD, TOP
from raw_worker import Worker

GOLDEN = TOP / "tests/golden/colqwen2-tiny"
SHARDED = TOP / "tests/golden/colqwen2-tiny-bf16-sharded"
LORA = TOP / "tests/golden/colqwen2-tiny-lora"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 4398046511104\n"
PAGE = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n"


@pytest.fixture
def rooted(stopped):
    return stopped.start("--preflight", "1", "--roots", str(stopped.models), "--slots", "1")


@pytest.fixture
def open_daemon(stopped):
    """A daemon whose jobs may read all folders."""
    return stopped.start("--preflight", "1", "--slots", "1")


def config(**changes):
    return lambda d: (d / "config.json").write_text(json.dumps({**json.loads((GOLDEN / "config.json").read_text()), **changes}))


def text(name, content):
    return lambda d: (d / name).write_text(content)


def gone(*names):
    return lambda d: [(d / name).unlink() for name in names]


def fifo(name):
    def make(d):
        (d / name).unlink()
        os.mkfifo(d / name)
    return make


def pickled(d):
    (d / "model.safetensors").rename(d / "pytorch_model.bin")


def link_out(d):
    (d / "config.json").unlink()
    (d / "config.json").symlink_to("/etc/passwd")


# What is done to a copy of a good checkpoint; which one; the answer's status and code, and words of its message.
WRONG = {
    "no config": (gone("config.json"), GOLDEN, 422, "bad_checkpoint", ["has no config.json"]),
    "no weights": (gone("model.safetensors"), GOLDEN, 422, "bad_checkpoint", ["neither model.safetensors nor"]),
    "pickled weights": (pickled, GOLDEN, 422, "bad_checkpoint", ["pytorch_model.bin", "save the model again as safetensors"]),
    "pointer for config": (text("config.json", POINTER), GOLDEN, 422, "bad_checkpoint", ["config.json", "Git LFS pointer", "git lfs pull"]),
    "pointer for weights": (text("model.safetensors", POINTER), GOLDEN, 422, "bad_checkpoint", ["model.safetensors", "Git LFS pointer"]),
    "pointer for index": (text("model.safetensors.index.json", POINTER), SHARDED, 422, "bad_checkpoint", ["index.json", "Git LFS pointer"]),
    "pointer for a shard": (lambda d: sorted(d.glob("model-*"))[1].write_text(POINTER), SHARDED, 422, "bad_checkpoint", ["model-00002-of", "Git LFS pointer"]),
    "a shard is missing": (lambda d: sorted(d.glob("model-*"))[1].unlink(), SHARDED, 422, "bad_checkpoint", ["model-00002-of", "is missing"]),
    "page for config": (text("config.json", PAGE), GOLDEN, 422, "bad_checkpoint", ["config.json", "HTML page"]),
    "page for weights": (text("model.safetensors", PAGE), GOLDEN, 422, "bad_checkpoint", ["model.safetensors", "HTML page", "hf download"]),
    "text for weights": (text("model.safetensors", "Entry not found"), GOLDEN, 422, "bad_checkpoint", ["model.safetensors", "text file"]),
    "config is not JSON": (text("config.json", '{"architectures": ['), GOLDEN, 422, "bad_checkpoint", ["config.json"]),
    "config is a list": (text("config.json", "[]"), GOLDEN, 422, "bad_checkpoint", ["must hold a JSON object"]),
    "config is a FIFO": (fifo("config.json"), GOLDEN, 422, "bad_checkpoint", ["not a regular file"]),
    "weights are a FIFO": (fifo("model.safetensors"), GOLDEN, 422, "bad_checkpoint", ["not a regular file"]),
    "config leads out": (link_out, GOLDEN, 403, "not_allowed", ["config.json", "leads out of its folder"]),
    "unknown class": (config(architectures=["ColQwen2ForDocuments"]), GOLDEN, 422, "unsupported_model",
                      ["the class 'ColQwen2ForDocuments' is not supported", "ColQwen2ForRetrieval"]),
    "class of a text model": (config(architectures=["BertModel"], model_type="bert"), GOLDEN, 422, "unsupported_model", ["'BertModel'", "not supported; supported are ColQwen2 ("]),
    "known, not supported": (config(architectures=["ArgusForRetrieval"], model_type="argus"), GOLDEN, 422, "unsupported_model", ["this is Argus", "experts"]),
    "known by its type": (text("config.json", '{"model_type": "qwen3_omni_moe"}'), GOLDEN, 422, "unsupported_model", ["this is a model over Qwen3-Omni"]),
    "quantized": (config(quantization_config={"quant_method": "awq", "bits": 4}), GOLDEN, 422, "unsupported_model", ["quantized by 'awq'", "convert the checkpoint that they were made from"]),
    "pointer for adapter": (text("adapter_model.safetensors", POINTER), LORA, 422, "bad_checkpoint", ["adapter_model.safetensors", "Git LFS pointer"]),
    "page for adapter's config": (text("adapter_config.json", PAGE), LORA, 422, "bad_checkpoint", ["adapter_config.json"]),
}


def copy(stopped, source, change):
    folder = stopped.models / "checkpoint"
    shutil.copytree(source, folder)
    change(folder)
    return str(folder)


def refused(daemon, body, status, code, field, words):
    answer = daemon.post("/v1/jobs", body)
    assert (answer.status, answer.json["code"], answer.json.get("field")) == (status, code, field), answer.body
    for word in words:
        assert word in answer.json["detail"], (word, answer.json["detail"])
    assert answer.json["detail"].startswith(f"{field}: ")
    assert daemon.get("/v1/jobs").json["jobs"] == []
    return answer.json["detail"]


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_folders(rooted, tmp_path, kind):
    change, source, status, code, words = WRONG[kind]
    folder = copy(rooted, source, change)
    said = refused(rooted, {"model": folder}, status, code, "model", words)
    out = tmp_path / "out"
    out.mkdir()
    worker = Worker({"model": folder}, out)  # refuses it too, for the same reason
    end = worker.end()
    assert end[:2] == ("failure", code), (said, end)


@pytest.mark.parametrize("daemon_of", ["rooted", "open_daemon"])
def test_wrong_paths(request, stopped, daemon_of):
    daemon = request.getfixturevalue(daemon_of)
    good = copy(stopped, GOLDEN, lambda d: None)
    refused(daemon, {"model": good + "-mistyped"}, 400, "bad_request", "model", ["does not exist on the daemon's host"])
    refused(daemon, {"model": good + "/config.json"}, 400, "bad_request", "model", ["is a file, not a folder", f"give the folder '{good}'"])
    refused(daemon, {"model": good + "/config.json/x"}, 400, "bad_request", "model", ["does not exist"])
    refused(daemon, {"model": str(TOP / "tests/golden/colqwen2-tiny-lora") if daemon_of == "open_daemon" else good, "base": good + "-none"},
            400, "bad_request", "base", ["does not exist"])
    refused(daemon, {"model": good, "reference": [good + "/case-none.safetensors"]}, 400, "bad_request", "reference[0]", ["the file", "does not exist"])
    refused(daemon, {"model": good, "reference": [good]}, 400, "bad_request", "reference[0]", ["is not a file"])
    (stopped.models / "case.safetensors").write_text(POINTER)
    refused(daemon, {"model": good, "reference": [str(stopped.models / "case.safetensors")]}, 422, "bad_reference", "reference[0]", ["Git LFS pointer"])


def test_a_submission_that_is_repeated_gets_its_job(rooted):
    folder = copy(rooted, GOLDEN, lambda d: None)
    keyed = lambda **more: rooted.request("POST", "/v1/jobs", json.dumps({"model": folder, **more}), {"Idempotency-Key": "k"})
    first = keyed()
    shutil.rmtree(folder)
    again = keyed()
    assert (first.status, again.status, again.json["id"]) == (202, 200, first.json["id"])
    assert keyed(dtype="fp16").json["code"] == "key_reused"
    assert rooted.post("/v1/jobs", {"model": folder}).status == 400


def test_a_path_that_could_be_a_repository(open_daemon):
    refused(open_daemon, {"model": "/vidore/colqwen2-v1.0-hf"}, 400, "bad_request", "model",
            ["does not exist", "for the repository on the Hub write 'vidore/colqwen2-v1.0-hf'"])


def test_a_repository_that_could_be_a_folder(rooted):
    folder = rooted.models / "vidore/colqwen2"
    folder.parent.mkdir()
    folder.mkdir()
    assert rooted.post("/v1/jobs", {"model": "vidore/colqwen2", "priority": -1}).status == 202, "a folder without a checkpoint is no reading"
    shutil.copy(GOLDEN / "config.json", folder)
    answer = rooted.post("/v1/jobs", {"model": "vidore/colqwen2"})
    assert (answer.status, answer.json["field"]) == (400, "model")
    assert f"'{folder}'" in answer.json["detail"] and 'a revision such as "main"' in answer.json["detail"]
    assert rooted.post("/v1/jobs", {"model": "vidore/colqwen2", "revision": "main"}).status == 202


def test_outside_the_roots_nothing_is_told(rooted, tmp_path):
    outside = tmp_path / "outside"
    shutil.copytree(GOLDEN, outside)
    for path in (outside, outside / "none", outside / "config.json"):
        answer = rooted.post("/v1/jobs", {"model": str(path)})
        assert (answer.status, answer.json["code"]) == (403, "not_allowed")
        assert answer.json["detail"] == f"model: '{path}' lies outside the folders that jobs may read"


GOOD = sorted(p.name for p in (TOP / "tests/golden").iterdir() if list(p.glob("model*.safetensors")) or (p / "adapter_config.json").exists())


def test_every_checkpoint_of_the_tests_passes(open_daemon):
    assert len(GOOD) > 15
    for name in GOOD:
        answer = open_daemon.post("/v1/jobs", {"model": str(TOP / "tests/golden" / name)})
        assert answer.status == 202, (name, answer.body)


def test_what_a_glance_cannot_decide_passes(rooted):
    """A config too large for a glance, an adapter in a subfolder, a folder with many entries."""
    large = copy(rooted, GOLDEN, config(comment="x" * 300_000, architectures=["Unknown"]))
    assert rooted.post("/v1/jobs", {"model": large}).status == 202
    (rooted.models / "above").mkdir()
    shutil.copytree(LORA, rooted.models / "above/checkpoint-1000")
    assert rooted.post("/v1/jobs", {"model": str(rooted.models / "above")}).status == 202
    many = rooted.models / "many"
    many.mkdir()
    for i in range(300):
        (many / f"{i}").touch()
    assert rooted.post("/v1/jobs", {"model": str(many)}).status == 202


def test_a_runner_with_a_command_may_see_other_folders(stopped):
    stopped.config.write_text("runner = far 1 env\n")
    stopped.start("--preflight", "1")
    assert stopped.post("/v1/jobs", {"model": "/on/another/host"}).status == 202


def test_it_can_be_switched_off(stopped):
    stopped.start("--preflight", "0")
    assert stopped.post("/v1/jobs", {"model": "/none"}).status == 202
