"""
EmbedAnything's ColPali. It takes models from the Hub alone, so each artifact is laid into a cache of the Hub below a temporary folder.
The original is transformers' class on the ids of the query, to which EmbedAnything adds no prompt.
"""
import importlib.metadata
import os
import pathlib
import shutil
import tempfile

import numpy
import tokenizers
import torch
import transformers
from embed_anything import ColpaliModel

from cases import Table, arguments

TEXTS = ["How much did revenue grow in 2025?", "x", "Quel est le résultat net — 2024 ? 売上高"]
COMMIT = "0" * 40
HALF = 2e-3  # outputs are float16

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
table = Table(f"embed-anything {importlib.metadata.version('embed-anything')}", f"transformers {transformers.__version__}")


def publish(artifact, home, name):
    repo = home / "hub" / f"models--local--{name}"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(COMMIT)
    shutil.copytree(artifact, repo / "snapshots" / COMMIT)
    return f"local/{name}"


def compared(model, artifact, checkpoint):
    tokenizer = tokenizers.Tokenizer.from_file(str(artifact / "tokenizer.json"))
    original = transformers.ColPaliForRetrieval.from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="eager").eval()
    for text in TEXTS:
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.no_grad():  # token types as the class's own processor gives them
            want = original(input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=torch.zeros_like(ids)).embeddings
        yield numpy.array(model.embed_query(text)[0].embedding), want[0].numpy()


with tempfile.TemporaryDirectory() as home:
    os.environ["HF_HOME"] = home
    for artifact, checkpoint in arguments():
        model = ColpaliModel.from_pretrained_onnx(publish(artifact, pathlib.Path(home), checkpoint.name), None)
        table.row(f"{checkpoint.name} queries", compared(model, artifact, checkpoint), HALF)
table.exit()
