#!/usr/bin/env python3
"""Loads a converted ColPali in fastembed, as it is, and compares its embeddings with those of the original class.

  fastembed_check.py [--colconvctl PATH] [--keep DIR]

The checkpoint is tiny and random, but for what fastembed's class ColPali has written into it: images of 448 pixels a side
that are 1024 tokens, the id of these tokens, and embeddings of 128. Its tokenizer knows single characters. What fastembed
feeds to the graph is recorded and fed to transformers' ColPaliForRetrieval.

README.md says what must be installed.
"""
import argparse
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
import transformers
from fastembed import LateInteractionMultimodalEmbedding
from PIL import Image
from tokenizers import AddedToken, Tokenizer, models

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "golden"))
import make  # noqa: E402

MAX_ABS = 1e-5
MODEL = "Qdrant/colpali-v1.3-fp16"  # the name that fastembed knows ColPali by
IMAGE, VOCABULARY, SIDE, PATCH, DIM = 257152, 257216, 32, 14, 128
QUERIES = ["What is the capital of France?", "Revenue by quarter"]


def save_model(folder, seed):
    text = dict(
        model_type="gemma", vocab_size=VOCABULARY, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, num_image_tokens=SIDE * SIDE,
        bos_token_id=2, eos_token_id=1, pad_token_id=0)
    vision = dict(
        model_type="siglip_vision_model", hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, image_size=PATCH * SIDE, patch_size=PATCH, projection_dim=16,
        num_image_tokens=SIDE * SIDE, vision_use_head=False)
    config = transformers.ColPaliConfig(embedding_dim=DIM, vlm_config=dict(
        model_type="paligemma", text_config=text, vision_config=vision, image_token_index=IMAGE,
        projection_dim=16, hidden_size=16))
    model = transformers.ColPaliForRetrieval._from_config(config, attn_implementation="eager")
    make.Maker(None, seed).fill(model, norm_base=0.0).save_pretrained(folder)
    return model


def save_processor(folder):
    """The files that fastembed reads, as the published checkpoints have them."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<s>"]
    vocabulary = [*special, "\n", *map(chr, range(32, 127))]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(vocabulary)}, merges=[], unk_token="<unk>"))
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    files = {
        "tokenizer_config.json": {"model_max_length": 512, "padding_side": "right", "bos_token": "<bos>",
                                  "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"},
        "special_tokens_map.json": {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>",
                                    "unk_token": "<unk>"},
        "preprocessor_config.json": {
            "image_processor_type": "SiglipImageProcessor", "do_resize": True, "do_rescale": True, "do_normalize": True,
            "size": {"height": PATCH * SIDE, "width": PATCH * SIDE}, "resample": 3, "rescale_factor": 1 / 255,
            "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "image_seq_length": SIDE * SIDE},
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2))


def images():
    random = numpy.random.default_rng(3)
    return [Image.fromarray(random.integers(0, 256, (h, w, 3), dtype=numpy.uint8)) for h, w in ((300, 200), (448, 448))]


class Recorded:
    """A session of ONNX Runtime that keeps the inputs of its last call."""

    def __init__(self, session):
        self.session, self.inputs = session, None

    def __getattr__(self, name):
        return getattr(self.session, name)

    def run(self, outputs, inputs, *rest):
        self.inputs = {name: value.copy() for name, value in inputs.items()}
        return self.session.run(outputs, inputs, *rest)


@torch.no_grad()
def compare(what, model, inputs, embeddings):
    inputs = {name: torch.from_numpy(value) for name, value in inputs.items()}
    shapes = ", ".join(f"{name} {list(value.shape)} {value.dtype}" for name, value in inputs.items())
    if not (inputs["input_ids"] == IMAGE).any():
        del inputs["pixel_values"]  # placeholders; the original takes none without an image
    want = model(**inputs, token_type_ids=torch.zeros_like(inputs["input_ids"])).embeddings.numpy()
    got = numpy.stack(list(embeddings))
    difference = numpy.abs(got - want).max() if got.shape == want.shape else numpy.inf
    print(f"{what}: fed {shapes}; got {list(got.shape)}, want {list(want.shape)}, largest difference {difference:.2e}")
    return difference <= MAX_ABS


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--colconvctl", default=HERE.parent.parent / "colconvctl", metavar="PATH")
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="leave checkpoint and artifact in this new folder")
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = args.keep or pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="colconv-")))
        checkpoint, artifact = folder / "checkpoint", folder / "artifact"
        model = save_model(checkpoint, seed=5)
        save_processor(checkpoint)
        subprocess.run([args.colconvctl, "convert", checkpoint, "-o", artifact, "--variants", "unified"], check=True)

        embedder = LateInteractionMultimodalEmbedding(MODEL, specific_model_path=str(artifact))
        embedder.model.model = session = Recorded(embedder.model.model)
        queries = list(embedder.embed_text(QUERIES))
        good = compare("queries", model, session.inputs, queries)
        pages = list(embedder.embed_image(images()))
        good &= compare("pages", model, session.inputs, pages)
    return 0 if good else 1


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    sys.exit(main())
