"""Converted checkpoints against embeddings that the original classes gave for them (README.md here)."""
import hashlib
import json
import os
import pathlib
import subprocess

import pytest

import respell

HERE = pathlib.Path(__file__).parent
BUILD = pathlib.Path(os.environ.get("COLCONV_BUILD", HERE.parent.parent))
MAX_ABS = 1e-5

# A name for the test, the folder, and the layout it is respelled to.
CHECKPOINTS = [
    pytest.param("colqwen2-tiny", None, id="colqwen2"),
    pytest.param("colqwen2-tiny", "hub", id="colqwen2-hub"),
    pytest.param("colqwen2-tiny", "engine", id="colqwen2-engine"),
    pytest.param("colqwen2-tiny-bf16-sharded", None, id="colqwen2-bf16-sharded"),
    pytest.param("colqwen2-tiny-bf16-sharded", "hub", id="colqwen2-bf16-sharded-hub"),
    pytest.param("colpali-tiny", None, id="colpali"),
    pytest.param("colpali-tiny", "hub", id="colpali-hub"),
]


def run(program, *args):
    done = subprocess.run([BUILD / program, *args], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def make_checkpoint(tmp_path):
    def make(name, layout):
        if layout is None:
            return HERE / name
        target = tmp_path / f"{name}-{layout}"
        respell.respell(layout, HERE / name, target)
        return target
    return make


@pytest.mark.parametrize("name, layout", CHECKPOINTS)
def test_every_graph_gives_the_originals_embeddings(name, layout, make_checkpoint, tmp_path):
    checkpoint = make_checkpoint(name, layout)
    cases = sorted(checkpoint.glob("case-*.safetensors"))
    assert cases
    options = [word for case in cases for word in ("--reference", case)]

    run("colconvctl", "convert", checkpoint, "-o", tmp_path / "out", "--variants", "text,image,unified",
        "--max-abs", str(MAX_ABS), "--json", *options)

    report = json.loads((tmp_path / "out" / "parity.json").read_text())
    runs = {}
    for entry in report["cases"]:
        assert entry["passed"] and entry["max_abs"] <= MAX_ABS and entry["nan"] == 0, entry
        runs.setdefault(pathlib.Path(entry["file"]).resolve(), set()).add(entry["model"])
    for case in cases:
        assert runs[case.resolve()] == {"image" if "image" in case.name else "text", "unified"}


def test_arange_positions_are_those_of_a_call_without_any(tmp_path):
    run("colconvctl", "convert", HERE / "colqwen2-tiny", "-o", tmp_path / "out", "--variants", "image,unified",
        "--positions", "arange", "--json")

    cases = sorted((HERE / "colqwen2-tiny").glob("case-image-*.safetensors"))
    assert cases
    for variant, file in (("image", "image.onnx"), ("unified", "model.onnx")):
        run("colconv-parity", f"--model={variant}={tmp_path / 'out' / file}", "--expect", "embeddings_arange",
            "--max-abs", str(MAX_ABS), *[f"--case={case}" for case in cases])


# A form, and how near it comes to the original: of a checkpoint in bf16, and of one in fp32.
SAME = (["--max-abs", "1e-5"], ["--max-abs", "1e-5"])
ROUNDED = (["--max-abs", "1e-5"], ["--max-abs", "2e-2", "--min-cosine", "0.99"])
HALF = ([], [])  # the default limits
FORMS = {
    "single": (["--layout", "single"], SAME),
    "sharded": (["--layout", "sharded", "--shard-size", "200kB"], SAME),
    "embedded": (["--layout", "embedded"], SAME),
    "bf16": (["--storage", "bf16"], ROUNDED),
    "bf16-sharded": (["--storage", "bf16", "--layout", "sharded", "--shard-size", "100kB"], ROUNDED),
    "bf16-embedded": (["--storage", "bf16", "--layout", "embedded"], ROUNDED),
    "fp16": (["--dtype", "fp16"], HALF),
    "fp16-sharded": (["--dtype", "fp16", "--layout", "sharded", "--shard-size", "100kB"], HALF),
    "fp16-embedded": (["--dtype", "fp16", "--layout", "embedded"], HALF),
    "seed": (["--profile", "seed"], SAME),
    "embedanything": (["--profile", "embedanything"], HALF),
    "embedanything-fp16": (["--profile", "embedanything", "--dtype", "fp16"], HALF),
    "fastembed": (["--profile", "fastembed"], SAME),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["colqwen2-tiny", "colqwen2-tiny-bf16-sharded", "colpali-tiny"])
def test_every_form_gives_the_originals_embeddings(name, form, tmp_path):
    options, limits = FORMS[form]
    out = tmp_path / "out"
    cases = sorted((HERE / name).glob("case-*.safetensors"))
    references = [word for case in cases for word in ("--reference", case)]

    run("colconvctl", "convert", HERE / name, "-o", out, "--variants",
        "unified" if form == "fastembed" else "text,image,unified", *options, *limits["bf16" not in name], *references)

    manifest = json.loads((out / "manifest.json").read_text())
    assert {entry["name"] for entry in manifest["files"]} == {path.name for path in out.iterdir()} - {"manifest.json"}
    for entry in manifest["files"]:
        content = (out / entry["name"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["size"], entry["sha256"])
    output = {"seed": "output_embeddings"}.get(form, "embeddings")
    kind = "f16" if "embedanything" in form else "f32"
    assert all(graph["outputs"][output]["type"] == kind for graph in manifest["graphs"].values())
    for graph in manifest["graphs"].values():
        text = run("colconv-worker", "--dump-onnx", out / graph["file"]).stdout
        assert f"\noutput {output}    {'FLOAT16' if kind == 'f16' else 'FLOAT'} [batch, sequence, " in text
    shards = {file.name: file.stat().st_size for file in out.glob("model.onnx_data*")}
    if "sharded" in form:
        assert len(shards) > 2 and max(shards.values()) <= manifest["options"]["shard_size"]
        assert set(shards) == {"model.onnx_data", *(f"model.onnx_data_{i}" for i in range(1, len(shards)))}
    else:
        assert len(shards) == ("embedded" not in form)
