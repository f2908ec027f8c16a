"""A call of the unified graph without images does no work of the vision tower, in any family."""
import json
import re
import subprocess

import pytest

from programs import BIN, BUILD  # noqa: F401
from test_golden import HERE, run

FAMILIES = {
    "colqwen2": "colqwen2-tiny", "colqwen2_5": "colqwen2_5-tiny", "colqwen3": "colqwen3-tiny", "colpali": "colpali-tiny",
    "colmodernvbert": "colmodernvbert-tiny", "colidefics3": "colidefics3-tiny", "colgemma3": "colgemma3-tiny", "jina_v4": "jina_v4-tiny",
    "colqwen_omni": "colqwen_omni-tiny", "collfm2": "collfm2-tiny", "neomme": "neomme-tiny",
    "colministral3": "colministral3-tiny", "granitevisionemb": "granitevisionemb-tiny", "colqwen3_5": "colqwen3_5-tiny",
    "nemotron_vl": "nemoretriever-tiny",
}
TOWER = ("vis.", "mmproj.", "patch_embeddings.", "image_newline")  # as the weights of a tower and of the layers behind it are called
FP32, FP16 = [], ["--dtype", "fp16"]


def test_each_family_is_here():
    rows = re.findall(r"^ARCHITECTURE\((\w+),.*\bUNIFIED\b", (HERE.parents[1] / "daemon/spec/architectures.def").read_text(), re.M)
    assert sorted(rows) == sorted(FAMILIES)


def nodes_of(dump):
    """Where each node is (the graph, or a branch of which If) and what it reads."""
    where, made = "graph", None
    for line in dump.splitlines():
        text = line.strip()
        if text in ("then_branch", "else_branch"):
            where = f"{made} {text}"
        elif " = " in text and not text.startswith("initializer"):
            if not line.startswith(" "):
                where, made = "graph", text.split(" = ")[1]
            yield where, re.split(r"[(), ]+", text.split(" = ", 1)[1])


@pytest.mark.parametrize("name, options", [*((name, FP32) for name in FAMILIES.values()), ("colqwen2-tiny", FP16), ("colgemma3-tiny", FP16)])
def test_a_text_runs_no_tower(name, options, tmp_path):
    task = ["--task", "retrieval"] if name.startswith("jina") else []
    run("colconvctl", "convert", HERE / name, "-o", tmp_path / "out", "--variants", "unified", "--no-parity", *options, *task)
    dump = run("colconv-worker", "--dump-onnx", tmp_path / "out/model.onnx").stdout

    # Weights of the tower, and the pixels, are read in a branch for images alone.
    weights = dict(re.findall(r"^initializer (\S+) .*offset=(\d+ length=\d+)", dump, re.M))
    tower = {weight for weight in weights if weight.startswith(TOWER)}
    assert len(tower) >= (5 if name.startswith("neomme") else 21) and len(weights) > len(tower)
    places = {where for where, reads in nodes_of(dump) if {*tower, "pixel_values"} & set(reads) and "Shape" not in reads}
    assert places and places <= {"If(any_image) then_branch"}, places

    # What is not read may be anything.
    with open(tmp_path / "out/model.onnx_data", "r+b") as f:
        for weight in tower:
            offset, length = map(int, weights[weight].split(" length="))
            f.seek(offset)
            f.write(b"\xff" * length)
    cases = tmp_path / "cases"
    cases.mkdir()
    for case in HERE.glob(f"{name}/case-*text-*.safetensors"):
        if "image" not in case.name and (not task or "retrieval" in case.name):
            (cases / case.name).symlink_to(case)
    report = tmp_path / "report.json"
    done = subprocess.run([BIN / "colconv-parity", "--model", f"unified={tmp_path / 'out/model.onnx'}", "--cases", cases, "--output", report,
                           "--max-abs", "5e-2" if options else "1e-5", "--min-cosine", "0.999"], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    ran = {f"case-{entry['name']}.safetensors" for entry in json.loads(report.read_text())["cases"]}
    assert ran == {case.name for case in cases.iterdir()} and ran


def test_an_image_reads_them(tmp_path):
    """What makes the test above believable."""
    run("colconvctl", "convert", HERE / "colpali-tiny", "-o", tmp_path / "out", "--variants", "unified", "--no-parity")
    dump = run("colconv-worker", "--dump-onnx", tmp_path / "out/model.onnx").stdout
    (at,) = re.findall(r"^initializer mmproj\.linear\.weight\S* .*offset=(\d+)", dump, re.M)
    with open(tmp_path / "out/model.onnx_data", "r+b") as f:
        f.seek(int(at))
        f.write(b"\xff" * 64)
    done = subprocess.run([BIN / "colconv-parity", "--model", f"unified={tmp_path / 'out/model.onnx'}", "--cases", HERE / "colpali-tiny"],
                          capture_output=True, text=True, timeout=100)
    assert done.returncode == 10 and re.search(r"^image-one .*nan", done.stdout, re.M | re.I), done.stdout
