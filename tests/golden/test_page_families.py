"""Graphs that take a picture, of the families that have no e2e folder: random weights, and the files of a tiny processor."""
import array
import json
import re
import shutil
import subprocess

import pytest

import tensors
from programs import BIN, BUILD
from test_page_graph import HERE, convert

IDS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
QWEN = {"image_token_id": 261, "video_token_id": 262, "vision_start_token_id": 259, "vision_end_token_id": 260}
GEMMA = {"image_token_index": 261, "boi_token_index": 259, "eoi_token_index": 260}
GEMMA_IDS = ["<pad>", "<bos>", "<start_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>", "<end_of_turn>"]
OMNI = {"image_token_index": 261, "video_token_index": 262, "vision_start_token_id": 259, "vision_end_token_id": 260}
OMNI_IDS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_bos|>", "<|vision_eos|>", "<|IMAGE|>", "<|VIDEO|>"]
# The family, the ids and sizes of its checkpoint, the processor's folder, what its tokens are called.
FAMILIES = {
    "colqwen2_5": (QWEN, "processor-colqwen2", IDS),
    "colqwen3_5": (QWEN, "processor-colqwen3", IDS),
    "jina_v4": (QWEN, "processor-colqwen2", IDS),
    "colqwen_omni": (OMNI, "processor-colqwen2", OMNI_IDS),
    "colmodernvbert": ({"image_token_id": 258, "vision.image_size": 32, "vision.patch_size": 8}, "processor-colmodernvbert", None),
    "collfm2": ({"image_token_id": 260, "vocab_size": 400}, "processor-collfm2", None),
    "colministral3": ({"image_token_id": 261}, "processor-colministral3", None),
    "colgemma3": (GEMMA, "processor-colgemma3", GEMMA_IDS),
    "neomme": ({"document_token_id": 258, "image_token_id": 259, "patch_size": 8}, "processor-neomme", None),
}
LIMITS = (64, -1, -1)  # of NeoMME's processor_config.json: longest side, fewest and most pixels; -1: none
# As the published one, where the message is longer.
TEMPLATE = "{%- if x %}\n{%- set default_system_message = 'It\\'s {today}.\\nRead [the] <page>.' %}\n{{- '[SYSTEM_PROMPT]' }}"
MESSAGE = "It's {today}.\nRead [the] <page>."


@pytest.fixture
def checkpoint(tmp_path):
    def make(family):
        sets, processor, names = FAMILIES[family]
        folder = tmp_path / family
        subprocess.run([BUILD / "tests/tools/mkcheckpoint", "--arch", family,
                        *(f"--set={key}={value}" for key, value in sets.items()), folder], check=True, capture_output=True)
        for config in (HERE / processor).glob("*processor_config.json"):
            shutil.copy(config, folder)
        source = HERE / processor / "tokenizer.json"
        tokenizer = json.loads((source if source.exists() else HERE / "processor-colqwen2/tokenizer.json").read_text())
        for token, name in zip(tokenizer["added_tokens"], names or []):
            token["content"] = name
        if family == "colministral3":
            shutil.copy(HERE / processor / "processor_config.json", folder)
            (folder / "chat_template.jinja").write_text(TEMPLATE)
            for name in ("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"):
                tokenizer["added_tokens"].append({**tokenizer["added_tokens"][-1], "id": tokenizer["added_tokens"][-1]["id"] + 1, "content": name})
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        return folder
    return make


def encode(tokenizer, text):
    """A token a byte, but for the special ones; bytes that are not printable stand behind the others from U+0100 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    chars = {b: chr(b) if b in printable else chr(256 + i) for i, b in enumerate([*[x for x in range(256) if x not in printable], *printable])}
    special = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    ids = []
    while text:
        name = next((name for name in special if text.startswith(name)), None)
        ids += [special[name]] if name else [tokenizer["model"]["vocab"][chars[b]] for b in text[0].encode()]
        text = text[len(name or text[0]):]
    return ids


def ids_wanted(family, folder, case):
    """The ids that the family's processor gives, of a picture of the case."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    if family == "colgemma3":  # as the chat template says it
        return encode(tokenizer, "<bos><bos><start_of_turn>user\n\n\n<start_of_image>" + "<image_soft_token>" * 4
                      + "<end_of_image>\n\nDescribe this image<end_of_turn>\n")
    if family == "colministral3":  # the golden data are of a template without a message, which would stand behind <s><s>
        ids = list(array.array("q", case["out.input_ids"][2]))
        return ids[:2] + encode(tokenizer, f"[SYSTEM_PROMPT]{MESSAGE}[/SYSTEM_PROMPT]") + ids[2:]
    ids = list(array.array("q", case["out.input_ids_engine" if "out.input_ids_engine" in case else "out.input_ids"][2]))
    if family == "colqwen_omni":
        return encode(tokenizer, "<|im_start|>system\nYou are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of "
                      "perceiving auditory and visual inputs, as well as generating text and speech.<|im_end|>\n<|im_start|>user\n"
                      "<|vision_bos|>" + "<|IMAGE|>" * ids.count(261) + "<|vision_eos|>Describe the content.<|im_end|>\n"
                      "<|im_start|>assistant\n")
    if family == "jina_v4":  # ends with a newline where ColQwen2.5 has <|endoftext|>
        assert ids[-1] == 256
        return ids[:-1] + encode(tokenizer, "\n")
    return ids


def cases_write(family, folder, cases, limits=LIMITS):
    cases.mkdir()
    for path in sorted((HERE / FAMILIES[family][1]).glob("case-*.safetensors")):
        case = tensors.read(path)
        if "in.image" not in case or "in.limits" in case and tuple(array.array("q", case["in.limits"][2])) != limits:
            continue
        ids = ids_wanted(family, folder, case)
        wanted = {"in.image": case["in.image"], "in.input_ids": ("I64", [1, len(ids)], array.array("q", ids).tobytes()),
                  "in.attention_mask": ("I64", [1, len(ids)], array.array("q", [1] * len(ids)).tobytes())}
        for name in ("image_grid_thw", "spatial_shapes", "image_sizes"):
            if f"out.{name}" in case:
                wanted[f"in.{name}"] = case[f"out.{name}"]
        if family == "neomme" and "out.pixel_values" in case:
            wanted["in.pixel_values"] = case["out.pixel_values"]
            wanted["in.grey_level"] = ("F32", [1], array.array("f", [1 / 127.5]).tobytes())
        if family == "colministral3":
            wanted["in.pixel_values"] = case["out.pixel_values"]
        tensors.write(cases / path.name, wanted)
    return len(list(cases.iterdir()))


def cases_run(n, out, tmp_path):
    """Returns how many cases there were."""
    report = tmp_path / "report.json"
    done = subprocess.run([BIN / "colconv-parity", "--model", f"preprocess={out / 'preprocess.onnx'}", "--cases", tmp_path / "cases",
                           "--output", report], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    entries = json.loads(report.read_text())["cases"]
    assert len(entries) == n and not any(entry.get("differing") for entry in entries)
    return n


@pytest.mark.parametrize("family", FAMILIES)
def test_pictures(family, checkpoint, tmp_path):
    folder, out = checkpoint(family), tmp_path / "artifact"
    done = convert(folder, out, "--variants", "image,preprocess,page")
    assert done.returncode == 0, done.stderr
    runs = {}
    for entry in json.loads((out / "parity.json").read_text())["cases"]:
        assert entry["passed"], entry
        runs.setdefault(entry["model"], []).append(entry)
    assert runs["page"] and all(entry["samples"] > 100 and entry["differing"] == 0 for entry in runs["preprocess"])

    assert cases_run(cases_write(family, folder, tmp_path / "cases"), out, tmp_path) >= 2


def test_ids_of_another_prompt_are_seen(checkpoint, tmp_path):
    folder, out = checkpoint("colgemma3"), tmp_path / "artifact"
    assert convert(folder, out, "--variants", "preprocess", "--no-parity").returncode == 0
    cases_write("colgemma3", folder, tmp_path / "cases")
    path = sorted((tmp_path / "cases").iterdir())[0]
    case = tensors.read(path)
    dtype, shape, ids = case["in.input_ids"]
    tensors.write(path, {**case, "in.input_ids": (dtype, shape, ids[:-8] + bytes(8))})
    done = subprocess.run([BIN / "colconv-parity", "--model", f"preprocess={out / 'preprocess.onnx'}", "--cases", tmp_path / "cases"],
                          capture_output=True, text=True, timeout=100)
    assert done.returncode == 10 and "the output 'input_ids' differs from in.input_ids" in done.stderr


def test_pictures_that_are_cut_are_refused(checkpoint, tmp_path):
    folder = checkpoint("colgemma3")
    config = folder / "preprocessor_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "do_pan_and_scan": True}))
    done = convert(folder, tmp_path / "artifact", "--variants", "page")
    assert done.returncode != 0 and "do_pan_and_scan true is not supported" in done.stderr


def test_the_message_of_the_template_is_in_the_manifest(checkpoint, tmp_path):
    """Without a graph that takes a picture, colconvctl makes the inputs by the manifest."""
    folder, made = checkpoint("colministral3"), []
    (folder / "chat_template.jinja").unlink()
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE}))
    for variant in ("image", "page"):
        out = tmp_path / variant
        done = convert(folder, out, "--variants", variant, "--no-parity")
        assert done.returncode == 0, done.stderr
        prompt = json.loads((out / "manifest.json").read_text())["additional_metadata"]["processing"]["prompt"]["document"]
        assert prompt == f"<s><s>[SYSTEM_PROMPT]{MESSAGE}[/SYSTEM_PROMPT][INST]{{image}}[/INST]"
        done = subprocess.run([BIN / "colconvctl", "embed", out, "--image", HERE / "e2e-colqwen2/page-0.png"], capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        made.append(json.loads(done.stdout)["items"][0]["embeddings"])
    assert len(made[0]) == len(made[1]) > 40
    assert max(abs(a - b) for rows in zip(*made) for a, b in zip(*rows)) < 1e-5


def test_a_message_that_is_not_known_is_in_no_manifest(tmp_path):
    done = convert(HERE / "colministral3-tiny", tmp_path / "artifact", "--variants", "text,image", "--no-parity")
    assert done.returncode == 0, done.stderr
    processing = json.loads((tmp_path / "artifact/manifest.json").read_text())["additional_metadata"]["processing"]
    assert processing["prompt"]["document"] is None and processing["prompts"] == [processing["prompt"]] and processing["page"] is None
    assert "{system}" not in (tmp_path / "artifact/README.md").read_text() + (tmp_path / "artifact/manifest.json").read_text()


def test_a_family_without_pages_says_why(tmp_path):
    done = convert(HERE / "granitevisionemb-tiny", tmp_path / "artifact", "--variants", "text,page")
    assert done.returncode != 0
    assert "Granite Vision Embedding has no graph 'page': how its processor resizes a picture before it cuts it into tiles is not public" in done.stderr


@pytest.mark.parametrize("limits, n", [((40, -1, -1), 1), ((72, 100, 3000), 1), ((-1, 64, 900), 1), ((-1, 700, 4000), 1), ((-1, -1, -1), 3)])
def test_limits_of_a_page(limits, n, checkpoint, tmp_path):
    """NeoMME keeps a picture's size unless processor_config.json has limits, each of which may be missing."""
    folder, out = checkpoint("neomme"), tmp_path / "artifact"
    side, least, most = limits
    config = json.loads((folder / "processor_config.json").read_text())
    config["image_processor"]["max_side"] = side if side > 0 else None
    config["image_processor"]["size"] = {"min_pixels": least, "max_pixels": most} if least > 0 else None
    (folder / "processor_config.json").write_text(json.dumps(config))
    assert convert(folder, out, "--variants", "preprocess", "--no-parity").returncode == 0
    assert cases_run(cases_write("neomme", folder, tmp_path / "cases", limits), out, tmp_path) == n


@pytest.mark.parametrize("change, words", [
    ({"patch_size": 16}, "it gives 768 numbers a patch where config.json has 192"),
    ({"size": {"longest_edge": 64}}, "size.longest_edge is not supported, only size.min_pixels and size.max_pixels are"),
])
def test_a_processor_that_does_not_fit(change, words, checkpoint, tmp_path):
    folder = checkpoint("neomme")
    config = json.loads((folder / "processor_config.json").read_text())
    config["image_processor"].update(change)
    (folder / "processor_config.json").write_text(json.dumps(config))
    done = convert(folder, tmp_path / "artifact", "--variants", "page")
    assert done.returncode != 0 and words in done.stderr


def test_a_page_without_ends_of_rows_is_refused(checkpoint, tmp_path):
    folder = checkpoint("neomme")
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace("<row>", "<line>"))
    done = convert(folder, tmp_path / "artifact", "--variants", "page")
    assert done.returncode != 0 and "tokenizer.json has no token '<row>', which the prompt needs" in done.stderr


def test_another_mark_of_a_page_is_refused(checkpoint, tmp_path):
    folder = checkpoint("neomme")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "document_token_id": 3}))
    done = convert(folder, tmp_path / "artifact", "--variants", "page")
    assert done.returncode != 0 and "tokenizer.json puts the ids 258 and -1 around an image, config.json 3 and -1" in done.stderr


def queries(artifact):
    done = subprocess.run([BIN / "colconvctl", "embed", artifact, "--query", "a table of rates", "--query", "x"], capture_output=True, text=True,
                          timeout=100)
    assert done.returncode == 0, done.stderr
    return [item["embedding"] for item in json.loads(done.stdout)["items"]]


def test_a_row_is_cut_before_it_gets_its_length(tmp_path):
    """NeoMME's vector for each row, to 128 of 160 numbers; those of tokens stay as they are."""
    folder = tmp_path / "checkpoint"
    subprocess.run([BUILD / "tests/tools/mkcheckpoint", "--arch", "neomme", "--set=hidden_size=160", folder], check=True, capture_output=True)
    shutil.copy(HERE / "processor-neomme/tokenizer.json", folder)
    for name, more in (("whole", ["--head", "mean"]), ("cut", ["--head", "mean", "--dim", "128"]), ("both", ["--dim", "128"])):
        done = convert(folder, tmp_path / name, "--variants", "text", *more)
        assert done.returncode == 0, done.stderr
    for whole, cut in zip(queries(tmp_path / "whole"), queries(tmp_path / "cut")):
        length = sum(x * x for x in whole[:128]) ** 0.5
        assert length < 0.99 and cut == pytest.approx([x / length for x in whole[:128]], abs=1e-6)
    facts = json.loads((tmp_path / "both/manifest.json").read_text())["additional_metadata"]
    assert {name: x["shape"] for name, x in facts["graphs"]["text"]["outputs"].items()} == \
        {"embeddings": "[batch, sequence, 24]", "dense_embeddings": "[batch, 128]"}


@pytest.mark.parametrize("checkpoint_name, dim, words", [
    (None, "100", "dim must be one of 128, 160 for this checkpoint, not 100"),
    ("neomme-tiny", "16", "dim 16: this checkpoint's embeddings have 36 numbers, and nothing in its config.json says that they may be cut"),
])
def test_other_widths_are_refused(checkpoint_name, dim, words, tmp_path):
    folder = HERE / checkpoint_name if checkpoint_name else tmp_path / "checkpoint"
    if not checkpoint_name:
        subprocess.run([BUILD / "tests/tools/mkcheckpoint", "--arch", "neomme", "--set=hidden_size=160", folder], check=True, capture_output=True)
    done = convert(folder, tmp_path / "artifact", "--variants", "text", "--dim", dim)
    assert done.returncode != 0 and words in done.stderr


PAGE_IDS = {"<pad>": 150, "<doc>": 151, "<img>": 152, "<row>": 153, "<query>": 154, "<mask>": 155}


@pytest.fixture
def with_pages(tmp_path):
    """neomme-tiny, which has no processor, with one whose ids and patches are its own."""
    folder = shutil.copytree(HERE / "neomme-tiny", tmp_path / "checkpoint")
    tokenizer = json.loads((HERE / "processor-neomme/tokenizer.json").read_text())
    tokenizer["model"]["vocab"] = {text: n for text, n in tokenizer["model"]["vocab"].items() if n < 150}
    for token in tokenizer["added_tokens"]:
        token["id"] = PAGE_IDS[token["content"]]
    tokenizer["added_tokens"].sort(key=lambda token: token["id"])
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    config = json.loads((HERE / "processor-neomme/processor_config.json").read_text())
    config["image_processor"].update(patch_size=5, max_side=None)
    (folder / "processor_config.json").write_text(json.dumps(config))
    return folder


def page_differences(out, report):
    """The worst of each page, of its tokens and of its row."""
    done = subprocess.run([BIN / "colconv-parity", "--model", f"page={out / 'page.onnx'}", "--cases", HERE / "pages-neomme", "--max-abs", "1e-5",
                           "--output", report], capture_output=True, text=True, timeout=100)
    entries = json.loads(report.read_text())["cases"]
    assert (done.returncode == 0) == all(entry["passed"] for entry in entries), done.stdout + done.stderr
    return {entry["name"]: max(entry["max_abs"], entry["outputs"]["dense_embeddings"]["max_abs"]) for entry in entries}


def test_a_blank_page(with_pages, tmp_path):
    """A white page, white with black on two sides, grey levels that differ by one, and a page with text: as the original embeds them."""
    out = tmp_path / "artifact"
    assert convert(with_pages, out, "--variants", "page", "--no-parity").returncode == 0
    worst = page_differences(out, tmp_path / "report.json")
    assert set(worst) == {"page-white", "page-white-whole", "page-flat", "page-text"} and all(x <= 1e-5 for x in worst.values()), worst


def test_a_call_may_leave_out_the_patches(tmp_path):
    """Their number is the first size of pixel_values, where other families have the images."""
    out = tmp_path / "artifact"
    assert convert(HERE / "neomme-tiny", out, "--profile", "sentence-transformers", "--no-parity").returncode == 0
    dump = subprocess.run([BIN / "colconv-worker", "--dump-onnx", out / "onnx/model.onnx"], capture_output=True, text=True, timeout=100).stdout
    assert re.search(r"^initializer pixel_values +FLOAT \[0, 75\]", dump, re.M), [line for line in dump.splitlines() if "pixel_values" in line]


def test_pages_are_embedded(with_pages, tmp_path):
    """Prepared in C for the graph that takes patches, and by the graph that takes the picture."""
    found = []
    for variants in ("text,image", "text,page"):
        out = tmp_path / variants
        assert convert(with_pages, out, "--variants", variants, "--no-parity").returncode == 0
        done = subprocess.run([BIN / "colconvctl", "embed", out, "--image", HERE / "e2e-colqwen2/page-0.png"], capture_output=True, text=True,
                              timeout=100)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout)["items"][0]["embeddings"])
    assert len(found[0]) == len(found[1]) > 100
    assert max(abs(a - b) for x, y in zip(*found) for a, b in zip(x, y)) <= 1e-5


@pytest.mark.parametrize("change, words", [
    (lambda folder: (folder / "chat_template.jinja").write_text("{{ bos_token }}"), "no chat_template.jinja that sets default_system_message"),
    (lambda folder: (folder / "chat_template.jinja").write_text("{%- set default_system_message = 'x"), "no chat_template.jinja that sets"),
    (lambda folder: (folder / "processor_config.json").write_text('{"patch_size": 4, "spatial_merge_size": 3}'),
     "a token has 12 pixels a side in processor_config.json (patch_size * spatial_merge_size), and 8 in config.json"),
    (lambda folder: (folder / "processor_config.json").unlink(), "has no processor_config.json"),
])
def test_a_page_that_cannot_be_made_is_refused(change, words, checkpoint, tmp_path):
    folder = checkpoint("colministral3")
    change(folder)
    done = convert(folder, tmp_path / "artifact", "--variants", "page")
    assert done.returncode != 0 and words in done.stderr
