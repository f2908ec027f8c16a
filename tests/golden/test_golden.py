"""Compares converted checkpoints with embeddings from the original classes (see README.md here)."""
import array
import json
import math
import pathlib
import re
import shutil
import struct
import subprocess

import pytest

import respell
import tensors
from programs import BIN, BUILD  # noqa: F401

HERE = pathlib.Path(__file__).parent
MAX_ABS = 1e-5

# A name for the test, the folder, and the layout it is respelled to.
CHECKPOINTS = [
    pytest.param("colqwen2-tiny", None, id="colqwen2"),
    pytest.param("colqwen2-tiny", "hub", id="colqwen2-hub"),
    pytest.param("colqwen2-tiny", "engine", id="colqwen2-engine"),
    pytest.param("colqwen2-tiny-bf16-sharded", None, id="colqwen2-bf16-sharded"),
    pytest.param("colqwen2-tiny-bf16-sharded", "hub", id="colqwen2-bf16-sharded-hub"),
    pytest.param("colqwen2_5-tiny", None, id="colqwen2_5"),
    pytest.param("colqwen2_5-tiny", "hub", id="colqwen2_5-hub"),
    pytest.param("colqwen2_5-tiny-engine", None, id="colqwen2_5-engine"),
    pytest.param("colqwen3-tiny", None, id="colqwen3"),
    pytest.param("colqwen3-tiny", "tomoro", id="colqwen3-tomoro"),
    pytest.param("colqwen3-tiny", "sauerkraut", id="colqwen3-sauerkraut"),
    pytest.param("colqwen3-tiny", "sauerkraut-untyped", id="colqwen3-sauerkraut-untyped"),
    pytest.param("colqwen3-tiny-ops", None, id="colqwen3-ops"),
    pytest.param("colqwen3-tiny-nemotron", None, id="colqwen3-nemotron"),
    pytest.param("colqwen_omni-tiny", None, id="colqwen_omni"),
    pytest.param("colqwen_omni-tiny", "v524", id="colqwen_omni-v524"),
    pytest.param("colqwen_omni-tiny", "whole", id="colqwen_omni-whole"),
    pytest.param("collfm2-tiny", None, id="collfm2"),
    pytest.param("collfm2-tiny", "sauerkraut", id="collfm2-sauerkraut"),
    pytest.param("collfm2-tiny-bf16", None, id="collfm2-bf16"),
    pytest.param("collfm2-tiny", "prefixed", id="collfm2-prefixed"),
    pytest.param("colqwen3_5-tiny", None, id="colqwen3_5"),
    pytest.param("colqwen3_5-tiny", "hub", id="colqwen3_5-hub"),
    pytest.param("colqwen3_5-tiny", "topk", id="colqwen3_5-topk-names"),
    pytest.param("colqwen3_5-tiny-contract", None, id="colqwen3_5-contract"),
    pytest.param("colqwen3_5-tiny-vlm", None, id="colqwen3_5-vlm"),
    pytest.param("biqwen3_5-tiny", None, id="biqwen3_5"),
    pytest.param("pplx-late-tiny", None, id="pplx-late"),
    pytest.param("colpali-tiny", None, id="colpali"),
    pytest.param("colpali-tiny", "hub", id="colpali-hub"),
    pytest.param("colmodernvbert-tiny", None, id="colmodernvbert"),
    pytest.param("colmodernvbert-tiny-engine", None, id="colmodernvbert-engine"),
    pytest.param("colmodernvbert-tiny", "legacy", id="colmodernvbert-legacy"),
    pytest.param("colidefics3-tiny", None, id="colidefics3"),
    pytest.param("biqwen2-tiny", None, id="biqwen2"),
    pytest.param("bimodernvbert-tiny", None, id="bimodernvbert"),
    pytest.param("colgemma3-tiny", None, id="colgemma3"),
    pytest.param("nemoretriever-tiny", None, id="nemotron_vl"),
    pytest.param("nemoretriever-tiny", "inner", id="nemotron_vl-inner"),
    pytest.param("nemoretriever-tiny", "v5", id="nemotron_vl-v5"),
    pytest.param("nemoretriever-tiny-bf16", None, id="nemotron_vl-bf16"),
    pytest.param("neomme-tiny", None, id="neomme"),
    pytest.param("neomme-tiny-defaults", None, id="neomme-defaults"),
    pytest.param("granitevisionemb-tiny", None, id="granitevisionemb"),
    pytest.param("granitevisionemb-tiny-bf16", None, id="granitevisionemb-bf16"),
    pytest.param("colministral3-tiny", None, id="colministral3"),
    pytest.param("colministral3-tiny-bf16", None, id="colministral3-bf16"),
]


def run(program, *args):
    done = subprocess.run([BIN / program, *args], capture_output=True, text=True, timeout=100)
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


def check_every_graph(checkpoint, out, *more):
    cases = sorted(checkpoint.glob("case-*.safetensors"))
    assert cases
    options = [word for case in cases for word in ("--reference", case)]

    run("colconvctl", "convert", checkpoint, "-o", out, "--variants", "text,image,unified",
        "--max-abs", str(MAX_ABS), "--json", *options, *more)

    report = json.loads((out / "parity.json").read_text())
    runs = {}
    for entry in report["cases"]:
        assert entry["passed"] and entry["max_abs"] <= MAX_ABS and entry["nan"] == 0, entry
        assert sum(entry["cosine_counts"]) == entry["tokens"] <= sum(entry["abs_counts"]), entry
        runs.setdefault(pathlib.Path(entry["file"]).resolve(), set()).add(entry["model"])
    for case in cases:
        assert runs[case.resolve()] == {"image" if "image" in case.name else "text", "unified"}


@pytest.mark.parametrize("name, layout", CHECKPOINTS)
def test_every_graph_gives_the_originals_embeddings(name, layout, make_checkpoint, tmp_path):
    check_every_graph(make_checkpoint(name, layout), tmp_path / "out")


def test_an_experimental_class_says_so(tmp_path):
    done = run("colconvctl", "convert", HERE / "nemoretriever-tiny", "-o", tmp_path / "out", "--variants", "text", "--no-parity")

    words = "experimental: the class was rebuilt from public sources"
    own = json.loads((tmp_path / "out/manifest.json").read_text())["additional_metadata"]
    assert words in done.stderr and words in own["warnings"][0] and words in (tmp_path / "out/README.md").read_text()


@pytest.mark.parametrize("name, words", [("custom_text_proj.weight", "tensor 'custom_text_proj.weight'")])
def test_a_projection_where_none_is_known_is_refused(name, words, make_checkpoint, tmp_path):
    folder = make_checkpoint("nemoretriever-tiny", "v5")
    tensors.write(folder / "model.safetensors", {**tensors.read(folder / "model.safetensors"), name: ("F32", [4, 36], bytes(4 * 4 * 36))})

    assert words in refused(folder, "-o", tmp_path / "out")


def source_of(out):
    return json.loads((out / "manifest.json").read_text())["additional_metadata"]["source"]


@pytest.mark.parametrize("name, layout", [("colqwen2-tiny", None), ("colqwen2-tiny", "engine"), ("colmodernvbert-tiny", None),
                                          ("colmodernvbert-tiny", "legacy"), ("colidefics3-tiny", None), ("colgemma3-tiny", None)])
def test_an_adapter_over_the_base_that_is_given(name, layout, make_checkpoint, tmp_path):
    base = make_checkpoint(name, layout)

    check_every_graph(HERE / f"{name}-lora", tmp_path / "out", "--base", base)

    source = source_of(tmp_path / "out")
    assert pathlib.Path(source["path"]).name == f"{name}-lora"
    assert [f["name"] for f in source["weights"]] == ["adapter_model.safetensors"]
    assert source["base"]["path"] == str(base.resolve())
    assert [f["name"] for f in source["base"]["weights"]] == ["model.safetensors"]
    assert (tmp_path / "out" / "config.json").read_bytes() == (base / "config.json").read_bytes()


@pytest.mark.parametrize("name, layout", [("colqwen2_5-tiny", None), ("colqwen2_5-tiny", "engine"), ("colqwen3-tiny", None),
                                          ("colqwen3_5-tiny", None),
                                          ("colqwen_omni-tiny", None), ("colqwen_omni-tiny", "whole"), ("neomme-tiny", None)])
def test_an_adapter_of_each_family(name, layout, make_checkpoint, tmp_path):
    check_every_graph(HERE / f"{name}-lora", tmp_path / "out", "--base", make_checkpoint(name, layout))


@pytest.fixture
def st_late(tmp_path):
    """NeoMME as Sentence Transformers keeps it: the bare backbone, and the projection in a module of its own."""
    return shutil.copytree(HERE / "neomme-tiny-st-late", tmp_path / "st-late")


def test_a_projection_in_a_module_of_its_own(st_late, tmp_path):
    check_every_graph(st_late, tmp_path / "out")

    weights = source_of(tmp_path / "out")["weights"]
    assert [f["name"] for f in weights] == ["model.safetensors", "1_Dense/model.safetensors"]


def modules_edit(folder, path="1_Dense", twice=False, **config):
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["path"] = path
    (folder / "modules.json").write_text(json.dumps(modules + [modules[1]] * twice))
    old = json.loads((folder / "1_Dense/config.json").read_text())
    (folder / "1_Dense/config.json").write_text(json.dumps({**old, **config}))


@pytest.mark.parametrize("change, code, words", [
    ({"activation_function": "torch.nn.modules.activation.Tanh"}, "unsupported_model", "1_Dense/config.json': the activation_function 'torch.nn.modules.activation.Tanh'"),
    ({"module_input_name": "sentence_embedding"}, "unsupported_model", "a Dense module over 'sentence_embedding'"),
    ({"twice": True}, "unsupported_model", "modules.json' lists two Dense modules"),
    ({"path": "../1_Dense"}, "bad_checkpoint", "the path of a module is '../1_Dense'"),
    ({"path": "2_Dense"}, "bad_checkpoint", "2_Dense/config.json"),
])
def test_a_module_that_is_more_than_a_projection_is_refused(st_late, change, code, words, tmp_path):
    modules_edit(st_late, **change)

    said = refused(st_late, "-o", tmp_path / "out")

    assert f"({code})" in said and words in said


def test_both_outputs_are_compared_and_told(tmp_path):
    out = tmp_path / "out"

    check_every_graph(HERE / "neomme-tiny", out)

    report = json.loads((out / "parity.json").read_text())
    facts = json.loads((out / "manifest.json").read_text())["additional_metadata"]
    assert all(set(case["outputs"]) == {"dense_embeddings"} for case in report["cases"])
    assert report["outputs"]["dense_embeddings"]["worst"]["max_abs"] <= MAX_ABS
    assert report["outputs"] == facts["parity"]["outputs"]
    assert facts["graphs"]["text"]["outputs"] == {"embeddings": {"type": "f32", "shape": "[batch, sequence, 24]"},
                                                  "dense_embeddings": {"type": "f32", "shape": "[batch, 36]"}}
    assert "| `dense_embeddings` | difference 1.0e-05" in (out / "README.md").read_text()
    assert re.search(r"^dense_embeddings +max abs", run("colconvctl", "inspect", out).stdout, re.M)
    assert "output dense_embeddings: max abs" in run("colconvctl", "parity", out / "parity.json").stdout


def test_a_wrong_second_output_fails(tmp_path):
    case = tensors.read(HERE / "neomme-tiny/case-text-batch.safetensors")
    kind, shape, data = case["out.dense_embeddings"]
    tensors.write(tmp_path / "case-wrong.safetensors", {**case, "out.dense_embeddings": (kind, shape, struct.pack("<f", 0.5) + data[4:])})

    done = subprocess.run([BIN / "colconvctl", "convert", HERE / "neomme-tiny", "-o", tmp_path / "out", "--variants", "text", "--reference",
                           tmp_path / "case-wrong.safetensors"], capture_output=True, text=True, timeout=100)

    assert done.returncode == 10 and "the output 'dense_embeddings': max abs" in done.stderr


def test_a_vector_for_each_row_alone(tmp_path):
    run("colconvctl", "convert", HERE / "neomme-tiny", "-o", tmp_path / "out", "--variants", "text", "--head", "mean", "--target", "ort")
    case = tensors.read(HERE / "neomme-tiny/case-text-batch.safetensors")
    case["out.embedding"] = case.pop("out.dense_embeddings")
    del case["out.embeddings"]
    tensors.write(tmp_path / "case-text.safetensors", case)

    done = subprocess.run([BIN / "colconv-parity", "--model", f"text={tmp_path / 'out/text.onnx'}", "--case", tmp_path / "case-text.safetensors",
                           "--max-abs", str(MAX_ABS)], capture_output=True, text=True, timeout=100)

    assert done.returncode == 0, done.stdout + done.stderr
    assert list(json.loads((tmp_path / "out/manifest.json").read_text())["additional_metadata"]["graphs"]["text"]["outputs"]) == ["embedding"]


def test_a_program_for_one_output_gets_one(tmp_path):
    run("colconvctl", "convert", HERE / "neomme-tiny", "-o", tmp_path / "out", "--profile", "fastembed", "--no-parity")

    graphs = json.loads((tmp_path / "out/manifest.json").read_text())["additional_metadata"]["graphs"]
    assert list(graphs["unified"]["outputs"]) == ["embeddings"]


@pytest.mark.parametrize("change, guard", [
    ("a word for a patch", "image_tokens_must_match_image_features"),
    ("a patch and an end of a row change places", "a_page_must_be_one_grid_of_patches_in_a_row_of_its_own"),
    ("a word behind the page", "a_page_must_be_one_grid_of_patches_in_a_row_of_its_own"),
])
def test_a_row_that_is_no_page_fails(change, guard, tmp_path):
    """Positions follow from the ids; made-up ones would give wrong vectors without an error."""
    run("colconvctl", "convert", HERE / "neomme-tiny", "-o", tmp_path / "out", "--variants", "image", "--no-parity")
    case = tensors.read(HERE / "neomme-tiny/case-image-wide.safetensors")
    (rows, width), ids = case["in.input_ids"][1], list(struct.unpack("<52q", case["in.input_ids"][2]))
    mask = list(struct.unpack("<52q", case["in.attention_mask"][2]))
    assert (rows, width, sum(mask[:width])) == (2, 26, 16)  # a page of 1 x 13 with padding behind it, and one of 12 x 1
    if change == "a word for a patch":
        ids[width + 4] = 3
    elif change == "a patch and an end of a row change places":
        ids[width + 6], ids[width + 7] = ids[width + 7], ids[width + 6]
    else:
        mask[16] = 1
        case["in.attention_mask"] = (*case["in.attention_mask"][:2], struct.pack(f"<{len(mask)}q", *mask))
    case["in.input_ids"] = (*case["in.input_ids"][:2], struct.pack(f"<{len(ids)}q", *ids))
    tensors.write(tmp_path / "case-image.safetensors", case)

    done = subprocess.run([BIN / "colconv-parity", "--model", f"image={tmp_path / 'out/image.onnx'}", "--case", tmp_path / "case-image.safetensors"],
                          capture_output=True, text=True, timeout=100)

    assert done.returncode == 10 and guard in done.stdout, done.stdout + done.stderr


@pytest.fixture
def whole(make_checkpoint):
    """A whole Qwen2.5-Omni, with tensors of the parts that speak; their names are those of a decoder, behind a prefix."""
    folder = make_checkpoint("colqwen_omni-tiny", "whole")
    weights = tensors.read(folder / "model.safetensors")
    nan = b"\xff\xff\xff\xff"
    more = {"talker.model.layers.0.self_attn.q_proj.weight": [3, 2], "talker.model.norm.weight": [2], "thinker.lm_head.weight": [4, 2],
            "token2wav.code2wav_dit_model.norm_out.linear.weight": [2, 2], "talker.thinker_to_talker_proj.weight": [2, 48]}
    more = {name: ("F32", shape, nan * (shape[0] * (shape[1:] or [1])[0])) for name, shape in more.items()}
    listens = {name: (x[0], x[1], nan * (len(x[2]) // 4)) for name, x in weights.items() if "audio_tower" in name}
    assert listens
    tensors.write(folder / "model.safetensors", {**weights, **listens, **more})
    return folder


def test_parts_that_listen_and_speak_are_left_out(whole, tmp_path):
    check_every_graph(whole, tmp_path / "out")


def test_a_whole_omni_without_a_projection_is_refused(whole, tmp_path):
    weights = tensors.read(whole / "model.safetensors")
    tensors.write(whole / "model.safetensors", {name: x for name, x in weights.items() if "custom_text_proj" not in name})

    words = refused(whole, "-o", tmp_path / "out")

    assert "(bad_checkpoint)" in words and "custom_text_proj" in words


def test_ids_of_sounds_and_videos_are_refused(tmp_path):
    """The class takes them with inputs that no graph has."""
    golden, out = HERE / "colqwen_omni-tiny", tmp_path / "out"
    run("colconvctl", "convert", golden, "-o", out, "--variants", "text,image,unified", "--no-parity")
    case = tensors.read(golden / "case-text-right-padded.safetensors")
    config = json.loads((golden / "config.json").read_text())
    dtype, shape, data = case["in.input_ids"]
    for key, place in (("audio_token_index", 0), ("video_token_index", 1), ("audio_token_index", shape[1] - 1)):
        ids = array.array("q", data)
        ids[place] = config[key]
        tensors.write(tmp_path / "case.safetensors", {**case, "in.input_ids": (dtype, shape, ids.tobytes())})
        done = subprocess.run([BIN / "colconv-parity", "--model", f"text={out / 'text.onnx'}", "--case", tmp_path / "case.safetensors"],
                              capture_output=True, text=True, timeout=100)
        masked = not array.array("q", case["in.attention_mask"][2])[place]
        assert (done.returncode == 0) == masked, done.stderr
        assert masked or "audio_and_video_tokens_are_not_supported" in done.stderr


@pytest.mark.parametrize("name", ["colqwen_omni-tiny", "collfm2-tiny"])
def test_padding_of_images_may_be_anything(name, tmp_path):
    """The patches behind those of an image hold NaN, and no token of the batch sees them."""
    golden, out = HERE / name, tmp_path / "out"
    padded = 0
    for path in sorted(golden.glob("case-image-*.safetensors")):
        case = tensors.read(path)
        dtype, (images, patches, features), data = case["in.pixel_values"]
        grid = array.array("q", case["in.image_grid_thw" if "in.image_grid_thw" in case else "in.spatial_shapes"][2])
        axes = len(grid) // images
        pixels = array.array("f", data)
        for i in range(images):
            height, width = grid[axes * i + axes - 2:axes * (i + 1)]
            first, end = (i * patches + height * width) * features, (i + 1) * patches * features
            pixels[first:end] = array.array("f", [float("nan")] * (end - first))
            padded += end - first
        (tmp_path / "cases").mkdir(exist_ok=True)
        tensors.write(tmp_path / "cases" / path.name, {**case, "in.pixel_values": (dtype, [images, patches, features], pixels.tobytes())})
    assert padded > 1000
    run("colconvctl", "convert", golden, "-o", out, "--variants", "image,unified", "--no-parity")
    for variant, file in (("image", "image.onnx"), ("unified", "model.onnx")):
        run("colconv-parity", "--model", f"{variant}={out / file}", "--cases", tmp_path / "cases", "--max-abs", str(MAX_ABS))


@pytest.mark.parametrize("shape, error", [
    ([3, 8], "spatial_shapes_must_fit_pixel_values"), ([4, 5], "spatial_shapes_must_fit_pixel_values"),
    ([0, 6], "spatial_shapes_must_fit_pixel_values"), ([-2, 12], "spatial_shapes_must_fit_pixel_values"),
    ([2, 34], "spatial_shapes_must_fit_pixel_values"), ([1 << 62, 4], "spatial_shapes_must_fit_pixel_values"),
    ([4, 8], "image_tokens_must_match_image_features"), ([2, 12], None), ([6, 4], None)])
def test_shapes_of_images_that_do_not_fit_are_refused(shape, error, tmp_path):
    """The page has 6 tokens, which is 24 of the 64 patches."""
    run("colconvctl", "convert", HERE / "collfm2-tiny", "-o", tmp_path / "out", "--variants", "image", "--no-parity")
    case = tensors.read(HERE / "collfm2-tiny/case-image-one.safetensors")
    case["in.spatial_shapes"] = ("I64", [1, 2], array.array("q", shape).tobytes())
    tensors.write(tmp_path / "case.safetensors", case)

    done = subprocess.run([BIN / "colconv-parity", "--model", f"image={tmp_path / 'out/image.onnx'}", "--case", tmp_path / "case.safetensors",
                           "--max-abs", "9", "--min-cosine", "-1"], capture_output=True, text=True, timeout=100)

    assert (done.returncode == 0) == (error is None), done.stderr
    assert error is None or error in done.stderr


FIT, COUNT = "image_sizes_must_fit_pixel_values", "image_tokens_must_match_image_features"
APART = "images_must_not_continue_in_another_row|each_row_must_have_the_tokens_of_one_image"


@pytest.mark.parametrize("name, case, sizes, error", [
    # 16 x 24 pixels, tokens of 8 x 8
    *(("colministral3", "one", sizes, FIT) for sizes in ([24, 24], [16, 32], [16, 20], [0, 24], [-16, 24], [16, 1 << 62])),
    ("colministral3", "one", [16, 16], COUNT), ("colministral3", "one", [16, 24], None),
    ("colministral3", "right-padded", [16, 40, 24, 16], APART),  # as many tokens, each image with those of the other one
    # room for 6 tiles of 13 x 13 and the whole page; 3 of them in the tall one
    *(("granitevisionemb", "one", sizes, FIT) for sizes in ([0, 30], [24, -30], [24, 1 << 62])), ("granitevisionemb", "tall", [24, 30], FIT),
    ("granitevisionemb", "one", [99, 8], COUNT), ("granitevisionemb", "one", [24, 30], None),
    ("granitevisionemb", "one", [24, 27], None),  # as many, in 2 x 3 tiles: 2 x 2 hold it as 23 x 26 whole pixels
    ("granitevisionemb", "batch", [384, 768, 497, 384, 20, 24], APART),
])
def test_sizes_of_images_that_do_not_fit_are_refused(name, case, sizes, error, tmp_path):
    golden = HERE / f"{name}-tiny"
    case = tensors.read(golden / f"case-image-{case}.safetensors")
    case["in.image_sizes"] = ("I64", [len(sizes) // 2, 2], array.array("q", sizes).tobytes())
    tensors.write(tmp_path / "case.safetensors", case)
    run("colconvctl", "convert", golden, "-o", tmp_path / "out", "--variants", "image", "--no-parity")

    done = subprocess.run([BIN / "colconv-parity", "--model", f"image={tmp_path / 'out/image.onnx'}", "--case", tmp_path / "case.safetensors"],
                          capture_output=True, text=True, timeout=100)

    assert (done.returncode == 0) == (error is None), done.stderr
    assert error is None or re.search(error, done.stderr), done.stderr


def test_a_grid_is_the_one_that_leaves_the_fewest_pixels_empty(tmp_path):
    """One of the pages is so small that two grids hold all its pixels: the smaller one counts, although it comes later in this file."""
    folder = pathlib.Path(shutil.copytree(HERE / "granitevisionemb-tiny", tmp_path / "checkpoint", ignore=shutil.ignore_patterns("case-*")))
    config = json.loads((folder / "config.json").read_text())
    config["image_grid_pinpoints"].reverse()
    (folder / "config.json").write_text(json.dumps(config))
    run("colconvctl", "convert", folder, "-o", tmp_path / "out", "--variants", "image", "--no-parity")

    run("colconv-parity", "--model", f"image={tmp_path / 'out/image.onnx'}", "--case", HERE / "granitevisionemb-tiny/case-image-batch.safetensors",
        "--max-abs", str(MAX_ABS))


def padding_of(name, case):
    """The places in pixel_values that are padding: beyond an image's own size, or of missing tiles, which are zero."""
    dtype, shape, data = case["in.pixel_values"]
    pixels = array.array("f", data)
    if name.startswith("granite"):
        tile = len(pixels) // (shape[0] * shape[1])
        return [i for first in range(0, len(pixels), tile) if not any(pixels[first:first + tile]) for i in range(first, first + tile)]
    _, channels, height, width = shape
    sizes = array.array("q", case["in.image_sizes"][2])
    return [((image * channels + channel) * height + y) * width + x for image in range(shape[0]) for channel in range(channels)
            for y in range(height) for x in range(width) if y >= sizes[2 * image] or x >= sizes[2 * image + 1]]


@pytest.mark.parametrize("name", ["colministral3-tiny", "granitevisionemb-tiny"])
def test_padding_around_images_may_be_anything(name, tmp_path):
    (tmp_path / "cases").mkdir()
    padded = 0
    for path in sorted((HERE / name).glob("case-image-*.safetensors")):
        case = tensors.read(path)
        dtype, shape, data = case["in.pixel_values"]
        pixels = array.array("f", data)
        for place in padding_of(name, case):
            pixels[place] = float("nan")
            padded += 1
        tensors.write(tmp_path / "cases" / path.name, {**case, "in.pixel_values": (dtype, shape, pixels.tobytes())})
    assert padded > 1000

    run("colconvctl", "convert", HERE / name, "-o", tmp_path / "out", "--variants", "image,unified", "--no-parity")

    for variant, file in (("image", "image.onnx"), ("unified", "model.onnx")):
        run("colconv-parity", "--model", f"{variant}={tmp_path / 'out' / file}", "--cases", tmp_path / "cases", "--max-abs", str(MAX_ABS))


def test_a_pickled_projection_is_refused_by_its_name(make_checkpoint, tmp_path):
    folder = make_checkpoint("collfm2-tiny", "sauerkraut")
    weights = tensors.read(folder / "model.safetensors")
    tensors.write(folder / "model.safetensors", {name: x for name, x in weights.items() if "custom_text_proj" not in name})

    assert "there is no projection" in refused(folder, "-o", tmp_path / "out")

    (folder / "collfm2_projection.pt").write_bytes(b"PK")
    words = refused(folder, "-o", tmp_path / "out")

    assert "(unsupported_model)" in words and "collfm2_projection.pt" in words and "model.safetensors" in words


def adapter_make(checkpoint, folder, modules, path):
    """An adapter of rank 1 for these modules of every layer and for the projection, and the checkpoint with it merged. All products are exact."""
    (folder / "adapter").mkdir()
    shutil.copytree(checkpoint, folder / "merged", ignore=shutil.ignore_patterns("case-*"))
    weights, lora = tensors.read(checkpoint / "model.safetensors"), {}
    for name, (dtype, shape, data) in list(weights.items()):
        layer = re.search(r"language_model\..*(layers\.\d+\.\S+)\.weight$", name)
        if not (layer and layer[1].endswith(modules)) and name != "custom_text_proj.weight":
            continue
        rows, cols = shape
        a = array.array("f", [(k % 7 - 3) / 8 for k in range(cols)])
        b = array.array("f", [(k % 5 - 2) / 16 for k in range(rows)])
        at = f"base_model.model.{path}{layer[1]}" if layer else "base_model.model.custom_text_proj"
        lora[f"{at}.lora_A.weight"], lora[f"{at}.lora_B.weight"] = ("F32", [1, cols], a.tobytes()), ("F32", [rows, 1], b.tobytes())
        w = array.array("f", data)
        weights[name] = dtype, shape, array.array("f", [w[r * cols + c] + 1.5 * b[r] * a[c] for r in range(rows) for c in range(cols)]).tobytes()
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 1.5, "target_modules": list(modules), "base_model_name_or_path": "nobody/base"}
    (folder / "adapter/adapter_config.json").write_text(json.dumps(config))
    tensors.write(folder / "adapter/adapter_model.safetensors", lora)
    tensors.write(folder / "merged/model.safetensors", weights)
    return folder / "adapter", folder / "merged"


@pytest.mark.parametrize("name, path", [("colministral3-tiny", "model.language_model."), ("granitevisionemb-tiny", "model.language_model.model.")])
def test_an_adapter_gives_the_weights_of_the_merged_model(name, path, tmp_path):
    adapter, merged = adapter_make(HERE / name, tmp_path, ("q_proj", "o_proj", "down_proj"), path)
    written = {}
    for what, argv in {"base": [HERE / name], "merged": [merged], "adapter": [adapter, "--base", HERE / name]}.items():
        run("colconvctl", "convert", *argv, "-o", tmp_path / f"out-{what}", "--variants", "text,image")
        written[what] = (tmp_path / f"out-{what}/model.onnx_data").read_bytes()

    assert written["adapter"] == written["merged"] != written["base"]


@pytest.mark.parametrize("name, changed, expected", [
    ("granitevisionemb-tiny", {"text_config.rms_norm_eps": 3e-5, "vision_config.layer_norm_eps": 2e-4}, {"lm": 3e-5, "vis": 2e-4}),
    ("colministral3-tiny", {"text_config.rms_norm_eps": 3e-5}, {"lm": 3e-5, "mmproj": 3e-5, "vis": 1e-5}),
    ("neomme-tiny", {"norm_eps": 3e-5}, {"lm": 3e-5, "patches": 1e-5}),
])
def test_norms_have_the_epsilon_of_their_part(name, changed, expected, tmp_path):
    """The states of golden cases are so large that a wrong epsilon hardly shows in the embeddings."""
    folder = pathlib.Path(shutil.copytree(HERE / name, tmp_path / "checkpoint", ignore=shutil.ignore_patterns("case-*")))
    config = json.loads((folder / "config.json").read_text())
    for path, epsilon in changed.items():
        *parts, key = path.split(".")
        (config[parts[0]] if parts else config)[key] = epsilon
    (folder / "config.json").write_text(json.dumps(config))

    graph = run("colconv-worker", "--dump", "image", folder).stdout

    norms = re.findall(r"^(\w+)\.\S+ = (?:rms|layer)_norm\(.+, (\S+)\) ", graph, re.M)
    assert len(norms) == len(re.findall(r" = (?:rms|layer)_norm\(", graph))
    assert {part: {float(epsilon) for own, epsilon in norms if own == part} for part, _ in norms} == {part: {x} for part, x in expected.items()}


def yarn(whole):
    """The frequencies of 16 elements with theta 1e6, trained for 16384 tokens and stretched 4 times; `whole`: between whole limits."""
    low, high = (16 * math.log(16384 / (turns * 2 * math.pi)) / (2 * math.log(1e6)) for turns in (32, 1))
    if whole:
        low, high = math.floor(low), math.ceil(high)
    plain, slow = [1e6 ** (-k / 8) for k in range(8)], [min(max((k - low) / (high - low), 0), 1) for k in range(8)]
    return [x * (1 - share + share / 4) for x, share in zip(plain, slow)]


@pytest.mark.parametrize("changed, whole", [({}, True), ({"truncate": True}, True), ({"truncate": False}, False)])
def test_the_frequencies_of_a_long_text(changed, whole, tmp_path):
    """The golden checkpoint is trained for so few tokens that both limits are at the first frequency, whole or not."""
    folder = pathlib.Path(shutil.copytree(HERE / "colministral3-tiny", tmp_path / "checkpoint", ignore=shutil.ignore_patterns("case-*")))
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["rope_parameters"].update(original_max_position_embeddings=16384, **changed)
    (folder / "config.json").write_text(json.dumps(config))
    run("colconvctl", "convert", folder, "-o", tmp_path / "out", "--variants", "text", "--no-parity")

    (numbers,) = re.findall(rb"rope\.inv_freqJ (.{32})", (tmp_path / "out/text.onnx").read_bytes(), re.S)

    assert struct.unpack("<8f", numbers) == pytest.approx(yarn(whole), rel=1e-5)


@pytest.fixture
def bare(make_checkpoint, tmp_path):
    """The plain Qwen2.5-VL under a retriever, and an adapter for it that also holds the retriever's additional tensors."""
    def make(whole):
        base, adapter = tmp_path / "plain", tmp_path / "adapter"
        shutil.copytree(make_checkpoint("colqwen2_5-tiny", "engine"), base, ignore=shutil.ignore_patterns("case-*"))
        shutil.copytree(HERE / "colqwen2_5-tiny-lora", adapter)
        config = json.loads((base / "config.json").read_text())
        (base / "config.json").write_text(json.dumps({**config, "architectures": ["Qwen2_5_VLForConditionalGeneration"]}))
        weights = tensors.read(base / "model.safetensors")
        head = {name: weights.pop(name) for name in list(weights) if name.startswith("custom_text_proj.")}
        tensors.write(base / "model.safetensors", weights)
        more = {f"base_model.model.{name.replace('proj.', 'proj.base_layer.')}": x for name, x in head.items() if whole}
        tensors.write(adapter / "adapter_model.safetensors", {**tensors.read(adapter / "adapter_model.safetensors"), **more})
        return base, adapter
    return make


def test_an_adapter_over_a_bare_backbone_brings_the_projection(bare, tmp_path):
    base, adapter = bare(whole=True)

    check_every_graph(adapter, tmp_path / "out", "--base", base)


def test_an_adapter_over_a_bare_backbone_without_the_projection_is_refused(bare, tmp_path):
    base, adapter = bare(whole=False)

    words = refused(adapter, "-o", tmp_path / "out", "--base", base)

    assert "(bad_checkpoint)" in words and "custom_text_proj" in words


@pytest.mark.parametrize("name, source", [("bigemma3-tiny", "colgemma3-tiny"), ("bipali-tiny", "colpali-tiny")])
def test_a_class_with_a_vector_for_each_row_has_the_weights_but_the_projection(name, source, tmp_path):
    checkpoint = tmp_path / name
    shutil.copytree(HERE / name, checkpoint)
    weights = tensors.read(HERE / source / "model.safetensors")
    tensors.write(checkpoint / "model.safetensors", {name: x for name, x in weights.items()
                                                      if not name.startswith(("custom_text_proj.", "embedding_proj_layer."))})

    check_every_graph(checkpoint, tmp_path / "out")


@pytest.fixture
def undeclared(tmp_path):
    """A checkpoint that was trained in both directions, and does not say so."""
    folder = tmp_path / "undeclared"
    shutil.copytree(HERE / "colqwen3_5-tiny-contract", folder)
    config = json.loads((folder / "config.json").read_text())
    del config["retrieval_attention_contract"]
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def facts_of(out):
    return json.loads((out / "manifest.json").read_text())["additional_metadata"]


def test_the_job_says_the_direction(undeclared, tmp_path):
    check_every_graph(undeclared, tmp_path / "out", "--mask-mode", "bidirectional", "--target", "ort")

    facts = facts_of(tmp_path / "out")
    assert facts["direction"] == {"value": "bidirectional", "how": "mask_mode"} and facts["warnings"] == []
    assert "A token attends to all tokens, by `mask_mode`." in (tmp_path / "out" / "README.md").read_text()


def test_a_guessed_direction_is_told_everywhere(undeclared, tmp_path):
    said = run("colconvctl", "convert", undeclared, "-o", tmp_path / "out", "--variants", "text").stderr

    (warning,) = facts_of(tmp_path / "out")["warnings"]
    assert facts_of(tmp_path / "out")["direction"] == {"value": "causal", "how": "guess"}
    for words in ("EVIE-8B", "webAI-ColVec1.1", "colqwen3.5-4.5B-v3", "--mask-mode bidirectional"):
        assert words in warning
    assert warning in said
    assert f"**Check this**: {warning}." in (tmp_path / "out" / "README.md").read_text()


def test_a_declared_direction_is_no_reason_to_warn(tmp_path):
    run("colconvctl", "convert", HERE / "colqwen3_5-tiny-contract", "-o", tmp_path / "out", "--variants", "text")

    facts = facts_of(tmp_path / "out")
    assert facts["direction"] == {"value": "bidirectional", "how": "retrieval_attention_contract"} and facts["warnings"] == []


def test_embeddings_are_cut_before_they_get_their_length(tmp_path):
    """To 16 of 26 numbers: those of the case, cut and scaled."""
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(HERE / "colqwen3_5-tiny-contract", checkpoint)
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps({**config, "head_dims": [16, 26]}))
    for path in checkpoint.glob("case-*.safetensors"):
        case = tensors.read(path)
        dtype, shape, data = case["out.embeddings"]
        numbers = array.array("f", data)
        rows = [numbers[i:i + 16] for i in range(0, len(numbers), shape[-1])]
        lengths = [sum(x * x for x in row) ** 0.5 or 1 for row in rows]
        cut = array.array("f", [x / length for row, length in zip(rows, lengths) for x in row])
        tensors.write(path, {**case, "out.embeddings": (dtype, [*shape[:-1], 16], cut.tobytes())})

    check_every_graph(checkpoint, tmp_path / "out", "--dim", "16")

    assert facts_of(tmp_path / "out")["dim"] == 16
    assert "dim must be one of 16, 26" in refused(checkpoint, "-o", tmp_path / "other", "--dim", "20")


def test_a_second_output_marks_the_vectors_of_a_document(tmp_path):
    cases = sorted((HERE / "pplx-late-tiny").glob("case-*.safetensors"))

    run("colconvctl", "convert", HERE / "pplx-late-tiny", "-o", tmp_path / "out", *[word for case in cases for word in ("--reference", case)])

    compared = [entry["outputs"]["mask_document"] for entry in json.loads((tmp_path / "out/parity.json").read_text())["cases"]]
    assert all(entry["differing"] == 0 for entry in compared)
    assert facts_of(tmp_path / "out")["graphs"]["text"]["outputs"]["mask_document"] == {"type": "bool", "shape": "[batch, sequence]"}
    masks = [tensors.read(case)["out.mask_document"][2] for case in cases]
    assert any(0 in mask for mask in masks)


@pytest.mark.parametrize("change, words", [
    ({"skiplist_tasks": ["query", "document"]}, "skiplist_tasks other than"),
    ({"keep_only_token_ids": [1]}, "keep_only_token_ids is not supported"),
])
def test_another_mask_of_tokens_is_refused(change, words, tmp_path):
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(HERE / "pplx-late-tiny", checkpoint)
    path = checkpoint / "2_MultiVectorMask/config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))

    assert words in refused(checkpoint, "-o", tmp_path / "out")


@pytest.mark.parametrize("name, words", [
    ("in_proj_qkvz", "as Qwen3-Next joins them"),
    ("in_proj_ba", "as Qwen3-Next joins them"),
])
def test_projections_that_are_joined_are_refused_by_name(name, words, tmp_path):
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(HERE / "colqwen3_5-tiny", checkpoint)
    weights = tensors.read(checkpoint / "model.safetensors")
    weights[f"language_model.layers.0.linear_attn.{name}.weight"] = weights.pop("language_model.layers.0.linear_attn.in_proj_a.weight")
    tensors.write(checkpoint / "model.safetensors", weights)

    said = refused(checkpoint, "-o", tmp_path / "out")
    assert f"linear_attn.{name}.weight" in said and words in said


def test_a_backbone_of_qwen3_5_without_a_projection_is_refused(tmp_path):
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(HERE / "colqwen3_5-tiny", checkpoint)
    weights = tensors.read(checkpoint / "model.safetensors")
    tensors.write(checkpoint / "model.safetensors", {k: v for k, v in weights.items() if not k.startswith("custom_text_proj.")})

    assert "there is no projection" in refused(checkpoint, "-o", tmp_path / "out")


def test_an_adapter_over_the_base_that_it_names(make_checkpoint, tmp_path):
    """base_model_name_or_path is colqwen2-tiny-engine, a folder beside the adapter's."""
    base = make_checkpoint("colqwen2-tiny", "engine")
    adapter = tmp_path / "adapter"
    shutil.copytree(HERE / "colqwen2-tiny-lora", adapter)

    check_every_graph(adapter, tmp_path / "out")

    assert source_of(tmp_path / "out")["base"]["path"] == str(base)


def refused(*args):
    done = subprocess.run([BIN / "colconvctl", "convert", *args], capture_output=True, text=True, timeout=100)
    assert done.returncode != 0
    return done.stderr


def check_cases(cases, checkpoint, out, *more):
    """Checks that the text graph gives the embeddings in the cases of a folder."""
    references = [word for case in sorted(cases.glob("case-text-*.safetensors")) for word in ("--reference", case)]
    assert references
    run("colconvctl", "convert", checkpoint, "-o", out, "--variants", "text", "--max-abs", str(MAX_ABS), *references, *more)


def test_a_width_that_is_not_the_projections_is_named_by_its_key(make_checkpoint, tmp_path):
    checkpoint = make_checkpoint("colqwen3-tiny", "tomoro")
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps({**config, "embed_dim": 8}))

    assert "config.json: embed_dim is 8 but the projection has 320 rows" in refused(checkpoint, "-o", tmp_path / "out")


@pytest.fixture
def both(tmp_path):
    """A folder that holds a model and an adapter for it."""
    folder = tmp_path / "both"
    shutil.copytree(HERE / "colqwen2-tiny", folder)
    for file in (HERE / "colqwen2-tiny-lora").glob("adapter_*"):
        shutil.copy(file, folder)
    return folder


def test_a_model_and_an_adapter_in_one_folder_are_refused_with_both_readings(both, tmp_path):
    words = refused(both, "-o", tmp_path / "out")

    assert "(bad_request)" in words and "--adapter merge" in words and "--adapter ignore" in words
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_an_adapter_is_merged_into_the_model_beside_it(both, tmp_path):
    check_cases(HERE / "colqwen2-tiny-lora", both, tmp_path / "out", "--adapter", "merge")

    source = source_of(tmp_path / "out")
    assert [f["name"] for f in source["weights"]] == ["adapter_model.safetensors"]
    assert source["base"]["path"] == str(both)


def test_an_adapter_beside_a_model_is_left_out(both, tmp_path):
    check_cases(HERE / "colqwen2-tiny", both, tmp_path / "out", "--adapter", "ignore")

    assert [f["name"] for f in source_of(tmp_path / "out")["weights"]] == ["model.safetensors"]


def test_an_adapter_beside_a_model_goes_over_the_base_that_is_given(both, tmp_path):
    check_cases(HERE / "colqwen2-tiny-lora", both, tmp_path / "out", "--base", HERE / "colqwen2-tiny")


def test_an_adapter_in_a_subfolder_over_a_base_beside_it(tmp_path):
    shutil.copytree(HERE / "colqwen2-tiny", tmp_path / "base")
    shutil.copytree(HERE / "colqwen2-tiny-lora", tmp_path / "run/checkpoint-500")
    config = tmp_path / "run/checkpoint-500/adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "base_model_name_or_path": "someone/base"}))

    check_cases(HERE / "colqwen2-tiny-lora", tmp_path / "run", tmp_path / "out")

    assert source_of(tmp_path / "out")["base"]["path"] == str(tmp_path / "base")


def test_a_pattern_that_a_backtracking_matcher_never_ends_takes_no_time(tmp_path):
    """Any public adapter can contain such a pattern. The ranks are 4, and nothing matches, because no path ends with "!"."""
    folder = tmp_path / "lora"
    shutil.copytree(HERE / "colqwen2-tiny-lora", folder)
    config = folder / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "rank_pattern": {"(.*)*" * 102 + "!": 5}}))

    run("colconvctl", "convert", folder, "--base", HERE / "colqwen2-tiny", "-o", tmp_path / "out", "--variants", "text", "--no-parity")


def test_arange_positions_are_those_of_a_call_without_any(tmp_path):
    run("colconvctl", "convert", HERE / "colqwen2-tiny", "-o", tmp_path / "out", "--variants", "image,unified",
        "--positions", "arange", "--json")

    cases = sorted((HERE / "colqwen2-tiny").glob("case-image-*.safetensors"))
    assert cases
    for variant, file in (("image", "image.onnx"), ("unified", "model.onnx")):
        run("colconv-parity", f"--model={variant}={tmp_path / 'out' / file}", "--expect", "embeddings_arange",
            "--max-abs", str(MAX_ABS), *[f"--case={case}" for case in cases])


def test_the_file_of_a_graph_for_fastembed_has_the_name_that_it_looks_for(tmp_path):
    run("colconvctl", "convert", HERE / "colmodernvbert-tiny", "-o", tmp_path / "out", "--profile", "fastembed", "--no-parity")

    assert {path.name for path in (tmp_path / "out").glob("*.onnx*")} == {"model_v2.onnx", "model.onnx_data"}
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["additional_metadata"]["graphs"]["unified"]["file"] == "model_v2.onnx"


def test_a_unified_graph_is_made_and_checked_alone(tmp_path):
    cases = sorted((HERE / "colpali-tiny").glob("case-*.safetensors"))

    run("colconvctl", "convert", HERE / "colpali-tiny", "-o", tmp_path / "out", "--variants", "unified",
        "--max-abs", str(MAX_ABS), "--json", *[word for case in cases for word in ("--reference", case)])

    assert [path.name for path in (tmp_path / "out").glob("*.onnx")] == ["model.onnx"]
    report = json.loads((tmp_path / "out" / "parity.json").read_text())
    assert {"text-batch", "image-three", "text-short-padded", "image-beside-text"} <= {c["name"] for c in report["cases"]}


@pytest.mark.parametrize("name", ["colqwen2-tiny", "colpali-tiny"])
def test_no_concat_joins_outputs_of_one_if(tmp_path, name):
    """OpenVINO 2025.4 and 2026.4 give wrong numbers for such a Concat; it belongs into both branches of the If."""
    run("colconvctl", "convert", HERE / name, "-o", tmp_path / "out", "--variants", "unified", "--no-parity")

    nodes = re.findall(r"^ *(\S.*) = (\w+)\((.*)\)", run("colconv-worker", "--dump-onnx", tmp_path / "out/model.onnx").stdout, re.M)
    made_by = {output: node for node, (outputs, op, _) in enumerate(nodes) if op == "If" for output in outputs.split(", ")}
    assert made_by
    for outputs, op, inputs in nodes:
        sources = [made_by[i] for i in inputs.split(", ") if i in made_by]
        assert op != "Concat" or len(sources) == len(set(sources)), outputs


def widen(pixels, shape, margin):
    """Images with additional bright pixels at the right and bottom."""
    images, channels, side, _ = shape
    wide = side + margin
    old, new = array.array("f", pixels), array.array("f", [7.0]) * (images * channels * wide * wide)
    for i in range(images * channels * side):
        at = (i // side * wide + i % side) * wide
        new[at:at + side] = old[i * side:(i + 1) * side]
    return new.tobytes(), [images, channels, wide, wide]


def widen_case(source, target, margin):
    data = source.read_bytes()
    (n,) = struct.unpack_from("<Q", data)
    header, body = json.loads(data[8:8 + n]), b""
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        content = data[8 + n + begin:8 + n + end]
        if name == "in.pixel_values":
            content, entry["shape"] = widen(content, entry["shape"], margin)
        entry["data_offsets"] = [len(body), len(body) + len(content)]
        body += content
    text = json.dumps(header).encode()
    target.write_bytes(struct.pack("<Q", len(text)) + text + body)


def test_pixels_that_fill_no_patch_are_left_out(tmp_path):
    """The original's convolution does the same: images of 60 pixels have as many patches of 14 pixels as images of 56."""
    checkpoint, case = tmp_path / "colpali", tmp_path / "case-image-three.safetensors"
    checkpoint.mkdir()
    shutil.copy(HERE / "colpali-tiny" / "model.safetensors", checkpoint)
    config = json.loads((HERE / "colpali-tiny" / "config.json").read_text())
    assert config["vlm_config"]["vision_config"]["image_size"] == 56
    config["vlm_config"]["vision_config"]["image_size"] = 60
    (checkpoint / "config.json").write_text(json.dumps(config))
    widen_case(HERE / "colpali-tiny" / case.name, case, margin=4)

    run("colconvctl", "convert", checkpoint, "-o", tmp_path / "out", "--variants", "image", "--max-abs", str(MAX_ABS),
        "--json", "--reference", case)
