#!/usr/bin/env python3
"""Writes a checkpoint again under the names that other libraries and versions of them give its tensors.

  respell.py LAYOUT FROM TO      LAYOUT is one of hub, engine, legacy, tomoro, sauerkraut, sauerkraut-untyped, prefixed, inner, v5, topk, v524, whole

Only the headers of the safetensors files and config.json change; the bytes of the tensors stay: a table of words that
older libraries kept in two parts is two ranges of the same bytes. The cases beside the checkpoint come along: it still computes the same.
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
    # TomoroAI's class, of what colpali-engine saves
    ("qwen3_vl", "tomoro"): {
        "model.visual.": "vlm.model.visual.",
        "model.language_model.": "vlm.model.language_model.",
        "model.custom_text_proj.": "embedding_proj_layer.",
    },
    # sauerkrautlm-colpali, whose class is the engine's with another model_type or none
    ("qwen3_vl", "sauerkraut"): {"model.custom_text_proj.": "custom_text_proj."},
    ("qwen3_vl", "sauerkraut-untyped"): {},
    # an older form, and that of transformers 5
    ("llama_nemotron_vl", "inner"): {"language_model.": "language_model.model."},
    ("llama_nemotron_vl", "v5"): {"vision_model.vision_model.": "vision_model."},
    # Qwen's own names, and those of topk-io
    ("qwen3_5", "hub"): {
        "visual.": "model.visual.",
        "language_model.": "model.language_model.",
    },
    ("qwen3_5", "topk"): {
        "visual.": "model.visual.",
        "language_model.": "model.language_model.",
        "custom_text_proj.": "head.",
    },
    # module names since transformers 5.24, and within a whole Qwen2.5-Omni
    ("qwen2_5_omni_thinker", "v524"): {
        "model.": "model.language_model.",
        "visual.": "model.visual.",
        "audio_tower.": "model.audio_tower.",
        "base_model.model.custom_text_proj.": "custom_text_proj.",
    },
    ("qwen2_5_omni_thinker", "whole"): {
        "model.": "thinker.model.",
        "visual.": "thinker.visual.",
        "audio_tower.": "thinker.audio_tower.",
    },
    # the author's class with transformers 4, and with a prefix that its loader takes
    ("lfm2_vl", "sauerkraut"): {
        "model.vision_tower.": "model.vision_tower.vision_model.",
        "custom_text_proj.": "model.custom_text_proj.",
    },
    ("lfm2_vl", "prefixed"): {"": "base_model."},
    # colpali-engine, whose class derives from plain Qwen2-VL
    ("colqwen2", "engine"): {
        "vlm.visual.": "visual.",
        "vlm.language_model.": "model.",
        "embedding_proj_layer.": "custom_text_proj.",
    },
    # colpali-engine 0.3.18, which saves PEFT's prefix although there is no adapter, and 0.3.13
    ("colmodernvbert", "engine"): {
        "vlm.text_model.": "base_model.model.model.text_model.",
        "vlm.": "model.",
        "embedding_proj_layer.": "base_model.model.custom_text_proj.",
    },
    ("colmodernvbert", "legacy"): {
        "vlm.connector.modality_projection.": "model.connector.modality_projection.proj.",
        "vlm.": "model.",
        "embedding_proj_layer.": "custom_text_proj.",
    },
}

WORDS = "model.text_model.embeddings.tok_embeddings."
MORE_WORDS = 15


def respell_name(prefixes, name):
    for here, there in prefixes.items():
        if name.startswith(here):
            return there + name[len(here):]
    return name


def colqwen2_engine(config):
    """A flat Qwen2-VL config of before 4.52: text keys at the top, rope_scaling in place of rope_parameters."""
    vlm = dict(config["vlm_config"])
    text = vlm.pop("text_config")
    rope = text.pop("rope_parameters")
    text.pop("model_type")
    return {
        **vlm, **text,
        "model_type": vlm["model_type"],
        "architectures": [{"qwen2_vl": "ColQwen2", "qwen2_5_vl": "ColQwen2_5"}[vlm["model_type"]]],
        "rope_theta": rope["rope_theta"],
        "rope_scaling": {"type": "mrope", "mrope_section": rope["mrope_section"]},
        "torch_dtype": config["dtype"],
    }


def colmodernvbert_engine(config):
    return {**config["vlm_config"], "architectures": ["ColModernVBert"], "dtype": config["dtype"]}


def colmodernvbert_legacy(config):
    """Both parts were called after colpali-engine's own classes, and the second table of words had a count of its own."""
    vlm = dict(config["vlm_config"])
    text, vision = dict(vlm.pop("text_config")), dict(vlm.pop("vision_config"))
    words = text["vocab_size"] - MORE_WORDS
    vision["embed_dim"] = vision.pop("hidden_size")
    return {
        **vlm,
        "architectures": ["ColModernVBert"],
        "additional_vocab_size": MORE_WORDS,
        "vocab_size": words,
        "torch_dtype": config["dtype"],
        "text_config": {**text, "vocab_size": words, "model_type": "modernvbert_text", "text_model_name": "tiny"},
        "vision_config": {**vision, "model_type": "modernvbert_vision", "vision_model_name": "tiny"},
    }


def colqwen3_tomoro(config):
    return {**config, "model_type": "colqwen3", "embed_dim": config.get("dim", 320)}


def colqwen_omni_whole(config):
    return {"architectures": config["architectures"], "model_type": "qwen2_5_omni", "thinker_config": config,
            "talker_config": {"model_type": "qwen2_5_omni_talker"}, "token2wav_config": {"model_type": "qwen2_5_omni_token2wav"}}


def collfm2_sauerkraut(config):
    """LiquidAI's keys, and those of the author."""
    text = dict(config["text_config"])
    types, rope = text.pop("layer_types"), text.pop("rope_parameters")
    text = {**text, "full_attn_idxs": [i for i, kind in enumerate(types) if kind != "conv"], "theta": rope["rope_theta"],
            "block_ff_dim": text.pop("intermediate_size")}
    return {**config, "text_config": text, "architectures": ["ColLFM2"], "model_type": "collfm2", "base_model": "LiquidAI/LFM2-VL-450M"}


CONFIGS = {
    ("lfm2_vl", "sauerkraut"): collfm2_sauerkraut,
    ("qwen2_5_omni_thinker", "whole"): colqwen_omni_whole,
    ("colqwen2", "engine"): colqwen2_engine,
    ("qwen3_vl", "sauerkraut"): lambda config: {**config, "model_type": "colqwen3"},
    ("qwen3_vl", "sauerkraut-untyped"): lambda config: {name: x for name, x in config.items() if name != "model_type"},
    ("qwen3_vl", "tomoro"): colqwen3_tomoro,
    ("colmodernvbert", "engine"): colmodernvbert_engine,
    ("colmodernvbert", "legacy"): colmodernvbert_legacy,
}


def split_words(header):
    if WORDS + "weight" not in header:
        return  # another of the checkpoint's files has it
    entry = header.pop(WORDS + "weight")
    (rows, width), (begin, end) = entry["shape"], entry["data_offsets"]
    at = begin + (end - begin) // rows * (rows - MORE_WORDS)
    header[WORDS + "weight"] = {**entry, "shape": [rows - MORE_WORDS, width], "data_offsets": [begin, at]}
    header[WORDS + "additional_embedding.weight"] = {**entry, "shape": [MORE_WORDS, width], "data_offsets": [at, end]}


def respell_weights(source, target, prefixes, split=False):
    with open(source, "rb") as f:
        (header_len,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(header_len))
        data = f.read()
    header = {name if name == "__metadata__" else respell_name(prefixes, name): entry for name, entry in header.items()}
    if split:
        split_words(header)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(target, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def respell_index(source, target, prefixes, split):
    with open(source) as f:
        index = json.load(f)
    index["weight_map"] = {respell_name(prefixes, name): file for name, file in index["weight_map"].items()}
    if split:
        index["weight_map"][WORDS + "additional_embedding.weight"] = index["weight_map"][WORDS + "weight"]
    with open(target, "w") as f:
        json.dump(index, f, indent=2)


def respell(layout, source, target):
    with open(os.path.join(source, "config.json")) as f:
        config = json.load(f)
    prefixes = PREFIXES[config["model_type"], layout]
    spell = CONFIGS.get((config["model_type"], layout), dict)
    os.makedirs(target)
    for name in os.listdir(source):
        paths = os.path.join(source, name), os.path.join(target, name)
        if name == "config.json":
            with open(paths[1], "w") as f:
                json.dump(spell(config), f, indent=2)
        elif name.startswith("model") and name.endswith(".safetensors"):
            respell_weights(*paths, prefixes, split=layout == "legacy")
        elif name.endswith(".index.json"):
            respell_index(*paths, prefixes, split=layout == "legacy")
        else:
            shutil.copyfile(*paths)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in {layout for _, layout in PREFIXES}:
        sys.exit(__doc__.strip())
    respell(*sys.argv[1:])
