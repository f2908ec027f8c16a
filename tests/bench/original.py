"""Rows against torch.onnx.export of the original class, under a Python that has torch and transformers.

As a program, under that Python:

  original.py export CHECKPOINT FILE.onnx    exports the text graph; prints {"seconds", "peak_anon_bytes"}
  original.py latency FILE.onnx...           runs them in turns; prints the median seconds of each
"""
import functools
import json
import os
import statistics
import subprocess
import sys
import threading
import time

BATCH, SEQUENCE, RUNS = 4, 32, 15
MIB = 1 << 20


# ---- under the other Python ----

def anon():
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("RssAnon:"))


def watch(peak, stop):
    while not stop.wait(0.05):
        peak[0] = max(peak[0], anon())


def export(checkpoint, target):
    peak, stop = [0], threading.Event()
    watcher = threading.Thread(target=watch, args=(peak, stop))
    watcher.start()
    begin = time.monotonic()
    import torch
    from transformers import ColQwen2ForRetrieval

    class Text(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).embeddings

    model = Text(ColQwen2ForRetrieval.from_pretrained(checkpoint, dtype=torch.float32).eval())
    inputs = (torch.ones(2, 7, dtype=torch.int64), torch.ones(2, 7, dtype=torch.int64))
    dims = {0: torch.export.Dim("batch"), 1: torch.export.Dim("sequence")}
    with torch.no_grad():
        torch.onnx.export(model, inputs, target, input_names=["input_ids", "attention_mask"], output_names=["embeddings"],
                          dynamic_shapes={"input_ids": dims, "attention_mask": dims}, dynamo=True, external_data=True,
                          verbose=False)
    seconds = time.monotonic() - begin
    stop.set()
    watcher.join()
    return {"seconds": seconds, "peak_anon_bytes": peak[0]}


def latency(*files):
    import numpy
    import onnxruntime

    sessions = [onnxruntime.InferenceSession(f, providers=["CPUExecutionProvider"]) for f in files]
    inputs = {"input_ids": numpy.arange(BATCH * SEQUENCE, dtype=numpy.int64).reshape(BATCH, SEQUENCE) % 300,
              "attention_mask": numpy.ones((BATCH, SEQUENCE), dtype=numpy.int64)}
    seconds = [[] for _ in files]
    for i in range(RUNS + 1):
        for session, taken in zip(sessions, seconds):
            begin = time.monotonic()
            session.run(None, inputs)
            if i:           # the first one warms up
                taken.append(time.monotonic() - begin)
    return [statistics.median(taken) for taken in seconds]


# ---- under the bench's own ----

def under(python, *args):
    done = subprocess.run([python, os.path.abspath(__file__), *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or "no words").splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def graph(bench, file):
    done = subprocess.run([bench.build / "colconvctl", "inspect", "--json", file], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["graphs"][0]


def size(folder):
    files = [f for f in folder.iterdir() if ".onnx" in f.name]
    return len(files), sum(f.stat().st_size for f in files)


@functools.cache
def measured(bench):
    folder = bench.scratch / "original"
    folder.mkdir()
    checkpoint, ours, theirs = folder / "checkpoint", folder / "ours", folder / "theirs"
    sets = () if bench.tiny else ("--set", "num_hidden_layers=4", "--set", "depth=4")
    subprocess.run([bench.build / "tests/tools/mkcheckpoint", "--arch", "colqwen2", "--size", "tiny" if bench.tiny else "2b",
                    "--shards", "1", *sets, checkpoint], check=True, stdout=subprocess.DEVNULL)
    begin = time.monotonic()
    done = subprocess.run([bench.build / "colconvctl", "convert", checkpoint, "-o", ours, "--variants", "text", "--no-parity",
                           "--json"], check=True, capture_output=True, text=True)
    seconds = time.monotonic() - begin
    theirs.mkdir()
    other = under(bench.python, "export", checkpoint, theirs / "text.onnx")
    return {
        "time": (seconds, other["seconds"], "s"),
        "memory": (max(s["peak_anon_bytes"] for s in json.loads(done.stdout)["stages"]) / MIB,
                   other["peak_anon_bytes"] / MIB, "MiB"),
        "files": (size(ours)[0], size(theirs)[0], ""),
        "bytes": (size(ours)[1] / MIB, size(theirs)[1] / MIB, "MiB"),
        "nodes": (graph(bench, ours / "text.onnx")["nodes"], graph(bench, theirs / "text.onnx")["nodes"], ""),
        "latency": (*under(bench.python, "latency", ours / "text.onnx", theirs / "text.onnx"), "s"),
    }


def ratio(bench, name):
    ours, theirs, unit = measured(bench)[name]
    return ours / theirs, {"ours": ours, "theirs": theirs, "words": f"{ours:.4g} against {theirs:.4g} {unit}".strip()}


def rows(bench):
    if not bench.python:
        return
    for name in ("time", "memory", "files", "bytes", "nodes", "latency"):
        yield f"original-{name}", f"text graph: {name} / torch.onnx.export's", "", None, lambda n=name: ratio(bench, n)


if __name__ == "__main__":
    print(json.dumps({"export": export, "latency": latency}[sys.argv[1]](*sys.argv[2:])))
