"""Converted checkpoints against embeddings that the original classes gave for them (README.md here)."""
import json
import os
import pathlib
import subprocess

import pytest

import respell

HERE = pathlib.Path(__file__).parent
BUILD = pathlib.Path(os.environ.get("COLCONV_BUILD", HERE.parent.parent))
COLCONVCTL = BUILD / "colconvctl"
MAX_ABS = 1e-5

pytestmark = pytest.mark.skipif(not COLCONVCTL.exists(), reason=f"{COLCONVCTL} is not built")

# A name for the test, the folder, and the layout it is respelled to.
CHECKPOINTS = [
    pytest.param("colqwen2-tiny", None, id="colqwen2"),
    pytest.param("colqwen2-tiny", "hub", id="colqwen2-hub"),
    pytest.param("colqwen2-tiny", "engine", id="colqwen2-engine"),
    pytest.param("colqwen2-tiny-bf16-sharded", None, id="colqwen2-bf16-sharded"),
    pytest.param("colqwen2-tiny-bf16-sharded", "hub", id="colqwen2-bf16-sharded-hub"),
]


def convert(checkpoint, out, *options):
    argv = [COLCONVCTL, "convert", checkpoint, "-o", out, "--json", *options]
    return subprocess.run(argv, capture_output=True, text=True, timeout=100)


@pytest.fixture
def make_checkpoint(tmp_path):
    def make(name, layout):
        if layout is None:
            return HERE / name
        target = tmp_path / f"{name}-{layout}"
        respell.respell(layout, HERE / name, target)
        return target
    return make


@pytest.mark.parametrize("name, layout", CHECKPOINTS)
def test_text_graph_gives_the_originals_embeddings(name, layout, make_checkpoint, tmp_path):
    checkpoint = make_checkpoint(name, layout)
    cases = sorted(checkpoint.glob("case-text-*.safetensors"))
    assert cases
    options = [word for case in cases for word in ("--reference", case)]

    done = convert(checkpoint, tmp_path / "out", "--variants", "text", "--max-abs", str(MAX_ABS), *options)

    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "parity.json").read_text())
    assert report["passed"]
    runs = {pathlib.Path(run["file"]).name: run for run in report["cases"] if run["model"] == "text"}
    for case in cases:
        run = runs[case.name]
        assert run["passed"], run
        assert run["max_abs"] <= MAX_ABS, run
        assert run["nan"] == 0, run


def test_an_architecture_that_is_not_converted_is_refused_by_name(tmp_path):
    done = convert(HERE / "colpali-tiny", tmp_path / "out")

    assert done.returncode == 5, done.stderr
    assert "colpali" in done.stderr.lower()
    assert not (tmp_path / "out").exists()
