"""
The Python example in an artifact's README.md runs as it stands there, for each form of an artifact: it prints the shape of a query,
and the scores of pages, which are held against the original's.

COLCONV_DOCS_PYTHON names a Python with numpy, onnxruntime, tokenizers and pillow. Where the example makes pixels by the
checkpoint's own processor it needs torch and transformers too.
"""
import array
import json
import re
import subprocess
import sys

import pytest

from pages import SOURCE
from world import BUILD, python_or_skip

sys.path[:0] = [str(SOURCE / "tests/golden"), str(SOURCE / "tests/consumers")]
import checkpoints  # noqa: E402
import tensors  # noqa: E402

GOLDEN = SOURCE / "tests/golden"
ASKED = "How much did revenue grow?"
PACKAGES = ("numpy", "onnxruntime", "tokenizers", "PIL")
MAX_ABS = 1e-3  # of a sum of some 30 cosines

# What an artifact is, and whether its example scores pages.
FORMS = {
    "default": ([], False),
    "text": (["--variants", "text"], False),
    "unified-page": (["--variants", "unified,page"], True),
    "seed": (["--profile", "seed", "--variants", "text,page"], True),
    "embedanything": (["--profile", "embedanything", "--variants", "unified"], False),
    "sentence-transformers": (["--profile", "sentence-transformers"], False),
    "transformersjs": (["--profile", "transformersjs", "--variants", "text,page"], True),
    "page": (["--variants", "text,page"], True),
}



def convert(checkpoint, out, *options):
    done = subprocess.run([BUILD / "colconvctl", "convert", checkpoint, "-o", out, "--no-parity", *options], capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def example(artifact, query):
    """The example's text with another query in it."""
    found = re.findall(r"^```python\n(.*?)^```", (artifact / "README.md").read_text(), re.M | re.S)
    assert len(found) == 1 and (ASKED in found[0]) == (artifact / "tokenizer.json").exists()
    return found[0].replace(json.dumps(ASKED), json.dumps(query, ensure_ascii=False))


def said_by(python, artifact, query, pages):
    done = subprocess.run([python, "-c", example(artifact, query), artifact, *pages], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    shape, *scores = done.stdout.splitlines()
    return shape, [float(line.rpartition(" ")[2]) for line in scores]


def floats(tensor):
    _, (rows, width), data = tensor
    values = array.array("f", data)
    return [values[i * width:(i + 1) * width] for i in range(rows)]


def maxsim(query, page):
    return sum(max(sum(a * b for a, b in zip(q, p)) for p in page) for q in query)


@pytest.mark.parametrize("family, form", [
    *(("colqwen2", form) for form in FORMS),
    *((family, "page") for family in ("colpali", "colidefics3", "colqwen3")),
])
def test_example(family, form, tmp_path):
    python, checkpoint = python_or_skip(*PACKAGES), GOLDEN / f"e2e-{family}"
    described, original = json.loads((checkpoint / "e2e.json").read_text()), tensors.read(checkpoint / "e2e.safetensors")
    options, scored = FORMS[form]
    convert(checkpoint, tmp_path / "out", *options)

    shape, scores = said_by(python, tmp_path / "out", described["queries"][0], [checkpoint / name for name in described["pages"]])

    assert re.fullmatch(r"query: \(\d+, (128|320)\)", shape)
    assert bool(scores) == scored
    if scored and "query.0" in original:
        rows = floats(original["query.0"])
        assert shape == f"query: ({len(rows)}, {len(rows[0])})"
        for number, score in enumerate(scores):
            assert abs(score - maxsim(rows, floats(original[f"page.{number}"]))) <= MAX_ABS


@pytest.mark.parametrize("name", ["hf-colqwen2", "hf-colpali"])
def test_example_with_the_processor(name, tmp_path):
    """transformers' processor makes the pixels where no graph does: the scores are those of the graph, up to its other resizing."""
    python = python_or_skip(*PACKAGES, "torch", "transformers")
    checkpoint = checkpoints.make(name, tmp_path / name)
    pages = sorted((GOLDEN / "e2e-colqwen2").glob("page-*.png"))
    said = []
    for variants in ("text,page", "text,image"):
        convert(checkpoint, tmp_path / variants, "--variants", variants)
        said.append(said_by(python, tmp_path / variants, ASKED, pages))
    (shape, wanted), (same, scores) = said
    assert shape == same and len(scores) == len(wanted) == 4
    assert max(abs(a - b) for a, b in zip(scores, wanted)) <= 0.05
