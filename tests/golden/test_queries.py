"""ColNanoVDR: vectors of queries alone, for the pages of another model."""
import json
import pathlib
import shutil

import pytest

import tensors
from test_golden import HERE, MAX_ABS, refused, run

FOLDERS = ["colnanovdr-tiny", "colnanovdr-tiny-noweights"]


@pytest.fixture
def folder(tmp_path):
    return pathlib.Path(shutil.copytree(HERE / "colnanovdr-tiny", tmp_path / "ColNanoVDR-Q-Ettin150M-ColVec4B-640-ML"))


def own(out):
    return json.loads((out / "manifest.json").read_text())["additional_metadata"]


@pytest.mark.parametrize("target", ["portable", "ort"])
@pytest.mark.parametrize("name", FOLDERS)
def test_queries_are_the_originals(name, target, tmp_path):
    cases = sorted((HERE / name).glob("case-*.safetensors"))
    options = [word for case in cases for word in ("--reference", case)]

    run("colconvctl", "convert", HERE / name, "-o", tmp_path / "out", "--target", target, "--max-abs", str(MAX_ABS), *options)

    report = json.loads((tmp_path / "out/parity.json").read_text())
    assert {e["model"] for e in report["cases"]} == {"text"} and all(e["max_abs"] <= MAX_ABS for e in report["cases"])
    assert {pathlib.Path(e["file"]).name for e in report["cases"] if e["file"]} >= {c.name for c in cases}
    assert report["outputs"]["mask"]["worst"]["differing"] == 0


def test_the_usual_graphs_are_that_of_text(folder, tmp_path):
    done = run("colconvctl", "convert", folder, "-o", tmp_path / "out", "--no-parity")

    assert "of the usual graphs only 'text' is made" in done.stderr
    assert [p.name for p in (tmp_path / "out").glob("*.onnx")] == ["text.onnx"]
    assert own(tmp_path / "out")["pages_of"] == "webAI-Official/webAI-ColVec1.1-4b"
    assert "for the pages of `webAI-Official/webAI-ColVec1.1-4b`" in (tmp_path / "out/README.md").read_text()


def test_the_pages_of_a_folder_of_another_name_are_not_known(tmp_path):
    run("colconvctl", "convert", HERE / "colnanovdr-tiny", "-o", tmp_path / "out", "--no-parity", "--variants", "text")

    assert own(tmp_path / "out")["pages_of"] is None
    assert "the model that it was made for" in (tmp_path / "out/README.md").read_text()


@pytest.mark.parametrize("graphs", ["image", "text,unified", "page"])
def test_graphs_of_pages_are_refused(graphs, folder, tmp_path):
    words = refused(folder, "-o", tmp_path / "out", "--variants", graphs)

    assert "(unsupported_model)" in words and "it makes vectors of queries alone: ask for --variants text" in words


WEIGHING = "3_ColNanoVDRWeighting/config.json"


def change(file, **members):
    file.write_text(json.dumps({**json.loads(file.read_text()), **members}))


@pytest.mark.parametrize("members, words", [
    ({"hidden_dim": 31}, f"{WEIGHING}: hidden_dim is 31, but hidden_size of config.json is 32"),
    ({"special_token_ids": [300]}, f"{WEIGHING}: special_token_ids must be ids below vocab_size, 300"),
    ({"special_token_ids": [1.5]}, f"{WEIGHING}: special_token_ids must be ids below vocab_size, 300"),
    ({"special_token_ids": list(range(33))}, "special_token_ids has more than 32 ids"),
    ({"special_token_ids": None}, "special_token_ids"),
    ({"hidden_name": "sentence_embedding"}, "hidden_name 'sentence_embedding' is not supported"),
])
def test_settings_that_are_refused(members, words, folder, tmp_path):
    change(folder / WEIGHING, **members)

    assert words in refused(folder, "-o", tmp_path / "out")


def test_another_text_encoder_is_refused(folder, tmp_path):
    (folder / "modules.json").unlink()

    assert "of these only ColNanoVDR is supported" in refused(folder, "-o", tmp_path / "out")


@pytest.mark.parametrize("path", ["../3_ColNanoVDRWeighting", ".hidden"])
def test_a_module_elsewhere_is_refused(path, folder, tmp_path):
    modules = json.loads((folder / "modules.json").read_text())
    modules[3]["path"] = path
    (folder / "modules.json").write_text(json.dumps(modules))

    assert f"the path of a module is '{path}', not the name of a folder" in refused(folder, "-o", tmp_path / "out")


def test_weights_of_tokens_that_are_missing(folder, tmp_path):
    (folder / "3_ColNanoVDRWeighting/model.safetensors").unlink()

    assert "weight_head.weight" in refused(folder, "-o", tmp_path / "out")


def test_a_projection_with_a_bias_is_refused(folder, tmp_path):
    weights = tensors.read(folder / "1_Dense/model.safetensors")
    tensors.write(folder / "1_Dense/model.safetensors", {**weights, "linear.bias": ("F32", [24], bytes(96))})

    assert "has a bias, which is not supported" in refused(folder, "-o", tmp_path / "out")
