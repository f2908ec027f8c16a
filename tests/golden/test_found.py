"""Checkpoints as people have them: names that training adds, too many or too few tensors, damaged numbers."""
import json
import pathlib
import struct
import subprocess

import pytest

import tensors
from programs import BIN, BUILD  # noqa: F401

HERE = pathlib.Path(__file__).parent
QWEN = HERE / "colqwen2-tiny"
UP = "vlm.language_model.layers.1.mlp.up_proj.weight"
EMBED = "vlm.language_model.embed_tokens.weight"
NORM = "vlm.language_model.layers.0.input_layernorm.weight"
PROJECTION = "embedding_proj_layer.weight"
NAN, INFINITY = struct.pack("<f", float("nan")), struct.pack("<f", float("-inf"))


@pytest.fixture
def checkpoint(tmp_path):
    """A copy of the tiny ColQwen2 with its tensors and config changed."""
    def make(change=lambda t: t, config=lambda c: c, base=QWEN):
        folder = tmp_path / "checkpoint"
        folder.mkdir()
        tensors.write(folder / "model.safetensors", change(tensors.read(base / "model.safetensors")))
        text = json.dumps(config(json.loads((base / "config.json").read_text())))
        (folder / "config.json").write_text(text)
        return folder
    return make


@pytest.fixture
def convert(tmp_path):
    def run(folder, *options):
        out = tmp_path / "out"
        done = subprocess.run([BIN / "colconvctl", "convert", folder, "-o", out, *options], capture_output=True, text=True,
                              timeout=100)
        done.manifest = json.loads((out / "manifest.json").read_text())["additional_metadata"] if done.returncode == 0 else None
        return done
    return run


def references(base=QWEN):
    return [word for case in sorted(base.glob("case-*.safetensors")) for word in ("--reference", case)]


def put(name, at, *values):
    """Overwrites the elements of a tensor with 32-bit values, from one element on."""
    def change(t):
        dtype, shape, data = t[name]
        t[name] = dtype, shape, data[:4 * at] + b"".join(values) + data[4 * (at + len(values)):]
        return t
    return change


def renamed(rename):
    return lambda t: {rename(name): value for name, value in t.items()}


def shells(name):
    """Renames tensors as in a state dict of fully sharded training: wrappers around the model and around each layer."""
    for layers in ("language_model.layers.", "visual.blocks."):
        head, found, tail = name.partition(layers)
        if found:
            number, _, rest = tail.partition(".")
            return f"_fsdp_wrapped_module.{head}{layers}{number}._checkpoint_wrapped_module.{rest}"
    return "_fsdp_wrapped_module." + name


@pytest.mark.parametrize("rename", [
    pytest.param(lambda name: "module." + name, id="module"),
    pytest.param(lambda name: "_orig_mod." + name, id="_orig_mod"),
    pytest.param(lambda name: "encoder." + name, id="encoder"),
    pytest.param(lambda name: "module._orig_mod." + name, id="module._orig_mod"),
    pytest.param(lambda name: "base_model.model." + name, id="base_model"),
    pytest.param(shells, id="sharded"),
])
def test_names_that_training_wrapped_give_the_originals_embeddings(rename, checkpoint, convert):
    done = convert(checkpoint(renamed(rename)), "--max-abs", "1e-5", *references())

    assert done.returncode == 0, done.stderr
    assert done.manifest["warnings"] == []


@pytest.mark.parametrize("change, words", [
    pytest.param(renamed(lambda name: "student." + name), ["student.embedding_proj_layer.weight", "has an unknown prefix"],
                 id="unknown-prefix"),
    pytest.param(lambda t: {n: v for n, v in t.items() if n != PROJECTION}, ["bare backbone"], id="no-projection"),
    pytest.param(lambda t: {n: v for n, v in t.items() if n != UP}, ["has no tensor '" + UP + "'"], id="missing"),
    pytest.param(lambda t: {**t, UP: ("F32", [0], b"")}, [UP, "is empty", "ZeRO-3", "zero_to_fp32.py"], id="zero-3"),
    pytest.param(lambda t: {**t, PROJECTION: ("F32", [0], b"")}, [PROJECTION, "is empty", "ZeRO-3"], id="zero-3-projection"),
    pytest.param(lambda t: {**t, UP: ("I8", t[UP][1], bytes(len(t[UP][2]) // 4))}, [UP, "I8", "quantized"], id="int8"),
    pytest.param(lambda t: {**t, "x.q_proj.lora_A.default.weight": ("F32", [1], bytes(4))},
                 ["x.q_proj.lora_A.default.weight", "merge_and_unload"], id="not-merged"),
    pytest.param(put(UP, 77, NAN), [UP, "1 NaN and 0 infinite of 8192"], id="nan"),
    pytest.param(put(UP, 8190, INFINITY, NAN), [UP, "1 NaN and 1 infinite of 8192"], id="infinite-at-the-end"),
    pytest.param(put(EMBED, 7 * 64 + 5, NAN), [EMBED, "1 NaN and 0 infinite"], id="nan-in-a-row-that-no-case-draws"),
])
def test_what_is_refused_is_named(change, words, checkpoint, convert):
    done = convert(checkpoint(change))

    assert done.returncode == 5
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize("form", [["--dtype", "fp16"], ["--storage", "bf16"], ["--layout", "embedded"]])
def test_nan_is_refused_in_every_form(form, checkpoint, convert):
    done = convert(checkpoint(put(EMBED, 7 * 64 + 5, NAN)), *form)

    assert done.returncode == 5
    assert EMBED in done.stderr and "1 NaN and 0 infinite" in done.stderr


def test_nan_where_no_graph_looks_is_no_reason_to_refuse(checkpoint, convert):
    done = convert(checkpoint(put("vlm.visual.patch_embed.proj.weight", 0, NAN)), "--variants", "text")

    assert done.returncode == 0, done.stderr


def more_layers(t):
    for name in list(t):
        if ".language_model.layers.1." in name:
            t[name.replace(".layers.1.", ".layers.7.")] = t[name]
    return t


@pytest.mark.parametrize("change, words", [
    pytest.param(lambda t: {**t, "extra.weight": ("F32", [1], bytes(4)), "vlm.visual.head.bias": ("BF16", [1], bytes(2))},
                 ["tensors that the model does not know are ignored: 'extra.weight', 'vlm.visual.head.bias'"], id="unknown"),
    pytest.param(more_layers, ["tensors of layers beyond the number in config.json are ignored: 'vlm.language_model.layers.7.",
                               "and 4 others"], id="layers"),
    pytest.param(lambda t: {**t, NORM: ("F32", t[NORM][1], bytes(len(t[NORM][2])))},
                 ["norms whose weight is all zero: '" + NORM + "'"], id="zero-norm"),
])
def test_what_is_strange_is_told_in_the_log_and_the_manifest(change, words, checkpoint, convert):
    done = convert(checkpoint(change))

    assert done.returncode == 0, done.stderr
    assert len(done.manifest["warnings"]) == 1
    for word in words:
        assert word in done.manifest["warnings"][0] and word in done.stderr


@pytest.mark.parametrize("change, base", [
    pytest.param(lambda t: {**t, "my.step": ("I64", [1], bytes(8)), "vlm.visual.mask": ("BOOL", [2], bytes(2))}, QWEN, id="buffers"),
    pytest.param(lambda t: {**t, "vlm.lm_head.weight": t[EMBED]}, QWEN, id="tied-head"),
    pytest.param(lambda t: {name: (dtype, shape, bytes(len(data))) if name.endswith("input_layernorm.weight") else (dtype, shape, data)
                            for name, (dtype, shape, data) in t.items()}, HERE / "colpali-tiny", id="gemma-norms-are-1-plus-w"),
])
def test_what_is_usual_is_not_told(change, base, checkpoint, convert):
    done = convert(checkpoint(change, base=base))

    assert done.returncode == 0, done.stderr
    assert done.manifest["warnings"] == []


def test_a_text_graph_says_nothing_of_the_vision_tower(checkpoint, convert):
    done = convert(checkpoint(lambda t: {**t, "vlm.language_model.x.weight": ("F32", [1], bytes(4))}), "--variants", "text")

    assert done.returncode == 0, done.stderr
    assert done.manifest["warnings"] == ["tensors that the model does not know are ignored: 'vlm.language_model.x.weight'"]


def test_an_index_may_name_what_nothing_needs(tmp_path, checkpoint, convert):
    folder = checkpoint()
    whole = tensors.read(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(whole)
    where = {}
    for i in range(2):
        file = f"model-0000{i + 1}-of-00002.safetensors"
        tensors.write(folder / file, {name: whole[name] for name in names[i::2]})
        where.update({name: file for name in names[i::2]})
    where.update({"lm_head.weight": file, "mtp.fc.weight": file})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))

    done = convert(folder, "--max-abs", "1e-5", *references())

    assert done.returncode == 0, done.stderr
    assert done.manifest["warnings"] == [
        "model.safetensors.index.json lists tensors that no file has and the model does not need: 'mtp.fc.weight'"]


@pytest.mark.parametrize("method", ["gptq", "awq", "bitsandbytes", "fp8", "compressed-tensors"])
def test_a_quantized_checkpoint_is_refused_by_its_method(method, checkpoint, convert):
    done = convert(checkpoint(config=lambda c: {**c, "quantization_config": {"quant_method": method}}))

    assert done.returncode == 5
    assert f"the weights are quantized by '{method}'" in done.stderr


def engine(config, **more):
    return {**config["vlm_config"], **more}


@pytest.mark.parametrize("class_name", ["BiPaliProj", "MyOwnRetriever"])
def test_a_class_that_computes_something_else_is_refused_by_its_name(class_name, checkpoint, convert):
    done = convert(checkpoint(base=HERE / "colpali-tiny", config=lambda c: engine(c, architectures=[class_name])))

    assert done.returncode == 5
    assert f"(unsupported_model): config.json: the class '{class_name}' is not supported" in done.stderr


def test_a_gemma_2_backbone_is_refused_by_its_name(checkpoint, convert):
    def gemma2(config):
        config["vlm_config"]["text_config"]["model_type"] = "gemma2"
        return config

    done = convert(checkpoint(base=HERE / "colpali-tiny", config=gemma2))

    assert done.returncode == 5
    assert "model_type 'gemma2' is not supported, only 'gemma'" in done.stderr


@pytest.mark.parametrize("classes", [None, ["ColPali"], ["PaliGemmaForConditionalGeneration"]])
def test_a_class_that_is_known_or_not_told_is_converted(classes, checkpoint, convert):
    base = HERE / "colpali-tiny"

    done = convert(checkpoint(base=base, config=lambda c: engine(c, architectures=classes)), "--max-abs", "1e-5", *references(base))

    assert done.returncode == 0, done.stderr


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 4418050848\n"
PAGE = "<!DOCTYPE html>\n<html><head><title>429 Too Many Requests</title></head></html>\n"


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "model.safetensors.index.json"])
@pytest.mark.parametrize("text, words", [(POINTER, ["a Git LFS pointer", "git lfs pull"]), (PAGE, ["an HTML page", "download it again"])])
def test_a_file_that_is_something_else_is_called_so(name, text, words, checkpoint, convert):
    folder = checkpoint()
    if name.endswith("index.json"):
        (folder / "model.safetensors").unlink()
    (folder / name).write_text(text)

    done = convert(folder)

    assert done.returncode == 5
    for word in [name, *words]:
        assert word in done.stderr


def test_the_device_of_the_reference(convert):
    done = convert(QWEN, "--variants", "text", "--device", "cpu")
    assert done.returncode == 0 and done.manifest["devices"] == {"reference": "cpu", "onnxruntime": "cpu"}, done.stderr


def test_a_gpu_that_is_asked_for_is_used_or_missed_at_once(convert):
    done = convert(QWEN, "--variants", "text", "--device", "cuda")
    if done.returncode == 0:    # on a host with a GPU
        assert done.manifest["devices"]["reference"] == "cuda"
    else:
        assert "asks for the device cuda" in done.stderr and "sees no GPU here" in done.stderr
        assert "trace" not in done.stderr
