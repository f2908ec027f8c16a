"""A checkpoint that is converted twice gives the same bytes in every file, whatever the folder and the moment."""
import hashlib
import pathlib
import subprocess
import time

import pytest

from programs import BIN

HERE = pathlib.Path(__file__).parent
# parity.json says how long each case took, and so manifest.json its hash.
TIMES = {"parity.json", "manifest.json"}


def hashes(folder):
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def convert(out, checkpoint, more):
    done = subprocess.run([BIN / "colconvctl", "convert", checkpoint, "-o", out, *more], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return hashes(out)


@pytest.mark.parametrize("more", [("--variants", "text,image,unified,preprocess,page"), ("--dtype", "fp16", "--layout", "sharded"),
                                  ("--profile", "transformersjs")], ids=["all graphs", "halves in shards", "a profile"])
def test_twice(more, tmp_path):
    checkpoint = HERE / "e2e-colqwen2"
    first = convert(tmp_path / "one", checkpoint, (*more, "--no-parity"))
    time.sleep(1.1)    # a time in seconds would differ
    second = convert(tmp_path / "another one", checkpoint, (*more, "--no-parity"))
    assert first == second and any(name.endswith(".onnx") for name in first)


def test_twice_with_parity(tmp_path):
    checkpoint = HERE / "e2e-colidefics3"
    first, second = (convert(tmp_path / name, checkpoint, ()) for name in ("one", "two"))
    assert {name for name in first if first[name] != second.get(name)} <= TIMES and first.keys() == second.keys()
