"""
Rows about graphs with int8 weights beside those with fp32 weights, under a Python that has onnxruntime and numpy.

The checkpoint has the published width of ColQwen2 and a few layers. A row is a ratio of int8 to fp32: of the time of
a call, where sessions take turns and the median of the ratios counts, of resident memory, of bytes, of the time of a conversion.

As a program, under that Python:

  rounded.py times FOLDER...     prints, for each kind of call, its seconds in each artifact, round by round
  rounded.py memory FOLDER       prints the bytes of anonymous memory that the loaded text and image graphs add
"""
import functools
import json
import os
import statistics
import subprocess
import sys
import time

ROUNDS = 7
TEXTS = {"1x8": (1, 8), "1x32": (1, 32), "8x32": (8, 32)}
PAGES = {"page-8x8": (8, 8), "page-32x48": (32, 48)}
LAYERS = ("num_hidden_layers=4", "vision.depth=4")


# ---- under the other Python ----

def session(folder, graph):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(os.path.join(folder, graph + ".onnx"), options, providers=["CPUExecutionProvider"])


def text_inputs(rng, batch, tokens):
    import numpy
    return {"input_ids": rng.integers(10, 250, (batch, tokens)), "attention_mask": numpy.ones((batch, tokens), numpy.int64)}


def page_inputs(rng, height, width, image_token):
    import numpy
    tokens = height * width // 4
    ids = numpy.concatenate([rng.integers(10, 250, 8), numpy.full(tokens, image_token), rng.integers(10, 250, 8)])[None]
    return {"input_ids": ids, "attention_mask": numpy.ones_like(ids),
            "pixel_values": rng.standard_normal((1, height * width, 1176)).astype(numpy.float32),
            "image_grid_thw": numpy.array([[1, height, width]])}


def times(*folders):
    import numpy
    rng = numpy.random.default_rng(1)
    with open(os.path.join(folders[0], "config.json")) as f:
        config = json.load(f)
    image = config.get("image_token_id") or config["vlm_config"]["image_token_id"]
    calls = {name: ("text", text_inputs(rng, *size)) for name, size in TEXTS.items()}
    calls.update({name: ("image", page_inputs(rng, *size, image)) for name, size in PAGES.items()})
    seconds = {}
    for graph in ("text", "image"):
        sessions = [session(folder, graph) for folder in folders]
        for name, (which, inputs) in calls.items():
            if which != graph:
                continue
            seconds[name] = [[] for _ in folders]
            for turn in range(ROUNDS + 1):
                for k, s in enumerate(sessions):
                    begin = time.monotonic()
                    s.run(None, {i.name: inputs[i.name] for i in s.get_inputs()})
                    if turn:    # the first one warms up
                        seconds[name][k].append(time.monotonic() - begin)
    return seconds


def anon():
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("RssAnon:"))


def memory(folder):
    before = anon()
    sessions = [session(folder, graph) for graph in ("text", "image")]
    return [anon() - before, len(sessions)][0]


# ---- under the bench's own ----

def asked(bench, what, *folders):
    done = subprocess.run([bench.python, os.path.abspath(__file__), what, *folders], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or "no words").splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


@functools.cache
def made(bench):
    """The seconds that each conversion took; the artifacts are FORM in the folder."""
    folder = bench.scratch / "rounded"
    folder.mkdir()
    sets = () if bench.tiny else [word for s in LAYERS for word in ("--set", s)]
    subprocess.run([bench.build / "tests/tools/mkcheckpoint", "--arch", "colqwen2", "--size", "tiny" if bench.tiny else "2b", *sets,
                    folder / "checkpoint"], check=True, stdout=subprocess.DEVNULL)
    seconds = {}
    for form in ("same", "int8"):
        begin = time.monotonic()
        subprocess.run([bench.build / "colconvctl", "convert", folder / "checkpoint", "-o", folder / form, "--storage", form,
                        "--no-parity"], check=True, capture_output=True)
        seconds[form] = time.monotonic() - begin
    return folder, seconds


@functools.cache
def measured(bench):
    folder, _ = made(bench)
    return asked(bench, "times", folder / "same", folder / "int8")


def call(bench, name):
    plain, rounded = measured(bench)[name]
    ratio = statistics.median(b / a for a, b in zip(plain, rounded))
    return ratio, {"fp32": plain, "int8": rounded,
                   "words": f"{statistics.median(rounded) * 1000:.0f} ms against {statistics.median(plain) * 1000:.0f}"}


def pair(a, b, unit, scale):
    return b / a, {"fp32": a, "int8": b, "words": f"{b / scale:.2f} {unit} against {a / scale:.2f}"}


def resident(bench):
    folder, _ = made(bench)
    return pair(*(asked(bench, "memory", folder / form) for form in ("same", "int8")), "GiB", 1 << 30)


def disk(bench):
    folder, _ = made(bench)
    return pair(*((folder / form / "model.onnx_data").stat().st_size for form in ("same", "int8")), "GB", 1e9)


def convert(bench):
    _, seconds = made(bench)
    return pair(seconds["same"], seconds["int8"], "s", 1)


def rows(bench):
    if not bench.python:
        return
    for name in (*TEXTS, *PAGES):
        yield f"int8-{name}", f"int8 weights, {name.replace('page-', 'a page of ')}: time / fp32", "", None, lambda n=name: call(bench, n)
    yield "int8-memory", "int8 weights: memory of loaded graphs / fp32", "", None, lambda: resident(bench)
    yield "int8-disk", "int8 weights: bytes / fp32", "", None, lambda: disk(bench)
    yield "int8-convert", "int8 weights: convert / fp32", "", None, lambda: convert(bench)


if __name__ == "__main__":
    print(json.dumps({"times": times, "memory": memory}[sys.argv[1]](*sys.argv[2:])))
