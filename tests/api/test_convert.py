"""The real worker under the real daemon: tiny checkpoints that succeed, workers that are killed in every stage, and all kinds of bad checkpoints."""
import hashlib
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess

import pytest

from conftest import BUILD, TOP, Events, wait_until

GOLDEN = TOP / "tests/golden/colqwen2-tiny"
STAGES = ["resolve", "trace", "export", "reference", "parity"]


@pytest.fixture
def real(stopped):
    return stopped.start("--worker", str(BUILD / "colconv-worker"), "--slots", "1")


def restart(daemon):
    daemon.start("--worker", str(BUILD / "colconv-worker"), "--slots", "1")


def submit(daemon, model, **fields):
    answer = daemon.post("/v1/jobs", {"model": str(model), **fields})
    assert answer.status == 202, answer.body
    return answer.json["id"]


@pytest.fixture(scope="module")
def medium(tmp_path_factory):
    """A checkpoint that is large enough for every stage to take some time."""
    folder = tmp_path_factory.mktemp("medium") / "checkpoint"
    subprocess.run([BUILD / "tests/tools/mkcheckpoint", "--arch", "colqwen2", "--size", "tiny",
                    "--set", "num_hidden_layers=20", "--set", "intermediate_size=2048", folder], check=True)
    return folder


def check_one_artifact(daemon, job):
    """Checks that `job` is done, that its files match the manifest, and that no other files are left."""
    assert daemon.job(job)["state"] == "done", daemon.job(job)
    assert daemon.artifacts() == [str(job)]
    assert daemon.staged() == []
    files = daemon.get(f"/v1/jobs/{job}/files").json["files"]
    assert {"text.onnx", "model.onnx_data", "parity.json", "config.json"} <= {f["name"] for f in files}
    for f in files:
        body = daemon.get(f"/v1/jobs/{job}/files/{f['name']}").body
        assert len(body) == f["size"], f
        assert hashlib.sha256(body).hexdigest() == f["sha256"], f


def test_a_checkpoint_is_converted_and_proven(real):
    job = submit(real, GOLDEN, variants=["text", "image", "unified"],
                 reference=[str(c) for c in sorted(GOLDEN.glob("case-*"))], parity={"max_abs": 1e-5})

    end = real.wait_end(job)

    assert end["state"] == "done", end
    assert [s["name"] for s in end["stages"]] == STAGES
    assert end["result"]["architecture"] == "colqwen2"
    assert {g["variant"] for g in end["result"]["graphs"]} == {"text", "image", "unified"}
    assert end["result"]["parity_checked"] is True
    assert 0 < end["result"]["max_abs"] <= 1e-5
    report = real.get(f"/v1/jobs/{job}/parity").json
    assert report["passed"] and len(report["cases"]) > 20
    check_one_artifact(real, job)


def test_without_parity_the_job_says_so(real):
    job = submit(real, GOLDEN, parity=False)

    end = real.wait_end(job)

    assert end["state"] == "done", end
    assert [s["name"] for s in end["stages"]] == STAGES[:3]
    assert end["result"]["parity_checked"] is False


def test_outside_the_limits_nothing_is_published_and_the_report_is_kept(real):
    job = submit(real, GOLDEN, parity={"max_abs": 1e-12})

    end = real.wait_end(job)

    assert (end["state"], end["reason"], end["attempt"]) == ("failed", "parity", 1)
    assert "above 1e-12" in end["message"]
    assert real.get(f"/v1/jobs/{job}/parity").json["passed"] is False
    assert real.get(f"/v1/jobs/{job}/files/text.onnx").status == 404
    assert real.artifacts() == [] and real.staged() == []


def test_a_wrong_reference_fails_the_job(real, tmp_path):
    """The reference differs from the model: one element of its embeddings is changed."""
    case = tmp_path / "case-wrong.safetensors"
    data = bytearray((GOLDEN / "case-text-batch.safetensors").read_bytes())
    header_len = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:8 + header_len])
    end_of_first_row = 8 + header_len + header["out.embeddings"]["data_offsets"][1] - 4
    struct.pack_into("<f", data, end_of_first_row, 0.5)
    case.write_bytes(data)
    job = submit(real, GOLDEN, reference=[str(case)])

    end = real.wait_end(job)

    assert (end["state"], end["reason"]) == ("failed", "parity")
    assert "wrong" in end["message"]


def workers(daemon):
    pid = daemon.process.pid
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return "State:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text()


@pytest.mark.parametrize("stage", STAGES)
def test_the_daemon_is_killed(real, medium, stage):
    job = submit(real, medium, variants=["text"])
    events = Events(real, job, last=0)
    events.wait("stage", lambda s: s["stage"] == stage)
    children = workers(real)

    real.kill()

    events.close()
    for pid in children: # they die with their daemon, or the next one's staging would not be theirs
        wait_until("the worker is gone", lambda: gone(pid))
    restart(real)
    assert real.wait_end(job)["state"] == "done"
    check_one_artifact(real, job)


@pytest.mark.parametrize("stage", STAGES)
def test_the_worker_is_killed(real, medium, stage):
    job = submit(real, medium, variants=["text"])
    events = Events(real, job, last=0)
    events.wait("stage", lambda s: s["stage"] == stage)

    for pid in workers(real):
        os.kill(pid, signal.SIGKILL)

    end = events.wait("job", lambda j: j["state"] in ("done", "failed"))
    events.close()
    assert end["state"] == "done", end
    assert end["attempt"] == 2
    check_one_artifact(real, job)


def header_of(path):
    data = path.read_bytes()
    n = struct.unpack_from("<Q", data)[0]
    return json.loads(data[8:8 + n]), data[8 + n:]


def write_safetensors(path, header, data):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def edit_header(change):
    def edit(folder):
        path = folder / "model.safetensors"
        header, data = header_of(path)
        change(header)
        write_safetensors(path, header, data)
    return edit


def edit_config(change):
    def edit(folder):
        path = folder / "config.json"
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))
    return edit


def cut(n):
    def edit(folder):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:n])
    return edit


def rename(old, new):
    return edit_header(lambda h: h.__setitem__(new, h.pop(old)))


def text_config(c):
    return c["vlm_config"]["text_config"]


Q = "vlm.language_model.layers.1.self_attn.q_proj.weight"
PROJECTION = "embedding_proj_layer.weight"


def reshape_q(header):
    header[Q]["shape"] = [32, 128]


def reshape_overflow(header):
    header[Q]["shape"] = [2 ** 62, 2 ** 62]


def move_q(header):
    header[Q]["data_offsets"] = [x + 4 for x in header[Q]["data_offsets"]]


def empty_projection(folder):
    edit_config(lambda c: c.pop("embedding_dim"))(folder)
    header, data = header_of(folder / "model.safetensors")
    header["other.weight"] = header[PROJECTION]
    header[PROJECTION] = {"dtype": "F32", "shape": [0, 64], "data_offsets": [len(data), len(data)]}
    write_safetensors(folder / "model.safetensors", header, data)


BAD = {
    "no-config": (lambda f: (f / "config.json").unlink(), "bad_checkpoint", ["config.json"]),
    "config-no-json": (lambda f: (f / "config.json").write_text("{"), "bad_checkpoint", ["config.json", "line 1"]),
    "no-weights": (lambda f: (f / "model.safetensors").unlink(), "bad_checkpoint", ["model.safetensors"]),
    "pickles": (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "bad_checkpoint",
                ["pytorch_model.bin", "safetensors"]),
    "empty": (cut(0), "bad_checkpoint", ["model.safetensors"]),
    "cut-header": (cut(500), "bad_checkpoint", ["model.safetensors"]),
    "cut-data": (cut(-1), "bad_checkpoint", ["model.safetensors"]),
    "hole": (edit_header(move_q), "bad_checkpoint", ["model.safetensors", Q]),
    "overflow": (edit_header(reshape_overflow), "bad_checkpoint", ["model.safetensors", Q]),
    "missing-tensor": (rename(Q, "something.else"), "bad_checkpoint", ["has no tensor", Q]),
    "wrong-shape": (edit_header(reshape_q), "bad_checkpoint", [Q, "model.safetensors", "32", "128"]),
    "no-projection": (rename(PROJECTION, "other.weight"), "bad_checkpoint", ["projection"]),
    "empty-projection": (empty_projection, "bad_checkpoint", [PROJECTION, "is empty"]),
    "architecture": (edit_config(lambda c: c.update(model_type="bert", architectures=["BertModel"])),
                     "unsupported_model", ["bert"]),
    "rope": (edit_config(lambda c: text_config(c)["rope_parameters"].update(rope_type="yarn")), "unsupported_model",
             ["yarn"]),
    "sliding": (edit_config(lambda c: text_config(c).update(use_sliding_window=True, max_window_layers=1)),
                "unsupported_model", ["sliding"]),
    "mrope-section": (edit_config(lambda c: text_config(c)["rope_parameters"].update(mrope_section=[0, 4, 4])),
                      "bad_checkpoint", ["config.json", "mrope_section"]),
    "heads": (edit_config(lambda c: text_config(c).update(num_attention_heads=5)), "bad_checkpoint",
              ["config.json", "num_attention_heads"]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_checkpoint_fails_with_the_reason(real, tmp_path, name):
    spoil, reason, words = BAD[name]
    folder = tmp_path / "bad"
    shutil.copytree(GOLDEN, folder, ignore=shutil.ignore_patterns("case-*"))
    spoil(folder)
    job = submit(real, folder)

    end = real.wait_end(job)

    assert (end["state"], end["reason"]) == ("failed", reason), end
    for word in words:
        assert word in end["message"], end["message"]
    assert end["attempt"] == 1 # trying again would not help
    assert real.artifacts() == [] and real.staged() == []


def test_a_truncated_shard_is_named(real, tmp_path):
    folder = tmp_path / "bad"
    shutil.copytree(TOP / "tests/golden/colqwen2-tiny-bf16-sharded", folder)
    shard = sorted(folder.glob("model-*.safetensors"))[1]
    shard.write_bytes(shard.read_bytes()[:-100])

    end = real.wait_end(submit(real, folder))

    assert (end["state"], end["reason"]) == ("failed", "bad_checkpoint")
    assert shard.name in end["message"]


def test_progress_is_told(real, medium):
    job = submit(real, medium)
    seen = {}
    for name, data, _ in Events(real, job):
        if name == "progress":
            seen.setdefault(data["stage"], []).append(data)

    assert {"export", "reference", "parity"} <= set(seen)
    for progress in seen.values():
        done = [p["done"] for p in progress]
        assert done == sorted(done)
        assert progress[-1]["done"] == progress[-1]["total"]


def edit_adapter(folder, base):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "base_model_name_or_path": base}))


def test_a_base_that_only_the_adapter_names_must_lie_below_the_roots(stopped, tmp_path):
    inside = tmp_path / "models"
    adapter = inside / "adapter"
    shutil.copytree(TOP / "tests/golden/colqwen2-tiny-lora", adapter)
    shutil.copytree(GOLDEN, tmp_path / "colqwen2-tiny")
    shutil.copytree(GOLDEN, inside / "colqwen2-tiny")
    daemon = stopped.start("--worker", str(BUILD / "colconv-worker"), "--slots", "1", "--roots", str(inside))

    def convert(base):
        edit_adapter(adapter, base)
        return daemon.wait_end(submit(daemon, adapter, parity=False))

    for base in (str(tmp_path / "colqwen2-tiny"), "../../colqwen2-tiny"):
        end = convert(base)
        assert (end["state"], end["reason"]) == ("failed", "not_allowed"), end
        assert "base" in end["message"]
    for base in (str(inside / "colqwen2-tiny"), "colqwen2-tiny"):
        assert convert(base)["state"] == "done"


def direction_of(tmp_path, outer, inner):
    """A checkpoint of ColQwen3.5 that declares these directions of attention; None: not this one."""
    checkpoint = shutil.copytree(TOP / "tests/golden/colqwen3_5-tiny-contract", tmp_path / "checkpoint")
    config = json.loads((checkpoint / "config.json").read_text())
    for holder, value in ((config, outer), (config["text_config"], inner)):
        holder.pop("retrieval_attention_contract", None)
        if value:
            holder["retrieval_attention_contract"] = value
    (checkpoint / "config.json").write_text(json.dumps(config))
    return checkpoint


def test_a_guessed_direction_is_told_everywhere(real, tmp_path):
    job = submit(real, direction_of(tmp_path, None, None), variants=["text"])

    end = real.wait_end(job)

    assert end["state"] == "done", end
    (warning,) = end["result"]["warnings"]
    assert warning.startswith("whether tokens see later ones is a guess") and "--mask-mode bidirectional" in warning
    facts = real.get(f"/v1/jobs/{job}/files/manifest.json").json["additional_metadata"]
    assert facts["direction"] == {"value": "causal", "how": "guess"} and facts["warnings"] == [warning]
    assert f"**Check this**: {warning}." in real.get(f"/v1/jobs/{job}/files/README.md").body.decode()
    assert warning in real.get(f"/v1/jobs/{job}/log").body.decode()
    shown = subprocess.run([BUILD / "colconvctl", "show", str(job), "--server", f"http://127.0.0.1:{real.port}"],
                           capture_output=True, text=True, timeout=60, check=True).stdout
    assert warning in " ".join(shown.split())


def test_directions_that_contradict_each_other_are_refused_with_both(real, tmp_path):
    end = real.wait_end(submit(real, direction_of(tmp_path, "causal", "bidirectional"), variants=["text"]))

    assert (end["state"], end["reason"]) == ("failed", "bad_checkpoint"), end
    for words in ("retrieval_attention_contract", "'causal'", "text_config", "'bidirectional'", "mask-mode"):
        assert words in end["message"]
