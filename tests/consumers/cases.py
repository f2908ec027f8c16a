"""What the scripts here share: cases of the original's embeddings, and the table of differences that each script prints."""
import json
import os
import pathlib
import subprocess
import sys

import numpy

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parent / "golden"
sys.path.insert(0, str(GOLDEN))
import tensors  # noqa: E402

TYPES = {"F32": numpy.float32, "I64": numpy.int64}
LIMIT = 1e-4  # of a float32 artifact, which arithmetic in another order moves by some 1e-6


def arguments():
    """(artifact, checkpoint) pairs, from the command line."""
    paths = [pathlib.Path(p) for p in sys.argv[1:]]
    return list(zip(paths[::2], paths[1::2]))


def arrays(path):
    """{name: array} of a safetensors file. read-only."""
    return {name: numpy.frombuffer(data, TYPES[dtype]).reshape(shape) for name, (dtype, shape, data) in tensors.read(path).items()}


def cases(checkpoint):
    """(name, inputs, embeddings) of each case beside a checkpoint, as tests/golden/README.md describes them."""
    for path in sorted(checkpoint.glob("case-*.safetensors")):
        content = arrays(path)
        yield path.stem[5:], {k[3:]: v for k, v in content.items() if k.startswith("in.")}, content["out.embeddings"]


def without_pictures(declared, rows):
    """
    Inputs of a unified graph for texts alone: one blank picture per row, which the graph ignores.
    `declared` has the names and shapes of the graph's inputs; a size that is free is not an int.
    """
    feeds = {}
    for name, shape in declared.items():
        sizes = [size if isinstance(size, int) and size > 0 else None for size in shape]
        if name == "pixel_values":
            if len(sizes) == 3:  # patches
                feeds[name] = numpy.zeros((1, 4, sizes[2]), numpy.float32)
            elif len(sizes) == 4:  # pictures
                feeds[name] = numpy.zeros((rows, *sizes[1:]), numpy.float32)
            else:  # tiles
                feeds[name] = numpy.zeros((rows, 1, *sizes[2:]), numpy.float32)
        elif name == "image_grid_thw":
            feeds[name] = numpy.array([[1, 2, 2]], numpy.int64)
        elif name == "pixel_attention_mask":
            feeds[name] = numpy.ones((rows, 1, *sizes[2:]), numpy.int64)
    return feeds


def feeds_of(variant, inputs, declared):
    """The inputs that a graph declares, of those of a case; None where it cannot take that case."""
    pictures = "pixel_values" in inputs
    feeds = {name: inputs[name] for name in declared if name in inputs}
    if variant == ("text" if pictures else "image"):
        return None
    if not pictures:
        feeds.update(without_pictures(declared, inputs["input_ids"].shape[0]))
    elif "pixel_attention_mask" in declared and "pixel_attention_mask" not in feeds:
        images, tiles, _, *side = feeds["pixel_values"].shape
        feeds["pixel_attention_mask"] = numpy.ones((images, tiles, *side), numpy.int64)
    return feeds


def variant_of(file):
    return {"model": "unified", "model_v2": "unified"}.get(file.stem, file.stem)


class Table:
    """The largest difference of each row, printed as it comes. exit() ends the program with 1 where one is too large."""

    def __init__(self, *versions):
        print("versions:", ", ".join(versions), flush=True)
        self.failed = False

    def row(self, what, pairs, limit=LIMIT):
        """`pairs` are (got, want)."""
        worst, count = 0.0, 0
        for got, want in pairs:
            count += 1
            worst = max(worst, difference(got, want))
        good = count > 0 and worst <= limit
        self.failed |= not good
        print(f"{'ok  ' if good else 'FAIL'}  {what}: {count} compared, largest difference {worst:.1e}", flush=True)

    def exit(self):
        sys.exit(1 if self.failed else 0)


def difference(got, want):
    got = numpy.asarray(got, numpy.float32)
    if got.shape != want.shape or not numpy.isfinite(got).all():
        return float("inf")
    return float(numpy.abs(got - want).max())


def pages_and_queries(checkpoint):
    """
    Of a checkpoint e2e-NAME: pages as (path, embeddings), queries as (text, embeddings), of the real tokens. Not each has queries.
    """
    described, content = json.loads((checkpoint / "e2e.json").read_text()), arrays(checkpoint / "e2e.safetensors")
    pages = [(checkpoint / name, content[f"page.{i}"]) for i, name in enumerate(described["pages"])]
    queries = [(text, content[f"query.{i}"]) for i, text in enumerate(described["queries"]) if f"query.{i}" in content]
    return pages, queries


def picture(path):
    """Pixels of a PNG file in red, green and blue, by colconv's own reader: not each environment has Pillow."""
    build = pathlib.Path(os.environ.get("COLCONV_BUILD", HERE.parent.parent))
    said = subprocess.run([build / "tests/tools/pixels", path], capture_output=True, check=True).stdout
    size, rgb = said.split(b"\n", 1)
    height, width = (int(n) for n in size.split())
    return numpy.frombuffer(rgb, numpy.uint8).reshape(height, width, 3)


def graphs(artifact):
    """Graphs with embeddings that take tokens, and where they lie."""
    folder = artifact / "onnx" if (artifact / "onnx").is_dir() else artifact
    return [path for path in sorted(folder.glob("*.onnx")) if path.stem not in ("preprocess", "page")]


def quiet():
    """No network, and no warnings of the libraries in the table."""
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TOKENIZERS_PARALLELISM="false")
