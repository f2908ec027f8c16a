#!/usr/bin/env python3
"""Makes the folder peft beside this file again: adapters that peft saved, and the weights that peft merges from each.

  make_peft.py OUT

Needs torch, peft (0.21 made those kept here) and safetensors. A kind of adapter is a row of KINDS: peft puts it on a tiny
model, its tensors get random values as if they had been trained, and peft saves it. Then peft loads it over the base as it
was, which is when PiSSA and OLoRA change the base, and merges it.
"""
import argparse
import copy
import json
import pathlib
import shutil
import warnings

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

LINEARS = ["q_proj", "k_proj", "custom_text_proj"]
KERNEL = ["patch_embed.proj"]
PATTERNS = dict(
    rank_pattern={r"layers\.\d{1,2}\..*(?:q|v)_proj": 3, r"^custom_text_proj$": 1},
    alpha_pattern={r"(?!.*q_proj).*k_proj": 5, r"(?=model)model\.[a-z]+\.0\.self_attn\.q_pro[a-j]": 7, ".*q_proj": 50})
KINDS = {
    "plain": dict(target_modules=LINEARS),
    "rslora": dict(target_modules=LINEARS, use_rslora=True),
    "dora": dict(target_modules=LINEARS, use_dora=True),
    "patterns": dict(target_modules=LINEARS, **PATTERNS),
    "patterns-rslora-dora": dict(target_modules=LINEARS, use_rslora=True, use_dora=True, **PATTERNS),
    "fan-in-fan-out": dict(target_modules=LINEARS, fan_in_fan_out=True),
    "bias-lora-only": dict(target_modules=["q_proj"], bias="lora_only"),
    "bias-all": dict(target_modules=["q_proj"], bias="all"),
    "lora-bias": dict(target_modules=["q_proj"], lora_bias=True),
    "modules-to-save": dict(target_modules=["q_proj"], modules_to_save=["custom_text_proj"]),
    "embedding": dict(target_modules=["q_proj", "embed_tokens"]),
    "kernel-3d": dict(target_modules=KERNEL),
    "kernel-3d-dora": dict(target_modules=KERNEL, use_dora=True, use_rslora=True),
    "kernel-2d": dict(target_modules=["patch_embedding"]),
    "kernel-2d-dora": dict(target_modules=["patch_embedding"], use_dora=True),
    "kernel-bias": dict(target_modules=["patch_embedding"], lora_bias=True),
    "tokens": dict(target_modules=["q_proj"], trainable_token_indices=[7, 0, 3]),
    "tokens-by-name": dict(target_modules=["q_proj"], trainable_token_indices={"embed_tokens": [8, 2]}),
    "gaussian": dict(target_modules=LINEARS, init_lora_weights="gaussian"),
    "orthogonal": dict(target_modules=LINEARS, init_lora_weights="orthogonal"),
    "eva": dict(target_modules=LINEARS, init_lora_weights="eva"),
    "mica": dict(target_modules=LINEARS, init_lora_weights="mica"),
    "lora-ga": dict(target_modules=LINEARS, init_lora_weights="lora_ga"),
    "pissa": dict(target_modules=LINEARS, init_lora_weights="pissa"),
    "pissa-rslora": dict(target_modules=LINEARS, init_lora_weights="pissa", use_rslora=True),
    "pissa-dora": dict(target_modules=LINEARS, init_lora_weights="pissa", use_dora=True),
    "pissa-patterns": dict(target_modules=LINEARS, init_lora_weights="pissa", **PATTERNS),
    "olora": dict(target_modules=LINEARS, init_lora_weights="olora"),
    "olora-rslora": dict(target_modules=LINEARS, init_lora_weights="olora", use_rslora=True),
    "olora-dora": dict(target_modules=LINEARS, init_lora_weights="OLoRA", use_dora=True),
    "olora-patterns": dict(target_modules=LINEARS, init_lora_weights="olora", **PATTERNS),
}


class Attention(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj = torch.nn.Linear(5, 6)
        self.k_proj = torch.nn.Linear(6, 4, bias=False)


class Model(torch.nn.Module):
    """Has the names of a retriever; it is never run."""

    def __init__(self):
        super().__init__()
        layer = torch.nn.ModuleDict({"self_attn": Attention()})
        self.model = torch.nn.ModuleDict({"layers": torch.nn.ModuleList([layer]), "embed_tokens": torch.nn.Embedding(9, 4)})
        self.visual = torch.nn.ModuleDict({"patch_embed": torch.nn.ModuleDict(
            {"proj": torch.nn.Conv3d(3, 4, (2, 2, 2), (2, 2, 2), bias=False)})})
        self.vision_tower = torch.nn.ModuleDict({"embeddings": torch.nn.ModuleDict(
            {"patch_embedding": torch.nn.Conv2d(3, 4, (2, 2), (2, 2))})})
        self.custom_text_proj = torch.nn.Linear(4, 3)
        self.config = {"model_type": "tiny"}


def randomize(model, random):
    """Sets random values, because new adapters have no effect: B is zero, and a magnitude equals the existing length."""
    for name, p in model.named_parameters():
        if "lora_magnitude" in name:
            p.data *= 1 + 0.3 * torch.randn(p.shape, generator=random)
        elif p.requires_grad or "lora_" in name:
            p.data = 0.5 * torch.randn(p.shape, generator=random)


@torch.no_grad()
def make(kind, options, base, random, out):
    folder = out / kind
    config = LoraConfig(**dict(r=2, lora_alpha=3) | options)
    model = get_peft_model(copy.deepcopy(base), config)
    randomize(model, random)
    model.save_pretrained(folder, save_embedding_layers=False)
    loaded = PeftModel.from_pretrained(copy.deepcopy(base), folder)
    merged, before = loaded.merge_and_unload().state_dict(), base.state_dict()
    save_file({k: v.contiguous() for k, v in merged.items() if not torch.equal(v, before[k])}, folder / "want.safetensors")
    path = folder / "adapter_config.json"
    saved = json.loads(path.read_text())
    kept = {k: v for k, v in saved.items() if v not in (None, [], {}, False) and k not in ("auto_mapping", "peft_version")}
    kept["target_modules"].sort()  # peft keeps a set
    path.write_text(json.dumps({**kept, "base_model_name_or_path": "base"}, indent=1, ensure_ascii=False) + "\n")
    (folder / "README.md").unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    random = torch.Generator().manual_seed(11)
    base = Model()
    for p in base.parameters():
        p.data = torch.randn(p.shape, generator=random)
    shutil.rmtree(args.out, ignore_errors=True)
    (args.out / "base").mkdir(parents=True)
    save_file(base.state_dict(), args.out / "base" / "model.safetensors")
    (args.out / "base" / "config.json").write_text("{}\n")
    for kind, options in KINDS.items():
        make(kind, options, base, random, args.out)
        print(kind, sorted(load_file(args.out / kind / "want.safetensors")))


if __name__ == "__main__":
    main()
