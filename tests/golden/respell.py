#!/usr/bin/env python3
"""Writes a checkpoint again under the names that other libraries and versions of them give its tensors.

  respell.py LAYOUT FROM TO      LAYOUT is one of hub, engine

Only the headers of the safetensors files and config.json change; the bytes of the tensors stay. The
cases beside the checkpoint come along: it still computes the same.
"""
import json
import os
import shutil
import struct
import sys


# By model_type and layout: how a name begins here, and there.
PREFIXES = {
    # transformers 4.53 to 5.0, which is what the hub holds
    ("colqwen2", "hub"): {
        "vlm.visual.": "vlm.model.visual.",
        "vlm.language_model.": "vlm.model.language_model.",
    },
    ("colpali", "hub"): {
        "vlm.vision_tower.": "vlm.vision_tower.vision_model.",
    },
    # colpali-engine, whose class derives from plain Qwen2-VL
    ("colqwen2", "engine"): {
        "vlm.visual.": "visual.",
        "vlm.language_model.": "model.",
        "embedding_proj_layer.": "custom_text_proj.",
    },
}


def respell_name(prefixes, name):
    for here, there in prefixes.items():
        if name.startswith(here):
            return there + name[len(here):]
    return name


def engine_config(config):
    """A flat Qwen2-VL config of before 4.52: text keys at the top, rope_scaling in place of rope_parameters."""
    vlm = dict(config["vlm_config"])
    text = vlm.pop("text_config")
    rope = text.pop("rope_parameters")
    text.pop("model_type")
    return {
        **vlm, **text,
        "model_type": "qwen2_vl",
        "architectures": ["ColQwen2"],
        "rope_theta": rope["rope_theta"],
        "rope_scaling": {"type": "mrope", "mrope_section": rope["mrope_section"]},
        "torch_dtype": config["dtype"],
    }


def respell_weights(source, target, prefixes):
    with open(source, "rb") as f:
        (header_len,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(header_len))
        data = f.read()
    header = {name if name == "__metadata__" else respell_name(prefixes, name): entry for name, entry in header.items()}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(target, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def respell_index(source, target, prefixes):
    with open(source) as f:
        index = json.load(f)
    index["weight_map"] = {respell_name(prefixes, name): file for name, file in index["weight_map"].items()}
    with open(target, "w") as f:
        json.dump(index, f, indent=2)


def respell(layout, source, target):
    with open(os.path.join(source, "config.json")) as f:
        config = json.load(f)
    prefixes = PREFIXES[config["model_type"], layout]
    os.makedirs(target)
    for name in os.listdir(source):
        paths = os.path.join(source, name), os.path.join(target, name)
        if name == "config.json":
            with open(paths[1], "w") as f:
                json.dump(engine_config(config) if layout == "engine" else config, f, indent=2)
        elif name.startswith("model") and name.endswith(".safetensors"):
            respell_weights(*paths, prefixes)
        elif name.endswith(".index.json"):
            respell_index(*paths, prefixes)
        else:
            shutil.copyfile(*paths)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("hub", "engine"):
        sys.exit(__doc__.strip())
    respell(*sys.argv[1:])
