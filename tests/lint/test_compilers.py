"""The same checkpoint gives the same files, whichever compiler built the worker.

The rooms that make a graph are compiled once more by the other compiler (clang, or gcc where clang made this build),
linked into a second worker with the rest of this build, and both convert the same tiny checkpoints.
"""
import concurrent.futures
import glob
import hashlib
import os
import re
import shutil
import subprocess

import pytest

from programs import BIN

BUILD = os.environ.get("COLCONV_BUILD", os.getcwd())
SOURCE = os.environ.get("COLCONV_SOURCE", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
ROOMS = ["graph", "trace", "model", "onnx"]
GRAPHS = {row[1]: row[2].lower().split(" | ") for row in re.finditer(
    r"^ARCHITECTURE\((\w+),.*,\s*([A-Z| ]+)\)$", open(os.path.join(SOURCE, "daemon/spec/architectures.def"), encoding="utf-8").read(), re.M)}
# Its folder has files that are no weights, which mkcheckpoint does not write.
WHOLE = {"colnanovdr": os.path.join(SOURCE, "tests/golden/colnanovdr-tiny")}


def make_says(expression):
    """Returns the value of a Makefile variable."""
    rule = "said:; @echo " + expression
    said = subprocess.run(["make", "-s", "-C", BUILD, "--no-print-directory", "--eval", rule, "said"], check=True,
                          capture_output=True, text=True).stdout
    return said.split()


def other_compiler():
    version = subprocess.run([*make_says("$(CC)"), "--version"], capture_output=True, text=True).stdout
    return "gcc" if "clang" in version else "clang"


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """A folder with the programs, in which the other compiler built the worker."""
    compiler = other_compiler()
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    flags = make_says("$(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(CPPFLAGS) $(AM_CFLAGS)")
    if any("-fsanitize" in flag for flag in flags):
        pytest.skip("sanitizers of two compilers do not mix")
    folder = tmp_path_factory.mktemp("second")

    def compiled(path):
        target = str(folder / (path.replace("/", "_") + ".o"))
        subprocess.run([compiler, *flags, "-Wno-error", "-w", "-O0", "-c", path, "-o", target], check=True, cwd=BUILD)
        return target

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compiled, sorted(sum((glob.glob(f"{SOURCE}/daemon/{room}/*.c") for room in ROOMS), []))))
    link = make_says("$(CXX) $(colconv_worker_OBJECTS)") + objects + \
        make_says("$(AM_LDFLAGS) $(LDFLAGS) $(colconv_worker_LDADD) $(LIBS)")
    subprocess.run([*link, "-o", str(folder / "colconv-worker")], check=True, cwd=BUILD)
    shutil.copy(os.path.join(BUILD, "colconvctl"), folder)
    return folder


def convert(programs, checkpoint, variants, out):
    subprocess.run([os.path.join(programs, "colconvctl"), "convert", checkpoint, "-o", str(out), "--variants", variants, "--no-parity"],
                   check=True, capture_output=True)
    return {os.path.basename(path): hashlib.sha256(open(path, "rb").read()).hexdigest()
            for path in glob.glob(f"{out}/*.onnx*")}


@pytest.mark.parametrize("architecture", GRAPHS)
def test_same_files(second, architecture, tmp_path):
    checkpoint = WHOLE.get(architecture, tmp_path / "checkpoint")
    if architecture not in WHOLE:
        subprocess.run([os.path.join(BUILD, "tests/tools/mkcheckpoint"), "--arch", architecture, str(checkpoint)],
                       check=True, capture_output=True)
    variants = [v for v in GRAPHS[architecture] if v in ("text", "image", "unified")]
    ours = convert(BIN, checkpoint, ",".join(variants), tmp_path / "ours")
    assert len(ours) > len(variants)
    assert convert(second, checkpoint, ",".join(variants), tmp_path / "theirs") == ours
