"""
Rows of ColQwen3.5 at published sizes: its conversion, calls of its graphs for both targets beside transformers' eager model,
and the time of the gated delta rule beside the projections of its layers. All but the conversion need a Python that has
onnxruntime, numpy, torch and transformers.

A row `rule` divides the time of the rule's nodes, with the norms of its keys and queries, by the time of the five matrix
products of the same layers. Both are from ONNX Runtime's profile of the same calls; the worst number of tokens counts. Its
checkpoint has the published width, two layers and a small vocabulary.

As a program, under that Python:

  qwen3_5.py times RUNS SHAPE WAY...   as `targets.py times`; a WAY that is a folder is a checkpoint for the eager model
  qwen3_5.py share FILE.onnx TOKENS... prints the seconds of the rule and of the products for each number of tokens, call by call
"""
import functools
import json
import os
import re
import statistics
import sys
import types

import conversion
import targets

SHAPES = {"text": "text:1x32", "page": "page:50x64"}    # a page of 800 tokens
TOKENS = (32, 300, 800)
APART = 1e-3    # ways that differ by more do not compute the same
SHALLOW = ("num_hidden_layers=2", "depth=1", "vocab_size=320", "image_token_id=301", "video_token_id=302",
           "vision_start_token_id=303", "vision_end_token_id=304")
RULE = re.compile(r"\.delta\.(found|l2_normalize)")
PRODUCT = re.compile(r"\.delta\.(qkv|z|a|b|o)$")
KERNEL = "_kernel_time"    # ends the name of a node's event


# ---- under the other Python ----

class Eager:
    """transformers' model in float32, with those calls of a session that `targets` uses."""

    def __init__(self, folder):
        import safetensors
        import torch
        import transformers
        self.torch, self.projection = torch, {}
        self.model = transformers.Qwen3_5Model.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        for file in os.listdir(folder):
            if not file.endswith(".safetensors"):
                continue
            with safetensors.safe_open(os.path.join(folder, file), "pt") as f:
                self.projection.update({k: f.get_tensor(k).float() for k in f.keys() if k.startswith("custom_text_proj.")})

    def get_inputs(self):
        return [types.SimpleNamespace(name=n) for n in ("input_ids", "attention_mask", "pixel_values", "image_grid_thw")]

    def run(self, _, values):
        given = {name: self.torch.from_numpy(value) for name, value in values.items()}
        if "pixel_values" in given:
            given["pixel_values"] = given["pixel_values"].flatten(0, 1)
            given["mm_token_type_ids"] = (given["input_ids"] == self.model.config.image_token_id).int()
        with self.torch.no_grad():
            x = self.model(**given, use_cache=False).last_hidden_state
            weight, bias = (self.projection["custom_text_proj." + part] for part in ("weight", "bias"))
            return [self.torch.nn.functional.normalize(x @ weight.T + bias, dim=-1).numpy()]


def opened(path):
    return Eager(path) if os.path.isdir(path) else targets.session(path)


def outermost(events):
    """Nodes that are not within another's time, as those of a Loop's body are."""
    end = 0
    for e in sorted(events, key=lambda e: (e["ts"], -e["dur"])):
        if e["ts"] >= end:
            end = e["ts"] + e["dur"]
            yield e


def spent(events):
    """Seconds of the rule and of the products, call by call."""
    nodes = [(e["ts"], e["dur"], e["name"].removesuffix(KERNEL)) for e in
             outermost(e for e in events if e["cat"] == "Node" and e["name"].endswith(KERNEL))]
    for begin, length in sorted((e["ts"], e["dur"]) for e in events if e["name"] == "model_run"):
        inside = [(dur, name) for ts, dur, name in nodes if begin <= ts < begin + length]
        yield [sum(dur for dur, name in inside if what.search(name)) / 1e6 for what in (RULE, PRODUCT)]


def share(path, *tokens):
    one, each = targets.session(path, profile=path + ".profile"), targets.RUNS + 1
    for n in tokens:
        values = targets.inputs(f"text:1x{n}", {})
        for _ in range(each):
            one.run(None, targets.fed(one, values))
    with open(one.end_profiling(), encoding="utf-8") as f:
        calls = list(spent(json.load(f)))
    return {n: calls[k * each + 1:(k + 1) * each] for k, n in enumerate(tokens)}    # the first call of each warms up


# ---- under the bench's own ----

@functools.cache
def graphs(subject):
    """The folders of the artifacts for both targets."""
    subject.converted()
    other = subject.folder / "ort"
    targets.convert(subject.bench, subject.checkpoint, other, "ort")
    return {"portable": subject.artifact, "ort": other}


@functools.cache
def called(subject, kind, together):
    """Seconds of a call: portable, ort, eager. Models that do not fit into memory together are measured one by one."""
    file = {"text": "text.onnx", "page": "image.onnx"}[kind]
    shape = "page:4x8" if subject.bench.tiny and kind == "page" else SHAPES[kind]
    runs = subject.bench.repeat if kind == "page" else targets.RUNS
    ways = [*(folder / file for folder in graphs(subject).values()), subject.checkpoint]
    turns = [ways] if together else [[way] for way in ways]
    said = [targets.under(subject.bench.python, "times", runs, shape, *way, program=__file__) for way in turns]
    seconds = [s for one in said for s in one["seconds"]]
    if max(one["difference"] for one in said) > APART:
        raise RuntimeError(f"{shape}: the graphs and the eager model differ by {said[0]['difference']:.1e}")
    return {"seconds": dict(zip(("portable", "ort", "eager"), seconds)), "difference": said[0]["difference"] if together else None}


def call(subject, kind, together, ours, theirs):
    said = called(subject, kind, together)
    a, b = said["seconds"][ours], said["seconds"][theirs]
    apart = "one by one" if said["difference"] is None else f"apart by {said['difference']:.1e}"
    return a / b, {**said, "words": f"{a:.4g} against {b:.4g} s, {apart}"}


def rule(subject, target, whole):
    whole.remove()    # its rows are done
    file = graphs(subject)[target] / "text.onnx"
    said = targets.under(subject.bench.python, "share", file, *TOKENS, program=__file__)
    if not all(a > 0 and b > 0 for calls in said.values() for a, b in calls):
        raise RuntimeError("the profile lacks nodes of the delta rule or of the products beside it")
    ratios = {n: statistics.median(a / b for a, b in calls) for n, calls in said.items()}
    return max(ratios.values()), {"seconds": said, "words": "; ".join(
        f"{n} tokens {ratios[n]:.3f} ({1000 * statistics.median(a for a, _ in said[n]):.3g} of "
        f"{1000 * statistics.median(b for _, b in said[n]):.3g} ms)" for n in said)}


def rows(bench):
    for size in ("tiny",) if bench.tiny else ("0.8b", "4b"):
        name, title = f"qwen3_5-{size}", f"ColQwen3.5 {size}"
        subject = conversion.Subject(bench, "colqwen3_5", size)
        yield f"{name}-convert", f"{title}: convert / cp + fsync", "", "<= 1.25", lambda s=subject: conversion.convert(s)
        yield f"{name}-memory", f"{title}: peak anonymous memory", "MiB", "<= 256", lambda s=subject: conversion.memory(s)
        if not bench.python:
            continue
        together = size != "4b"
        for kind in SHAPES:
            yield (f"{name}-{kind}", f"{title}, {kind}: ort / portable", "", None,
                   lambda s=subject, k=kind, t=together: call(s, k, t, "ort", "portable"))
            for ours in ("portable", "ort"):
                row = f"{name}-{kind}-eager" if ours == "portable" else f"{name}-{kind}-ort-eager"
                yield (row, f"{title}, {kind}: {ours} / eager torch", "", None,
                       lambda s=subject, k=kind, t=together, o=ours: call(s, k, t, o, "eager"))
        shallow = conversion.Subject(bench, "colqwen3_5", size, *(SHALLOW[1:2] if bench.tiny else SHALLOW))
        for target in ("portable", "ort"):
            yield (f"{name}-rule-{target}", f"{title}, {target}: rule / projections", "", "<= 0.25",
                   lambda s=shallow, t=target, w=subject: rule(s, t, w))


if __name__ == "__main__":
    if sys.argv[1] == "times":
        print(json.dumps(targets.times(*sys.argv[3:], opened=opened, runs=int(sys.argv[2]))))
    else:
        print(json.dumps(share(*sys.argv[2:])))
