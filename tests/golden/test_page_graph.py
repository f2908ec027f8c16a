"""Compares graphs that take a picture with the original library's embeddings for the pages of e2e-*."""
import array
import json
import pathlib
import shutil
import subprocess

import pytest

import tensors
from programs import BIN, BUILD

HERE = pathlib.Path(__file__).parent
MAX_ABS = 1e-5
FAMILIES = ["colqwen2", "colqwen3", "colpali", "colidefics3"]


def convert(checkpoint, out, *more):
    return subprocess.run([BIN / "colconvctl", "convert", checkpoint, "-o", out, *more], capture_output=True, text=True,
                          timeout=300)


def page_case(folder, number, name):
    """Makes a case for a page: its pixels, and the ids and embeddings of the original."""
    pixels = subprocess.run([BUILD / "tests/tools/pixels", folder / name], capture_output=True, timeout=60, check=True)
    size, rgb = pixels.stdout.split(b"\n", 1)
    original = tensors.read(folder / "e2e.safetensors")
    dtype, shape, embeddings = original[f"page.{number}"]
    ids = original[f"ids.page.{number}"]
    return {
        "in.image": ("U8", [int(n) for n in size.split()] + [3], rgb),
        "in.input_ids": ("I64", [1, *ids[1]], ids[2]),
        "in.attention_mask": ("I64", [1, *ids[1]], array.array("q", [1] * ids[1][0]).tobytes()),
        "out.embeddings": (dtype, [1, *shape], embeddings),
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_pages(family, tmp_path):
    checkpoint, out, cases = HERE / f"e2e-{family}", tmp_path / "artifact", tmp_path / "cases"
    done = convert(checkpoint, out, "--variants", "text,image,preprocess,page", "--max-abs", str(MAX_ABS))
    assert done.returncode == 0, done.stderr

    runs = {}
    for entry in json.loads((out / "parity.json").read_text())["cases"]:
        assert entry["passed"], entry
        runs.setdefault(entry["model"], []).append(entry)
    assert len(runs["preprocess"]) == 5 and runs["page"]
    for entry in runs["preprocess"]:
        assert entry["samples"] > 9000 and entry["differing"] == 0 and entry["max_levels"] == 0
    embedded = {entry["name"] for entry in runs["page"]}
    assert embedded <= {entry["name"] for entry in runs["image"]}

    cases.mkdir()
    for number, name in enumerate(json.loads((checkpoint / "e2e.json").read_text())["pages"]):
        tensors.write(cases / f"case-page-{number}.safetensors", page_case(checkpoint, number, name))
    report = tmp_path / "report.json"
    done = subprocess.run([BIN / "colconv-parity", "--model", f"page={out / 'page.onnx'}",
                           "--model", f"preprocess={out / 'preprocess.onnx'}", "--cases", cases, "--max-abs", str(MAX_ABS),
                           "--output", report], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(json.loads(report.read_text())["cases"]) == 8


def test_other_ids_are_seen(tmp_path):
    """Shows that test_pages can fail: another prompt and another picture are noticed."""
    checkpoint, out, cases = HERE / "e2e-colqwen2", tmp_path / "artifact", tmp_path / "cases"
    assert convert(checkpoint, out, "--variants", "preprocess,page", "--no-parity").returncode == 0
    cases.mkdir()
    case = page_case(checkpoint, 0, "page-0.png")
    ids = array.array("q", case["in.input_ids"][2])
    ids[-1] -= 1
    case["in.input_ids"] = ("I64", case["in.input_ids"][1], ids.tobytes())
    dtype, shape, rgb = case["in.image"]
    case["in.image"] = (dtype, shape, bytes(255 - b for b in rgb))
    tensors.write(cases / "case-wrong.safetensors", case)
    done = subprocess.run([BIN / "colconv-parity", "--model", f"page={out / 'page.onnx'}",
                           "--model", f"preprocess={out / 'preprocess.onnx'}", "--cases", cases, "--max-abs", str(MAX_ABS)],
                          capture_output=True, text=True, timeout=100)
    assert done.returncode == 10
    assert "the output 'input_ids' differs from in.input_ids" in done.stdout and "is above 1e-05" in done.stdout


@pytest.mark.parametrize("more", [("--dtype", "fp16"), ("--profile", "seed", "--layout", "sharded")], ids=["fp16", "seed"])
def test_other_forms(more, tmp_path):
    done = convert(HERE / "e2e-colqwen2", tmp_path / "artifact", "--variants", "preprocess,page", *more)
    assert done.returncode == 0, done.stderr


def test_weights_are_shared(tmp_path):
    sizes = []
    for variants in ("image", "image,preprocess,page"):
        out = tmp_path / variants
        assert convert(HERE / "e2e-colqwen2", out, "--variants", variants, "--no-parity").returncode == 0
        sizes.append((out / "model.onnx_data").stat().st_size)
    assert sizes[0] == sizes[1]
    graphs = json.loads((out / "manifest.json").read_text())["additional_metadata"]["graphs"]
    assert graphs["page"]["inputs"] == {"image": {"type": "u8", "shape": "[height, width, 3]"}}
    assert list(graphs["page"]["outputs"]) == ["embeddings"]
    assert graphs["preprocess"]["outputs"] == graphs["image"]["inputs"] and graphs["preprocess"]["weight_bytes"] == 0


@pytest.mark.parametrize("graph", ["preprocess", "page"])
def test_dump(graph):
    """The graph that is printed as text does not have the nodes that make its inputs."""
    done = subprocess.run([BIN / "colconv-worker", "--dump", graph, HERE / "e2e-colqwen2"], capture_output=True, text=True,
                          timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"graph {graph}\n") and "input image_grid_thw" in done.stdout
    assert ("output embeddings" in done.stdout) == (graph == "page")


@pytest.fixture
def checkpoint(tmp_path):
    return pathlib.Path(shutil.copytree(HERE / "e2e-colqwen2", tmp_path / "checkpoint"))


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def refused(checkpoint, words):
    done = convert(checkpoint, checkpoint.parent / "artifact", "--variants", "page")
    assert done.returncode != 0 and words in done.stderr, done.stderr
    assert not (checkpoint.parent / "artifact").exists()


@pytest.mark.parametrize("name", ["preprocessor_config.json", "tokenizer.json"])
def test_missing_file(checkpoint, name):
    (checkpoint / name).unlink()
    refused(checkpoint, f"the graphs preprocess and page need the checkpoint's processor: '{checkpoint}' has no {name}")


def test_processor_of_transformers_5(checkpoint):
    """transformers 5 writes the rule for pictures into processor_config.json."""
    old = checkpoint / "preprocessor_config.json"
    (checkpoint / "processor_config.json").write_text(json.dumps({"image_processor": json.loads(old.read_text())}))
    old.unlink()
    done = convert(checkpoint, checkpoint.parent / "artifact", "--variants", "preprocess,page")
    assert done.returncode == 0, done.stderr
    edit(checkpoint / "processor_config.json", lambda c: c.pop("image_processor"))
    shutil.rmtree(checkpoint.parent / "artifact")
    refused(checkpoint, "has no preprocessor_config.json")


def test_processor_of_another_model(checkpoint):
    edit(checkpoint / "preprocessor_config.json", lambda c: c.update(patch_size=16))
    refused(checkpoint, "it gives 1536 numbers a patch where config.json has 1176")
    edit(checkpoint / "preprocessor_config.json", lambda c: c.update(patch_size=14, merge_size=4))
    refused(checkpoint, "merge_size 4 of preprocessor_config.json is not the model's")
    edit(checkpoint / "preprocessor_config.json", lambda c: c.update(merge_size=2, image_mean=[0.5, 0.5]))
    refused(checkpoint, "image_mean must be three numbers")


def rename_tokens(checkpoint, old, new):
    def renamed(content):
        for token in content["added_tokens"]:
            token["content"] = token["content"].replace(old, new)
    edit(checkpoint / "tokenizer.json", renamed)


def test_tokenizer_of_another_model(checkpoint):
    rename_tokens(checkpoint, "vision_end", "vision_over")
    refused(checkpoint, "tokenizer.json has no token '<|vision_end|>', which the prompt needs")


def test_tokenizer_without_places(tmp_path):
    checkpoint = pathlib.Path(shutil.copytree(HERE / "e2e-colidefics3", tmp_path / "checkpoint"))
    rename_tokens(checkpoint, "row_2_col_3", "row_2_column_3")
    refused(checkpoint, "tokenizer.json has no token '<row_2_col_3>', which the prompt needs")


def test_tokens_that_config_does_not_know(checkpoint):
    edit(checkpoint / "config.json", lambda c: c.update(vision_start_token_id=3, vision_end_token_id=4))
    refused(checkpoint, "around an image, config.json 3 and 4")
