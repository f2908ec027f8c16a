"""
What the vision tower gives: the first layer's input holds it in the places of the image tokens, and the words' rows elsewhere.

The embeddings alone would hide a small fault there behind the decoder's norms. A graph for images has no such output, so that
the test adds one to its file.
"""
import array
import json
import math
import pathlib
import subprocess

import pytest

import tensors
from programs import BIN, BUILD  # noqa: F401

HERE = pathlib.Path(__file__).parent
MAX_ABS = 1e-4  # the rows are not unit vectors
FIRST_INPUT = "merge.out"
FAMILIES = ["colqwen2-tiny", "colqwen2_5-tiny", "colqwen3-tiny", "colqwen3-tiny-ops", "colqwen3-tiny-nemotron", "colpali-tiny",
            "colmodernvbert-tiny", "bimodernvbert-tiny", "colidefics3-tiny", "colgemma3-tiny", "biqwen2-tiny", "colqwen_omni-tiny", "collfm2-tiny",
            "colqwen3_5-tiny", "biqwen3_5-tiny",
            "colministral3-tiny",
            "granitevisionemb-tiny"]


def field(number, content):
    """A field of a protobuf message that holds another message, or a string, of less than 128 bytes."""
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def add_output(path, name):
    """Appends a model that has a graph with this output alone: protobuf joins the two, and their lists of outputs."""
    float_tensor = field(1, b"\x08\x01")
    value = field(1, name.encode()) + field(2, float_tensor)
    with path.open("ab") as file:
        file.write(field(7, field(12, value)))


def numbers(tensor, code):
    return array.array(code, tensor[2])


def first_input(words, scale, case, image_token):
    """The rows of the words, by id, and in the places of the image tokens those of the tower, in order."""
    width = words[1][1]
    table, features = numbers(words, "f"), numbers(case["mid.image_features"], "f")
    rows, taken = array.array("f"), 0
    for token in numbers(case["in.input_ids"], "q"):
        if token == image_token:
            rows += features[taken:taken + width]
            taken += width
        else:
            rows += array.array("f", [scale * x for x in table[token * width:(token + 1) * width]])
    assert taken == len(features)
    return "F32", case["in.input_ids"][1] + [width], rows.tobytes()


def describe(checkpoint):
    """The table of words, what multiplies its rows, and the id of the image token."""
    config = json.loads((checkpoint / "config.json").read_text())
    config = config.get("vlm_config", config)
    weights = tensors.read(checkpoint / "model.safetensors")
    (words,) = (x for name, x in weights.items() if name.endswith(("embed_tokens.weight", "tok_embeddings.weight")))
    gemma = config["text_config"]["model_type"].startswith("gemma")
    return words, words[1][1] ** 0.5 if gemma else 1, config.get("image_token_id", config.get("image_token_index"))


@pytest.mark.parametrize("name", FAMILIES)
def test_image_features(name, tmp_path):
    made = subprocess.run([BIN / "colconvctl", "convert", HERE / name, "-o", tmp_path / "out", "--variants", "image", "--no-parity"],
                          capture_output=True, text=True, timeout=100)
    assert made.returncode == 0, made.stderr
    add_output(tmp_path / "out/image.onnx", FIRST_INPUT)
    facts = describe(HERE / name)
    cases = []
    for path in sorted((HERE / name).glob("case-image-*.safetensors")):
        case = tensors.read(path)
        cases.append(tmp_path / path.name)
        tensors.write(cases[-1], {**case, "out.first_input": first_input(*facts[:2], case, facts[2])})
    assert cases

    done = subprocess.run([BIN / "colconv-parity", f"--model=image={tmp_path / 'out/image.onnx'}", "--expect", "first_input",
                           "--result", FIRST_INPUT, "--max-abs", str(MAX_ABS), "--json", *[f"--case={case}" for case in cases]],
                          capture_output=True, text=True, timeout=100)

    assert done.returncode == 0, done.stderr + done.stdout
    assert {pathlib.Path(run["file"]) for run in json.loads(done.stdout)["cases"]} == set(cases)


def normed(patch, weight, bias):
    mean = sum(patch) / len(patch)
    spread = math.sqrt(sum((x - mean) ** 2 for x in patch) / len(patch) + 1e-5)
    return [(x - mean) / spread * w + b for x, w, b in zip(patch, weight, bias)]


def test_the_norm_of_a_patch_without_contrast(tmp_path):
    """
    Most patches of a page are one grey with a few others. Their mean must lose no digits, which it does in float32 unless the grey is taken
    off before: in a published patch, of 3072 numbers, and here in 75 of a grey far out.
    """
    golden = HERE / "neomme-tiny"
    case = tensors.read(golden / "case-image-smallest.safetensors")  # a page of one patch
    shape = [1, 75]
    assert case["in.pixel_values"][1] == shape
    pixels = array.array("f", [1000 + i % 7 / 128 for i in range(75)])  # exact in float32
    weights = tensors.read(golden / "model.safetensors")
    weight, bias = (numbers(weights[f"model.patch_embeddings.norm.{what}"], "f") for what in ("weight", "bias"))
    case["in.pixel_values"] = "F32", shape, pixels.tobytes()
    case["out.norm"] = "F32", shape, array.array("f", normed(pixels, weight, bias)).tobytes()
    tensors.write(tmp_path / "case.safetensors", case)
    subprocess.run([BIN / "colconvctl", "convert", golden, "-o", tmp_path / "out", "--variants", "image", "--no-parity"], check=True,
                   capture_output=True, timeout=100)
    add_output(tmp_path / "out/image.onnx", "patches.norm")

    done = subprocess.run([BIN / "colconv-parity", f"--model=image={tmp_path / 'out/image.onnx'}", "--expect", "norm", "--result", "patches.norm",
                           "--max-abs", "1e-5", f"--case={tmp_path / 'case.safetensors'}"], capture_output=True, text=True, timeout=100)

    assert done.returncode == 0, done.stderr + done.stdout


# What the first layer with linear attention reads from its tokens and gives, by the name in a case, and the value in a graph.
DELTA = {"q": "q", "k": "k", "v": "v", "g": "decay", "beta": "beta", "y": "o"}


def of_zeros(name, width):
    """What a masked token gives, whose state is 0."""
    if name == "beta":
        return [0.5] * width
    if name == "g":
        weights = tensors.read(HERE / "colqwen3_5-tiny/model.safetensors")
        rate, bias = (numbers(weights[f"language_model.layers.0.linear_attn.{x}"], "f") for x in ("A_log", "dt_bias"))
        return [-math.exp(a) * math.log1p(math.exp(b)) for a, b in zip(rate, bias)]
    return [0] * width


def spread(name, tensor, mask):
    """The rows of unmasked tokens, in the places of these tokens: float [batch, tokens, width]."""
    width = len(numbers(tensor, "f")) // tensor[1][0]
    rows = iter(numbers(tensor, "f"))
    out = array.array("f", [next(rows) if seen else x for seen in numbers(mask, "q") for x in of_zeros(name, width)])
    assert next(rows, None) is None
    return "F32", mask[1] + [width], out.tobytes()


@pytest.mark.parametrize("case, variant", [("text-batch", "text"), ("image-mixed", "image")])
@pytest.mark.parametrize("name", DELTA)
def test_a_layer_with_linear_attention(name, case, variant, delta_graphs, tmp_path):
    original = tensors.read(HERE / f"colqwen3_5-tiny/case-{case}.safetensors")
    tensors.write(tmp_path / "case.safetensors", {**original, "out.value": spread(name, original[f"mid.delta.0.{name}"], original["in.attention_mask"])})

    done = subprocess.run([BIN / "colconv-parity", f"--model={variant}={delta_graphs / variant}.onnx", "--expect", "value",
                           "--result", f"lm.00.delta.{DELTA[name]}", "--max-abs", str(MAX_ABS), "--min-cosine", "-1", "--json",
                           f"--case={tmp_path / 'case.safetensors'}"], capture_output=True, text=True, timeout=100)

    assert done.returncode == 0, done.stderr + done.stdout


@pytest.fixture(scope="module")
def delta_graphs(tmp_path_factory):
    """The graphs of the golden checkpoint, with the values of the layer among their outputs."""
    out = tmp_path_factory.mktemp("delta") / "out"
    subprocess.run([BIN / "colconvctl", "convert", HERE / "colqwen3_5-tiny", "-o", out, "--no-parity"], check=True, capture_output=True, timeout=100)
    for graph in ("text.onnx", "image.onnx"):
        for name in DELTA.values():
            add_output(out / graph, f"lm.00.delta.{name}")
    return out
