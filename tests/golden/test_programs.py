"""
What programs need that load an artifact: each test here holds a requirement of one of them without the program itself.
tests/consumers runs the programs.
"""
import json
import pathlib
import re
import shutil

import pytest

from test_golden import HERE, run


def convert(checkpoint, out, *options):
    run("colconvctl", "convert", checkpoint, "-o", out, "--no-parity", *options)


def nodes(graph):
    """(type, inputs, outputs) of all nodes, including those in branches, and {name: type} of the initializers."""
    text = run("colconv-worker", "--dump-onnx", graph).stdout
    found = re.findall(r"^ *(\S.*) = (\w+)\((.*?)\)", text, re.M)
    kinds = dict(re.findall(r"^initializer (\S+)    (\w+)", text, re.M))
    return [(kind, inputs.split(", "), outputs.split(", ")) for outputs, kind, inputs in found], kinds


@pytest.mark.parametrize("name", ["colmodernvbert-tiny", "bimodernvbert-tiny"])
def test_old_onnxruntime_needs_a_bias(name, tmp_path):
    """ONNX Runtime 1.15 to 1.18 crash on a LayerNormalization without a bias."""
    convert(HERE / name, tmp_path / "out", "--variants", "text,image,unified")
    for graph in sorted((tmp_path / "out").glob("*.onnx")):
        norms = [inputs for kind, inputs, _ in nodes(graph)[0] if kind == "LayerNormalization"]
        assert len(norms) > 4
        assert all(len(inputs) == 3 for inputs in norms), graph.name


@pytest.mark.parametrize("name", ["colidefics3-tiny", "colqwen3-tiny", "colqwen2_5-tiny"])
def test_quantize_dynamic_must_not_round_indices(name, tmp_path):
    """It quantizes each float initializer that a Gather reads, so none of these may contain whole numbers that are cast back."""
    convert(HERE / name, tmp_path / "out", "--variants", "image")
    found, kinds = nodes(tmp_path / "out" / "image.onnx")
    rounded = {outputs[0] for kind, inputs, outputs in found if kind == "Gather" and kinds.get(inputs[0]) == "FLOAT"}
    assert rounded
    for kind, inputs, outputs in found:
        assert kind != "Cast" or inputs[0] not in rounded, f"'{outputs[0]}' casts what quantize_dynamic would round"


# fastembed reads the tokenizer's limit and the rule for pictures from two files, and refuses what it does not find there.

@pytest.fixture
def checkpoint(tmp_path):
    return pathlib.Path(shutil.copytree(HERE / "e2e-colidefics3", tmp_path / "checkpoint"))


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def fastembed(checkpoint):
    out = checkpoint.parent / "out"
    convert(checkpoint, out, "--profile", "fastembed")
    listed = [entry["name"] for entry in json.loads((out / "manifest.json").read_text())["additional_metadata"]["files"]]
    assert len(listed) == len(set(listed))
    run("colconvctl", "inspect", out, "--verify")
    return out


def limit_of(out):
    return json.loads((out / "tokenizer_config.json").read_text())["model_max_length"]


def test_fastembed_gets_the_models_limit(checkpoint):
    assert json.loads((checkpoint / "tokenizer_config.json").read_text())["model_max_length"] > 1 << 63
    before = json.loads((checkpoint / "tokenizer_config.json").read_text())
    out = fastembed(checkpoint)
    assert limit_of(out) == json.loads((out / "config.json").read_text())["text_config"]["max_position_embeddings"] == 4096
    assert json.loads((out / "tokenizer_config.json").read_text()) == {**before, "model_max_length": 4096}


def test_fastembed_keeps_a_limit(checkpoint):
    edit(checkpoint / "tokenizer_config.json", lambda c: c.update(model_max_length=512))
    assert limit_of(fastembed(checkpoint)) == 512


def test_fastembed_gets_a_limit_where_nothing_says_one(checkpoint):
    edit(checkpoint / "tokenizer_config.json", lambda c: c.pop("model_max_length"))
    edit(checkpoint / "config.json", lambda c: c["text_config"].pop("max_position_embeddings"))
    assert limit_of(fastembed(checkpoint)) == 8192


def test_fastembed_without_a_tokenizer(checkpoint):
    (checkpoint / "tokenizer_config.json").unlink()
    assert not (fastembed(checkpoint) / "tokenizer_config.json").exists()


def test_fastembed_gets_the_rule_for_pictures(checkpoint):
    """transformers 5 writes the rule into processor_config.json, and some class names end in ...Fast."""
    own = json.loads((checkpoint / "preprocessor_config.json").read_text())
    (checkpoint / "preprocessor_config.json").unlink()
    fast = {**own, "image_processor_type": "Idefics3ImageProcessorFast"}
    edit(checkpoint / "processor_config.json", lambda c: c.update(image_processor=fast))
    assert json.loads((fastembed(checkpoint) / "preprocessor_config.json").read_text()) == own


def test_a_number_beyond_int64_hides_nothing(checkpoint):
    """tokenizer_config.json has 10^30 as its length limit; the keys beside it must still be read."""
    for side in ("left", "right"):
        edit(checkpoint / "tokenizer_config.json", lambda c: c.update(padding_side=side))
        out = checkpoint.parent / side
        convert(checkpoint, out)
        facts = json.loads((out / "manifest.json").read_text())["additional_metadata"]
        assert facts["processing"]["padding_side"] == side
