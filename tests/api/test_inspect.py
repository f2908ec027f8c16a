"""colconvctl inspect: the content of an artifact, and whether it is complete."""
import hashlib
import json
import os
import re
import pathlib
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("COLCONV_BUILD", TOP))
GOLDEN = TOP / "tests/golden/colqwen2-tiny"
EMBEDDINGS = [{"name": "embeddings", "type": "FLOAT", "shape": ["batch", "sequence", 128]}]


def ctl(*args):
    return subprocess.run([BUILD / "colconvctl", *args], text=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("inspect") / "artifact"
    done = ctl("convert", GOLDEN, "-o", out, "--variants", "text,unified", "--no-parity")
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def artifact(made, tmp_path):
    """An artifact that the test may damage."""
    return pathlib.Path(shutil.copytree(made, tmp_path / "artifact"))


def verify(path):
    done = ctl("inspect", "--verify", "--json", path)
    return done.returncode, json.loads(done.stdout)


def test_an_artifact(made):
    done = ctl("inspect", made, "--json")

    doc = json.loads(done.stdout)
    assert done.returncode == 0 and done.stderr == "" and doc["problems"] == doc["extra"] == []
    assert doc["manifest"]["architecture"] == "colqwen2"
    weights = GOLDEN / "model.safetensors"
    assert doc["manifest"]["source"]["weights"] == [{"name": weights.name, "size": weights.stat().st_size,
                                                     "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}]
    assert {f["name"]: f["size"] for f in doc["files"]} == {f.name: f.stat().st_size for f in made.iterdir()}
    unified, text = doc["graphs"]
    assert (text["file"], unified["file"]) == ("text.onnx", "model.onnx")
    assert text["opsets"] == {"ai.onnx": 17} and text["outputs"] == EMBEDDINGS
    assert [i["name"] for i in unified["inputs"]] == ["input_ids", "attention_mask", "pixel_values", "image_grid_thw"]
    assert sum(op["count"] for op in text["ops"]) == text["nodes"] == doc["manifest"]["graphs"]["text"]["nodes"]
    layers = {row["name"]: row for row in unified["layers"]}
    assert {"lm.00", "lm.02", "vis.00", "vis.02", "lm.embed_tokens", "vis.merger", "proj"} <= layers.keys()
    assert layers["lm.00"]["count"] == layers["lm.01"]["count"] == 12
    assert layers["lm.embed_tokens"] == {"name": "lm.embed_tokens", "count": 1, "bytes": 320 * 64 * 4}
    (data,) = unified["data"]
    assert data["name"] == "model.onnx_data" and data["end"] <= (made / "model.onnx_data").stat().st_size


def test_an_artifact_for_people(made):
    done = ctl("inspect", made)

    assert done.returncode == 0 and done.stderr == ""
    for words in ("architecture   colqwen2", "parity         not checked", "[batch, sequence, 128]", "lm.02"):
        assert words in done.stdout


def test_a_file_alone(made):
    doc = json.loads(ctl("inspect", made / "text.onnx", "--json").stdout)

    assert "manifest" not in doc and [g["name"] for g in doc["graphs"]] == ["text"]
    assert [f["name"] for f in doc["files"]] == ["text.onnx", "model.onnx_data"]


def test_a_whole_artifact_is_whole(made):
    done = ctl("inspect", "--verify", made)

    assert done.returncode == 0 and done.stderr == "inspect: verify\n"
    assert re.fullmatch(f"'{made}' is whole: \\d+ files, [\\d.]+ [kM]B\n", done.stdout)
    assert verify(made)[1]["problems"] == verify(made)[1]["extra"] == []
    assert verify(made / "text.onnx") == (0, {**verify(made / "text.onnx")[1], "problems": [], "extra": []})


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("name", ["model.onnx_data", "text.onnx", "config.json"])
def test_a_flipped_byte_is_found(artifact, name):
    flip(artifact / name, (artifact / name).stat().st_size // 2)

    status, doc = verify(artifact)

    assert status == 11
    assert any(f"'{name}' has changed" in p for p in doc["problems"]), doc["problems"]
    done = ctl("inspect", "--verify", artifact)
    assert done.returncode == 11 and f"colconvctl: '{name}' has changed" in done.stderr
    assert done.stdout in [f"'{artifact}' is damaged: {n} problem{'s' if n > 1 else ''}\n" for n in (1, 2, 3)]


@pytest.mark.parametrize("name", ["model.onnx_data", "config.json"])
def test_a_short_file_is_found_without_verify(artifact, name):
    size = (artifact / name).stat().st_size
    os.truncate(artifact / name, size - 100)

    done = ctl("inspect", artifact)

    assert done.returncode == 11
    assert f"colconvctl: '{name}' has {size - 100} bytes, not the {size} that manifest.json lists" in done.stderr


def test_a_cut_file_is_found(artifact):
    os.truncate(artifact / "model.onnx_data", 100000)

    status, doc = verify(artifact)

    assert status == 11 and len(doc["problems"]) == 3
    assert doc["problems"][0].startswith("'model.onnx_data' has 100000 bytes, not the ")
    assert doc["problems"][1].startswith("model.onnx: 'model.onnx_data' has 100000 bytes, and the weights reach to ")
    assert verify(artifact / "text.onnx")[0] == 11


def test_a_missing_file_and_an_extra_one(artifact):
    (artifact / "config.json").unlink()
    (artifact / "notes.txt").touch()

    status, doc = verify(artifact)

    assert status == 11 and doc["extra"] == ["notes.txt"]
    (problem,) = doc["problems"]
    assert "'config.json'" in problem and "No such file" in problem
    assert "colconvctl: not in manifest.json: 'notes.txt'" in ctl("inspect", "--verify", artifact).stderr


def test_an_extra_file_alone_is_no_harm(artifact):
    (artifact / "notes.txt").touch()

    assert verify(artifact)[0] == 0


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_links_are_found(artifact, link, tmp_path):
    data = artifact / "model.onnx_data"
    data.rename(tmp_path / "elsewhere")
    link(tmp_path / "elsewhere", data)

    for path in (artifact, artifact / "text.onnx"):
        status, doc = verify(path)
        assert status == 11 and all("'model.onnx_data'" in p for p in doc["problems"]), doc["problems"]


def test_a_damaged_graph(artifact):
    (artifact / "text.onnx").write_bytes(b"garbage")

    status, doc = verify(artifact)

    assert status == 11 and any("is not an ONNX file" in p for p in doc["problems"])
    done = ctl("inspect", artifact)
    assert done.returncode == 5 and "is not an ONNX file" in done.stderr


@pytest.mark.parametrize("manifest,words", [
    ("{", "manifest.json"),
    ("{}", "files"),
    ('{"files": [{"name": "../config.json", "size": 1, "sha256": ""}]}', "is not the name of a file in the folder"),
    ('{"files": [7]}', "is not the name of a file in the folder"),
])
def test_a_bad_manifest(artifact, manifest, words):
    (artifact / "manifest.json").write_text(manifest)

    done = ctl("inspect", "--verify", artifact)

    assert done.returncode == 11 and words in done.stderr


def test_what_is_no_artifact(tmp_path):
    done = ctl("inspect", tmp_path)
    assert done.returncode == 2 and "it is not an artifact" in done.stderr
    done = ctl("inspect", tmp_path / "none.onnx")
    assert done.returncode == 5 and "cannot open" in done.stderr
