"""Rows of the target `ort` against `portable`: what a call takes, under a Python that has onnxruntime and numpy.

As a program, under that Python:

  targets.py times SHAPE FILE.onnx...    runs the files in turns on the same inputs; prints the median seconds of each and the largest difference
  targets.py memory SHAPE FILE.onnx      prints {"load_seconds", "loaded", "peak", "bytes"}: of one session, memory in bytes over an idle process

A SHAPE is text:BATCHxTOKENS or page:HEIGHTxWIDTH in patches, one page a call.
"""
import functools
import json
import os
import statistics
import subprocess
import sys
import time

RUNS = 7
MIB = 1 << 20
SHAPES = ["text:1x8", "text:1x32", "text:8x32", "page:8x8", "page:32x48", "page:48x64"]


# ---- under the other Python ----

def status(field):
    with open("/proc/self/status", encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith(field + ":"))


def session(path, profile=None):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    if profile:
        options.enable_profiling, options.profile_file_prefix = True, profile
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def inputs(shape, config):
    """Random numbers of a call, the last row of a batch padded on the left."""
    import numpy
    kind, _, sides = shape.partition(":")
    a, b = map(int, sides.split("x"))
    rng = numpy.random.default_rng(1)
    if kind == "text":
        mask = numpy.ones((a, b), numpy.int64)
        mask[-1, :b // 4] = 0
        return {"input_ids": rng.integers(5, 300, (a, b)), "attention_mask": mask}
    vision = config.get("vlm_config", config)["vision_config"]
    features = 3 * vision["temporal_patch_size"] * vision["patch_size"] ** 2
    image = config.get("vlm_config", config)["image_token_id"]
    ids = numpy.concatenate([numpy.full(4, 7), numpy.full(a * b // 4, image), numpy.full(8, 9)])[None].astype(numpy.int64)
    return {"input_ids": ids, "attention_mask": numpy.ones_like(ids), "image_grid_thw": numpy.array([[1, a, b]], numpy.int64),
            "pixel_values": rng.standard_normal((1, a * b, features), numpy.float32)}


def fed(one, values):
    return {i.name: values[i.name] for i in one.get_inputs() if i.name in values}


def config_of(path):
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        return json.load(f)


def times(shape, *paths, opened=session, runs=RUNS):
    import numpy
    sessions = [opened(path) for path in paths]
    values = inputs(shape, config_of(paths[0]))
    first = [one.run(None, fed(one, values))[0] for one in sessions]
    seconds = [[] for _ in sessions]
    for _ in range(runs):
        for one, list_ in zip(sessions, seconds):
            begin = time.perf_counter()
            one.run(None, fed(one, values))
            list_.append(time.perf_counter() - begin)
    seen = values["attention_mask"][..., None]
    return {"seconds": [statistics.median(s) for s in seconds], "ratios": [statistics.median(b / a for a, b in zip(seconds[0], s)) for s in seconds],
            "difference": max(float(numpy.abs((x - first[0]) * seen).max()) for x in first)}


def memory(shape, path):
    values = inputs(shape, config_of(path))
    import onnxruntime  # noqa: F401  its own memory is not the session's
    idle, begin = status("VmRSS"), time.perf_counter()
    one = session(path)
    load, loaded = time.perf_counter() - begin, status("VmRSS") - idle
    one.run(None, fed(one, values))
    return {"load_seconds": load, "loaded": loaded, "peak": status("VmHWM") - idle, "bytes": os.path.getsize(path)}


# ---- under the bench's own ----

def under(python, *args, program=__file__):
    done = subprocess.run([python, os.path.abspath(program), *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or "no words").splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def convert(bench, checkpoint, artifact, target):
    subprocess.run([bench.build / "colconvctl", "convert", checkpoint, "-o", artifact, "--target", target,
                    "--variants", "text,image", "--no-parity"], check=True, capture_output=True)


@functools.cache
def artifacts(bench):
    """The same checkpoint, of the published width and two layers, for both targets: their folders."""
    folder = bench.scratch / "targets"
    folder.mkdir()
    sets = () if bench.tiny else ("--set", "num_hidden_layers=2", "--set", "depth=2")
    subprocess.run([bench.build / "tests/tools/mkcheckpoint", "--arch", "colqwen2", "--size", "tiny" if bench.tiny else "2b",
                    *sets, folder / "checkpoint"], check=True, stdout=subprocess.DEVNULL)
    for target in ("portable", "ort"):
        convert(bench, folder / "checkpoint", folder / target, target)
    return folder


def file_of(bench, target, shape):
    return artifacts(bench) / target / ("text.onnx" if shape.startswith("text") else "image.onnx")


def time_row(bench, shape):
    said = under(bench.python, "times", shape, file_of(bench, "portable", shape), file_of(bench, "ort", shape))
    plain, ours = said["seconds"]
    return said["ratios"][1], {**said, "words": f"{ours:.4g} against {plain:.4g} s, apart by {said['difference']:.1e}"}


def memory_row(bench, shape):
    plain, ours = (under(bench.python, "memory", shape, file_of(bench, target, shape)) for target in ("portable", "ort"))
    return ours["peak"] / plain["peak"], {"ort": ours, "portable": plain, "words": ", ".join(
        f"{what} {ours[key] / unit:.4g} against {plain[key] / unit:.4g} {name}" for what, key, unit, name in (
            ("peak", "peak", MIB, "MiB"), ("loaded", "loaded", MIB, "MiB"), ("load", "load_seconds", 1, "s"), ("file", "bytes", 1024, "KiB")))}


def rows(bench):
    if not bench.python:
        return
    for shape in SHAPES:
        name = shape.replace(":", "-")
        yield f"target-{name}", f"ort / portable, {shape}: time", "", None, lambda s=shape: time_row(bench, s)
        yield f"target-{name}-memory", f"ort / portable, {shape}: memory", "", None, lambda s=shape: memory_row(bench, s)


if __name__ == "__main__":
    print(json.dumps({"times": times, "memory": memory}[sys.argv[1]](*sys.argv[2:])))
