"""
The programs of examples/ give the ranking that colconvctl gives, from the same artifact, query and pages.

The one in C always runs. Those in Python need COLCONV_DOCS_PYTHON, a Python that has their packages, and the one in
JavaScript COLCONV_NODE_MODULES, a folder node_modules that has its own; without them they are skipped.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from pages import SOURCE
from world import BUILD, python_or_skip

EXAMPLES = SOURCE / "examples"
CHECKPOINT = SOURCE / "tests/golden/e2e-colqwen2"
PAGES = [CHECKPOINT / f"page-{i}.png" for i in range(4)]
TEXT = "How much did revenue grow in 2025?"


def run(*args, **more):
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=300, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    out = tmp_path_factory.mktemp("examples") / "artifact"
    run(BUILD / "colconvctl", "convert", CHECKPOINT, "-o", out, "--variants", "text,image,page", "--no-parity")
    return out


@pytest.fixture(scope="module")
def ranking(artifact):
    doc = json.loads(run(BUILD / "colconvctl", "rank", artifact, "--json", "--query", TEXT, *PAGES))
    return [(page["image"], page["score"]) for page in doc["queries"][0]["pages"]]


def check(output, ranking, tolerance=2e-4):
    rows = [line.split(maxsplit=1) for line in output.splitlines()]
    assert [page for _, page in rows] == [page for page, _ in ranking]
    assert [float(score) for score, _ in rows] == pytest.approx([score for _, score in ranking], abs=tolerance)


def test_python_without_torch(artifact, ranking):
    python = python_or_skip("numpy", "onnxruntime", "tokenizers", "PIL")
    check(run(python, EXAMPLES / "rank_numpy.py", artifact, TEXT, *PAGES), ranking)


def test_python_with_the_processor(artifact, ranking):
    """Its pages are one batch, whose sums are rounded otherwise."""
    python = python_or_skip("torch", "onnxruntime", "transformers", "PIL")
    check(run(python, EXAMPLES / "rank_transformers.py", artifact, TEXT, *PAGES), ranking, 2e-3)


def test_javascript(artifact, ranking, tmp_path):
    modules = pathlib.Path(os.environ.get("COLCONV_NODE_MODULES", SOURCE / "node_modules"))
    if not shutil.which("node") or not all((modules / m).is_dir() for m in ("onnxruntime-node", "@huggingface/transformers")):
        pytest.skip("no Node.js with onnxruntime-node and @huggingface/transformers; COLCONV_NODE_MODULES can name their folder")
    shutil.copy(EXAMPLES / "rank.mjs", tmp_path)
    (tmp_path / "node_modules").symlink_to(modules)
    check(run("node", tmp_path / "rank.mjs", artifact, TEXT, *PAGES), ranking)


# ---- C ----

ENUMS = """
typedef enum { ORT_LOGGING_LEVEL_FATAL = 4 } OrtLoggingLevel;
typedef enum { OrtArenaAllocator = 1 } OrtAllocatorType;
typedef enum { OrtMemTypeDefault = 0 } OrtMemType;
typedef enum { ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 = 2 } ONNXTensorElementDataType;
"""


def header():
    """
    What the example needs of onnxruntime_c_api.h, for systems that have the library alone, from the table that colconv-parity calls it
    by. Where the vendor's header is installed, the build compares that table with it (daemon/parity/ort_abi.c).
    """
    text = (SOURCE / "daemon/parity/ort_api.def").read_text()
    rows = re.findall(r"^ORT_CALL\((.+?),\s+(\w+),\s+(\d+), (\(.*\))\)$", text, re.M)
    assert len(rows) > 30
    lines = ["#include <stdint.h>", "#include <stddef.h>", ENUMS]
    for kind in sorted(set(re.findall(r"struct (Ort\w+)", text)) - {"OrtApi"}):
        lines.append(f"typedef struct {kind} {kind};")
    lines.append("typedef struct {")
    at = 0
    for returns, name, index, arguments in rows:
        if int(index) > at:
            lines.append(f"\tvoid *before_{name}[{int(index) - at}];")
        lines.append(f"\t{returns}(*{name}){arguments};")
        at = int(index) + 1
    lines += ["} OrtApi;", "typedef struct { const OrtApi *(*GetApi)(uint32_t version); } OrtApiBase;",
              "const OrtApiBase *OrtGetApiBase(void);"]
    return "\n".join(lines) + "\n"


def runtime():
    """Options for the compiler that find ONNX Runtime's library: the one beside the build, else the system's."""
    library = BUILD / "runtime/libonnxruntime.so.1"
    if library.exists():
        return [library, f"-Wl,-rpath,{library.parent.resolve()}"]
    return ["-lonnxruntime"]


def test_c(artifact, ranking, tmp_path):
    program, vendors = tmp_path / "rank_pages", pathlib.Path("/usr/include/onnxruntime/onnxruntime_c_api.h")
    if not vendors.exists():
        (tmp_path / "onnxruntime_c_api.h").write_text(header())
    run("cc", "-Wall", "-Wextra", "-Werror", EXAMPLES / "rank_pages.c", "-o", program,
        f"-I{vendors.parent if vendors.exists() else tmp_path}", *runtime(), "-lpng")
    query = tmp_path / "query.npy"
    run(BUILD / "colconvctl", "embed", artifact, "--query", TEXT, "-o", query)
    check(run(program, artifact / "page.onnx", query, *PAGES), ranking)

    for args, said in [((), "give page.onnx"), ((artifact / "none.onnx", query, PAGES[0]), "none.onnx"),
                       ((artifact / "page.onnx", PAGES[0], PAGES[0]), "not a file of NumPy"),
                       ((artifact / "page.onnx", query, query), "PNG")]:
        done = subprocess.run([program, *args], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and said in done.stderr
