"""
A row about the graph preprocess, which takes a page's picture, beside Pillow and the processor of transformers, under a Python
that has onnxruntime, numpy, pillow and transformers.

As a program, under that Python:

  picture.py times FOLDER     prints the median seconds of the artifact's preprocess.onnx, of the processor, and of Pillow's resize
"""
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

HEIGHT, WIDTH = 2339, 1654    # A4 at 200 dots an inch
RUNS = 7
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


# ---- under the other Python ----

def times(folder):
    import numpy
    import onnxruntime
    from PIL import Image
    from transformers import AutoImageProcessor

    rgb = numpy.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=numpy.uint8)
    picture = Image.fromarray(rgb)
    session = onnxruntime.InferenceSession(os.path.join(folder, "preprocess.onnx"), providers=["CPUExecutionProvider"])
    processor = AutoImageProcessor.from_pretrained(folder)
    grid = session.run(["image_grid_thw"], {"image": rgb})[0][0]
    size = (int(grid[2]) * 14, int(grid[1]) * 14)
    ways = [lambda: session.run(None, {"image": rgb}), lambda: processor(images=[picture], return_tensors="pt"),
            lambda: picture.resize(size, Image.BICUBIC)]
    seconds = [[] for _ in ways]
    for _ in range(RUNS + 1):
        for way, taken in zip(ways, seconds):
            begin = time.monotonic()
            way()
            taken.append(time.monotonic() - begin)
    return [statistics.median(taken[1:]) for taken in seconds]    # the first one warms up


# ---- under the bench's own ----

@functools.cache
def measured(bench):
    folder = bench.scratch / "picture"
    checkpoint, artifact = folder / "checkpoint", folder / "artifact"
    shutil.copytree(os.path.join(SOURCE, "tests/golden/e2e-colqwen2"), checkpoint)
    config = json.loads((checkpoint / "preprocessor_config.json").read_text())
    config["size"] = {"shortest_edge": 3136, "longest_edge": 1003520}    # the family's default
    (checkpoint / "preprocessor_config.json").write_text(json.dumps(config))
    subprocess.run([bench.build / "colconvctl", "convert", checkpoint, "-o", artifact, "--variants", "text,preprocess",
                    "--no-parity"], check=True, capture_output=True)
    done = subprocess.run([bench.python, os.path.abspath(__file__), "times", artifact], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or "no words").splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def ratio(bench, i, name):
    ours, other = measured(bench)[0], measured(bench)[i]
    return ours / other, {"ours": ours, "theirs": other, "words": f"{ours * 1000:.0f} ms against {name}'s {other * 1000:.0f}"}


def rows(bench):
    if not bench.python:
        return
    page = f"preprocess.onnx, {WIDTH} x {HEIGHT}:"
    yield "picture-original", f"{page} / processor", "", None, lambda: ratio(bench, 1, "transformers")
    yield "picture-resize", f"{page} / Pillow's resize", "", None, lambda: ratio(bench, 2, "Pillow")


if __name__ == "__main__":
    print(json.dumps({"times": times}[sys.argv[1]](*sys.argv[2:])))
