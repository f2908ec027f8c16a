#!/usr/bin/env python3
"""Compares colconv's merging of adapters with peft's own, live, on random models and adapters of every kind.

  adapters.py [--runs N] [--seed S] [--kind KIND] [--colconvctl PATH]

A run makes a tiny ColQwen2, has peft put a random adapter on it and save that, and has peft merge it. colconv converts the
adapter, and apart from it the merged checkpoint: the files of weights must be the same but for the last bits of float32, in
which the two sum up in another order.

Needs peft beside what tests/golden/make.py needs.
"""
import argparse
import pathlib
import random
import subprocess
import sys
import tempfile

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "golden"))
import make  # noqa: E402

MAX_DIFFERENCE = 2e-6  # of w, in units of 1 + |w|
MAX_DIFFERENCE_INIT = 5e-5  # with PiSSA and OLoRA, for which peft decomposes the base in float32
ATTENTION = ["q_proj", "k_proj", "v_proj"]  # these have biases
LINEARS = [*ATTENTION, "o_proj", "gate_proj", "up_proj", "down_proj", "embedding_proj_layer"]


def patterns(rng):
    """Gives some modules their own rank and alpha, in the spellings that configurations use."""
    return dict(rank_pattern={"q_proj": rng.randint(1, 40), r"layers\.1\..*down_proj": 3},
                alpha_pattern={"vlm.language_model.layers.0.self_attn.q_proj": 5, "q_proj": 20,
                               r"layers.\d+.mlp.(gate|up)_proj": 7, "embedding_proj_layer": 2})


# What differs from a plain adapter of all linear layers.
KINDS = {
    "plain": lambda rng: {},
    "rslora": lambda rng: dict(use_rslora=True),
    "dora": lambda rng: dict(use_dora=True),
    "rsdora": lambda rng: dict(use_rslora=True, use_dora=True),
    "patterns": patterns,
    "rsdora-patterns": lambda rng: dict(use_rslora=True, use_dora=True, **patterns(rng)),
    "bias-lora-only": lambda rng: dict(bias="lora_only"),
    "bias-all": lambda rng: dict(bias="all"),
    "lora-bias": lambda rng: dict(lora_bias=True, target_modules=ATTENTION),
    "modules-to-save": lambda rng: dict(target_modules=LINEARS[:-1], modules_to_save=["embedding_proj_layer"]),
    "embedding": lambda rng: dict(target_modules=[*LINEARS, "embed_tokens"]),
    "vision": lambda rng: dict(target_modules=["qkv", "proj", "fc1", "fc2", "q_proj"]),
    "vision-dora": lambda rng: dict(target_modules=["qkv", "proj"], use_dora=True),
    "tokens": lambda rng: dict(trainable_token_indices=rng.sample(range(320), 5)),
    "eva": lambda rng: dict(init_lora_weights="eva"),
    "lora-ga": lambda rng: dict(init_lora_weights="lora_ga"),
    "mica": lambda rng: dict(init_lora_weights="mica", r=4),
    "orthogonal": lambda rng: dict(init_lora_weights="orthogonal", r=4),
    "gaussian": lambda rng: dict(init_lora_weights="gaussian"),
    "pissa": lambda rng: dict(init_lora_weights="pissa"),
    "pissa-rsdora-patterns": lambda rng: dict(init_lora_weights="pissa", use_rslora=True, use_dora=True, **patterns(rng)),
    "olora": lambda rng: dict(init_lora_weights="olora"),
    "olora-rsdora-patterns": lambda rng: dict(init_lora_weights="olora", use_rslora=True, use_dora=True, **patterns(rng)),
    "all-linear": lambda rng: dict(target_modules="all-linear"),
}


def randomize(model, maker):
    """Sets random values, because new adapters have no effect: B is zero, and a magnitude equals the existing length."""
    for name, p in model.named_parameters():
        if "lora_magnitude" in name:
            p.data *= 1 + 0.3 * maker.normal(*p.shape)
        elif "lora_" in name and p.dim() > 1:
            p.data = maker.normal(*p.shape) * (0.3 if "_B" in name else 0.1)
        elif p.requires_grad:
            p.data += 0.1 * maker.normal(*p.shape)


def half(path):
    save_file({k: v.half() for k, v in load_file(path).items()}, path)


def base_load(folder):
    return make.transformers.ColQwen2ForRetrieval.from_pretrained(folder / "base", dtype=torch.float32)


def convert(colconvctl, out, *checkpoint):
    """Returns all weights of all graphs as they are stored in the file."""
    subprocess.run([colconvctl, "convert", *checkpoint, "-o", out, "--variants", "text,image", "--no-parity"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    data = out / "model.onnx_data"
    return torch.from_file(str(data), size=data.stat().st_size // 4)


@torch.no_grad()
def run(kind, seed, colconvctl, folder):
    rng = random.Random(f"{kind} {seed}")
    maker = make.Maker(folder, rng.getrandbits(60))
    base_dtype, half_adapter = rng.choice([torch.float32, torch.bfloat16, torch.float16]), rng.random() < 0.3
    maker.colqwen2().to(base_dtype).save_pretrained(folder / "base")
    options = dict(r=rng.choice([1, 4, 13, 40]), lora_alpha=rng.choice([4, 16, 32]), target_modules=LINEARS)
    model = get_peft_model(base_load(folder), LoraConfig(**options | KINDS[kind](rng)))
    randomize(model, maker)
    model.save_pretrained(folder / "adapter", save_embedding_layers=False)
    if half_adapter:
        half(folder / "adapter" / "adapter_model.safetensors")
    # As it is loaded: peft sorts the patterns when it saves them, and the first that matches counts.
    model = PeftModel.from_pretrained(base_load(folder), folder / "adapter")
    model.merge_and_unload().save_pretrained(folder / "merged")
    got = convert(colconvctl, folder / "got", folder / "adapter", "--base", folder / "base")
    want = convert(colconvctl, folder / "want", folder / "merged")
    if got.shape != want.shape:
        return float("inf")
    return ((got - want).abs() / (1 + want.abs())).max().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--colconvctl", default=HERE.parent.parent / "colconvctl", type=pathlib.Path)
    args = parser.parse_args()
    failed = 0
    for kind in args.kind or KINDS:
        for seed in range(args.seed, args.seed + args.runs):
            with tempfile.TemporaryDirectory() as folder:
                difference = run(kind, seed, args.colconvctl, pathlib.Path(folder))
            init = kind.startswith(("pissa", "olora"))
            good = difference <= (MAX_DIFFERENCE_INIT if init else MAX_DIFFERENCE)
            failed += not good
            print(f"{'ok    ' if good else 'FAILED'} {kind} {seed}: {difference:.2e}", flush=True)
    print(f"{failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
